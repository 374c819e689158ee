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


def prose(text: str) -> str:
    """The text without code, formulas, addresses and what is quoted."""
    return _NOT_PROSE.sub(" … ", text)
