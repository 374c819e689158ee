"""Defaults of everything that does not depend on memory, each with its rule.

The learning-rate table has a file of its own: ``learning_rate.py``.
"""

import math

from finetune_core.api.job import Task
from finetune_core.contract import LENGTH_EDGES, DataStatistics

CUTOFFS = (512, 1024, 2048, 4096)
"""512-1024 for dialogue, 2048-4096 for documents (the course, section 4.4)."""

RANK_BY_TASK: dict[Task, int] = {"classification": 4, "style": 8, "knowledge": 16, "reasoning": 16}
"""4 simple task, 8 general, 16 complex (the course, section 2.2)."""
DEFAULT_RANK = 8
FEW_ROWS = 100

LORA_DROPOUT = 0.05
EFFECTIVE_BATCH_SIZE = 16
LARGE_EFFECTIVE_BATCH_SIZE = 32
LARGE_DATASET_ROWS = 10_000
LEAST_STEPS = 50
LONGEST_WARMUP_STEPS = 2_000
"""2 / (1 - beta2) of AdamW's 0.999, the warm-up that does as well as any tuned one.

Source: Ma and Yarats, "On the adequacy of untuned warmup for adaptive optimization", 2019, arXiv:1910.04209.
"""
LEAST_EFFECTIVE_BATCH_SIZE = 4
LARGEST_MICRO_BATCH_SIZE = 1024
"""Far beyond what makes a card faster."""


def epochs(rows: int) -> tuple[int, str]:
    """Passes over the data by its size: <100 rows 5-10, to 1,000 3-5, to 10,000 2-3, more 1-2 (the course, 4.3).

    Inside a band the number falls with the logarithm of the rows, from the band's upper end to its lower.
    """
    bands = ((10, 100, 10, 5), (100, 1_000, 5, 3), (1_000, 10_000, 3, 2), (10_000, 100_000, 2, 1))
    for low, high, most, least in bands:
        if rows < high:
            share = max(0.0, math.log(max(rows, 1) / low) / math.log(high / low))
            return round(
                most - share * (most - least)
            ), f"{rows:,} rows are in the band that takes {least}-{most} epochs"
    return 1, f"{rows:,} rows: one pass is enough"


def lora_rank(task: Task | None, rows: int) -> tuple[int, str]:
    """Rank by task; 4 where data is little."""
    if rows < FEW_ROWS:
        return 4, f"fewer than {FEW_ROWS} rows: a small rank overfits less"
    if task is None:
        return DEFAULT_RANK, "general default"
    return RANK_BY_TASK[task], f"rank guide for task {task}"


def cutoff_length(data: DataStatistics, longest_of_model: int) -> tuple[int, str]:
    """The shortest of 512, 1024, 2048, 4096 that holds 99 of 100 rows, within what the model can read.

    The task adds nothing: the course's ranges stand for how long dialogues and documents are, which the rows themselves
    say better. A cutoff above them would cost nothing and gain nothing, and one below would cut answers off.
    """
    fitting = next((cutoff for cutoff in CUTOFFS if data.lengths.p99 <= cutoff), CUTOFFS[-1])
    if fitting > longest_of_model:
        return longest_of_model, f"the model reads no more than {longest_of_model} tokens"
    if data.lengths.p99 <= fitting:
        return fitting, f"99 % of the rows have at most {data.lengths.p99} tokens"
    return fitting, f"99 % of the rows have up to {data.lengths.p99} tokens; {fitting} is the longest default"


def effective_batch_size(rows: int, passes: float) -> tuple[int, str]:
    """16, or 32 for large datasets; halved while there would be too few optimizer steps (the course: 16-32)."""
    if rows > LARGE_DATASET_ROWS:
        return LARGE_EFFECTIVE_BATCH_SIZE, f"more than {LARGE_DATASET_ROWS:,} rows"
    size = EFFECTIVE_BATCH_SIZE
    while size > LEAST_EFFECTIVE_BATCH_SIZE and passes * math.ceil(rows / size) < LEAST_STEPS:
        size //= 2
    if size == EFFECTIVE_BATCH_SIZE:
        return size, "16-32 rows per step is the rule of thumb"
    return size, f"{rows:,} rows are too few for {LEAST_STEPS} steps of {size * 2}"


def micro_batch_sizes(share: int) -> list[int]:
    """The sizes to choose from: those that divide one GPU's share of the effective batch."""
    return [size for size in range(1, min(share, LARGEST_MICRO_BATCH_SIZE) + 1) if share % size == 0]


def total_steps(rows: int, passes: float, batch: int) -> int:
    """Optimizer steps; an epoch's last, smaller batch counts as a step."""
    return max(1, math.ceil(passes * math.ceil(rows / batch)))


def warmup_ratio(steps: int) -> tuple[float, str]:
    """5-10 % of the steps (the course, section 4.4): the larger share for short runs, and not more than AdamW needs."""
    if steps < 200:
        return 0.1, "10 % of a short run"
    if 0.05 * steps <= LONGEST_WARMUP_STEPS:
        return 0.05, "5 % of the steps"
    return float(f"{LONGEST_WARMUP_STEPS / steps:.3g}"), f"about {LONGEST_WARMUP_STEPS:,} steps are enough for AdamW"


def evaluation_steps(steps: int) -> tuple[int, str]:
    """Ten evaluations a run, so that a curve can be seen, yet most of the time goes into training.

    Not more of them in a long run: validation rows are a share of all rows, so that each then takes longer as well, and
    early stopping, which counts evaluations, would judge by an ever smaller part of the run.
    """
    return max(1, steps // 10), "about ten evaluations in the run"


def logging_steps(steps: int) -> tuple[int, str]:
    """Every 10 steps, more often in short runs: a curve needs points.

    Not less often in long ones: a line costs next to nothing, and a trainer that is silent for long counts as hung
    (``failurePolicy.noProgressSeconds``).
    """
    return max(1, min(10, steps // 20)), "every 10 steps, or 20 lines for a short run"


def truncated_rows(data: DataStatistics, cutoff: int) -> int:
    """Rows longer than the cutoff, as exactly as the histogram's buckets tell."""
    if cutoff >= data.lengths.max:
        return 0
    edges = [*LENGTH_EDGES, math.inf]
    return sum(count for edge, count in zip(edges, data.histogram, strict=False) if edge > cutoff)
