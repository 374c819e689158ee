"""The plan: what ``ftj plan -o json`` prints and ``status.plan`` holds."""

from typing import Any, Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.job import MasterWeights, Method, Precision, Scheduler


class PlannedGpu(ApiModel):
    """The card the plan is for."""

    type: str
    memory_bytes: int = Field(description="Usable memory of one card, as its driver reports it.")


class MemoryParts(ApiModel):
    """Predicted peak of one card in bytes, by what needs it."""

    weights: int = 0
    adapters: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    scratch: int = Field(default=0, description="Short-lived buffers: dequantised weights, optimizer temporaries.")
    runtime: int = Field(default=0, description="CUDA context, libraries, allocator slack.")

    def total(self) -> int:
        """Sum of the parts."""
        return sum(self.model_dump().values())


class Memory(ApiModel):
    """Predicted peak against what may be used."""

    peak_bytes: int
    budget_bytes: int
    parts: MemoryParts


class ResolvedLora(ApiModel):
    """LoRA settings with nothing left open."""

    rank: int
    alpha: int
    dropout: float
    target_modules: Literal["all-linear"] | list[str]


class ResolvedQuantization(ApiModel):
    """4-bit settings with nothing left open."""

    type: Literal["nf4", "fp4"]
    double_quantization: bool


class ResolvedHyperparameters(ApiModel):
    """Every value that the trainer needs."""

    epochs: float
    total_steps: int
    learning_rate: float
    lr_scheduler: Scheduler
    warmup_steps: int
    weight_decay: float
    max_grad_norm: float
    seed: int
    effective_batch_size: int
    micro_batch_size: int
    gradient_accumulation_steps: int
    cutoff_length: int
    precision: Precision
    master_weights: MasterWeights | None = Field(default=None, description="full only")
    activation_checkpointing: bool
    train_on_prompt: bool
    logging_steps: int
    evaluation_steps: int
    lora: ResolvedLora | None = None
    quantization: ResolvedQuantization | None = None


class Reason(ApiModel):
    """Which rule gave which value."""

    field: str
    value: Any
    because: str


class Warning(ApiModel):
    """Something a person should know before the job runs."""

    code: str
    message: str


class Alternative(ApiModel):
    """A single change to the job that would make it feasible."""

    change: str = Field(description="As --set takes it: gpu.type=L40S")
    method: Method
    peak_bytes: int
    because: str = ""


class Plan(ApiModel):
    """How a job will be trained, and why; or why it cannot be, and what could."""

    feasible: bool
    method: Method | None = None
    gpu: PlannedGpu
    memory: Memory | None = None
    hyperparameters: ResolvedHyperparameters | None = None
    reasons: list[Reason] = Field(default_factory=list)
    warnings: list[Warning] = Field(default_factory=list)
    alternatives: list[Alternative] = Field(default_factory=list, description="Cheapest first; only when infeasible.")

    def why(self, field: str) -> str:
        """The reason given for a field, or an empty string."""
        return next((reason.because for reason in self.reasons if reason.field == field), "")
