"""What each setting of a job would be on a card, with the rule that gave it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from finetune_core.api.job import ALL_LINEAR, FineTuneJobSpec, MasterWeights, Method, Optimizer, Precision, Sharding
from finetune_core.api.plan import PlannedGpu, Reason, ResolvedHyperparameters, ResolvedLora, ResolvedQuantization
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning import hyperparameters as defaults
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.learning_rate import learning_rate
from finetune_core.planning.memory import adapter_parameters
from finetune_core.planning.methods import floor_bytes
from finetune_core.planning.search import Fit, search
from finetune_core.planning.training_shape import TrainingShape

Value = TypeVar("Value")

_OF_EXPERTS: dict[Method, str] = {
    "full": "the model is a mixture of experts, and full fine-tuning of these needs a loss that keeps all of them in "
    "use, which the trainer has not: choose method lora, which trains the attention",
    "qlora": "the model is a mixture of experts, which qlora would leave in 16 bit: choose method lora",
}
"""Why not. Experts are no linears in transformers but tensors of three dimensions, which bitsandbytes (0.50) does not
quantise."""


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


class Unsaid(Reasons):
    """Values alone: for what is not to be told yet."""

    def note(self, name: str, value: Value, because: str) -> Value:
        """The value."""
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
    """One job against its cards: what each setting would be for a method."""

    spec: FineTuneJobSpec
    shape: ModelShape
    data: DataStatistics
    gpu: Gpu

    @property
    def planned_gpu(self) -> PlannedGpu:
        """The cards, as the plan names them."""
        asked = self.spec.gpu
        return PlannedGpu(
            type=self.gpu.name, per_node=asked.per_node, nodes=asked.nodes, memory_bytes=self.gpu.memory_bytes
        )

    @property
    def gpus(self) -> int:
        """How many train together."""
        return self.spec.gpu.count

    @property
    def memory_bytes(self) -> int:
        """What each of them has: cards their own memory, processes on one machine a part of the machine's."""
        return self.gpu.memory_bytes // (self.spec.gpu.per_node if self.gpu.is_cpu else 1)

    def shardings(self, method: Method) -> list[Sharding]:
        """Those that may be tried, the faster first: where each GPU holds all, only gradients go between them.

        ``auto`` asks for the floor of the method, summed over the GPUs that the model is divided over.
        """
        floor = floor_bytes(method, self.shape.parameters) if self.spec.method == "auto" else 0
        both: tuple[Sharding, ...] = ("none", "full") if self._divides(method) else ("none",)
        return [sharding for sharding in both if self.memory_bytes * self.shards(sharding) >= floor]

    def shards(self, sharding: Sharding) -> int:
        """Over how many GPUs the model is divided."""
        return self.gpus if sharding == "full" else 1

    def memory_of_all(self, method: Method) -> int:
        """What the GPUs have together for a model of that method."""
        return self.memory_bytes * (self.gpus if self._divides(method) else 1)

    def _divides(self, method: Method) -> bool:
        return self.gpus > 1 and not self.undivided(method)

    def undivided(self, method: Method) -> str:
        """Which setting keeps the model whole on each GPU, and what to do about it, or an empty string.

        Neither bitsandbytes' kernels nor, as far as is known, optimi's Kahan compensation work on parts of a weight.
        """
        given = self.spec.hyperparameters
        if given.optimizer == "adamw-8bit":
            return "optimizer adamw-8bit cannot be divided over GPUs: leave it out"
        if method == "full" and given.master_weights == "none":
            return "masterWeights none cannot be divided over GPUs: leave it out, or write fp32"
        return ""

    def untrainable(self, method: Method) -> str:
        """Why the method is none for this model on any card, or an empty string."""
        return _OF_EXPERTS.get(method, "") if self.shape.num_experts else ""

    def conflict(self, method: Method) -> str:
        """Why the values given in the job cannot go with this method on these cards, or an empty string."""
        given = self.spec.hyperparameters
        if self.gpu.is_slice and self.gpus > 1:
            return f"{self.gpu.name} is a slice of a card, and slices cannot train together: ask for one, or for cards"
        if problem := self._batch_conflict():
            return problem
        if given.precision == "bf16" and not (self.gpu.bf16 or self.gpu.is_cpu):
            return f"precision bf16 was given, and {self.gpu.name} has no bf16: leave it out or write fp16"
        if given.precision == "fp16" and self.gpu.is_cpu:
            return "precision fp16 was given, and the CPU does not train in it: leave it out or write fp32"
        if method == "full" and given.master_weights == "none" and self.precision(Unsaid()) != "bf16":
            return "masterWeights none was given, and it needs precision bf16"
        if method == "full" and given.master_weights == "none" and given.optimizer == "adamw-8bit":
            return (
                "optimizer adamw-8bit was given with masterWeights none, and it has no compensation for what bf16 "
                "weights round off: leave one of the two out"
            )
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

    def _batch_conflict(self) -> str:
        """Why the batch given in the job cannot be divided over its GPUs, or an empty string."""
        given, gpus = self.spec.hyperparameters, self.gpus
        effective, micro, accumulation = (
            given.effective_batch_size,
            given.micro_batch_size,
            given.gradient_accumulation_steps,
        )
        if effective is None or gpus == 1:
            return ""
        unit = gpus * (micro or accumulation or 1)
        if effective % unit:
            name = "microBatchSize" if micro else "gradientAccumulationSteps"
            times = f" x {name} {micro or accumulation}" if micro or accumulation else ""
            return (
                f"effectiveBatchSize {effective} cannot be divided over {gpus} GPUs{times}: "
                f"give a multiple of {unit}, or leave it out"
            )
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
                lambda: (
                    [ALL_LINEAR],
                    "all linears, which are those of the attention: experts stay as they are"
                    if self.shape.num_experts
                    else "adapters on all linears match full fine-tuning (QLoRA, section 4)",
                ),
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
                "effectiveBatchSize",
                both * self.gpus,
                f"microBatchSize x gradientAccumulationSteps{self._each}, as given in the job",
            )

        def default() -> tuple[int, str]:
            size, because = defaults.effective_batch_size(self.data.rows, self.epochs(Reasons()))
            given_factor = given.micro_batch_size or given.gradient_accumulation_steps
            factor = (given_factor or 1) * self.gpus
            if size % factor == 0:
                return size, because
            name = "microBatchSize" if given.micro_batch_size else "gradientAccumulationSteps"
            what = f"the given {name}{self._each}" if given_factor else f"{self.gpus} GPUs"
            return factor * max(1, round(size / factor)), f"the multiple of {what} nearest to {size}"

        return reasons.choose("effectiveBatchSize", given.effective_batch_size, default)

    @property
    def _each(self) -> str:
        return f" x {self.gpus} GPUs" if self.gpus > 1 else ""

    def fit(self, method: Method) -> Fit:
        """The fastest shape of micro-batch that fits, or the smallest where none does.

        fp32 masters come before a faster sharding: dividing them over the GPUs is what makes room for them.
        """
        masters: list[MasterWeights | None] = [None]
        if method == "full":
            given = self.spec.hyperparameters.master_weights
            compensates = self.precision(Unsaid()) == "bf16" and self.spec.hyperparameters.optimizer == "adamw"
            masters = [given] if given else ["fp32", "none"] if compensates else ["fp32"]
        fits = []
        for master_weights in masters:
            for sharding in self.shardings(method):
                if master_weights == "none" and sharding == "full":
                    continue
                fit = self._search(method, master_weights, sharding)
                if fit.fits:
                    return fit
                fits.append(fit)
        return min(fits, key=lambda fit: fit.peak_bytes)

    def _has_varlen_kernel(self) -> bool:
        """torch's takes 16-bit numbers, from Ampere on, and heads of at most 256."""
        capability = self.gpu.compute_capability or (0, 0)
        return capability >= (8, 0) and self.precision(Unsaid()) != "fp32" and self.shape.head_dim <= 256

    def _search(self, method: Method, master_weights: MasterWeights | None, sharding: Sharding) -> Fit:
        quiet = Unsaid()
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
            shards=self.shards(sharding),
            micro_batch_size=1,
            row_tokens=row_tokens,
            supervised_tokens=supervised,
            precision=self.precision(quiet),
            activation_checkpointing=False,
            master_weights=master_weights,
            optimizer=given.optimizer,
            lora=self.lora(quiet) if method != "full" else None,
            quantization=self.quantization(quiet) if method == "qlora" else None,
            varlen_attention=self._has_varlen_kernel(),
        )
        share = self.effective_batch_size(quiet) // self.gpus
        micro = given.micro_batch_size
        if micro is None and given.gradient_accumulation_steps:
            micro = max(1, share // given.gradient_accumulation_steps)
        return search(
            self.shape,
            base,
            gpu=self.gpu,
            usable_bytes=self.memory_bytes,
            micro_batch_sizes=[micro] if micro else defaults.micro_batch_sizes(share),
            checkpointing=[True, False] if given.activation_checkpointing is None else [given.activation_checkpointing],
            typical_tokens=row_tokens if packing else min(row_tokens, self.data.lengths.p50),
        )

    def resolve(self, method: Method, fit: Fit) -> tuple[ResolvedHyperparameters, list[Reason]]:
        """Every value the trainer needs, and the reason of each."""
        given, reasons, training = self.spec.hyperparameters, Reasons(), fit.training
        shape_reason = "the fastest shape predicted to fit"
        each_time = f"(microBatchSize{self._each})" if self._each else "microBatchSize"
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
                lambda: learning_rate(method, self.shape.layer_parameters, given.preset),
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
                lambda: (batch // (micro * self.gpus), f"effectiveBatchSize / {each_time}"),
            ),
            sharding=self._sharding(training, reasons),
            cutoff_length=self.cutoff(reasons),
            packing=self.packing(reasons),
            precision=self.precision(reasons),
            master_weights=self._master_weights(training, reasons),
            optimizer=self._optimizer(reasons),
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

    def _sharding(self, training: TrainingShape, reasons: Reasons) -> Sharding:
        if training.shards > 1:
            because = f"one GPU does not hold it: {training.shards} hold a part each, and gather layers in turn"
            return reasons.note("sharding", "full", because)
        because = "each GPU holds it all, and only gradients go between them" if self.gpus > 1 else "one GPU"
        return reasons.note("sharding", "none", because)

    def _optimizer(self, reasons: Reasons) -> Optimizer:
        given = self.spec.hyperparameters.optimizer
        because = "given in the job: moments in 8 bits, 2 bytes a trained parameter instead of 8"
        return reasons.note("optimizer", given, because if given == "adamw-8bit" else "default")

    def _master_weights(self, training: TrainingShape, reasons: Reasons) -> MasterWeights | None:
        def default() -> tuple[MasterWeights, str]:
            if training.master_weights == "fp32":
                over = f" when divided over {training.shards} GPUs" if training.shards > 1 else ""
                return "fp32", f"{8 + training.moments_bytes:.0f} bytes a parameter fit{over}"
            return "none", "fp32 weights do not fit: bf16 weights with Kahan compensation, 10 bytes a parameter"

        if training.method != "full":
            return None
        return reasons.choose("masterWeights", self.spec.hyperparameters.master_weights, default)
