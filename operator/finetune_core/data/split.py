"""Which rows are set aside for validation."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from finetune_core.data.example import Example, question_digest

MIN_ROWS_TO_SPLIT = 10
"""With fewer rows, a validation set says nothing and each training row is dear."""

MOST_VALIDATION_ROWS = 2_000
"""Of a share of the rows, however many they are: each evaluation takes the time of reading them.

Where the losses of single rows spread by half of their mean, the mean of 2,000 has a standard error of
0.5 / sqrt(2,000), 1.1 % of itself. Evaluations of one run are on the same rows, and tell more exactly what changes.
"""

_LONGEST_LABEL = 40
"""Characters. A longer answer is no label."""
_MOST_LABELS = 100
_ROWS_PER_LABEL = 10
"""On average, at least; otherwise short answers are answers and no labels."""


class SplitRows:
    """What the split must know of each row, in order: about 200 bytes."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._questions: list[bytes] = []
        self._like: list[int] = []
        self._labels: list[str] = []
        self._label_names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._questions)

    def add(self, example: Example, like: int) -> None:
        """The next row; ``like`` is the number of an earlier one that it is nearly the same as, or 0."""
        place = len(self._questions)
        self._numbers[example.number] = place
        self._questions.append(question_digest(example))
        self._like.append(self._numbers.get(like, place))
        answer = example.messages[-1].content.strip()
        # One object for each label, however many rows have it.
        label = self._label_names.setdefault(answer, answer) if len(answer) <= _LONGEST_LABEL else ""
        self._labels.append(label)

    def choose_validation(self, *, fraction: float, seed: int) -> frozenset[int]:
        """Places of the rows for validation: rows with the same question or nearly the same text stay together."""
        groups = _groups(self._questions, self._like)
        return choose_validation(groups, labels=_labels(self._labels), fraction=fraction, seed=seed)

    def labels(self, left_out: frozenset[int]) -> Counter[str]:
        """Rows of each label, without those left out; nothing where the answers are no labels."""
        labels = _labels(self._labels)
        return Counter(label for place, label in enumerate(labels or ()) if place not in left_out)


def choose_validation(
    groups: Sequence[bytes], *, labels: Sequence[str] | None = None, fraction: float, seed: int
) -> frozenset[int]:
    """Places, in ``groups``, of the rows for validation.

    The choice depends on the groups' names, the fraction and the seed alone, not on the order of the rows, and a group
    stays together: otherwise the model would be asked what it was trained on. At least one row is chosen from ten, as
    long as there are two groups, and at most ``MOST_VALIDATION_ROWS`` unless each group has more.

    Args:
        groups: name of the group of each row.
        labels: label of each row, each of which gets its share of the validation rows; None where rows have none.
        fraction: share of the rows wanted, from 0 to below 1.
        seed: another seed, another choice.
    """
    sizes = Counter(groups)
    if fraction <= 0 or len(groups) < MIN_ROWS_TO_SPLIT or len(sizes) < 2:
        return frozenset()
    wanted = min(max(1, round(len(groups) * fraction)), len(groups) - 1, MOST_VALIDATION_ROWS)
    chosen: set[bytes] = set()
    by_label = _by_label(groups, labels)
    for members, share in zip(
        by_label, _shares([sum(sizes[group] for group in of) for of in by_label], wanted), strict=True
    ):
        left = share
        for group in sorted(members, key=lambda group: _rank(group, seed)):
            if sizes[group] <= left:
                chosen.add(group)
                left -= sizes[group]
            if not left:
                break
    if not chosen:  # every group is larger than what is wanted
        chosen.add(min(sorted(sizes, key=lambda group: _rank(group, seed)), key=lambda group: sizes[group]))
    return frozenset(place for place, group in enumerate(groups) if group in chosen)


def _groups(questions: Sequence[bytes], like: Sequence[int]) -> list[bytes]:
    """Name of each row's group: the least question in it."""
    parents = list(range(len(questions)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[bytes, int] = {}
    for place, question in enumerate(questions):
        for other in (first.setdefault(question, place), like[place]):
            one, two = sorted((root(place), root(other)))
            parents[two] = one
    names: dict[int, bytes] = {}
    roots = [root(place) for place in range(len(questions))]
    for place, question in zip(roots, questions, strict=True):
        names[place] = min(names.get(place, question), question)
    return [names[place] for place in roots]


def _labels(answers: Sequence[str]) -> Sequence[str] | None:
    """The answers, if they are labels: few of them, each on many rows."""
    different = len(set(answers))
    if "" in answers or different > min(_MOST_LABELS, len(answers) / _ROWS_PER_LABEL):
        return None
    return answers


def _by_label(groups: Sequence[bytes], labels: Sequence[str] | None) -> list[list[bytes]]:
    """The groups of each label; one of several labels belongs to the least of them."""
    if labels is None:
        return [list(dict.fromkeys(groups))]
    label_of: dict[bytes, str] = {}
    for group, label in zip(groups, labels, strict=True):
        label_of[group] = min(label_of.get(group, label), label)
    members: dict[str, list[bytes]] = defaultdict(list)
    for group, label in label_of.items():
        members[label].append(group)
    return [members[label] for label in sorted(members)]


def _shares(sizes: Sequence[int], wanted: int) -> list[int]:
    """Split ``wanted`` in proportion, by largest remainder."""
    exact = [wanted * size / sum(sizes) for size in sizes]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: wanted - sum(shares)]:
        shares[place] += 1
    return shares


def _rank(group: bytes, seed: int) -> bytes:
    return hashlib.blake2b(group, digest_size=8, key=seed.to_bytes(8, "little")).digest()
