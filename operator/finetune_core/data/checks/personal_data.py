"""Personal data: a model repeats what it was trained on."""

import re
from collections.abc import Callable, Iterator

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import digits, marks, telling, watch
from finetune_core.data.checks.whereabouts import whereabouts
from finetune_core.data.example import Example

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+@/-])([A-Za-z0-9._%+-]{1,64})@((?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24})(?![A-Za-z0-9@])"
)
_SPELT_EMAIL = re.compile(
    r"(?<![\w.-])[A-Za-z][\w.-]{1,40} ?[\[(]at[\])] ?(?!example|domain|company"
    r"|your)[\w-]{2,40} ?(?:[\[(]dot[\])]|\.) ?(?:com|net|org|cn|de|uk|edu|io)\b",
    re.IGNORECASE,
)
_NOBODYS_DOMAIN = re.compile(
    r"(?:^|\.)(?:example\.[a-z]+|[a-z.-]*\.?(?:example|test|invalid|localhost)"
    r"|domain\.com|(?:your|my)-?(?:domain|company|email|site)\.com)$",
    re.IGNORECASE,
)
"""Reserved by RFC 2606, or plainly meant as a stand-in."""
_NOBODYS_MAILBOX = re.compile(
    r"^(?:info|support|service|services|help|helpdesk|contact|sales|admin|noreply|no-reply|hello|office|team"
    r"|press|jobs|hr"
    r"|careers|feedback|billing|webmaster|postmaster|abuse|security|privacy|kefu|git|user|username|name|email|you"
    r"|your[._-]?(?:name|email|mail)|someone|somebody|foo|bar|abc|xxx+)\d?$",
    re.IGNORECASE,
)
"""Of a function (RFC 2142 and usage) or of a manual."""

_MANY_DIGITS = re.compile(r"[0-9](?:[0-9 ().\u2010-\u2015-]{5,}[0-9Xx]|/[0-9]{6}|[0-9]{5} [A-Z])")
_LEAST_DIGITS = 7
_LEAST_OF_PLACES = 2
_BORN = re.compile(
    r"(?:\b(?:date of birth|dob|d\.o\.b\.|birth ?date|birthday)|出生(?:日期|年月日?)|生日)\s?[:：]\s?\"?"
    r"(?!(?:01?[-./]01?[-./]|19[0-9]{2}-01-01|19[789]0年1月1日))(?:[0-9]{1,2}(?:st|nd|rd|th)? \w{3,9},? (?:19"
    r"|20)[0-9]{2}|\w{3,9} [0-9]{1,2},? (?:19|20)"
    r"[0-9]{2}|(?:19|20)[0-9]{2}[-./年][0-9]{1,2}[-./月][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./](?:19|20)[0-9]{2})",
    re.IGNORECASE,
)
"""As a form has it; of people of whom it is told, a sentence tells it."""

