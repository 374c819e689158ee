"""Is the answer in the language of the question?"""

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

from finetune_core.data.checks.base import Check, stateless
from finetune_core.data.checks.glance import marks, telling, watch
from finetune_core.data.checks.prose import prose
from finetune_core.data.example import Example

_SCRIPTS = {
    "Japanese": "[\u3040-\u30ff]",
    "Chinese": "[\u3400-\u9fff]",
    "Korean": "[\uac00-\ud7af]",
    "Russian": "[\u0400-\u04ff]",
    "Arabic": "[\u0600-\u06ff]",
    "Hebrew": "[\u0590-\u05ff]",
    "Greek": "[\u0370-\u03ff]",
    "Thai": "[\u0e00-\u0e7f]",
    "Hindi": "[\u0900-\u097f]",
    "Latin": "[A-Za-z\u00c0-\u024f]",
}
"""Named by the language that writes most in it; languages of one script are told apart in Latin alone."""

_LETTERS = {name: re.compile(letters) for name, letters in _SCRIPTS.items()}
_FOREIGN_LETTER = re.compile("[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")

_WORDS = {
    "English": watch(
        "the of you your are this that with it to a my we they be will was have has which how what can do does i"
    ),
    "German": watch("der die das und ist nicht ein eine sie mit auf den von zu wie ich kann auch wir nach bei im sind"),
    "French": watch("le la les des et est une dans pour que qui vous avec sur pas votre nous au du je comment cette"),
    "Spanish": watch("el los las una que por para con como del es se su puede cual donde cuando mi lo pero y en"),
    "Portuguese": watch("os uma que para com do da em como por seu mais dos das pode ao na no meu"),
    "Italian": watch("il che di per una con non sono del della come gli nel puoi questo quale dove"),
    "Dutch": watch("de het een van en dat op te voor met niet je ik hoe zijn kan worden"),
}
"""Words of ASCII that hardly a sentence does without; none of English but its own is a word of SQL."""
_FOREIGN_WORDS = frozenset(word for name, words in _WORDS.items() if name != "English" for word in words) - frozenset(
    ("die", "per", "come", "do", "no", "as", "con", "en", "van")  # which English has too
)

_LEAST_WORDS = 3
_LEAST_LETTERS = {"Chinese": 6, "Japanese": 6, "Korean": 6, "Latin": 16}
_LEAST_LETTERS_ELSE = 12
_SURE = 0.8
"""Share of the letters that are the language's own; names and terms may be of another."""
_LATIN_WEIGHT = 0.4
"""A Latin letter counts so much beside a character of Chinese: five letters are a word, as two characters are."""
_CODE_SIGNS = re.compile(rb"[{}()\[\];=<>_$#|\\]")
_CODE_SHARE = 0.05

_ABOUT_LANGUAGE = re.compile(
    r"translat|language|english|chinese|mandarin|cantonese|french|german|spanish|portuguese|italian|dutch|russian|japanese"
    r"|korean|arabic|hebrew|greek|thai\b|hindi|latin\b|bilingual|pronounc|subtitle|lyrics"
    "|[中英法德日韩俄泰外双母][语文]|汉语|漢語|國語|普通话|[粤粵]语|西班牙|葡萄牙|意大利|阿拉伯|希腊|拉丁|拼音|单词|單詞|翻[译譯]|[译譯]|歌词|台词"
    "|[語语]言|traduc|traduire|tradui|перевед|перевод|английск|übersetz|auf deutsch|en français|en español",
    re.IGNORECASE,
)


def language_mismatch(example: Example) -> str | None:
    """An answer in another language than its question, where nobody asked for one.

    Languages are told by their script, and those of Latin script that are listed in ``_WORDS`` by common words. A
    question that has the answer's language in it, as that of a text to sum up, is no mismatch; neither is a short
    answer, a name or code. What languages have in common with each other, such as traditional and simplified Chinese,
    or Russian and Ukrainian, is one to this check.
    """
    if example.plain:
        return None
    for asked, answered in pairwise(example.messages):
        if (asked.role, answered.role) != ("user", "assistant"):
            continue
        kind = _kind(asked.content)
        if kind and kind == _kind(answered.content):
            continue
        answer = _languages(answered.content, _SURE) - {"Latin"}
        question = _languages(asked.content, 0.1)
        if not answer or not question or answer & question or "Latin" in question:
            continue
        if any(map(_ABOUT_LANGUAGE.search, example.contents("system", "user"))):
            return None
        return f"the question is in {' and '.join(sorted(question))}, the answer in {min(answer)}"
    return None


@lru_cache(maxsize=32)
def _kind(text: str) -> str:
    """English or Chinese, where a glance is enough to tell; it may say "English" of any list of names."""
    if text.isascii():
        return "English" if _FOREIGN_WORDS.isdisjoint(telling(text)) else ""
    width = len(text.encode("utf-8", "surrogatepass")) / len(text)
    if width > 2.2:
        return "" if _FOREIGN_LETTER.search(text) else "Chinese"
    return "English" if width < 1.05 and _FOREIGN_WORDS.isdisjoint(telling(text)) else ""


def _languages(text: str, least: float) -> frozenset[str]:
    """The languages that have at least this share of the letters in the text's prose, and are sure to be there."""
    own = prose(text)
    counts = Counter({name: len(letters.findall(own)) for name, letters in _LETTERS.items()})
    if counts["Japanese"] * 10 >= counts["Chinese"]:
        counts["Japanese"] += counts.pop("Chinese")
    weights = {name: count * (_LATIN_WEIGHT if name == "Latin" else 1) for name, count in counts.items()}
    total = sum(weights.values())
    found = set()
    for name, count in counts.items():
        if (
            count < _LEAST_LETTERS.get(name, _LEAST_LETTERS_ELSE) * (1 if least > 0.5 else 0.5)
            or weights[name] < least * total
        ):
            continue
        found.add(_latin(own, least) if name == "Latin" else name)
    return frozenset(found)


def _latin(text: str, least: float) -> str:
    """Which of the languages of Latin script it is; "Latin" if that is not sure."""
    if len(_CODE_SIGNS.findall(marks(text))) > _CODE_SHARE * len(text):
        return "Latin"
    told = telling(text)
    first, second = Counter({name: len(told & words) for name, words in _WORDS.items()}).most_common(2)
    enough = first[1] >= (_LEAST_WORDS if least > 0.5 else 1)
    return first[0] if enough and first[1] >= 1.5 * second[1] else "Latin"


LANGUAGE_MISMATCH = Check(
    code="language-mismatch",
    policy="warn",
    message="the answer is in another language than the question",
    fix="translate one of them, or say in the question which language the answer shall have",
    row=stateless(language_mismatch),
)
