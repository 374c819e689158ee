"""What a check is."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from finetune_core.api.findings import FindingCode, Policy
from finetune_core.api.job import Task
from finetune_core.data.example import Example, Role, Tokenized

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Candidate:
    """An example under examination; it is tokenized only once, and not before a check needs it."""

    example: Example
    encode: Callable[[Example], Tokenized]

    @cached_property
    def tokens(self) -> Tokenized:
        """The example in tokens."""
        return self.encode(self.example)


@dataclass(frozen=True)
class Context:
    """What a check may know beside the row."""

    cutoff_length: int
    exact: bool
    """False: tokens are estimated."""
    validation: Set[bytes]
    """``exchange_digest`` of each validation row."""
    task: Task | None


RowCheck = Callable[[Candidate], str | None]
"""Says what is wrong with the row, or None."""


@dataclass(frozen=True)
class SetCheck:
    """A check of the dataset as a whole."""

    judge: Callable[[int], str | None]
    """Says what is wrong with the dataset, given the number of usable rows, or None."""
    see: Callable[[Candidate], None] | None = None
    """Called with each usable row before that, to count."""


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a dataset."""

    code: FindingCode
    policy: Policy
    """Default; ``dataset.quality`` overrides it."""
    message: str
    fix: str
    row: Callable[[Context], RowCheck] | None = None
    """Makes the check of single rows; a check that remembers earlier rows is made anew for each dataset."""
    dataset: Callable[[Context], SetCheck] | None = None
    """Makes the check of the dataset as a whole. With neither, it is reading the row that finds it."""
    enforced_above: float | None = None
    """Share of rows above which the default policy becomes enforce."""

    @property
    def severity(self) -> Severity:
        """An error does harm if it stays in the data; a warning is for a person to judge."""
        return "warning" if self.policy == "warn" else "error"


def stateless(check: RowCheck) -> Callable[[Context], RowCheck]:
    """For a check that needs nothing but the row."""
    return lambda context: check


def locate(candidate: Candidate, find: Callable[[str], str | None], *roles: Role) -> str | None:
    """The first message of these roles in which ``find`` sees something, and what it sees."""
    for number, message in enumerate(candidate.example.messages, start=1):
        if message.role in roles and (seen := find(message.content)) is not None:
            return f"message {number}, of the {message.role}, {seen}"
    return None
