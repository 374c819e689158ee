"""The plan: what ``ftj plan -o json`` prints and ``status.plan`` holds."""

from typing import Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.job import ALL_LINEAR, MasterWeights, Method, Optimizer, Precision, Scheduler, Sharding


class PlannedGpu(ApiModel):
    """The cards the plan is for."""

    type: str = Field(description="Name in the catalogue.")
    per_node: int = Field(default=1, description="Cards of each pod; processes on cpu.")
    nodes: int = Field(default=1, description="Pods that train together.")
    memory_bytes: int = Field(description="Usable memory of one card, as its driver reports it.")

    @property
    def count(self) -> int:
        """All of them."""
        return self.per_node * self.nodes

    @property
    def words(self) -> str:
        """For people: ``A10``, ``4 x A10``, ``2 nodes of 4 x A10``."""
        each = self.type if self.per_node == 1 else f"{self.per_node} x {self.type}"
        return each if self.nodes == 1 else f"{self.nodes} nodes of {each}"


class MemoryParts(ApiModel):
    """Predicted peak of one card in bytes, by what needs it."""

    weights: int = Field(default=0, description="The model.")
    adapters: int = Field(default=0, description="LoRA matrices.")
    gradients: int = Field(default=0, description="Gradients of what is trained.")
    optimizer: int = Field(default=0, description="States of the optimizer, and master weights.")
    activations: int = Field(default=0, description="Kept for the backward pass.")
    logits: int = Field(default=0, description="Scores over the vocabulary, and their gradient.")
    scratch: int = Field(
        default=0, description="Short-lived buffers: gathered or dequantised weights, optimizer temporaries."
    )
    runtime: int = Field(default=0, description="CUDA context, libraries, allocator slack.")

    def total(self) -> int:
        """Sum of the parts."""
        return sum(vars(self).values())


class Memory(ApiModel):
    """Predicted peak against what may be used."""

    peak_bytes: int = Field(description="Sum of the parts.")
    budget_bytes: int = Field(description="What may be used of the card.")
    parts: MemoryParts


class PodResources(ApiModel):
    """What the train pod asks for."""

    cpu: int = Field(description="Processor cores.")
    memory_bytes: int = Field(description="Of the machine, not of the card; /dev/shm included.")
    ephemeral_storage_bytes: int = Field(description="Disk that goes with the pod.")
    shm_bytes: int = Field(description="Size of /dev/shm.")
    store_seconds: int = Field(
        default=60, description="What finishing a step and storing a checkpoint is expected to take at most."
    )


class ResolvedLora(ApiModel):
    """LoRA settings with nothing left open."""

    rank: int = Field(description="Rank r of each adapter.")
    alpha: int = Field(description="Scale: alpha / rank.")
    dropout: float = Field(description="Dropout before the adapter.")
    target_modules: list[str] = Field(description="Names of the modules with an adapter, or all-linear alone.")

    @property
    def all_linear(self) -> bool:
        """Whether every linear of the layers gets an adapter."""
        return self.target_modules == [ALL_LINEAR]


class ResolvedQuantization(ApiModel):
    """4-bit settings with nothing left open."""

    type: Literal["nf4", "fp4"] = Field(description="4-bit data type.")
    double_quantization: bool = Field(description="Whether the quantisation constants are quantised too.")


class ResolvedHyperparameters(ApiModel):
    """Every value that the trainer needs."""

    epochs: float = Field(description="Passes over the data.")
    total_steps: int = Field(description="Optimizer steps.")
    learning_rate: float = Field(description="Peak learning rate.")
    lr_scheduler: Scheduler = Field(description="Shape of the decay after warm-up.")
    warmup_steps: int = Field(description="Optimizer steps spent warming up.")
    weight_decay: float = Field(description="AdamW weight decay.")
    max_grad_norm: float = Field(description="Where the gradient norm is clipped.")
    seed: int = Field(description="Seed of everything random.")
    effective_batch_size: int = Field(description="Rows per optimizer step, packed or not.")
    micro_batch_size: int = Field(
        description="Rows per forward pass; packed, as many as fit into the room of so many long ones."
    )
    gradient_accumulation_steps: int = Field(
        description="Forward passes of each GPU per optimizer step; fewer where rows are packed."
    )
    sharding: Sharding = Field(
        default="none",
        description="none: every GPU holds all. full: weights, gradients and optimizer states are divided over them.",
    )
    cutoff_length: int = Field(description="Longest row, in tokens.")
    packing: bool = Field(default=False, description="Whether short rows fill each micro-batch.")
    precision: Precision = Field(description="Number format computed with.")
    master_weights: MasterWeights | None = Field(default=None, description="full only: what the optimizer updates.")
    optimizer: Optimizer = Field(default="adamw", description="adamw-8bit: AdamW with moments in 8 bits.")
    activation_checkpointing: bool = Field(description="Whether activations are computed again instead of kept.")
    train_on_prompt: bool = Field(description="Whether the prompt's tokens are supervised too.")
    logging_steps: int = Field(description="Optimizer steps between two progress lines.")
    evaluation_steps: int = Field(description="Optimizer steps between two evaluations.")
    lora: ResolvedLora | None = None
    quantization: ResolvedQuantization | None = None


class Reason(ApiModel):
    """Which rule gave which value."""

    field: str = Field(description="Name of the value, as in the job.")
    value: str = Field(description="As one would write it in YAML, for people; programs read hyperparameters.")
    because: str = Field(description="Why, for people.")


class Warning(ApiModel):
    """Something a person should know before the job runs."""

    code: str = Field(description="For machines.")
    message: str = Field(description="For people.")


class Alternative(ApiModel):
    """A single change to the job that would make it feasible."""

    change: str = Field(description="As --set takes it: gpu.type=L40S.")
    method: Method = Field(description="Method of the plan that it makes possible.")
    peak_bytes: int = Field(description="Peak of that plan on one card.")
    because: str = Field(default="", description="Why, for people.")


class Estimate(ApiModel):
    """What training takes, its evaluations included; fetching the model and storing the result are not in it."""

    seconds: int = Field(description="From the first step to the last.")
    gpu_hours: float = Field(description="Over all cards.")
    cost: float = Field(description="Of the cards, at the catalogue's prices.")
    currency: str = Field(default="USD", description="Of the cost.")
    tokens_per_second: int = Field(description="Over all cards.")


class Plan(ApiModel):
    """How a job will be trained, and why; or why it cannot be, and what could."""

    feasible: bool = Field(description="Whether the job can be trained as it is.")
    method: Method | None = Field(default=None, description="Method it is trained with.")
    gpu: PlannedGpu
    memory: Memory | None = None
    hyperparameters: ResolvedHyperparameters | None = None
    pod: PodResources | None = None
    estimate: Estimate | None = None
    reasons: list[Reason] = Field(default_factory=list, description="Why each value is what it is.")
    warnings: list[Warning] = Field(default_factory=list, description="What to know before the job runs.")
    alternatives: list[Alternative] = Field(default_factory=list, description="Cheapest first; only when infeasible.")

    def why(self, field: str) -> str:
        """The reason given for a field, or an empty string."""
        return next((reason.because for reason in self.reasons if reason.field == field), "")
