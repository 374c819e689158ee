"""What each setting of a job would be on a card, with the rule that gave it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from finetune_core.api.job import ALL_LINEAR, FineTuneJobSpec, MasterWeights, Method, Precision
from finetune_core.api.plan import PlannedGpu, Reason, ResolvedHyperparameters, ResolvedLora, ResolvedQuantization
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning import hyperparameters as defaults
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.learning_rate import learning_rate
from finetune_core.planning.memory import TrainingShape, adapter_parameters
from finetune_core.planning.search import Fit, search

Value = TypeVar("Value")


@dataclass
class Reasons:
    """Values with the rule that gave each: a value given in the job wins."""

    entries: list[Reason] = field(default_factory=list)

    def choose(self, name: str, given: Value | None, default: Callable[[], tuple[Value, str]]) -> Value:
        """The given value, or the default with its rule; either way noted."""
        value, because = (given, "given in the job") if given is not None else default()
        return self.note(name, value, because)

    def note(self, name: str, value: Value, because: str) -> Value:
        """Note a value that follows from others."""
        self.entries.append(Reason(field=name, value=_as_text(value), because=because))
        return value


def _as_text(value: Any) -> str:
    """A value as one would write it in YAML, a list without its brackets."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    # Python's own form is the shortest that is the same number again: 5e-05, 0.0001.
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Settings:
    """One job against one card: what each setting would be for a method."""

    spec: FineTuneJobSpec
    shape: ModelShape
    data: DataStatistics
    gpu: Gpu

    @property
    def planned_gpu(self) -> PlannedGpu:
        """The card, as the plan names it."""
        return PlannedGpu(type=self.gpu.name, memory_bytes=self.gpu.memory_bytes)

    def conflict(self, method: Method) -> str:
        """Why the values given in the job cannot go with this method on this card, or an empty string."""
        given = self.spec.hyperparameters
        if given.precision == "bf16" and not (self.gpu.bf16 or self.gpu.is_cpu):
            return f"precision bf16 was given, and {self.gpu.name} has no bf16: leave it out or write fp16"
        if given.precision == "fp16" and self.gpu.is_cpu:
            return "precision fp16 was given, and the CPU does not train in it: leave it out or write fp32"
        if method == "full" and given.master_weights == "none" and self.precision(Reasons()) != "bf16":
            return "masterWeights none was given, and it needs precision bf16"
        if method == "full" and self.spec.output.export in ("adapter", "both"):
            return (
                f"output.export {self.spec.output.export} was given, and full fine-tuning leaves a whole model without "
                "an adapter: leave it out, or choose method lora or qlora"
            )
        if given.cutoff_length and given.cutoff_length > self.shape.max_position_embeddings:
            return f"cutoffLength {given.cutoff_length} is more than the model's {self.shape.max_position_embeddings}"
        targets = given.lora.target_modules or [ALL_LINEAR]
        if method != "full" and targets != [ALL_LINEAR] and set(targets) - set(self.shape.linear_shapes):
            known = ", ".join(self.shape.linear_shapes)
            return f"lora.targetModules {targets} are not all linears of the model: {known}"
        return ""

    # Each of the following gives a value and notes its rule in ``reasons``.

    def precision(self, reasons: Reasons) -> Precision:
        """Number format computed with."""

        def default() -> tuple[Precision, str]:
            if self.gpu.is_cpu:
                return "fp32", "CPUs are fastest and safest in fp32"
            return ("bf16", f"{self.gpu.name} has bf16") if self.gpu.bf16 else ("fp16", f"{self.gpu.name} has no bf16")

        return reasons.choose("precision", self.spec.hyperparameters.precision, default)

    def cutoff(self, reasons: Reasons) -> int:
        """Longest row, in tokens."""
        return reasons.choose(
            "cutoffLength",
            self.spec.hyperparameters.cutoff_length,
            lambda: defaults.cutoff_length(self.data, self.shape.max_position_embeddings),
        )

    def packing(self, reasons: Reasons) -> bool:
        """Whether a micro-batch takes as many rows as fit in the room of its longest ones."""
        return reasons.choose(
            "packing",
            self.spec.hyperparameters.packing,
            lambda: (True, "short rows fill the micro-batch, in memory that the longest ones need anyway"),
        )

    def lora(self, reasons: Reasons) -> ResolvedLora:
        """Adapters of lora and qlora."""
        given = self.spec.hyperparameters.lora
        task, rows = self.spec.dataset.task, self.data.rows
        rank = reasons.choose("lora.rank", given.rank, lambda: defaults.lora_rank(task, rows))
        return ResolvedLora(
            rank=rank,
            alpha=reasons.choose("lora.alpha", given.alpha, lambda: (2 * rank, "2 x rank")),
            dropout=reasons.choose("lora.dropout", given.dropout, lambda: (defaults.LORA_DROPOUT, "default")),
            target_modules=reasons.choose(
                "lora.targetModules",
                given.target_modules,
                lambda: ([ALL_LINEAR], "adapters on all linears match full fine-tuning (QLoRA, section 4)"),
            ),
        )

    def quantization(self, reasons: Reasons) -> ResolvedQuantization:
        """Base weights of qlora."""
        given = self.spec.hyperparameters.quantization
        return ResolvedQuantization(
            type=reasons.choose("quantization.type", given.type, lambda: ("nf4", "best for normal weights (QLoRA)")),
            double_quantization=reasons.choose(
                "quantization.doubleQuantization", given.double_quantization, lambda: (True, "saves 0.37 bits a weight")
            ),
        )

    def epochs(self, reasons: Reasons) -> float:
        """Passes over the data."""
        return reasons.choose("epochs", self.spec.hyperparameters.epochs, lambda: defaults.epochs(self.data.rows))

    def effective_batch_size(self, reasons: Reasons) -> int:
        """Rows per optimizer step."""
        given = self.spec.hyperparameters
        both = (given.micro_batch_size or 0) * (given.gradient_accumulation_steps or 0)
        if not given.effective_batch_size and both:
            return reasons.note(
                "effectiveBatchSize", both, "microBatchSize x gradientAccumulationSteps, as given in the job"
            )

        def default() -> tuple[int, str]:
            size, because = defaults.effective_batch_size(self.data.rows, self.epochs(Reasons()))
            factor = given.micro_batch_size or given.gradient_accumulation_steps or 1
            if size % factor == 0:
                return size, because
            name = "microBatchSize" if given.micro_batch_size else "gradientAccumulationSteps"
            return factor * max(1, round(size / factor)), f"the multiple of the given {name} nearest to {size}"

        return reasons.choose("effectiveBatchSize", given.effective_batch_size, default)

    def fit(self, method: Method) -> Fit:
        """The fastest shape of micro-batch that fits, or the smallest where none does."""
        if method == "full" and self.spec.hyperparameters.master_weights is None:
            masters = self._search(method, "fp32")
            if masters.fits or self.precision(Reasons()) != "bf16":
                return masters
            return self._search(method, "none")
        return self._search(method, self.spec.hyperparameters.master_weights if method == "full" else None)

    def _search(self, method: Method, master_weights: MasterWeights | None) -> Fit:
        quiet = Reasons()
        given = self.spec.hyperparameters
        cutoff = self.cutoff(quiet)
        packing = self.packing(quiet)
        row_tokens = min(cutoff, self.data.lengths.max)
        # Packed micro-batches may be filled with answers alone.
        supervised = row_tokens
        if not (packing or given.train_on_prompt):
            supervised = min(row_tokens, self.data.supervised_max)
        base = TrainingShape(
            method=method,
            micro_batch_size=1,
            row_tokens=row_tokens,
            supervised_tokens=supervised,
            precision=self.precision(quiet),
            activation_checkpointing=False,
            master_weights=master_weights,
            lora=self.lora(quiet) if method != "full" else None,
            quantization=self.quantization(quiet) if method == "qlora" else None,
        )
        batch = self.effective_batch_size(quiet)
        micro = given.micro_batch_size
        if micro is None and given.gradient_accumulation_steps:
            micro = max(1, batch // given.gradient_accumulation_steps)
        return search(
            self.shape,
            base,
            usable_bytes=self.gpu.memory_bytes,
            micro_batch_sizes=[micro] if micro else defaults.micro_batch_sizes(batch),
            checkpointing=[True, False] if given.activation_checkpointing is None else [given.activation_checkpointing],
            typical_tokens=row_tokens if packing else min(row_tokens, self.data.lengths.p50),
        )

    def resolve(self, method: Method, fit: Fit) -> tuple[ResolvedHyperparameters, list[Reason]]:
        """Every value the trainer needs, and the reason of each."""
        given, reasons, training = self.spec.hyperparameters, Reasons(), fit.training
        shape_reason = "the fastest shape predicted to fit"
        passes = self.epochs(reasons)
        batch = self.effective_batch_size(reasons)
        micro = reasons.choose(
            "microBatchSize", given.micro_batch_size, lambda: (training.micro_batch_size, shape_reason)
        )
        steps = reasons.choose(
            "totalSteps",
            given.max_steps,
            lambda: (
                defaults.total_steps(self.data.rows, passes, batch),
                f"{passes:g} epochs of {self.data.rows:,} rows, {batch} a step",
            ),
        )
        warmup = reasons.choose("warmupRatio", given.warmup_ratio, lambda: defaults.warmup_ratio(steps))
        resolved = ResolvedHyperparameters(
            epochs=passes,
            total_steps=steps,
            learning_rate=reasons.choose(
                "learningRate",
                given.learning_rate,
                lambda: learning_rate(method, self.shape.linear_parameters, given.preset),
            ),
            lr_scheduler=reasons.choose("lrScheduler", given.lr_scheduler, lambda: ("cosine", "default")),
            warmup_steps=round(warmup * steps),
            weight_decay=reasons.choose("weightDecay", given.weight_decay, lambda: (0.0, "default for fine-tuning")),
            max_grad_norm=reasons.choose("maxGradNorm", given.max_grad_norm, lambda: (1.0, "default")),
            seed=reasons.choose("seed", given.seed, lambda: (42, "default")),
            effective_batch_size=batch,
            micro_batch_size=micro,
            gradient_accumulation_steps=reasons.choose(
                "gradientAccumulationSteps",
                given.gradient_accumulation_steps,
                lambda: (batch // micro, "effectiveBatchSize / microBatchSize"),
            ),
            cutoff_length=self.cutoff(reasons),
            packing=self.packing(reasons),
            precision=self.precision(reasons),
            master_weights=self._master_weights(training, reasons),
            activation_checkpointing=reasons.choose(
                "activationCheckpointing",
                given.activation_checkpointing,
                lambda: (training.activation_checkpointing, shape_reason),
            ),
            train_on_prompt=reasons.note(
                "trainOnPrompt",
                given.train_on_prompt,
                "given in the job" if given.train_on_prompt else "loss on the answers alone",
            ),
            logging_steps=reasons.choose("loggingSteps", given.logging_steps, lambda: defaults.logging_steps(steps)),
            evaluation_steps=reasons.choose(
                "evaluation.everySteps", self.spec.evaluation.every_steps, lambda: defaults.evaluation_steps(steps)
            ),
            lora=self.lora(reasons) if method != "full" else None,
            quantization=self.quantization(reasons) if method == "qlora" else None,
        )
        if resolved.lora is not None:
            reasons.note(
                "adapterParameters",
                adapter_parameters(self.shape, resolved.lora),
                "rank x (in + out) of every targeted linear",
            )
        return resolved, reasons.entries

    def _master_weights(self, training: TrainingShape, reasons: Reasons) -> MasterWeights | None:
        def default() -> tuple[MasterWeights, str]:
            if training.master_weights == "fp32":
                return "fp32", "16 bytes a parameter fit"
            return "none", "fp32 weights do not fit: bf16 weights with Kahan compensation, 10 bytes a parameter"

        if training.method != "full":
            return None
        return reasons.choose("masterWeights", self.spec.hyperparameters.master_weights, default)
