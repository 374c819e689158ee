"""What a text is about: its words, without those that every text has."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from finetune_core.data.checks.glance import lowered

_CHARACTERS = 2_000
"""More of a text tells no more about it."""
_TERMS = 6_000
"""More take long and are of few texts each."""
STEM = 5
"""Letters: refund, refunds, refunded are one word."""
_LATIN = re.compile(r"[a-z\u00df-\u024f\u0400-\u04ff]{3,}")
_CHINESE = re.compile("[\u3400-\u9fff]+")
_COMMON_ENGLISH = (
    "the and are but not you your yours all any can cannot could had has have was were will would should shall may "
    "might must this that these those there here what when where which who whom whose why how with without from "
    "into onto about above after again before below between both each few more most other some such only own same "
    "than then too very just also because been being did does doing done during its itself let like make made much "
    "many need new now off once one our out over per please put see set she her him his they them their take tell "
    "try two under until upon use used using want way well while within yes able give get got find help know "
    "question answer following write explain describe don doesn isn won didn aren wasn couldn shouldn thank thanks "
    "hello dear for"
)
_FUNCTION_WORDS = frozenset(word[:STEM] for word in _COMMON_ENGLISH.split())
_FUNCTION_SIGNS = frozenset(
    "的了是在我你您他她它们們这那這哪个個么麼什怎如何为為吗嗎呢吧啊呀哦请請问問可以能会會要想有没沒不也都就还還和与"
    "與或及但而且被把给給让讓对對从從到将將于於其之所因此则則很太最更一二三四五六七八九十几多少些每各该該应應需得地"
    "着過过去来來上下里裏中后後前时時候再又只才"
)


def words(text: str) -> list[str]:
    """Its content words, each once: stems of words, pairs of Chinese characters."""
    return stems(whole_words(text))


def stems(words: Iterable[str]) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(word[:STEM] for word in words))


@lru_cache(maxsize=32)
def whole_words(text: str) -> tuple[str, ...]:
    """The same before they are cut to stems, as often as they are there; two checks ask for them in turn."""
    text = lowered(text[:_CHARACTERS])
    found = [word for word in _LATIN.findall(text) if word[:STEM] not in _FUNCTION_WORDS]
    for run in _CHINESE.findall(text) if not text.isascii() else ():
        pairs = map("".join, pairwise(run))
        found.extend(pair for pair in pairs if _FUNCTION_SIGNS.isdisjoint(pair))
    return tuple(found)


def characters(text: str) -> list[str]:
    """Its Chinese characters that are no function words, each once."""
    runs = _CHINESE.findall(text[:_CHARACTERS])
    return [sign for sign in dict.fromkeys("".join(runs)) if sign not in _FUNCTION_SIGNS]


def terms(text: str) -> bytes:
    """Hashes of the words, of two bytes each."""
    return np.array([crc32(word.encode()) & 0xFFFF for word in words(text)], np.uint16).tobytes()


def matrix(*columns: Sequence[bytes]) -> tuple[NDArray[np.float32], ...]:
    """A table for each column of ``terms``: a line for each text, and in it 1 where it has the term, else 0.

    The tables have the same terms: those that two texts or more have, ``_TERMS`` of them at most.
    """
    hashes = [[np.frombuffer(text, np.uint16) for text in column] for column in columns]
    counts = np.bincount(np.concatenate([text for column in hashes for text in column]), minlength=0x10000)
    kept = np.argsort(-counts, kind="stable")[:_TERMS]
    kept = kept[counts[kept] > 1]
    place = np.full(0x10000, -1)
    place[kept] = np.arange(len(kept))
    tables = []
    for column in hashes:
        table = np.zeros((len(column), len(kept)), np.float32)
        for line, text in enumerate(column):
            places = place[text]
            table[line, places[places >= 0]] = 1
        tables.append(table)
    return tuple(tables)
