"""What must not leave the house: secrets, personal data, references to internal documents."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import digits, lowered, marks, pairs, telling, watch
from finetune_core.data.example import Example

# ---- secrets

_MIN_ENTROPY = 3.0
"""Bits per character. Random hexadecimal digits come to 3.5 and more at usual lengths, words and repetitions to less;
detect-secrets takes 3.0 for hexadecimal strings (its README, "High Entropy Strings")."""

_NOT_MEANT = re.compile(
    r"example|placeholder|your|x{4}|\*{3}|\.{3}|dummy|redacted|changeme|change_me|replace|insert|<|>|\{\{|\$\{",
    re.IGNORECASE,
)
"""What stands in documentation in a secret's place; AWS's own example keys end in EXAMPLE."""

_JWT_OF_THE_MANUAL = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
"""Signature of the token that https://jwt.io shows."""

# Kind, what must be in the text for the pattern to be tried, pattern. The forms are those that each service documents,
# and that secret scanners look for.
_TOKENS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "a private key",
        ("-----BEGIN",),
        re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]{0,200}?([A-Za-z0-9+/]{16,})"),
    ),
    ("an AWS key", ("AKIA", "ASIA"), re.compile(r"(?<![A-Za-z0-9])((?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])")),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"(?<![A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})"),
    ),
    ("a GitLab token", ("glpat-",), re.compile(r"(?<![A-Za-z0-9])(glpat-[A-Za-z0-9_-]{20,64})")),
    (
        "a Slack token",
        ("xox", "hooks.slack.com/services/"),
        re.compile(
            r"(?<![A-Za-z0-9])(xox[abeoprs]-[A-Za-z0-9-]{10,255}"
            r"|hooks\.slack\.com/services/T\w{6,12}/B\w{6,12}/\w{16,32})"
        ),
    ),
    ("an OpenAI-style key", ("sk-",), re.compile(r"(?<![A-Za-z0-9_-])(sk-(?:[a-z0-9]{2,8}-)?[A-Za-z0-9_-]{20,255})")),
    ("a Stripe key", ("k_live_",), re.compile(r"(?<![A-Za-z0-9])([rs]k_live_[A-Za-z0-9]{16,255})")),
    ("a Hugging Face token", ("hf_",), re.compile(r"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{30,64})")),
    ("a Google key", ("AIza", "GOCSPX-"), re.compile(r"(?<![A-Za-z0-9])(AIza[\w-]{35}|GOCSPX-[\w-]{24,32})")),
    (
        "a JSON web token",
        ("eyJ",),
        re.compile(r"(?<![\w-])eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.([\w-]{16,1024})", re.ASCII),
    ),
)

_MIXED = re.compile(r"[0-9](?:[A-Za-z!@#$%^&*_+/=~-]|(?<=[A-Za-z!@#$%^&*_+/=~-][0-9]))")
"""A digit beside a letter or sign, as every secret has that is no word; a search that begins at digits is quick."""

_ASSIGNMENT = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret|api[ _-]?key|(?:access|secret|auth|private)[ _-]?(?:key|token)|token"
    r"|密码|密碼|口令|密钥|密鑰|令牌)[\"'`]?\s{0,3}(?:=>?|:=?|：|\bis\b|是|为|為)\s{0,3}"
    r"(?:\"([^\"\s]{8,128})\"|'([^'\s]{8,128})'|`([^`\s]{8,128})`|([A-Za-z0-9!@#%^&*+/=_~$-]{8,128})(?![A-Za-z0-9!@#%^&*+/=_~$(\[-]|\.[A-Za-z0-9]))",
    re.IGNORECASE,
)
_ASSIGNED = ("pass", "pwd", "secret", "key", "token", "密", "口令", "令牌")
"""One of them is in all that ``_ASSIGNMENT`` finds."""
_ADDRESS = re.compile(r"(?<![a-z])[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:([^\s:/@]{8,64})@", re.IGNORECASE)
_GUESSABLE = re.compile(r"passw|secret|12345|abcdef|qwerty|admin|sample|^test|demo|token|mykey", re.IGNORECASE)