_CN_MOBILE = re.compile(
    r"(?<![0-9A-Za-z_+])(?<![0-9][.-])(?:\+?86[ -]?)?(1[3-9][0-9])([ -]?)([0-9]{4})\2([0-9]{4})(?![0-9A-Za-z]"
    r"|\.[0-9])"
)
_CN_MOBILE_ABROAD = re.compile(r"(?<![0-9])(?:\+|00)86[ -]?(1[3-9][0-9])([ -]?)([0-9]{4})\2([0-9]{4})(?![0-9])")
_CN_LANDLINE = re.compile(
    r"(?<![0-9A-Za-z-])(?:\+86[ -]?)?(?:\(0|（0|0)(?:10|2[0-9]|[3-9][0-9]{2})(?:[)）] ?"
    r"|[- ])[2-8][0-9]{6,7}(?![0-9-])"
)
_INTERNATIONAL = re.compile(
    r"(?<![0-9A-Za-z+)])(?:\+|00(?=[1-9][0-9]{0,2}[ .-]))[1-9][0-9]{0,2}(?:[ ./-]?\(?[0-9]{1,8}\)?){2,6}(?![0-9])"
)
_NORTH_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z.-])(?:1[-. ])?(?:\(([2-9][0-9]{2})\)[ -]?|([2-9][0-9]{2})([-. ]))([2-9][0-9]{2})(?:\3"
    r"|-)([0-9]{4})"
    r"(?![0-9A-Za-z]|[-. ][0-9])"
)
_BRITISH_MOBILE = re.compile(r"(?<![0-9A-Za-z+.-])(?:\(0\))?07[0-9]{3}(?:[ -]?[0-9]{3}){2}(?![0-9A-Za-z]|[ .-][0-9])")
_EAST_ASIAN_MOBILE = re.compile(
    r"(?<![0-9A-Za-z+.-])0(?:[789]0|10|9[0-9]{2})-[0-9]{3,4}-[0-9]{3,4}(?![0-9A-Za-z]|[.-][0-9])"
)
_CALLED = re.compile(
    r"(?:\b(?:call|phone|telephone|tele?|ring|text|mobile|cell(?:phone)?|whatsapp|fax|dial|reached?|handy|mobil"
    r"|number to call|contact"
    r"|(?:phone|mobile|cell|contact|telephone|my|his|her) (?:number|no))\b\.?(?: (?:me|him|her|them|us|back|is"
    r"|was|on|at|under|to|number|no|or"
    r"|the|his|my|now|directly|straight|again|privately|personally|at home|at work"
    r"|(?-i:(?:Mr|Mrs|Ms|Miss|Dr)\.?(?: [A-Z][\w'-]+){1,2}|[A-Z][\w'-]+(?: [A-Z][\w'-]+)?(?= (?:at home|at (?:his"
    r"|her)|privately"
    r"|personally|on (?:his|her))))))*|电话|手机|手机号|座机|电话号码|致电|拨打|联系方式|联系|热线"
    r"|打给[他她我]|電話|手機|号码)(?:号码?)?"
    r"[^0-9A-Za-z\n]{0,4}(?:是|为|：)?[(（+ ]{0,3}([0-9][0-9() ./\u2010-\u2015-]{7,17}[0-9])(?![0-9A-Za-z]"
    r"|[.,][0-9])",
    re.IGNORECASE,
)
"""A number of any form after a word that says that it is one to call."""
_TOLL_FREE = frozenset({"400", "800", "833", "844", "855", "866", "877", "888"})
_CN_ID = re.compile(
    r"(?<![0-9A-Za-z])[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"(?![0-9A-Za-z])"
)
_SOCIAL_SECURITY = re.compile(
    r"(?<![0-9A-Za-z.-])(?!000|666|9)[0-9]{3}([-\u2010-\u2013])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9A-Za-z]"
    r"|[.-][0-9])"
)
_NOBODYS_ID = frozenset({"078051120", "219099999", "123456789", "457555462", "987654321", "111111111"})
"""Numbers of advertisements and manuals."""
_NATIONAL_INSURANCE = re.compile(
    r"(?<![0-9A-Za-z])(?!BG|GB|KN|NK|NT|TN"
    r"|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} [0-9]{2} [0-9]{2} ?[A-D](?![0-9A-Za-z])"
)
_LABELLED_ID = re.compile(
    r"(?:\b(?:passport|driver'?s'? licen[cs]e|driving licen[cs]e|social security|ssn|national insurance|nino"
    r"|nhs|medicare|aadhaar|tax ?id"
    r"|steuer-?id|itin|mrn|medical record|patient(?: id)?|student(?: id)?|(?:bank )?account|identity card|id card"
    r"|national id)(?: (?:number|no\.?"
    r"|num|id|card))?(?: (?:is|was|of))?"
    r"|(?:身份证|护照|社保卡?|驾驶证|驾照|银行卡|银行账户|银行账号|军官证|通行证|居住证|学籍|学|病历|住院|医保卡?"
    r"|港澳证|護照"
    r"|身分證)(?:件)?(?:号码?|帳號|號碼?)?)"
    r"[^0-9A-Za-z\n]{0,3}(?:是|为|：)?[^0-9A-Za-z\n]{0,2}((?:[A-Z]{0,3}"
    r"|[A-Z]{4,5} ?)[0-9][0-9A-Z -]{5,20})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?![0-9A-Za-z])")
_NOBODYS_IBAN = frozenset(
    {"GB82WEST12345698765432", "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"}
)
_CHAT_ACCOUNT = re.compile(
    r"QQ(?!群)(?:号码?)?\s?(?:[:：是为]|号)\s?([1-9][0-9]{5,10})(?![0-9A-Za-z])"
    r"|(?:微信号?|wechat(?: id)?|weixin)\s?(?:[:：是为]|is\b|号)\s?([A-Za-z][\w-]{5,19}|[0-9]{11})(?![\w-])",
    re.IGNORECASE | re.ASCII,
)
_ACCOUNTS = watch("qq wechat weixin ni nino insurance")
_ACCOUNT_NUMBERS = (
    ("an account of a messenger", _CHAT_ACCOUNT),
    ("a number of someone's papers", _NATIONAL_INSURANCE),
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z.-])(?:3[47]|4[0-9]|5[1-5]|2[2-7]|6[0-9])[0-9]{2}(?:[ -]?[0-9]{2,6}){2,4}(?![0-9A-Za-z]"
    r"|[.-][0-9])"
)


def pii(example: Example) -> str | None:
    """E-mail addresses, telephones, numbers of people's papers, accounts and cards; the message names the kind only.

    Reserved domains (RFC 2606), mailboxes of functions, hotlines (400, 800, toll-free) and numbers kept for fiction
    (555-0100 to 555-0199; Ofcom's 07700 900000 to 900999 and 020 7946 0000 to 0999) are nobody's.
    """
    return locate(example, _personal, "system", "user", "assistant")


