"""What the memory and the speed of a training depend on, besides the model and the card."""

from dataclasses import dataclass

from finetune_core.api.job import MasterWeights, Method, Precision
from finetune_core.api.plan import ResolvedLora, ResolvedQuantization

PRECISION_BYTES: dict[Precision, int] = {"bf16": 2, "fp16": 2, "fp32": 4}


@dataclass(frozen=True, kw_only=True)
class TrainingShape:
    """A method with everything that is settled, and one shape of its micro-batches."""

    method: Method
    shards: int = 1
    """GPUs over which weights, gradients and optimizer states are divided; 1: each holds them all."""
    micro_batch_size: int
    row_tokens: int
    """Longest row after truncation, in tokens."""
    supervised_tokens: int
    """Most supervised tokens in one row."""
    precision: Precision
    activation_checkpointing: bool
    master_weights: MasterWeights | None = None
    lora: ResolvedLora | None = None
    quantization: ResolvedQuantization | None = None
    varlen_attention: bool = True
    """Whether one kernel takes rows of unequal length; else attention goes row by row."""

    @property
    def tokens(self) -> int:
        """Of a micro-batch of longest rows."""
        return self.micro_batch_size * self.row_tokens

    @property
    def compute_bytes(self) -> int:
        """Of a number that is computed with."""
        return PRECISION_BYTES[self.precision]

    @property
    def stream_bytes(self) -> int:
        """Of a number between the layers: these have the type of the weights, which masters keep in fp32.

        Divided over GPUs, weights are gathered in the compute type.
        """
        return 4 if self.master_weights == "fp32" and self.shards == 1 else self.compute_bytes
