"""The shape of micro-batch: the fastest predicted one that fits, the smallest where none does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import GIB, shape_of

from finetune_core.api.plan import ResolvedLora
from finetune_core.planning import find_gpu
from finetune_core.planning.search import Fit, search
from finetune_core.planning.training_shape import TrainingShape

MODEL = shape_of("hf://Qwen/Qwen2.5-1.5B-Instruct")
BASE = TrainingShape(
    method="lora",
    micro_batch_size=1,
    row_tokens=512,
    supervised_tokens=256,
    precision="bf16",
    activation_checkpointing=False,
    lora=ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"]),
)
SIZES = [1, 2, 4, 8, 16]


def found(
    gib: float, *, sizes: list[int] | None = None, checkpointing: tuple[bool, ...] = (True, False), tokens: int = 512
) -> Fit:
    return search(
        MODEL,
        BASE,
        gpu=find_gpu("H100-80GB"),
        usable_bytes=int(gib * GIB),
        micro_batch_sizes=sizes or SIZES,
        checkpointing=list(checkpointing),
        typical_tokens=tokens,
    )


def test_with_room_for_all_it_takes_the_largest_and_recomputes_nothing() -> None:
    fit = found(1_000)
    assert fit.fits
    assert (fit.training.micro_batch_size, fit.training.activation_checkpointing) == (16, False)


def test_rows_so_long_that_a_larger_batch_is_no_faster_are_taken_in_a_small_one() -> None:
    fit = found(1_000, tokens=1_000_000)
    assert (fit.training.micro_batch_size, fit.training.activation_checkpointing) == (1, False)


def test_with_less_room_it_recomputes_or_takes_fewer_rows_but_stays_inside() -> None:
    peaks = [found(gib).memory.peak_bytes for gib in (6, 8, 12, 24, 48)]
    assert peaks == sorted(peaks)
    assert all(found(gib).memory.peak_bytes <= 0.95 * gib * GIB for gib in (6, 8, 12, 24, 48))
    assert found(6).training.activation_checkpointing


def test_where_nothing_fits_it_gives_the_smallest_and_says_that_it_does_not_fit() -> None:
    fit = found(2)
    assert not fit.fits
    assert fit.memory.peak_bytes > fit.memory.budget_bytes
    assert (fit.training.micro_batch_size, fit.training.activation_checkpointing) == (1, True)


@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("size", [1, 4])
def test_what_was_given_is_not_chosen(size: int, checkpointing: bool) -> None:
    fit = found(1_000, sizes=[size], checkpointing=(checkpointing,))
    assert (fit.training.micro_batch_size, fit.training.activation_checkpointing) == (size, checkpointing)


@given(st.floats(min_value=1, max_value=200), st.floats(min_value=0, max_value=100))
@settings(deadline=None)
def test_more_memory_never_stops_a_job_from_fitting(gib: float, more: float) -> None:
    assert found(gib + more).fits or not found(gib).fits
