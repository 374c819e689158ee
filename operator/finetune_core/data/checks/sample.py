"""An even sample of a dataset's rows, for what can be told from a few thousand of them."""

from heapq import heappush, heappushpop
from typing import Generic, TypeVar

Fact = TypeVar("Fact")

SIZE = 2_000
"""Rows. A share is off by 0.022 at most, nineteen times in twenty."""
_MARGIN = 200
"""Four standard deviations of how many rows draw less than they should."""

LOOKED_AT = 20_000
"""Rows that checks of how rows are written look at, each."""
BEYOND = 20
"""Of the rows after those, they look at one in so many: they take longer than all other checks."""


def looked_at(number: int) -> bool:
    """Whether a check that is ``sampled`` looks at the row; any process can tell."""
    return number <= LOOKED_AT or _drawn(number) * BEYOND < 1 << 32


def wanted(number: int) -> bool:
    """Whether the row may be in the sample of a dataset that ends with it or later; any process can tell."""
    return _drawn(number) * number < (SIZE + _MARGIN) << 32


class Sample(Generic[Fact]):
    """The rows that drew the least numbers so far, which are all of them up to ``SIZE``."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, Fact]] = []

    def add(self, row: tuple[int, Fact]) -> None:
        """Called with number and fact of each usable row that is ``wanted``."""
        number, fact = row
        entry = (-_drawn(number), number, fact)
        if len(self._rows) < SIZE:
            heappush(self._rows, entry)
        else:
            heappushpop(self._rows, entry)

    def rows(self) -> list[tuple[int, Fact]]:
        """Numbers and facts, in the order of the dataset."""
        return sorted((number, fact) for _, number, fact in self._rows)


def _drawn(number: int) -> int:
    """32 bits that look random and depend on the row's number alone (multiples of the golden ratio)."""
    return (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 32