def secret(example: Example) -> str | None:
    """Keys, tokens and passwords that look real: the service's form, and ``_MIN_ENTROPY`` where there is none.

    The message names the kind and never the secret.
    """
    return locate(example, _secret, "system", "user", "assistant")


def _secret(text: str) -> str | None:
    if b"-----" not in marks(text) and not (digits(text) and _MIXED.search(text)):
        return None
    for kind, beginnings, pattern in _TOKENS:
        if any(map(text.__contains__, beginnings)) and any(_meant(found[1]) for found in pattern.finditer(text)):
            return f"holds {kind}"
    assigned = any(map(lowered(text).__contains__, _ASSIGNED))
    for found in chain(
        _ASSIGNMENT.finditer(text) if assigned else (), _ADDRESS.finditer(text) if "://" in text else ()
    ):
        if _password(next(filter(None, found.groups()))):
            return "holds a password or key"
    return None


def _meant(token: str) -> bool:
    return len(set(token)) >= 6 and not _NOT_MEANT.search(token) and token != _JWT_OF_THE_MANUAL


def _password(text: str) -> bool:
    """Could nobody have thought of it as an example, a word or a piece of code?"""
    mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return mixed and _meant(text) and not _GUESSABLE.search(text) and _entropy(text) >= _MIN_ENTROPY


def _entropy(text: str) -> float:
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


# ---- personal data

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+@/-])([A-Za-z0-9._%+-]{1,64})@((?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24})(?![A-Za-z0-9@])"
)
_NOBODYS_DOMAIN = re.compile(
    r"(?:^|\.)(?:example\.[a-z]+|[a-z.-]*\.?(?:example|test|invalid|localhost)"
    r"|domain\.com|(?:your|my)-?(?:domain|company|email|site)\.com)$",
    re.IGNORECASE,
)
"""Reserved by RFC 2606, or plainly meant as a stand-in."""
_NOBODYS_MAILBOX = re.compile(
    r"^(?:info|support|service|services|help|helpdesk|contact|sales|admin|noreply|no-reply|hello|office|team|press|jobs|hr"
    r"|careers|feedback|billing|webmaster|postmaster|abuse|security|privacy|kefu|git|user|username|name|email|you"
    r"|your[._-]?(?:name|email|mail)|someone|somebody|foo|bar|abc|xxx+)\d?$",
    re.IGNORECASE,
)
"""Of a function (RFC 2142 and usage) or of a manual."""

_MANY_DIGITS = re.compile(r"[0-9][0-9 ().\u2010-\u2015-]{6,}[0-9Xx]")
_LEAST_DIGITS = 7

_CN_MOBILE = re.compile(
    r"(?<![0-9A-Za-z_+])(?<![0-9][.-])(?:\+?86[ -]?)?(1[3-9][0-9])([ -]?)([0-9]{4})\2([0-9]{4})(?![0-9A-Za-z]|\.[0-9])"
)
_CN_MOBILE_ABROAD = re.compile(r"(?<![0-9])(?:\+|00)86[ -]?(1[3-9][0-9])([ -]?)([0-9]{4})\2([0-9]{4})(?![0-9])")
_CN_LANDLINE = re.compile(
    r"(?<![0-9A-Za-z-])(?:\+86[ -]?)?(?:\(0|（0|0)(?:10|2[0-9]|[3-9][0-9]{2})(?:[)）] ?|[- ])[2-8][0-9]{6,7}(?![0-9-])"
)
_INTERNATIONAL = re.compile(r"(?<![0-9A-Za-z+)])\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,5}(?![0-9])")
_NORTH_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z.-])(?:1[-. ])?(?:\(([2-9][0-9]{2})\) ?|([2-9][0-9]{2})([-.]))([2-9][0-9]{2})(?:\3|-)([0-9]{4})"
    r"(?![0-9A-Za-z]|[-.][0-9])"
)
_TOLL_FREE = frozenset({"400", "800", "833", "844", "855", "866", "877", "888"})
_CN_ID = re.compile(
    r"(?<![0-9A-Za-z])[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"(?![0-9A-Za-z])"
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z.-])(?:3[47]|4[0-9]|5[1-5]|2[2-7]|6[0-9])[0-9]{2}(?:[ -]?[0-9]{2,6}){2,4}(?![0-9A-Za-z]|[.-][0-9])"
)