def _personal(text: str) -> str | None:
    signs = marks(text)
    if (count := digits(text)) >= _LEAST_OF_PLACES:
        if where := whereabouts(text, count):
            return f"holds {where}"
        if ("irth" in text or "DOB" in text if text.isascii() else "生" in text) and _BORN.search(text):
            return "holds a date of birth"
    if len(signs) < _LEAST_DIGITS and not (signs.translate(None, b"0123456789") or "微信" in text):
        return None
    if b"@" in signs and any(map(_somebodys, _EMAIL.finditer(text))):
        return "holds an e-mail address"
    if (b"[]" in signs or b"()" in signs) and _SPELT_EMAIL.search(text):
        return "holds an e-mail address"
    if count >= _LEAST_DIGITS and _MANY_DIGITS.search(text):
        for kind, found in _NUMBERS:
            if any(found(text)):
                return f"holds {kind}"
    if "微信" in text or not _ACCOUNTS.isdisjoint(telling(text)):
        for kind, pattern in _ACCOUNT_NUMBERS:
            if pattern.search(text):
                return f"holds {kind}"
    return None


def _somebodys(found: re.Match[str]) -> bool:
    return not _NOBODYS_MAILBOX.match(found[1]) and not _NOBODYS_DOMAIN.search(found[2])


def _resident_ids(text: str) -> Iterator[bool]:
    """GB 11643-1999: the last character is a checksum, ISO 7064 MOD 11-2."""
    for found in _CN_ID.finditer(text):
        total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(found[0][:17]))
        yield found[0][17].upper() == "10X98765432"[total % 11]


def _cards(text: str) -> Iterator[bool]:
    """ISO/IEC 7812-1: the last digit is a checksum, Luhn's."""
    for found in _CARD.finditer(text):
        digits = [int(character) for character in found[0] if character.isdigit()]
        doubled = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
        yield 14 <= len(digits) <= 19 and doubled % 10 == 0 and len(set(digits)) > 4  # test cards: 4242 ..., 4111 ...


def _telephones(text: str) -> Iterator[bool]:
    for pattern in (_CN_MOBILE, _CN_MOBILE_ABROAD):
        for found in pattern.finditer(text):
            yield found[1] + found[3] + found[4] != "13800138000" and len(set(found[3] + found[4])) > 1
    for _ in _CN_LANDLINE.finditer(text):
        yield True
    for found in _INTERNATIONAL.finditer(text):
        digits = re.sub("[^0-9]", "", found[0]).removeprefix("00")
        yield 9 <= len(digits) <= 15 and not re.match("1(?:8(?:00|33|44|55|66|77|88)|[0-9]{3}55501)", digits)
    for found in _NORTH_AMERICAN.finditer(text):
        area = found[1] or found[2]
        number = area + found[4] + found[5]
        yield area not in _TOLL_FREE and number[3:8] != "55501" and not _made_up(number)
    for pattern in (_BRITISH_MOBILE, _EAST_ASIAN_MOBILE):
        for found in pattern.finditer(text):
            yield not _kept_for_fiction(found[0])
    for found in _CALLED.finditer(text):
        yield not _kept_for_fiction(found[1]) and not _DATE.match(found[1])


def _kept_for_fiction(telephone: str) -> bool:
    """Or a hotline's, or made up."""
    number = re.sub("[^0-9]", "", telephone)
    return (
        not 8 <= len(number) <= 13
        or bool(
            re.match(
                "07700900|02079460|1?[0-9]{3}55501|1?8(?:00|33|44|55|66|77|88)|0?[48]00|0120|95|96|13800138000", number
            )
        )
        or _made_up(number)
    )


_DATE = re.compile(
    "(?:19|20)[0-9]{2}[-./ ][0-9]{1,2}[-./ ][0-9]{1,2}|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:19|20)[0-9]{2}"
)


def _papers(text: str) -> Iterator[bool]:
    for found in _SOCIAL_SECURITY.finditer(text):
        yield re.sub("[^0-9]", "", found[0]) not in _NOBODYS_ID
    for found in _LABELLED_ID.finditer(text):
        number = re.sub("[^0-9]", "", found[1])
        yield len(number) >= 6 and not _made_up(number)


def _accounts(text: str) -> Iterator[bool]:
    """ISO 13616: with the first four characters at the end and letters as numbers from 10, it leaves 1 modulo 97."""
    for found in _IBAN.finditer(text):
        number = found[0].replace(" ", "")
        rest = int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97
        yield rest == 1 and number not in _NOBODYS_IBAN


def _made_up(number: str) -> bool:
    """Few different digits, or digits in their order: what stands in manuals."""
    return (
        len(set(number)) < 4
        or number in "01234567890123456789"
        or number in "98765432109876543210"
        or number in _NOBODYS_ID
    )


_NUMBERS: tuple[tuple[str, Callable[[str], Iterator[bool]]], ...] = (
    ("a resident id", _resident_ids),
    ("a payment card's number", _cards),
    ("a number of someone's papers", _papers),
    ("a bank account's number", _accounts),
    ("a telephone number", _telephones),
)


PII = Check(
    code="pii",
    policy="warn",
    message="there is personal data in the row",
    fix="replace it by made-up values (name@example.com, 555-0100): a model repeats what it was trained on",
    row=stateless(pii),
)
