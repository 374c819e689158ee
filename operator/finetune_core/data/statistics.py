"""Counts and lengths of a dataset, exact, in memory that grows with the number of different lengths only."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from finetune_core.contract.statistics import LENGTH_EDGES, DataStatistics, LengthPercentiles
from finetune_core.data.example import Tokenized


def summarize(rows: Iterable[Tokenized], *, validation_rows: int = 0, exact: bool = True) -> DataStatistics:
    """Statistics of the training rows.

    Args:
        rows: the training rows, tokenized and not truncated.
        validation_rows: how many were set aside.
        exact: False where the lengths are estimated.
    """
    lengths: Counter[int] = Counter()
    supervised = supervised_max = 0
    for row in rows:
        lengths[row.length] += 1
        supervised += row.supervised
        supervised_max = max(supervised_max, row.supervised)

    histogram = [0] * (len(LENGTH_EDGES) + 1)
    for length, count in lengths.items():
        histogram[bisect_left(LENGTH_EDGES, length)] += count
    return DataStatistics(
        rows=lengths.total(),
        validation_rows=validation_rows,
        tokens=sum(length * count for length, count in lengths.items()),
        supervised_tokens=supervised,
        lengths=LengthPercentiles(
            p50=_percentile(lengths, 50), p95=_percentile(lengths, 95), p99=_percentile(lengths, 99),
            max=max(lengths, default=0),
        ),
        supervised_max=supervised_max,
        histogram=histogram,
        exact=exact,
    )  # fmt: skip


def _percentile(lengths: Counter[int], percent: int) -> int:
    """Nearest rank: the least length that at least so many percent of the rows do not exceed."""
    rank = -(-lengths.total() * percent // 100)
    seen = 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= rank:
            return length
    return 0
