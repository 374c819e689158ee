"""What of a text is its author's own words."""

import re

CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
"""Code is quoted, and may hold anything."""

_NOT_PROSE = re.compile(
    rf"{CODE.pattern}|\$\$?[^$\n]{{1,300}}\$|(?:https?|ftp|s3|file)://[!-~]*|www\.[!-~]*|(?<![\w.+-])[\w.+-]{{1,64}}@[\w.-]+"
    "|“[^”]{0,300}”|‘[^’\n]{0,60}’|「[^」]{0,300}」|『[^』]{0,300}』|《[^》]{0,100}》|«[^»]{0,300}»"
    r"|\"[^\"\n]{0,300}\"|(?<!\w)'[^'\n]{1,60}'(?!\w)",
    re.DOTALL,
)

HEAD = 100
"""Characters at an answer's beginning that tell its manner; what is quoted or told comes later."""
QUOTES = frozenset('"“‘「『《')
"""After one of them it is somebody else who speaks."""


def prose(text: str) -> str:
    """The text without code, formulas, addresses and what is quoted."""
    return _NOT_PROSE.sub(" … ", text)


_CJK = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u024f'’-]+")


def chinese_characters(text: str) -> int:
    """How many it has."""
    return len(_CJK.findall(text))


def size(text: str) -> float:
    """In words; two Chinese characters are about one."""
    return chinese_characters(text) / 2 + len(_WORD.findall(text))
