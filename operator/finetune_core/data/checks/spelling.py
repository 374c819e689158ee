"""Words that are written wrong."""

import re
from itertools import pairwise

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.chinese_spelling import misspellings
from finetune_core.data.checks.english_spelling import confused, misspelled
from finetune_core.data.checks.glance import telling, watch, words
from finetune_core.data.checks.prose import prose
from finetune_core.data.example import Example

_TWICE = frozenset(b"the a an of to and for with from at be are your".split())
"""Said twice in a row only by mistake, unlike "had had", "that that" or "log in in the app"."""

_ENGLISH = watch(
    "the and of you it with your this that my we they are is was be can will have has not on at by from which or "
    "if each what how please i yes under when who there their out up about after before does only very than then some "
    "any many much more most also because"
)
"""One of them tells English from languages in which our mistakes are words: French "langage", Spanish "anual"."""

_ABOUT_SPELLING = re.compile(
    r"\b(?:mis)?spell|typo|proof-?read|grammar|\bcorrect (?:the|this|my|any|all)\b|\bmistakes?\b"
    r"|\berrors? in (?:the|this|my)\b"
    r"|rewrite|edit (?:the|this|my) (?:text|sentence|paragraph|essay)"
    r"|错别字|錯別字|错字|别字|拼写|改错|纠错|纠正(?:[错下以这句病语拼文字其]|一下)|病句|校对|润色|语法|改正"
    r"|修改(?:以下|下面|这)"
    "|写法|哪个字",
    re.IGNORECASE,
)


def typo(example: Example) -> str | None:
    """Common misspellings, and words and marks set twice; English and Chinese by dictionaries.

    Only what is hardly ever right counts, so that rare words and names go unseen. Code, addresses and quotes are left
    out, as are rows about spelling.
    """
    found = locate(example, _mistake, "user", "assistant")
    return None if found is None or any(map(_ABOUT_SPELLING.search, example.contents("system", "user"))) else found


def _mistake(text: str) -> str | None:
    found = _english_mistake(text)
    return _chinese_mistake(text) if found is None and not text.isascii() else found


def _chinese_mistake(text: str) -> str | None:
    if not (wrong := misspellings(text)):
        return None
    own = prose(text)
    if own != text:
        wrong = misspellings(own)
    return f"says {wrong[0]!r}" if wrong else None


def _english_mistake(text: str) -> str | None:
    told = telling(text)
    if not told:
        return None
    wrong = {f"{word.decode()} {word.decode()}" for word, after in pairwise(words(text)) if word == after in _TWICE}
    if not told.isdisjoint(_ENGLISH):
        wrong |= misspelled(text)
    own = prose(text) if wrong else ""
    for word in sorted(wrong):
        # In small letters, or at the beginning of a sentence: elsewhere it is a name.
        rest = word[1:].replace(" ", r"\s+")
        if re.search(
            rf"(?<![\w./#-])(?:{word[0]}{rest}|(?:^|(?<=[.!?:\n] )"
            rf"|(?<=\n)){word[0].upper()}{rest}(?! [A-Z]))(?![\w/(]|\.\w)",
            own,
        ):
            return f"says {word!r}"
    for pattern in confused(text):
        if found := pattern.search(prose(text)):
            return f"says {found[0]!r}"
    return None


TYPO = Check(
    code="typo",
    policy="warn",
    # 没有明显的错别字: the course's cleaning list, part 3.2.
    message="there is a typo",
    fix="correct it, best with a spelling checker: a model writes as its data does",
    row=stateless(typo),
    sampled=True,
)
