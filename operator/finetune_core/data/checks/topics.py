"""Which topics a set's rows are on, told from the words that rows share.

Rows are drawn together where their words are (regularized spectral clustering: Ng, Jordan, Weiss 2001; Amini et al.
2013, arXiv:1207.2340) into many small groups, and these are joined as long as they share as many words as groups of one
topic do (modularity with a resolution: Newman 2004, Reichardt and Bornholdt 2006). What two groups share is measured
by what they would share if words were thrown among rows by chance: 1 is no order at all, 0 has no word in common.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Word = TypeVar("Word", bound=Hashable)
Matrix = NDArray[np.float32]
Groups = NDArray[np.int64]
"""The group of each row; -1 for a row that tells nothing."""

_TERMS = 2_000
_TERMS_A_ROW = 2
"""A row with fewer tells nothing."""
_TELLING = 0.5
"""Share of the rows that have to tell something."""

_VIEWS = ((10, 24), (4, 8))
"""Directions in which rows may differ, and small groups: with few, a small topic may be lost, with many, a large one
may not come together. Either will do: in trials, one of the two found 90 % of the topics, either alone 85 %."""
_ROWS_A_GROUP = 6
_ROUNDS = 8
_JOINED = (0.7, 0.6, 0.5, 0.4, 0.3)
"""Groups are joined that share more than so many of the words that they would by chance: first few, then more."""

_LEAST_GROUP = 0.03
"""Share of the rows; smaller groups are single rows with something in common."""
_OTHERS = 0.06
"""Share of the rows that the other topics need together, or there are none."""
_APART = 0.45
"""What topics share with each other at most."""
_WHOLE, _TIMES = 0.45, 1.6
"""What the parts of one topic share at least; and how much more that is than what topics share."""
_LEAST_ROWS, _LEAST_TOPIC = 8, 0.05
"""Rows, and share of them, that show which words are a topic's."""


class Topic(NamedTuple, Generic[Word]):
    """One that has more rows than others."""

    share: float
    words: tuple[Word, ...]
    """Those that tell it best from the others."""


class _Grouping(NamedTuple):
    rows: Groups
    largest: int
    share: float
    """Of the largest group."""
    others: float
    """Share of all others that are large enough."""
    shared: float
    """What the two groups share that have most in common."""


class Topics(Generic[Word]):
    """Those that rows are on, given the words of each.

    Topics have to stand apart from each other and hold together: a set of many subjects falls apart into many groups,
    or into none, and one that is about a single thing has parts that share as much with each other as with the rest.
    """

    def __init__(self, rows: Sequence[Iterable[Word]]) -> None:
        self._names, self._table = _table(rows)
        telling = self._table.sum(axis=1) >= _TERMS_A_ROW
        self.told = bool(telling.sum() >= _TELLING * len(rows))
        """Whether enough rows share words, or nothing can be said."""
        self._views = [list(_groupings(self._table, telling, *view)) for view in _VIEWS] if self.told else []

    @property
    def several(self) -> bool:
        """Whether there are two or more."""
        return any(grouping.shared <= _APART for view in self._views for grouping in view)

    def apart(self, most: float) -> Groups | None:
        """The topic of each row, where topics share so much at most; -1 for one that is on none of the larger."""
        clear = [grouping for view in self._views for grouping in view if grouping.shared <= most]
        if not clear:
            return None
        groups = clear[0].rows
        sizes = np.bincount(groups[groups >= 0])
        return np.where(sizes[groups] >= max(_LEAST_ROWS, _LEAST_TOPIC * len(groups)), groups, -1)

    def dominant(self, least: float, most: float) -> Topic[Word] | None:
        """The one that has more than ``least`` and less than ``most`` of the rows."""
        best = next(filter(None, (_dominated(view, least, most) for view in self._views)), None)
        if best is None:
            return None
        inside = best.rows == best.largest
        lead = self._table[inside].mean(axis=0) - self._table[~inside].mean(axis=0)
        return Topic(best.share, tuple(self._names[place] for place in np.argsort(-lead, kind="stable")[:3]))


def _dominated(groupings: Sequence[_Grouping], least: float, most: float) -> _Grouping | None:
    """The one in which the largest group stands apart and holds together, if there is one."""
    dominated, divided = [], [1.0]
    for grouping in groupings:
        if least < grouping.share < most:
            if grouping.others >= _OTHERS:
                dominated.append(grouping)
        elif grouping.share <= least and not dominated:
            divided.append(grouping.shared)
    best = min(dominated, key=lambda grouping: grouping.shared, default=None)
    if best is None or best.shared > _APART or min(divided) < max(_WHOLE, _TIMES * best.shared):
        return None
    return best


def _table(rows: Sequence[Iterable[Word]]) -> tuple[list[Word], Matrix]:
    """Terms, and which row (line) has which term (column); of terms that always come together, one is taken.

    Else a sentence that a script has filled in many times would weigh as much as all of its words.
    """
    places: dict[Word, list[int]] = defaultdict(list)
    for number, words in enumerate(rows):
        for word in words:
            places[word].append(number)
    terms = {tuple(numbers): word for word, numbers in places.items() if len(numbers) > 1}
    chosen = sorted(terms.items(), key=lambda term: -len(term[0]))[:_TERMS]
    table = np.zeros((len(rows), len(chosen)), np.float32)
    for column, (numbers, _) in enumerate(chosen):
        table[list(numbers), column] = 1
    return [word for _, word in chosen], table


