"""Rows that are there twice, in this set or across the border to the validation set."""

import hashlib

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


def conflicting_output(context: Context) -> RowCheck:
    """The same conversation up to the last answer as an earlier row's, and another answer.

    Capitals, blanks and the marks at the ends make no difference; about 220 bytes are kept for each row.
    """
    first_seen: dict[bytes, tuple[int, int]] = {}

    def check(candidate: Candidate) -> str | None:
        *asked, answer = candidate.example.messages
        question = hashlib.blake2b(digest_size=12)
        for message in asked:
            question.update(f"{message.role}\0{_plain(message.content)}\0".encode())
        seen = (candidate.example.number, hash(_plain(answer.content)))
        first = first_seen.setdefault(question.digest(), seen)
        return None if first[1] == seen[1] else f"the question is row {first[0]}'s, the answer is another"

    return check


def _plain(text: str) -> str:
    text = text.lower() if text.isascii() else text  # which is slow otherwise, and Chinese has no capitals
    return text.replace(" ", "").replace("\n", "").strip(".。!！?？\t\r\u3000")


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

CONFLICTING_OUTPUT = Check(
    code="conflicting-output",
    policy="warn",
    message="the question is there with different answers",
    fix="keep the best answer, or put what decides between them into the question",
    row=conflicting_output,
)