def pii(example: Example) -> str | None:
    """E-mail addresses, telephone numbers, resident ids and payment cards; the message names the kind only.

    Reserved domains (RFC 2606), mailboxes of functions, hotlines (400, 800, toll-free) and numbers kept for fiction
    (555-0100 to 555-0199) are nobody's.
    """
    return locate(example, _personal, "system", "user", "assistant")


def _personal(text: str) -> str | None:
    if b"@" in marks(text) and any(map(_somebodys, _EMAIL.finditer(text))):
        return "holds an e-mail address"
    if digits(text) >= _LEAST_DIGITS and _MANY_DIGITS.search(text):
        for kind, found in _NUMBERS:
            if any(found(text)):
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
        yield 14 <= len(digits) <= 19 and doubled % 10 == 0 and len(set(digits)) > 1


def _telephones(text: str) -> Iterator[bool]:
    for pattern in (_CN_MOBILE, _CN_MOBILE_ABROAD):
        for found in pattern.finditer(text):
            yield found[1] + found[3] + found[4] != "13800138000" and len(set(found[3] + found[4])) > 1
    for _ in _CN_LANDLINE.finditer(text):
        yield True
    for found in _INTERNATIONAL.finditer(text):
        digits = re.sub("[^0-9]", "", found[0])
        yield 9 <= len(digits) <= 15 and not re.match("1(?:8(?:00|33|44|55|66|77|88)|[0-9]{3}55501)", digits)
    for found in _NORTH_AMERICAN.finditer(text):
        area = found[1] or found[2]
        yield area not in _TOLL_FREE and not (found[4] == "555" and found[5].startswith("01"))


_NUMBERS: tuple[tuple[str, Callable[[str], Iterator[bool]]], ...] = (
    ("a resident id", _resident_ids),
    ("a payment card's number", _cards),
    ("a telephone number", _telephones),
)

# ---- internal references

_INTERNAL_WORD = re.compile("internal|confidential|proprietary|intranet|external", re.IGNORECASE)
_INTERNAL_WORDS = watch("internal confidential proprietary intranet external")
_INTERNAL_CHINESE = pairs("内部 內部 内网 內網 机密 機密 外传 外傳 外泄 外洩")

_INTERNAL = re.compile(
    r"""
    \b(?:(?:according\ to|per|based\ on|refer\ to|consult)\s+
       |(?:our|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?)\s+)
    (?:(?:our|the|my|this|its|your|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?)\s+){0,3}
    (?:internal|confidential|proprietary|intranet)\s+(?:[\w-]+\s+){0,2}?
    (?:doc(?:ument)?s?|documentation|wiki|manual|handbook|memo(?:randum)?|guidelines?|guide|knowledge\ base|playbook
       |runbook|e-?mails?|report|slides|spec|portal|records?|files?|page|policy|procedure|sop|faq)\b
    | \binternal\ (?:document|doc|memo|policy|report|wiki)\ (?:no\.?|number|id|\#|[a-z]{2,6}-)
    | \binternal\ use\ only\b | \bcompany\ confidential\b | \bconfidential\ and\ proprietary\b
    | \bnot\ for\ external\ (?:use|distribution|release)\b
    | (?:根据|依据|按照|参照|参考|参见|参阅|详见|查阅|查看|依照|根據|依據|參照|參考|參見|詳見|查閱|见|据|按)
      [^，。,！？\n]{0,8}?(?:内部|內部|内网|內網|机密|機密)[^，。,！？\n]{0,6}?
      (?:文档|文件|资料|手册|知识库|wiki|系统|备忘录|通知|通告|邮件|纪要|流程|指引|公告
        |文檔|資料|手冊|知識庫|系統|備忘錄|郵件|紀要)
    | (?:内部|內部)(?:文档|文件|资料|手册|文檔|資料|手冊)(?:编号|編號|《|[:：]?\s?[a-z]{2,}[-_]?\d)
    | (?:仅供|僅供|仅限|僅限)[^，。\n]{0,4}(?:内部|內部)
    | (?:请勿|禁止|不得|严禁|切勿|請勿|嚴禁)(?:对外|向外|對外)?(?:外传|外傳|外泄|外洩)
    """,
    re.IGNORECASE | re.VERBOSE,
)

