"""English words written wrong, told by a dictionary.

A word that it does not know and that is one slip away from a frequent one was meant to be that. The dictionary with
its frequencies is pyspellchecker's (MIT), of American subtitles; British spellings are told by rule. Words that it is
too old to know, and mistakes that are further away or words of another kind, are lists of our own.
"""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from string import ascii_lowercase

from spellchecker import SpellChecker

from finetune_core.data.checks.glance import words
from finetune_core.data.checks.word_lists import listed

_SHORTEST = 5
"""Letters; most strings of four are one slip away from some word."""
_LONG = 7
_FREQUENT, _FREQUENT_IF_LONG = 5_000, 300
"""Times in the subtitles that a word must be there to be meant; long ones are not alike by chance."""
_FOREIGN = 0.25
"""Share of unknown words in a text of another language, or of names and code."""
_VOWELS = "aeiou"
_BRITISH = (
    ("our", "or"), ("tre", "ter"), ("is", "iz"), ("ys", "yz"), ("ll", "l"), ("ae", "e"), ("oe", "e"),
    ("ogue", "og"), ("mme", "m"), ("ce", "se"), ("ewell", "ewel"), ("ould", "old"), ("ett", "et"),
)  # fmt: skip

_MISSPELLED = frozenset(listed("misspelled.txt"))
_MISSPELLED_BYTES = frozenset(word.encode() for word in _MISSPELLED)


@cache
def _frequencies() -> Mapping[str, int]:
    """Of the words that may be meant."""
    counted = SpellChecker(language="en", distance=1).word_frequency.dictionary
    return {
        word: count
        for word, count in counted.items()
        if count >= _FREQUENT_IF_LONG and len(word) >= _SHORTEST and word not in _MISSPELLED
    }


@cache
def _known() -> frozenset[bytes]:
    dictionary = SpellChecker(language="en", distance=1).word_frequency.dictionary
    return frozenset(word.encode() for word in (*dictionary, *listed("english_new_words.txt"))) - _MISSPELLED_BYTES


def misspelled(text: str) -> set[str]:
    """Words of the text, in small letters, that are written wrong; names may be among them."""
    told = words(text)
    unknown = {word for word in set(told) - _known() if len(word) >= _SHORTEST and word.isalpha()}
    found = {word.decode() for word in _MISSPELLED_BYTES.intersection(told)}
    if len(unknown) <= max(3, _FOREIGN * len(told)):
        found |= {word for each in unknown if _is_slip(word := each.decode())}
    return found


@lru_cache(maxsize=16384)
def _is_slip(word: str) -> bool:
    frequencies = _frequencies()
    if any(part in word and word.replace(part, other).encode() in _known() for part, other in _BRITISH):
        return False
    return any(
        frequencies.get(meant, 0) >= (_FREQUENT_IF_LONG if len(meant) >= _LONG else _FREQUENT) for meant in _meant(word)
    )


def _meant(word: str) -> Iterator[str]:
    """The word with a letter more, with one less, with two turned, or with another vowel; the first letter stays."""
    for place in range(1, len(word) + 1):
        before, after = word[:place], word[place:]
        yield from (before + letter + after for letter in ascii_lowercase)
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        if after[:1] in _VOWELS:
            yield from (before + vowel + after[1:] for vowel in _VOWELS if after)
