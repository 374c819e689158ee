"""What a check is."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finetune_core.api.findings import FindingCode, Policy, ThresholdCode
from finetune_core.api.job import Task
from finetune_core.data.example import Example, Role, Tokenized

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Context:
    """What a check may know beside the row. It travels to other processes."""

    cutoff_length: int
    exact: bool
    """False: tokens are estimated."""
    validation: Set[bytes]
    """``exchange_digest`` of each validation row."""
    task: Task | None
    thresholds: Mapping[ThresholdCode, float] = field(default_factory=dict)
    """Of every check that has one."""
    common: Set[str] = frozenset()
    """Pieces of text that many of the first rows share: a prompt's, not the row's own."""


RowCheck = Callable[[Example], str | None]
"""Says what is wrong with the row, or None. Knows nothing of other rows, so that rows are looked at in any process."""

TokenCheck = Callable[[Tokenized], str | None]
"""The same, of the row's tokens."""


Facts = NDArray[np.uint64]  # (rows, words): what is known of each row, in as many words of 64 bits as it takes
Numbers = NDArray[np.uint32]  # (rows,)


@dataclass(frozen=True)
class Comparison:
    """A check of rows against those before them, many at a time."""

    facts: Callable[[Sequence[Example]], Facts]
    """What has to be known of rows to compare them; as a RowCheck, it runs in any process."""
    compare: Callable[[Numbers, Facts], Numbers]
    """Called with the next rows' numbers and facts, in order: the earlier row that each collides with, or 0."""
    says: str
    """What is wrong with the row then, with ``{}`` for the earlier row's number."""


class Named(NamedTuple):
    """What is wrong with some rows of a dataset, which only the dataset shows."""

    message: str
    rows: list[int]


@dataclass(frozen=True)
class SetCheck:
    """A check of the dataset as a whole."""

    judge: Callable[[int], str | Named | None]
    """Says what is wrong with the dataset, or with rows of it, given the number of usable rows; or None."""
    fact: Callable[[Example], Any] | None = None
    """What counts of a row, or None if nothing does; as a RowCheck, it runs in any process."""
    add: Callable[[Any], None] | None = None
    """Called with the fact of each usable row that has one, in order."""


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a dataset.

    It has one of the four makers, which are called anew for each dataset; with none of them, it is reading the row
    that finds it.
    """

    code: FindingCode
    policy: Policy
    """Default; ``dataset.quality`` overrides it."""
    message: str
    fix: str
    row: Callable[[Context], RowCheck] | None = None
    tokens: Callable[[Context], TokenCheck] | None = None
    comparison: Callable[[Context], Comparison] | None = None
    dataset: Callable[[Context], SetCheck] | None = None
    threshold: float | None = None
    """Default of the number that the check decides by; ``dataset.thresholds`` overrides it."""
    measure: str = ""
    """What the threshold counts, and from where on the check finds something: ``words, up to``."""
    sampled: bool = False
    """While it only warns, it looks at some of the rows of a large dataset: how rows are written shows in those."""
    enforced_above_threshold: bool = False
    """The threshold is a share of the rows: above it, the default policy becomes enforce."""

    @property
    def severity(self) -> Severity:
        """An error does harm if it stays in the data; a warning is for a person to judge."""
        return "warning" if self.policy == "warn" else "error"


def stateless(check: RowCheck) -> Callable[[Context], RowCheck]:
    """For a check that needs nothing but the row."""
    return lambda context: check


def locate(example: Example, find: Callable[[str], str | None], *roles: Role) -> str | None:
    """The first message of these roles in which ``find`` sees something, and what it sees."""
    for message in example.messages:
        if message.role in roles and (seen := find(message.content)) is not None:
            number = 1 + next(place for place, each in enumerate(example.messages) if each is message)
            return f"message {number}, of the {message.role}, {seen}"
    return None
