"""Rows that are there twice, in this set or across the border to the validation set."""

from finetune_core.data.checks.base import Candidate, Check, Context, RowCheck
from finetune_core.data.example import example_digest, exchange_digest


def exact_duplicate(context: Context) -> RowCheck:
    """The same messages as an earlier row's; about 110 bytes are kept for each row."""
    first_seen: dict[bytes, int] = {}

    def check(candidate: Candidate) -> str | None:
        number = candidate.example.number
        first = first_seen.setdefault(example_digest(candidate.example), number)
        return None if first == number else f"the same as row {first}"

    return check


def validation_leak(context: Context) -> RowCheck:
    """The same question and answer as a validation row's."""

    def check(candidate: Candidate) -> str | None:
        leaks = context.validation and exchange_digest(candidate.example) in context.validation
        return "question and answer are in the validation set" if leaks else None

    return check


EXACT_DUPLICATE = Check(
    code="exact-duplicate",
    policy="drop",
    message="the row is there twice",
    fix="remove the copies: what is repeated is learned by heart, and weighs more than the rest",
    row=exact_duplicate,
)

VALIDATION_LEAK = Check(
    code="validation-leak",
    policy="drop",
    message="the row is in the validation set too",
    fix="keep it on one side only: on rows it was trained on, a model's validation loss says nothing",
    row=validation_leak,
)
