"""Rows that are nearly there twice: MinHash (Broder 1997), by one permutation and banding.

A row's text is cut into overlapping shingles of bytes, each hashed once. The 64 bins of the hash's highest bits keep
the least hash that fell into them (Li, Owen, Zhang 2012, arXiv:1208.1259); an empty bin takes its right neighbour's
(Shrivastava, Li 2014, arXiv:1403.4798). The share of equal bins estimates the Jaccard similarity of two rows' shingles,
with a standard error of 0.05 at 0.8. Rows that agree in a whole band of bins are compared; all others are not.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from finetune_core.data.checks.base import Check, Comparison, Context, Facts, Numbers
from finetune_core.data.example import Example
from finetune_core.data.first_seen import FirstSeen

_SIMILAR = 0.75
"""Jaccard similarity from which two rows are nearly the same: one Chinese character changed in thirty, one English word
in ten, which come to 0.8 (as Lee et al. 2021, arXiv:2107.06499, take for documents), less the estimate's error."""

_SHINGLE = np.uint64(2**48 - 1)
"""Six bytes of UTF-8: two Chinese characters, six letters."""
_LEAST_SHINGLES = 16
"""Of less text, one word more or less makes another row."""

_BINS = 64
_BANDS, _PER_BAND = 8, 5
"""Of two rows with a similarity of 0.8, 1 - (1 - 0.8^5)^8 = 96 % share a band; with 0.9, 99.99 %; with 0.5, 22 %."""
_BIN_SHIFT = np.uint32(26)
_EMPTY = np.uint32(2**32 - 1)
_VIEW = 8
_TOGETHER = 128
"""Texts that are hashed together: more do not fit into the processor's cache."""
_MIX = np.uint64(0x9E3779B97F4A7C15)

_IGNORED = b" \t\r\n.,;:!?'\"()*#-_"
"""Layout and marks of ASCII. Two rows that differ in them are the same."""

_PIECE = re.compile("[^\n.。:：!！?？;；]+")
_COMMON = 0.05
"""Share of the first rows from which a piece of text that they have in common is a prompt around the row's own."""
_LEAST_COMMON = 5


def common_pieces(examples: Iterable[Example]) -> frozenset[str]:
    """The pieces of text, between marks, that many of the first rows have in common.

    Instructions like "Classify the review:" or the same polite ending of every answer would make all rows nearly the
    same.
    """
    counts: Counter[str] = Counter()
    rows = 0
    for example in examples:
        rows += 1
        counts.update(set(chain.from_iterable(map(_PIECE.findall, example.contents("user", "assistant", "tool")))))
    least = max(_LEAST_COMMON, _COMMON * rows)
    return frozenset(piece for piece, count in counts.items() if count >= least and piece.strip())


