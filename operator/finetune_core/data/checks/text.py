"""Text that is not what its author wrote: markup, invisible characters, bytes read in the wrong encoding."""

import re

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import marks
from finetune_core.data.checks.prose import CODE
from finetune_core.data.example import Example

# Bare tags whose names are used for nothing else; "<title>" or "<T>" may be a placeholder or a type, so of all other
# elements only what has attributes or closes counts. "</s>" is a model's end of text.
_MARKUP = re.compile(
    r"""
    <(?:br|div|span|p|h[1-6]|li|ul|ol|td|tr|th|tbody|thead|table|strong|em|img|hr|font|center|iframe|script|html
        |blockquote)(?:\s[^<>]{0,300})?/?>
    | <(?:a|b|i|u|code|pre|head|body|form|input|button|label|select|option|link|meta|title|style|section|header|footer
        |nav|article|video|audio|sup|sub|small|svg)\s[a-z:-]+\s*=[^<>]{0,300}>
    | </(?:a|b|i|u|p|br|div|span|h[1-6]|li|ul|ol|td|tr|th|tbody|thead|table|strong|em|font|center|iframe|script|html
        |blockquote|code|pre|head|body|form|button|label|select|option|title|style|section|header|footer|nav|article
        |video|audio|sup|sub|small|svg)\s*>
    | <!--|<!doctype\b
    | &(?:nbsp|lt|gt|amp|quot|apos|ldquo|rdquo|lsquo|rsquo|mdash|ndash|hellip|middot|copy|\#\d{2,6}|\#x[0-9a-f]{2,5});
    """,
    re.IGNORECASE | re.VERBOSE,
)

# A question about web pages is answered in markup.
_ABOUT_MARKUP = re.compile(
    r"(?<![<./a-z])(?:x?html5?|css|xml|svg|jsx|vue|react|javascript|web ?(?:page|site)|markup|front-?end)(?![a-z])"
    r"|网页|網頁|网站|網站|标签|標籤|前端|转义|轉義",
    re.IGNORECASE,
)

# C0 without tab, line feed and carriage return; DEL and C1; soft hyphen, zero-width space, word joiner, byte order
# mark; embeddings, overrides and isolates of direction; private use; noncharacters; surrogates. Joiners stay: emoji,
# Persian and Hindi need them, as do the direction marks of Arabic and Hebrew.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufffe\uffff"
    "\ud800-\udfff]"
)

_REPLACED = re.compile("\ufffd|ï¿½|锟斤拷|烫烫烫|屯屯屯")
"""The replacement character; itself misread; and what Visual C++'s unset memory looks like in GBK."""

_CONTINUATION = "[\x80-\xbf" + "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)) + "]"
_UTF8_AS_LATIN = re.compile(
    f"[\u00e0-\u00ef]{_CONTINUATION}{{2}}|[\u00f0-\u00f4]{_CONTINUATION}{{3}}|(?:[ÐÑÎÏ]{_CONTINUATION}){{2}}|Â[\xa0-\xbf]"
    "|Ã[\x80-\xbfƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ€]"
)

# What two- and three-byte characters come to when they are no accident: Cyrillic and Greek, punctuation and symbols,
# Chinese, Japanese, Korean, full-width forms, emoji.
_LIKELY = re.compile("[\u00a0-\u04ff\u2010-\u2bff\u3000-\u9fff\uac00-\ud7af\uff00-\uffef\U0001f000-\U0001faff]")

_LATIN_RUN = re.compile("[\xa1-\xfe]{4,}")

_LEADS = "".join(bytes([a, b]).decode("gbk", "ignore") for a in range(0xE3, 0xEA) for b in range(0x80, 0xC0))
_LEAD_AS_GBK = re.compile(f"(?=([{_LEADS}][^\x00-\x7f]{{2}}))")
"""UTF-8 for Chinese begins with a byte from E3 to E9 and goes on with one below C0: read as GBK, rare characters."""


_SUSPECT = re.compile(f"[\ufffd锟烫屯\xa1-\xff{_LEADS}]")
"""One of them is in all that was misread, and in few other texts of English or Chinese."""


