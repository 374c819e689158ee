"""What a glance at a text shows, taken once for all checks: most rows have nothing wrong, and are through with it."""

import re
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"
_NO_MARKS = _LETTERS + b" ,.\n" + bytes(range(0x80, 0x100))
_APART = bytes(byte if byte in _LETTERS + _DIGITS + b"_'" else 0x20 for byte in range(0x100)).lower()
_APOSTROPHE = "\u2019".encode()

_REMEMBERED = lru_cache(maxsize=32)
"""Checks look at a row one after the other, and a row has few messages."""


@_REMEMBERED
def lowered(text: str) -> str:
    """In small letters, and with ’ as '."""
    return text.lower() if text.isascii() else text.lower().replace("\u2019", "'")


@_REMEMBERED
def marks(text: str) -> bytes:
    """Its digits and signs of ASCII, in their order; commas, full stops and line feeds are left out."""
    return text.encode("utf-8", "surrogatepass").translate(None, _NO_MARKS)


def digits(text: str) -> int:
    """How many digits of ASCII it has."""
    signs = marks(text)
    return len(signs) - len(signs.translate(None, _DIGITS)) if signs else 0


_watched: dict[bytes, str] = {}


def watch(terms: str) -> frozenset[str]:
    """These words, which ``telling`` looks for from now on: for modules to call as they are imported."""
    _watched.update((word.encode(), word) for word in terms.split())
    return frozenset(terms.split())


@_REMEMBERED
def words(text: str) -> list[bytes]:
    """Its words of ASCII letters and digits, in small letters and without a genitive's 's."""
    encoded = text.encode("utf-8", "surrogatepass")
    if not text.isascii():
        encoded = encoded.replace(_APOSTROPHE, b"'")
    return encoded.translate(_APART).replace(b"'s ", b" ").split()


@_REMEMBERED
def telling(text: str) -> Set[str]:
    """The words in it that any check watches for, in small letters."""
    return set(filter(None, map(_watched.get, words(text))))


class Signs:
    """Terms of two characters or more that a text is looked through for, before any pattern.

    Most texts have none. The first two characters of a term are found by one regular expression, the rest compared
    where they are; an alternation of the terms would take ten times as long.
    """

    def __init__(self, terms: str) -> None:
        self._terms: dict[str, tuple[str, ...]] = {}
        for term in terms.split():
            self._terms[term[:2]] = (*self._terms.get(term[:2], ()), term)
        firsts, seconds = ("".join(sorted(set(signs))) for signs in zip(*self._terms, strict=True))
        self._glance = re.compile(f"[{re.escape(firsts)}](?=[{re.escape(seconds)}])")

    def places(self, text: str) -> Iterator[int]:
        """Where a term begins."""
        for found in self._glance.finditer(text):
            place = found.start()
            terms = self._terms.get(text[place : place + 2])
            if terms and text.startswith(terms, place):
                yield place

    def within(self, text: str) -> bool:
        """Whether there is one."""
        return next(self.places(text), None) is not None


def near(places: Iterable[int], pattern: re.Pattern[str], before: int, after: int, text: str) -> re.Match[str] | None:
    """The pattern in the text so many characters before and after one of the places, which come in order."""
    seen = 0
    for place in places:
        if place + after > seen + after // 3:  # one after the other, places are looked at together
            seen = place + after
            if found := pattern.search(text, max(0, place - before), seen):
                return found
    return None
