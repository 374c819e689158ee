"""Rows that are there twice, in this set or across the border to the validation set."""

import hashlib
from collections.abc import Sequence

import numpy as np

from finetune_core.data.checks.base import Check, Comparison, Context, RowCheck
from finetune_core.data.example import Example, example_digest, exchange_digest
from finetune_core.data.first_seen import FirstSeen


def exact_duplicate(context: Context) -> Comparison:
    """The same messages as an earlier row's; 8 bytes of a digest are kept for each row."""
    seen = FirstSeen()

    def fact(example: Example) -> bytes:
        return example_digest(example)[:8]

    def compare(numbers: Sequence[int], facts: Sequence[bytes]) -> Sequence[int]:
        rows = np.array(numbers, np.uint32)
        first = seen.put(np.frombuffer(b"".join(facts), np.uint64), rows)
        return list(map(int, np.where(first == rows, 0, first)))

    return Comparison(fact, compare, "the same as row {}")


def validation_leak(context: Context) -> RowCheck:
    """The same question and answer as a validation row's."""

    def check(example: Example) -> str | None:
        leaks = context.validation and exchange_digest(example) in context.validation
        return "question and answer are in the validation set" if leaks else None

    return check


def conflicting_output(context: Context) -> Comparison:
    """The same conversation up to the last answer as an earlier row's, and another answer.

    Capitals, blanks and the marks at the ends make no difference; 8 bytes of a digest of each are kept for each row.
    """
    questions, exchanges = FirstSeen(), FirstSeen()

    def fact(example: Example) -> bytes:
        *asked, answer = example.messages
        digest = hashlib.blake2b(digest_size=8)
        for message in asked:
            digest.update(f"{message.role}\0{_plain(message.content)}\0".encode())
        # A row without a question, which is a plain text, conflicts with none.
        question = digest.digest() if asked else example_digest(example)[:8]
        digest.update(_plain(answer.content).encode())
        return question + digest.digest()

    def compare(numbers: Sequence[int], facts: Sequence[bytes]) -> Sequence[int]:
        rows = np.array(numbers, np.uint32)
        question, exchange = np.frombuffer(b"".join(facts), np.uint64).reshape(-1, 2).T
        asked_first = questions.put(question, rows)
        answered_first = exchanges.put(exchange, rows)
        return list(map(int, np.where(answered_first != asked_first, asked_first, 0)))

    return Comparison(fact, compare, "the question is row {}'s, the answer is another")


def _plain(text: str) -> str:
    text = text.lower() if text.isascii() else text  # which is slow otherwise, and Chinese has no capitals
    return text.replace(" ", "").replace("\n", "").strip(".。!！?？\t\r\u3000")


EXACT_DUPLICATE = Check(
    code="exact-duplicate",
    policy="drop",
    message="the row is there twice",
    fix="remove the copies: what is repeated is learned by heart, and weighs more than the rest",
    comparison=exact_duplicate,
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
    comparison=conflicting_output,
)