def near_duplicate(context: Context) -> Comparison:
    """Question and answer are nearly an earlier row's, whatever the system prompt; about 260 bytes are kept a row."""
    common = context.common
    rows_seen = _Signatures(context.thresholds["near-duplicate"])

    def own_text(example: Example) -> str:
        text = "\n".join([message.content for message in example.messages if message.role != "system"])
        if common and any(piece in text for piece in common):
            text = "\n".join(piece for piece in _PIECE.findall(text) if piece not in common)
        return text

    def facts(examples: Sequence[Example]) -> Facts:
        return signatures([own_text(example) for example in examples]).view(np.uint64)

    return Comparison(facts, rows_seen.compare, "nearly the same as row {}")


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The bins of each text (texts, 64); zeros where there is too little text."""
    parts = [_signatures(texts[start : start + _TOGETHER]) for start in range(0, len(texts), _TOGETHER)]
    return np.concatenate(parts) if parts else np.zeros((0, _BINS), np.uint32)


def _signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    data = [text.encode("utf-8", "surrogatepass").lower().translate(None, _IGNORED) for text in texts]
    lengths = np.array([len(text) for text in data])
    together = b"".join(data) + bytes(_VIEW)
    # Overlapping views of eight bytes each, of which six are taken.
    shingles = np.ndarray(len(together) - _VIEW, "<u8", together, strides=(1,)) & _SHINGLE
    shingles *= _MIX
    hashes = shingles.view(np.uint32)[1::2].copy()  # the higher halves, on the little-endian machines there are
    ends = np.cumsum(lengths)
    beyond = (ends[:, None] - np.arange(1, _VIEW)).ravel()
    hashes[beyond[beyond >= 0]] = _EMPTY  # these views reach into the next text
    places = (hashes >> _BIN_SHIFT).astype(np.intp) + np.repeat(_BINS * np.arange(len(data)), lengths)
    bins = np.full((len(data), _BINS), _EMPTY, np.uint32)
    np.minimum.at(bins.reshape(-1), places, hashes)
    for step in (1, 2, 4, 8, 16, 32):  # after which each bin has looked at all to its right, and round to its left
        bins = np.where(bins == _EMPTY, np.roll(bins, -step, axis=1), bins)
    bins[lengths < _LEAST_SHINGLES + _VIEW - 1] = 0
    return bins


class _Signatures:
    """The signatures of all rows so far, and where each band of bins was seen first."""

    def __init__(self, threshold: float) -> None:
        # Bins are kept as one byte, of which 1 in 256 is equal by chance (Li, König 2010, arXiv:0910.3349).
        self._least_equal = _BINS * (threshold + (1 - threshold) / 256)
        self._bands = FirstSeen()
        self._bins = np.zeros((1024, _BINS), np.uint8)
        self._numbers = np.zeros(1024, np.uint32)
        self._count = 0

    def compare(self, numbers: Numbers, facts: Facts) -> Numbers:
        answer = np.zeros(len(numbers), np.uint32)
        told = np.flatnonzero(facts.any(axis=1))
        if not len(told):
            return answer
        bins = np.ascontiguousarray(facts[told]).view(np.uint32)
        entries = self._remember(bins, numbers[told])
        first = self._bands.put(_band_keys(bins), np.repeat(entries + 1, _BANDS).reshape(-1, _BANDS)) - 1
        row, band = np.nonzero(first != entries[:, None])
        earlier = first[row, band]
        equal = (self._bins[entries[row]] == self._bins[earlier]).sum(axis=1)
        close = equal >= self._least_equal
        # The rows that are alike form one group, named by its first.
        nearest = np.full(len(told), _EMPTY, np.uint32)
        np.minimum.at(nearest, row[close], earlier[close])
        for place in np.flatnonzero(nearest != _EMPTY):
            root = self._numbers[nearest[place]]
            answer[told[place]] = self._numbers[entries[place]] = root
        return answer

    def _remember(self, bins: NDArray[np.uint32], numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        end = self._count + len(bins)
        if end > len(self._bins):
            size = max(end, len(self._bins) * 3 // 2)
            self._bins.resize((size, _BINS), refcheck=False)
            self._numbers.resize(size, refcheck=False)
        self._bins[self._count : end] = bins & 0xFF
        self._numbers[self._count : end] = numbers
        entries = np.arange(self._count, end, dtype=np.uint32)
        self._count = end
        return entries


def _band_keys(bins: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One key for each band of each row."""
    banded = bins[:, : _BANDS * _PER_BAND].reshape(-1, _BANDS, _PER_BAND).astype(np.uint64)
    keys = np.broadcast_to(np.arange(1, _BANDS + 1, dtype=np.uint64), banded.shape[:2]).copy()
    for place in range(_PER_BAND):
        keys = (keys ^ banded[:, :, place]) * _MIX
        keys ^= keys >> np.uint64(29)
    return keys


NEAR_DUPLICATE = Check(
    code="near-duplicate",
    policy="warn",
    threshold=_SIMILAR,
    measure="similarity of two rows' texts (Jaccard), from",
    message="the row is there nearly twice",
    fix="keep the best of each group, or set dataset.quality near-duplicate to drop: variety teaches, copies weigh",
    comparison=near_duplicate,
)
