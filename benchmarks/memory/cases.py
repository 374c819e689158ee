"""What is measured: the cases in the order of how much they tell, and what the trainer is told for each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from finetune_core.api.job import FineTuneJobSpec, MasterWeights, Method
from finetune_core.contract import DataStatistics, ModelShape, Place, PrepareReport, TrainerConfig
from finetune_core.contract.build import prepare_config, trainer_config
from finetune_core.contract.statistics import LengthPercentiles
from finetune_core.planning import find_gpu, plan, shipped_shape

Device = Literal["cuda", "cpu"]

ACCUMULATION = 2
"""Forward passes per optimizer step: from the second one on, the gradients of the first are there beside it."""

MAX_STEPS = 1_000
"""More than are measured, so that the trainer never reaches its last step, where it would store the result."""

TINY = ModelShape(
    model_type="qwen2",
    hidden_size=64,
    intermediate_size=128,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    vocab_size=512,
    max_position_embeddings=4096,
    tied_embeddings=True,
    qkv_bias=True,
)
"""To try this program out on a processor."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One point of the grid."""

    model: str
    """Hub id without ``hf://``, or ``tiny``."""
    method: Method
    master_weights: MasterWeights | None = None
    micro_batch_size: int
    row_tokens: int
    supervised_tokens: int
    """In each row; rows of a micro-batch have them in different places."""
    activation_checkpointing: bool

    @property
    def shape(self) -> ModelShape:
        """Shape of the model."""
        shape = TINY if self.model == "tiny" else shipped_shape(f"hf://{self.model}")
        assert shape is not None, f"no shape of {self.model} is shipped"
        return shape

    @property
    def positions(self) -> int:
        """Positions of a row at which logits are computed."""
        return min(self.row_tokens, self.micro_batch_size * self.supervised_tokens)

    @property
    def label(self) -> str:
        """The method, and of full the weights that it updates."""
        return {None: self.method, "fp32": "full, fp32 masters", "none": "full, bf16 + Kahan"}[self.master_weights]

    def __str__(self) -> str:
        recompute = "recomputed" if self.activation_checkpointing else "kept"
        return (
            f"{self.model.rpartition('/')[2]}, {self.label}: {self.micro_batch_size} x {self.row_tokens} tokens, "
            f"{self.supervised_tokens} supervised, activations {recompute}"
        )


def grid() -> list[Case]:
    """Every case, the most telling first: a cut-off run has seen each method on a large and on a small model."""
    return [
        case for lines in (_METHODS, _LOGITS, _LENGTHS, _MODELS, _LIMITS) for line in lines for case in _cases(line)
    ]