_HOST = re.compile(
    r"""
    https?://(?:[\w-]+\.){1,5}(?:corp|internal|intranet|intra|lan|local|localdomain)(?![\w.-])
    | (?<![\w.@/-])(?:[\w-]+\.){1,4}(?:corp|intranet|intra)(?![\w.-])
    | https?://(?:wiki|jira|confluence|intranet|gitlab|git|oa|erp|crm|portal)(?=[/:])
    | (?:https?://|(?<![\w.-]))(?:intranet|confluence|oa)\.[\w-]+\.(?:com|cn|net|org)
    | https?://jira\.[\w-]+\.(?:com|cn|net)
    | https?://10\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_PUBLIC_HOST = re.compile(
    r"\.(?:cluster\.local|(?:docker|google|compute)\.internal)$|(?:raspberrypi|homeassistant)\.local$|atlassian\.com",
    re.IGNORECASE,
)

_TICKET = re.compile(
    r"(?:\b(?:[Tt]icket|JIRA|Jira|[Ii]ncident|[Cc]hange request)|工单|工單|任务单|需求单|变更单|事件单)"
    r"(?:号|编号|號|編號| ID| id| [Nn]o\.?| number)?[ :：#为為是]{0,3}"
    r"(?:[A-Z][A-Z0-9]{1,9}-[0-9]{2,7}|(?:INC|CHG|REQ|RITM|PRB)[0-9]{5,10})"
    r"|\b(?:INC|CHG|RITM|PRB)[0-9]{7,10}\b",
    re.ASCII,
)
_NUMBERED = re.compile("[A-Z]-?[0-9]{2}")


def internal_reference(example: Example) -> str | None:
    """An answer that names internal documents, intranet hosts or tickets: the reader cannot open them.

    根据我们的内部文档XYZ: the course's part 3.4, problem 1. Numbers like UTF-8 or RTX-3060 are tickets only where
    a word says so; hosts are told by names that no public registry gives out.
    """
    return locate(example, _internal, "assistant")


def _internal(text: str) -> str | None:
    worded = not _INTERNAL_WORDS.isdisjoint(telling(text))
    for word in _INTERNAL_WORD.finditer(text) if worded else ():
        if found := _INTERNAL.search(text, max(0, word.start() - 60), word.end() + 80):
            return f"says {found[0][:60]!r}"
    for word in () if text.isascii() else _INTERNAL_CHINESE.finditer(text):
        if found := _INTERNAL.search(text, max(0, word.start() - 15), word.end() + 15):
            return f"says {found[0][:60]!r}"
    addressed = worded or b"://" in marks(text) or any(map(lowered(text).__contains__, (".corp", "confluence.")))
    if addressed and any(not _PUBLIC_HOST.search(found[0]) for found in _HOST.finditer(text)):
        return "names a host of an internal network"
    if digits(text) >= 2 and _NUMBERED.search(text) and (found := _TICKET.search(text)):
        return f"says {found[0][:60]!r}"
    return None


SECRET = Check(
    code="secret",
    policy="enforce",
    message="there is a secret in the row",
    fix="revoke it, since it has been copied, and write <YOUR_KEY> in its place: a model repeats what it learned",
    row=stateless(secret),
)

PII = Check(
    code="pii",
    policy="warn",
    message="there is personal data in the row",
    fix="replace it by made-up values (name@example.com, 555-0100): a model repeats what it was trained on",
    row=stateless(pii),
)

INTERNAL_REFERENCE = Check(
    code="internal-reference",
    policy="warn",
    message="the answer refers to something internal",
    fix="say what the document says, and leave out its name, host or number",
    row=stateless(internal_reference),
)
