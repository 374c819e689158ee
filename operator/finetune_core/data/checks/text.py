"""Text that is not what its author wrote: markup, invisible characters, bytes read in the wrong encoding."""

import re
from collections.abc import Iterator
from itertools import product

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.chinese_spelling import share_in_words
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

# C0 without tab, line feed and carriage return; DEL and C1; soft hyphen, zero-width space, invisible operators,
# Mongolian
# vowel separator, byte order mark; separators of lines and paragraphs; embeddings, overrides, isolates and other
# settings
# of direction; marks of annotations, and U+FFFC where an object was; musical and private use; noncharacters;
# surrogates.
# Joiners stay beside emoji and in the scripts that need them, such as Persian and Hindi; tags stay in flags.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ue000-\uf8ff"
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U0001d173-\U0001d17a\U000f0000-\U0010ffff]"
    "|(?<![\u0590-\u1fff\u2190-\u2bff\u3030\u303d\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
    "|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0000-\U000e007f]"
)
_DIRECTION = re.compile("[\u200e\u200f\u061c]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Arabic and Hebrew need marks of direction; no other text does."""

_REPLACED = re.compile("\ufffd|ï¿½|锟斤拷|烫烫烫|屯屯屯")
"""The replacement character; itself misread; and what Visual C++'s unset memory looks like in GBK."""

_CONTINUATION = "[\x80-\xbf" + "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)) + "]"
_UTF8_AS_LATIN = re.compile(
    f"[\u00e0-\u00ef]{_CONTINUATION}{{2}}|[\u00f0-\u00f4]{_CONTINUATION}{{3}}|(?:[ÐÑÎÏ]{_CONTINUATION}){{2}}"
    f"|Â[\xa0-\xbf]"
    "|Ã[\x80-\xbfƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ€]"
)

# What two- and three-byte characters come to when they are no accident: Cyrillic and Greek, punctuation and symbols,
# Chinese, Japanese, Korean, full-width forms, emoji.
_LIKELY = re.compile("[\u00a0-\u04ff\u2010-\u2bff\u3000-\u9fff\uac00-\ud7af\uff00-\uffef\U0001f000-\U0001faff]")

_LATIN_RUN = re.compile("[\xa1-\xfe]{4,}")

# UTF-8 for Chinese begins with a byte from E3 to E9 and goes on with one below C0: read as GBK or Big5, rare
# characters.
# The same of full-width punctuation (EF BC, EF BD), of “ and — (E2 80), and of emoji (F0 9F).
_LEADS = {
    codec: "".join(
        bytes([a, b]).decode(codec, "ignore")
        for a, b in [(0xE2, 0x80), (0xEF, 0xBC), (0xEF, 0xBD), *product(range(0xE3, 0xEA), range(0x80, 0xC0))]
    )
    for codec in ("gbk", "big5")
}
_LEAD_MISREAD = {
    codec: re.compile(f"(?=([{leads}][^\x00-\x7f]{{2}}))|(?=(馃[^\x00-\x7f]))") for codec, leads in _LEADS.items()
}
_SYLLABLES = "".join(
    bytes([a, b]).decode("gbk", "ignore")
    for a, b in [(0x81, 0x5B), (0x81, 0x42), *product((0x82,), range(0x9F, 0xF2)), *product((0x83,), range(0x40, 0x97))]
)
"""Japanese in Shift-JIS, read as GBK."""


def _of_utf8(codec: str) -> str:
    """Where UTF-8 read by the codec may be: three bytes of punctuation or Chinese, two of an accented letter or "
    "a sign."""
    threes = "".join(bytes([byte]).decode(codec) for byte in range(0xE2, 0xEA))
    sign, letter = (bytes([byte]).decode(codec) for byte in (0xC2, 0xC3))
    own = f"[{threes}][^\x00-\x7f]{{2}}|{sign}[^\x00-\x7f]|(?<=[A-Za-z]){letter}[^\x00-\x7fπ]"
    return f"{own}|{letter}[^\x00-\x7fπ](?=[a-z]{{2}})"


_LETTERS_AS_GBK = "".join(bytes([0xC3, byte]).decode("gbk") for byte in range(0x80, 0xC0) if byte != 0x97)
_OTHERWISE = (
    ("mac_roman", "utf-8", "UTF-8 read as Mac Roman", _of_utf8("mac_roman")),
    ("cp437", "utf-8", "UTF-8 read as code page 437", _of_utf8("cp437")),
    ("cp850", "utf-8", "UTF-8 read as code page 850", _of_utf8("cp850")),
    ("cp1251", "utf-8", "UTF-8 read as Windows-1251", "в[^\x00-\x7f]{2}|(?<=[A-Za-z])Г[^\x00-\x7f]"),
    ("gbk", "utf-8", "UTF-8 read as GBK", f"鈥[^\x00-\x7f]|(?<=[a-z])[{_LETTERS_AS_GBK}](?=[a-z ,.!?]|\\Z)"),
    ("big5", "gb2312", "GBK read as Big5", "[\u4e00-\u9fff]{2}[ㄛㄩㄐ](?=[\u4e00-\u9fff])"),
    ("cp1251", "cp1252", "Latin read as Windows-1251", "(?<=[A-Za-z])[\u0400-\u04ff](?=[a-z])"),
    ("cp437", "cp1252", "Latin read as code page 437", "(?<=[a-z])[ⁿ÷Σ▀ΘΦατ](?=[a-z])"),
    ("mac_roman", "cp1252", "Latin read as Mac Roman", "(?<=[A-Za-z])[¸ˆ‰](?=[a-z])"),
    ("big5", "gb2312", "GBK read as Big5", "[\u4e00-\u9fff]{0,12}[腔岆眕衄婓奻][\u4e00-\u9fff]{1,12}"),
    ("cp932", "gbk", "GBK read as Shift-JIS", "[\uff61-\uff9f][\uff61-\uff9f\u3400-\u9fff]{3,}"),
    ("gbk", "shift_jis", "Shift-JIS read as GBK", f"[{_SYLLABLES}]{{4,}}"),
    ("cp1252", "shift_jis", "Shift-JIS read as Latin", "(?:[\x82\x83‚ƒ][^\x00-\x3f]){3,}"),
)
"""Wrong encoding, right one, what to say, and where it may be."""
_MISREADINGS = [(wrong, right, says, re.compile(pattern)) for wrong, right, says, pattern in _OTHERWISE]
_CHANGED = "腔岆眕衄婓奻\uff61-\uff9f\u0400-\u04ffⁿ▀ατˆ‰"
"""Signs that are common in what was read by a wrong code page."""
_OTHER_SIGNS = re.compile(f"[‚√├┬ΓΣσΦΘÔÕÒÂÊÈвГㄛㄩㄐ\x82\x83ƒ¬鈥÷¸{_CHANGED}{_LETTERS_AS_GBK}{_SYLLABLES}]")
_ZHUYIN = re.compile("[ㄛㄩㄐ]")
_MOSTLY = 0.6
_KANA = re.compile("[\u3041-\u30fe]+")