QWEN_HALF, QWEN_1, QWEN_3, QWEN_7 = (f"Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "3B", "7B"))
LLAMA_1, LLAMA_8 = "meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"

FEW = 128
"""Supervised tokens where the logits should be small, so that activations make the peak."""

# model, methods, micro-batch sizes, row tokens, supervised tokens (0: all), checkpointing
_Line = tuple[str, str, tuple[int, ...], tuple[int, ...], int, tuple[bool, ...]]

_METHODS: list[_Line] = [
    (QWEN_7, "lora", (4,), (1024,), FEW, (False, True)),
    (QWEN_7, "qlora", (4,), (1024,), FEW, (False, True)),
    (QWEN_7, "none", (1,), (512,), FEW, (False, True)),
    (QWEN_HALF, "fp32 none lora qlora", (4,), (1024,), FEW, (False,)),
]
_LOGITS: list[_Line] = [
    (QWEN_7, "lora qlora", (4,), (1024,), 0, (False,)),
    (QWEN_HALF, "fp32 lora", (8,), (1024,), 0, (False, True)),
]
_LENGTHS: list[_Line] = [
    (QWEN_7, "lora", (1,), (512, 4096), FEW, (False,)),
    (QWEN_7, "lora qlora", (8,), (2048,), FEW, (True,)),
    (QWEN_1, "lora", (1, 2, 8), (2048,), FEW, (False,)),
    (QWEN_1, "lora", (8,), (2048,), FEW, (True,)),
]
_MODELS: list[_Line] = [
    (QWEN_1, "fp32 none", (2,), (1024,), FEW, (False, True)),
    (QWEN_1, "qlora", (8,), (512,), 0, (False,)),
    (LLAMA_8, "lora qlora", (4,), (1024,), FEW, (False, True)),
    (LLAMA_8, "lora", (2,), (2048,), 0, (True,)),
    (QWEN_3, "fp32 none", (1,), (1024,), FEW, (False,)),
    (QWEN_3, "lora qlora", (4,), (1024,), 0, (False, True)),
    (LLAMA_1, "fp32 none lora qlora", (4,), (1024,), FEW, (False,)),
]
_LIMITS: list[_Line] = [
    (QWEN_HALF, "lora", (1, 2), (512,), FEW, (False,)),
    (QWEN_HALF, "fp32", (1, 8), (4096,), FEW, (False, True)),
    (QWEN_3, "lora", (8,), (4096,), FEW, (True,)),
    (QWEN_7, "qlora", (1,), (512,), FEW, (True,)),
    (QWEN_7, "none", (2,), (1024,), FEW, (True,)),
]


def experts() -> list[Case]:
    """A mixture of experts, which is counted and not measured: its files would be 60 GB."""
    line = ("Qwen/Qwen3-30B-A3B", "lora", (1, 4), (2048,), FEW, (False, True))
    return list(_cases(line))


def _cases(line: _Line) -> Iterator[Case]:
    """The product of what a line names."""
    model, methods, sizes, lengths, supervised, checkpointing = line
    for method in methods.split():
        for tokens in lengths:
            for size in sizes:
                for recompute in checkpointing:
                    full = method in ("fp32", "none")
                    yield Case(
                        model=model,
                        method="full" if full else method,  # type: ignore[arg-type]
                        master_weights=method if full else None,  # type: ignore[arg-type]
                        micro_batch_size=size,
                        row_tokens=tokens,
                        supervised_tokens=supervised or tokens,
                        activation_checkpointing=recompute,
                    )


def tiny_grid() -> list[Case]:
    """A case of each method on a model of a hundred thousand parameters."""
    line = ("tiny", "fp32 none lora qlora", (2,), (64,), 16, (False, True))
    return list(_cases(line))


def config_of(case: Case, model: Path, output: Path, device: Device) -> TrainerConfig:
    """What ``ftj run`` would tell the trainer, planned for a card without limits: every setting is the case's."""
    spec = FineTuneJobSpec.model_validate(_spec(case, model, output))
    gpu = replace(find_gpu("H100-80GB" if device == "cuda" else "cpu"), memory_bytes=2**50)
    report = PrepareReport(
        fingerprint="0" * 64,
        model_shape=case.shape,
        statistics=_statistics(case),
        rows=rows_of(case),
        used_rows=rows_of(case),
        rejected_rows=0,
        findings=[],
    )
    planned = plan(spec, report.model_shape, report.statistics, gpu)
    prepared = prepare_config("memory", "memory", spec, lambda location, role: Place(uri=location.uri))
    return trainer_config(prepared, spec, report, planned, device)


def rows_of(case: Case) -> int:
    """Rows of one optimizer step, which are all the rows there are."""
    return ACCUMULATION * case.micro_batch_size


def _spec(case: Case, model: Path, output: Path) -> dict[str, Any]:
    return {
        "model": {"uri": model.as_uri()},
        "dataset": {"uri": (output / "rows.jsonl").as_uri()},
        "gpu": {"type": "cpu"},  # not read: the plan is made for another
        "output": {"uri": output.as_uri()},
        "method": case.method,
        "hyperparameters": {
            "maxSteps": MAX_STEPS,
            "microBatchSize": case.micro_batch_size,
            "gradientAccumulationSteps": ACCUMULATION,
            "cutoffLength": case.row_tokens,
            "precision": "bf16",
            "activationCheckpointing": case.activation_checkpointing,
        }
        | ({"masterWeights": case.master_weights} if case.master_weights else {}),
        "evaluation": {"samples": {"count": 0}},
        "checkpoints": {"everySteps": MAX_STEPS},
    }


def _statistics(case: Case) -> DataStatistics:
    rows, tokens = rows_of(case), case.row_tokens
    return DataStatistics(
        rows=rows,
        tokens=rows * tokens,
        supervised_tokens=rows * case.supervised_tokens,
        lengths=LengthPercentiles(p50=tokens, p95=tokens, p99=tokens, max=tokens),
        supervised_max=case.supervised_tokens,
    )