def html_markup(example: Example) -> str | None:
    """HTML tags, comments and entities outside code, where the question is not about web pages."""
    found = locate(example, _markup, "system", "user", "assistant")
    return None if found is None or any(map(_ABOUT_MARKUP.search, example.contents("user"))) else found


def _markup(text: str) -> str | None:
    signs = marks(text)
    if b"<" not in signs and b"&" not in signs:
        return None
    found = _MARKUP.search(CODE.sub(" ", text) if "`" in text else text)
    return found and f"holds {found[0][:40]}"


def control_characters(example: Example) -> str | None:
    """Characters that are not seen but trained on: control codes, zero-width spaces, private use."""
    return locate(example, _control, "system", "user", "assistant")


def _control(text: str) -> str | None:
    # Printable text has none of them, and asking so is quick.
    printable = marks(text).decode().isprintable() if text.isascii() else text.replace("\n", "").isprintable()
    found = None if printable else _CONTROL.search(text)
    return found and f"holds U+{ord(found[0]):04X} at character {found.start() + 1}"


def without_control_characters(text: str) -> str:
    """The text without them; the same object where there are none."""
    return text if _control(text) is None else _CONTROL.sub("", text)


def mojibake(example: Example) -> str | None:
    """Bytes that were read in the wrong encoding, proven by reading them back.

    Four ways, the ones met in practice with Chinese and English: UTF-8 read as Latin-1 or Windows-1252 (``â€™``), UTF-8
    read as GBK (``浣犲ソ``), GBK read as Latin-1 (``ÄãºÃ``), and what no decoder could read.
    """
    return locate(example, _misread, "system", "user", "assistant")


def _misread(text: str) -> str | None:
    if text.isascii() or not _SUSPECT.search(text):
        return None
    if found := _REPLACED.search(text):
        return f"holds {found[0]!r}"
    for found in _UTF8_AS_LATIN.finditer(text):
        # French sets no-break spaces before its guillemets: "été\xa0»" is fine.
        if "\xa0»" not in found[0] and _LIKELY.match(_reread(found[0], "cp1252", "utf-8")):
            return f"holds {found[0]!r}, UTF-8 read as Latin"
    for found in _LEAD_AS_GBK.finditer(text):
        if len(_LIKELY.findall(_reread(found[1], "gbk", "utf-8"))) == 2:  # three characters of GBK are two of UTF-8
            return f"holds {found[1]!r}, UTF-8 read as GBK"
    for found in _LATIN_RUN.finditer(text):
        # GB2312 has the characters in use; a run of one and the same sign is a line drawn by hand.
        if len(set(found[0])) > 2 and _reread(found[0], "latin-1", "gb2312"):
            return f"holds {found[0][:10]!r}, GBK read as Latin"
    return None


def _reread(text: str, wrong: str, right: str) -> str:
    """What the text would have been; nothing where the bytes make no sense."""
    if wrong == "cp1252":  # which leaves five bytes undefined: decoders pass them through
        data = b"".join(sign.encode("latin-1" if sign <= "\xff" else "cp1252", "ignore") for sign in text)
    else:
        data = text.encode(wrong, "ignore")
    try:
        return data.decode(right)
    except UnicodeDecodeError:
        return ""


HTML_MARKUP = Check(
    code="html-markup",
    policy="warn",
    # 没有HTML标签或特殊字符: the course's cleaning list, part 3.2; so with the next two.
    message="there is HTML in the text",
    fix="strip tags and decode entities, or put what is meant as code between backticks",
    row=stateless(html_markup),
)

CONTROL_CHARACTERS = Check(
    code="control-characters",
    policy="warn",
    message="there are characters that nobody sees",
    fix="remove them (ftj lint --fix does): the model would learn to write them",
    row=stateless(control_characters),
)

MOJIBAKE = Check(
    code="mojibake",
    policy="warn",
    message="the text was read in a wrong encoding",
    fix="export it again as UTF-8; what holds U+FFFD or 锟斤拷 is lost, and has to come from the source",
    row=stateless(mojibake),
)
