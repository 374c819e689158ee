"""Which shape of micro-batch to train with: the fastest predicted one that fits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from finetune_core.api.plan import Memory
from finetune_core.contract import ModelShape
from finetune_core.planning.memory import USABLE_SHARE, predict
from finetune_core.planning.training_shape import TrainingShape

SATURATION_TOKENS = 1024
"""Tokens per forward pass at which a card reaches about half of its speed: below, kernels wait for the launch."""

RECOMPUTE_FACTOR = 4 / 3
"""Checkpointing repeats the forward pass: 4 thirds of the work (Chen et al. 2016, arXiv:1604.06174)."""

SLOWER_BUT_SMALLER = 1.02
"""Of shapes whose predicted times are within 2 %, the one that needs less memory is taken."""


@dataclass(frozen=True)
class Fit:
    """The shape taken, its memory, and whether it is within the budget."""

    training: TrainingShape
    memory: Memory

    @property
    def fits(self) -> bool:
        """Whether the predicted peak is within the budget."""
        return self.memory.peak_bytes <= self.memory.budget_bytes


def search(
    shape: ModelShape,
    base: TrainingShape,
    *,
    usable_bytes: int,
    micro_batch_sizes: list[int],
    checkpointing: list[bool],
    typical_tokens: int,
) -> Fit:
    """The fastest predicted shape that fits; where none does, the smallest.

    Args:
        shape: the model.
        base: everything that is settled already.
        usable_bytes: memory of one card.
        micro_batch_sizes: to choose from.
        checkpointing: to choose from.
        typical_tokens: length of a usual row, for the speed (the peak uses the longest).
    """
    budget = int(usable_bytes * USABLE_SHARE)
    fits = list(_candidates(shape, base, budget, micro_batch_sizes, checkpointing))
    fitting = [fit for fit in fits if fit.fits]
    if not fitting:
        return min(fits, key=lambda fit: fit.memory.peak_bytes)
    fastest = min(_relative_seconds(fit.training, typical_tokens) for fit in fitting)
    near = [fit for fit in fitting if _relative_seconds(fit.training, typical_tokens) <= fastest * SLOWER_BUT_SMALLER]
    return min(near, key=lambda fit: fit.memory.peak_bytes)


def _candidates(
    shape: ModelShape, base: TrainingShape, budget: int, micro_batch_sizes: list[int], checkpointing: list[bool]
) -> Iterator[Fit]:
    for size in micro_batch_sizes:
        for recompute in checkpointing:
            training = replace(base, micro_batch_size=size, activation_checkpointing=recompute)
            parts = predict(shape, training)
            yield Fit(training, Memory(peak_bytes=parts.total(), budget_bytes=budget, parts=parts))


def _relative_seconds(training: TrainingShape, typical_tokens: int) -> float:
    """Predicted time for a row, in units of nothing: only the order matters."""
    recompute = RECOMPUTE_FACTOR if training.activation_checkpointing else 1.0
    return recompute * (1 + SATURATION_TOKENS / (training.micro_batch_size * max(typical_tokens, 1)))
