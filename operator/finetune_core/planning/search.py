"""Which shape of micro-batch to train with: the fastest predicted one that fits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from finetune_core.api.plan import Memory, MemoryParts
from finetune_core.contract import ModelShape
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.memory import predict, usable_share
from finetune_core.planning.speed import micro_batch_seconds
from finetune_core.planning.training_shape import TrainingShape

SLOWER_BUT_SMALLER = 1.02
"""Of shapes whose predicted times are within 2 %, the one that needs less memory is taken."""


@dataclass(frozen=True)
class Fit:
    """A shape, its memory, and whether it is within the budget."""

    training: TrainingShape
    parts: MemoryParts
    peak_bytes: int
    budget_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the predicted peak is within the budget."""
        return self.peak_bytes <= self.budget_bytes

    @property
    def memory(self) -> Memory:
        """As it stands in a plan."""
        return Memory(peak_bytes=self.peak_bytes, budget_bytes=self.budget_bytes, parts=self.parts)


def search(
    shape: ModelShape,
    base: TrainingShape,
    *,
    gpu: Gpu,
    usable_bytes: int,
    micro_batch_sizes: list[int],
    checkpointing: list[bool],
    typical_tokens: int,
) -> Fit:
    """The fastest predicted shape that fits; where none does, the smallest.

    Args:
        shape: the model.
        base: everything that is settled already.
        gpu: the card, for the speed.
        usable_bytes: memory of one card, or of a process' part of a machine.
        micro_batch_sizes: to choose from.
        checkpointing: to choose from.
        typical_tokens: length of a usual row, for the speed (the peak uses the longest).
    """
    budget = int(usable_bytes * usable_share(base))
    tried = list(_candidates(shape, base, budget, micro_batch_sizes, checkpointing))
    fitting = [fit for fit in tried if fit.fits]
    if not fitting:
        return min(tried, key=lambda fit: fit.peak_bytes)
    seconds = [_seconds_of_a_row(shape, fit.training, gpu, typical_tokens) for fit in fitting]
    near = [fit for fit, took in zip(fitting, seconds, strict=True) if took <= min(seconds) * SLOWER_BUT_SMALLER]
    return min(near, key=lambda fit: fit.peak_bytes)


def _candidates(
    shape: ModelShape, base: TrainingShape, budget: int, micro_batch_sizes: list[int], checkpointing: list[bool]
) -> Iterator[Fit]:
    """With and without checkpointing, all that fit and the smallest that does not; a larger batch never needs less."""
    for recompute in checkpointing:
        for size in sorted(micro_batch_sizes):
            training = replace(base, micro_batch_size=size, activation_checkpointing=recompute)
            parts = predict(shape, training)
            fit = Fit(training, parts, parts.total(), budget)
            yield fit
            if not fit.fits:
                break


def _seconds_of_a_row(shape: ModelShape, training: TrainingShape, gpu: Gpu, typical_tokens: int) -> float:
    rows = training.micro_batch_size
    return micro_batch_seconds(shape, training, gpu, rows * max(typical_tokens, 1)) / rows