def _groupings(table: Matrix, telling: NDArray[np.bool_], directions: int, most: int) -> Iterator[_Grouping]:
    """The rows in groups, from many to few."""
    weighted = table * np.log(len(table) / table.sum(axis=0))
    weighted /= np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-9)
    small = _small_groups(_directions(weighted, directions), min(most, len(table) // _ROWS_A_GROUP))
    shared = _shared(weighted, small)
    before = 0
    for resolution in _JOINED:
        joined = _joined(shared, resolution)
        if joined.max() in (0, before):  # the same again, since groups are joined in the same order
            continue
        before = joined.max()
        groups = _settled(table, np.where(telling, joined[small], -1))
        sizes = np.bincount(groups[telling], minlength=joined.max() + 1)
        large = np.flatnonzero(sizes >= max(3, _LEAST_GROUP * len(table)))
        if len(large) > 1:
            ratios = _ratios(_shared(weighted, groups)[np.ix_(large, large)])
            share, all_shares = sizes.max() / len(table), sizes[large].sum() / len(table)
            between = ratios[np.triu_indices(len(large), 1)]
            yield _Grouping(groups, int(sizes.argmax()), share, all_shares - share, float(between.max()))


def _directions(weighted: Matrix, count: int) -> Matrix:
    """Each row as a point on a sphere: near to each other are rows from which words lead to the same rows."""
    degrees = weighted @ weighted.sum(axis=0)
    scaled = weighted / np.sqrt(np.maximum(degrees + 0.3 * degrees.mean(), 1e-9))[:, None]
    basis = np.random.default_rng(0).standard_normal((scaled.shape[1], count + 6), np.float32)
    for _ in range(_ROUNDS):
        basis = scaled.T @ (scaled @ basis)
        # At right angles again, which takes ten times as long by QR.
        lengths, axes = np.linalg.eigh(basis.T @ basis)
        basis = basis @ (axes / np.sqrt(np.maximum(lengths, 1e-6 * lengths[-1] + 1e-9)))
    left, strengths, _ = np.linalg.svd(scaled @ basis, full_matrices=False)
    points = left[:, :count] * strengths[:count] ** 4  # which lets the strong ones, the topics, decide
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9), np.float32)


def _small_groups(points: Matrix, count: int) -> Groups:
    """Spherical k-means; it begins with points that are far from each other."""
    chosen = [int((points @ points.mean(axis=0)).argmax())]
    nearest = np.where(points.any(axis=1), points @ points[chosen[0]], 1)  # a row without a term is no place to begin
    while len(chosen) < count:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, points @ points[chosen[-1]])
    centres = points[chosen]
    for _ in range(_ROUNDS):
        groups = (points @ centres.T).argmax(axis=1)
        sums = _membership(groups, count).T @ points
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-9), centres)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _membership(groups: Groups, count: int) -> Matrix:
    return np.asarray(groups[:, None] == np.arange(count), np.float32)


def _shared(weighted: Matrix, groups: Groups) -> Matrix:
    """How much the rows of each two groups share; no row with itself."""
    members = _membership(groups, int(groups.max()) + 1)
    sums = members.T @ weighted
    return np.asarray(sums @ sums.T - np.diag(members.T @ (weighted * weighted).sum(axis=1)), np.float32)


def _by_chance(shared: Matrix) -> Matrix:
    totals = shared.sum(axis=1)
    return np.asarray(np.maximum(np.outer(totals, totals) / max(shared.sum(), 1e-9), 1e-9), np.float32)


def _ratios(shared: Matrix) -> Matrix:
    return np.asarray(shared / _by_chance(shared), np.float32)


def _joined(shared: Matrix, resolution: float) -> Groups:
    """The new group of each group: the two that gain most are joined until none gain."""
    new = np.arange(len(shared))
    while len(shared) > 1:
        gain = shared - resolution * _by_chance(shared)
        np.fill_diagonal(gain, -np.inf)
        one, other = sorted(divmod(int(gain.argmax()), len(gain)))
        if gain[one, other] <= 0:
            break
        shared = shared.copy()
        shared[one] += shared[other]
        shared[:, one] += shared[:, other]
        shared = np.delete(np.delete(shared, other, 0), other, 1)
        new = np.where(new == other, one, np.where(new > other, new - 1, new))
    return new


def _settled(table: Matrix, groups: Groups) -> Groups:
    """Rows that are likelier in another group move there (naive Bayes, which leaves out the row itself)."""
    count = int(groups.max()) + 1
    chance = table.mean(axis=0)
    for _ in range(_ROUNDS):
        members = _membership(groups, count)
        sizes, having = members.sum(axis=0), members.T @ table
        scores = table @ np.log((having / chance + 1) / (sizes[:, None] + 1)).T
        for group in range(count):
            own = np.flatnonzero(groups == group)
            without = np.maximum(having[group] - 1, 0) / chance + 1
            scores[own, group] = table[own] @ np.log(without / sizes[group]) if len(own) else 0
        moved = np.where(groups >= 0, (scores + np.log(np.maximum(sizes, 0.5))).argmax(axis=1), -1)
        if (moved == groups).all():
            break
        groups = moved
    return groups