_SUSPECT = re.compile(
    f"[\ufffd锟烫屯馃‚√├┬ΓΣσΦΘㄛㄩㄐ\x82\x83ƒ\xa1-\xff{_CHANGED}{''.join(_LEADS.values())}{_LETTERS_AS_GBK}{_SYLLABLES}]"
)
"""One of them is in all that was misread, and in few other texts of English or Chinese."""

_ABOUT_ENCODINGS = re.compile(
    r"mojibake|encod|latin-?1|iso-8859|windows-125|charset|unicode|garbled|utf-?8|gbk|gb ?2312|乱码|亂碼"
    r"|字符编码|编码[错问]|字符集",
    re.IGNORECASE,
)
"""A question about misreading shows some."""


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
    found = None if printable else next(_controls(text), None)
    return found and f"holds U+{ord(found[0]):04X} at character {found.start() + 1}"


def _controls(text: str) -> Iterator[re.Match[str]]:
    yield from _CONTROL.finditer(text)
    if not _RIGHT_TO_LEFT.search(text):
        yield from _DIRECTION.finditer(text)


def without_control_characters(text: str) -> str:
    """The text without them; the same object where there are none."""
    if _control(text) is None:
        return text
    lines = text.replace("\u2028", "\n").replace("\u2029", "\n\n")
    return _CONTROL.sub("", lines if _RIGHT_TO_LEFT.search(text) else _DIRECTION.sub("", lines))


def mojibake(example: Example) -> str | None:
    """Bytes that were read in the wrong encoding, proven by reading them back.

    The ways met in practice with Chinese and English: UTF-8 read as Latin-1 or Windows-1252 (``â€™``), as GBK or Big5
    (``浣犲ソ``), GBK read as Latin-1 (``ÄãºÃ``), UTF-8 read in an encoding of old Macs and consoles (``‚Äô``),
    Shift-JIS read as GBK, and what no decoder could read. A question about encodings may show them.
    """
    found = locate(example, _misread, "system", "user", "assistant")
    return None if found is None or _explained(example) else found


def _explained(example: Example) -> bool:
    """Is the row about encodings: does it ask of what is misread, and say so?"""
    asked, answered = " ".join(example.contents("user")), " ".join(example.contents("assistant"))
    return bool(_ABOUT_ENCODINGS.search(asked if _misread(asked) is None else asked + answered))


def _misread(text: str) -> str | None:
    if text.isascii() or not _SUSPECT.search(text):
        return None
    if found := _REPLACED.search(text):
        return f"holds {found[0]!r}"
    for found in _UTF8_AS_LATIN.finditer(text):
        # French sets no-break spaces before its guillemets: "été\xa0»" is fine.
        if "\xa0»" not in found[0] and _LIKELY.match(_reread(found[0], "cp1252", "utf-8")):
            return f"holds {found[0]!r}, UTF-8 read as Latin"
    for codec, leads in _LEAD_MISREAD.items():
        for found in leads.finditer(text):
            # Three characters of two bytes are two of UTF-8, and two are one emoji.
            if len(_LIKELY.findall(_reread(found[1] or found[2], codec, "utf-8"))) == (2 if found[1] else 1):
                return f"holds {found[1] or found[2]!r}, UTF-8 read as {codec.upper()}"
    for found in _LATIN_RUN.finditer(text):
        # GB2312 has the characters in use; a run of one and the same sign is a line drawn by hand.
        if len(set(found[0])) > 2 and _reread(found[0], "latin-1", "gb2312"):
            return f"holds {found[0][:10]!r}, GBK read as Latin"
    for wrong, right, says, pattern in _MISREADINGS if _OTHER_SIGNS.search(text) else ():
        for found in pattern.finditer(text):
            meant = _reread(found[0], wrong, right)
            if _likelier(found[0], meant, right):
                return f"holds {found[0][:10]!r}, {says}"
    return None


def _likelier(said: str, meant: str, right: str) -> bool:
    if right == "shift_jis":
        return _KANA.fullmatch(meant) is not None
    if right in ("gb2312", "gbk") and not _ZHUYIN.search(said):
        return share_in_words(meant) >= _MOSTLY and share_in_words(said) < 1 - _MOSTLY
    return _LIKELY.match(meant) is not None


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
