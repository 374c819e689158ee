"""Which rows are set aside for validation."""

import hashlib
from collections import Counter
from collections.abc import Sequence

MIN_ROWS_TO_SPLIT = 10
"""With fewer rows, a validation set says nothing and each training row is dear."""


def choose_validation(questions: Sequence[bytes], *, fraction: float, seed: int) -> frozenset[int]:
    """Places, in ``questions``, of the rows for validation.

    The choice depends on the questions, the fraction and the seed alone, not on the order of the rows, and rows with
    the same question stay together: otherwise the model would be asked what it was trained on. At least one row is
    chosen from ten, as long as there are two different questions.

    Args:
        questions: ``question_digest`` of each row.
        fraction: share of the rows wanted, from 0 to below 1.
        seed: another seed, another choice.
    """
    sizes = Counter(questions)
    if fraction <= 0 or len(questions) < MIN_ROWS_TO_SPLIT or len(sizes) < 2:
        return frozenset()
    wanted = min(max(1, round(len(questions) * fraction)), len(questions) - 1)
    shuffled = sorted(sizes, key=lambda question: _rank(question, seed))
    chosen = set()
    for question in shuffled:
        if sizes[question] <= wanted:
            chosen.add(question)
            wanted -= sizes[question]
        if not wanted:
            break
    if not chosen:  # every question is asked more often than rows are wanted
        chosen.add(min(shuffled, key=lambda question: sizes[question]))
    return frozenset(place for place, question in enumerate(questions) if question in chosen)


def _rank(question: bytes, seed: int) -> bytes:
    return hashlib.blake2b(question, digest_size=8, key=seed.to_bytes(8, "little")).digest()
