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

# Kind, what must be in the text for the pattern to be tried, pattern. The forms are those that each service
# documents,
# and that secret scanners look for.
_TOKENS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "a private key",
        ("-----BEGIN",),
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,200}?([A-Za-z0-9+/]{16,})"
        ),
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
    (
        "a Google key",
        ("AIza", "GOCSPX-", "ya29."),
        re.compile(r"(?<![A-Za-z0-9])(AIza[\w-]{35}|GOCSPX-[\w-]{24,32}|ya29\.[\w-]{30,512})"),
    ),
    ("a SendGrid key", ("SG.",), re.compile(r"(?<![A-Za-z0-9])SG\.[\w-]{16,32}\.([\w-]{16,64})")),
    ("a Telegram bot's token", (":AA",), re.compile(r"(?<![A-Za-z0-9])[0-9]{8,10}:(AA[\w-]{30,36})(?![\w-])")),
    (
        "a Discord token",
        ("M", "N", "O"),
        re.compile(r"(?<![\w.-])[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.([\w-]{27,40})(?![\w-])"),
    ),
    ("a Twilio key", ("SK",), re.compile(r"(?<![A-Za-z0-9])SK([0-9a-f]{32})(?![A-Za-z0-9])")),
    (
        "a Mailgun or Mailchimp key",
        ("key-", "-us"),
        re.compile(r"(?<![A-Za-z0-9])(?:key-([0-9a-f]{32})(?![0-9a-f])|([0-9a-f]{32})-us[0-9]{1,2}\b)"),
    ),
    ("a Zhipu key", (".",), re.compile(r"(?<![A-Za-z0-9])([0-9a-f]{32}\.[A-Za-z0-9]{16})(?![A-Za-z0-9])")),
    (
        "an Azure secret",
        ("Q~", "AccountKey="),
        re.compile(r"(?<![\w~.-])([\w~.-]{3}[0-9]Q~[\w~.-]{31,34})(?![\w~.-])|AccountKey=([A-Za-z0-9+/]{60,90})"),
    ),
    ("a Terraform token", (".atlasv1.",), re.compile(r"\.atlasv1\.([\w-]{40,80})")),
    ("a Facebook token", ("EAA",), re.compile(r"(?<![A-Za-z0-9])(EAA[A-Za-z0-9]{60,512})")),
    ("an Airtable token", ("pat",), re.compile(r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.([0-9a-f]{64})")),
    (
        "the address of a chat's webhook",
        ("hook", "robot/send"),
        re.compile(
            r"(?:discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/([\w-]{40,90})"
            r"|qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=([0-9a-f-]{36})"
            r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([0-9a-f-]{36})"
            r"|\.webhook\.office\.com/webhookb2/([0-9a-f-]{36})"
            r"|oapi\.dingtalk\.com/robot/send\?access_token=([0-9a-f]{64}))"
        ),
    ),
    (
        "a JSON web token",
        ("eyJ",),
        re.compile(r"(?<![\w-])eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.([\w-]{16,1024})", re.ASCII),
    ),
)

_PREFIXES = {
    "a Hugging Face token": "hf_ api_org_",
    "a cloud's access key": "LTAI AKID AKLT AKTP ALTAK bce-v3/ALTAK- JDC_",
    "a key of a model's API": "gsk_ xai- pplx- nvapi- r8_ tvly- pcsk_ fw_ lsv2_pt_ lsv2_sk_ wandb_v1_ rpa_ jina_ "
    "csk- dapi",
    "a token of a package registry": "npm_ pypi- rubygems_ oy2 dckr_pat_ dckr_oat_",
    "a token of a code host": "gldt- glrt- glcbt- glptt- glft- glsoat- ATATT3 ATCTT3 ATBB CCIPAT_ bkua_ sgp_ "
    "sqp_ squ_ AKCp",
    "a token of a host": "dop_v1_ doo_v1_ dor_v1_ HRKU- nfp_ sbp_ sb_secret_ pul- tskey- vercel_ dp.pt. dp.st. "
    "hvs. hvb.",
    "a database's password": "pscale_tkn_ pscale_pw_",
    "a key of a payment service": "whsec_ sq0atp- sq0csp- rzp_live_ FLWSECK- shippo_live_ EAAA access-production-",
    "a token of a monitor": "NRAK- NRJS- glsa_ glc_ sntrys_ sntryu_ dt0c01. phx_ EZAK aio_",
    "a token of an online service": "xapp- shpat_ shpca_ shppa_ shpss_ lin_api_ ntn_ secret_ figd_ pat-na1- "
    "pat-eu1- PMAK-",
    "a mailer's or other key": "sk.eyJ xkeysib- xsmtpsib- mlsn. CFPAT- tfp_ AGE-SECRET-KEY- re_",
}
"""What the tokens of services begin with, as each documents and secret scanners look for."""
_BEGINNINGS = {prefix: kind for kind, prefixes in _PREFIXES.items() for prefix in prefixes.split()}
_BEGUN = re.compile(
    rf"(?<![A-Za-z0-9_.-])({'|'.join(map(re.escape, sorted(_BEGINNINGS, key=len, reverse=True)))})"
    "([A-Za-z0-9_.=/+-]{12,512})"
)
_RUN = re.compile(r"[A-Za-z0-9]{8}")

_MIXED = re.compile(r"[0-9](?:[A-Za-z!@#$%^&*_+/=~-]|(?<=[A-Za-z!@#$%^&*_+/=~-][0-9]))")
"""A digit beside a letter or sign, as every secret has that is no word; a search that begins at digits is quick."""

_ASSIGNMENT = re.compile(
    r"(?:passw(?:or)?d|passphrase|passcode|pwd|secret|api[ _-]?key|(?:access|secret|auth|private|account|signing"
    r"|encryption)[ _-]?(?:key|token)"
    r"|token|credentials?|密码|密碼|口令|密钥|密鑰|令牌)(?: (?:for|of|to|on) [\w ./'-]{1,30}?"
    r"|[（(][^（）()\n]{1,12}[)）])?[\"'`]?\s{0,3}"
    r"(?:=>?|:=?|：|\b(?:is|was)\b(?: (?:now|set to|still))?|->|→|(?:已?(?:设置?|重置|修?改|更新)[为成]|还是"
    r"|就是|是|为|為|填写?|写成?|使?用|输入))\s{0,3}[:：]?\s{0,3}"
    r"(?:\"([^\"\s]{8,128})\"|'([^'\s]{8,128})'|`([^`\s]{8,128})`"
    r"|([A-Za-z0-9!@#%^&*+/=_~$-]{8,128})(?![A-Za-z0-9!@#%^&*+/=_~$(\[-]|\.[A-Za-z0-9]))",
    re.IGNORECASE,
)
_ASSIGNED = ("pass", "pwd", "secret", "key", "token", "credential", "appcode", "ak=", "密", "口令", "令牌")
"""One of them is in all that ``_ASSIGNMENT`` and ``_SAID`` find."""
_SAID = re.compile(
    r"(?:(?:passw(?:or)?d|passphrase|passcode|pwd)(?:\s|\s?[（(])|(?:密码|密碼|口令)\s?[（(]?)[\"'`“「]?"
    r"(?=[A-Za-z0-9]{1,63}[!@#$%^&*~])([A-Za-z0-9!@#$%^&*+=_~-]{8,64})(?![A-Za-z0-9/(\[]|\.[A-Za-z0-9])"
    r"|(?:账号|帳號|账户|用户名?|user(?:name)?|login)\s?(?:/|和|and)?\s?(?:密码|密碼|口令|pass(?:word)?)\s?(?:[:：是为]|is|are)\s?"
    r"[\w.@-]{2,40}\s?[/／|,，]\s?([A-Za-z0-9!@#$%^&*+=_~-]{8,64})(?![A-Za-z0-9/(\[]|\.[A-Za-z0-9])"
    r"|(?:[?&](?:key|ak)=|\bapp_?key=|\bAPPCODE |(?:密钥|密鑰|令牌)\s?[a-z_]{2,16}\s?[=:：]\s?)"
    r"([A-Za-z0-9]{32})(?![A-Za-z0-9])",
    re.IGNORECASE | re.ASCII,
)
"""Right after the word for it, where a sign in it shows that it is no word; after the user's name; in an address."""
_HANDED = re.compile(
    r"(?:\b(?:Bearer|Authorization: Basic|X-[A-Za-z-]{0,20}(?:Key|Token):)\s+|--(?:password|passwd|pass|token"
    r"|secret|api-?key|access-key|auth)[ =]"
    r"|\b(?:mysql|mysqldump|mysqladmin|sshpass|mongo|sqlcmd|psql)\b[^\n]{0,60}?\s-[pPa] ?|\b(?:login"
    r"|redis-cli)\b[^\n]{0,60}?\s-[pa] |\s-u ?[\w.@-]{1,40}:)"
    r"[\"']?([A-Za-z0-9!@#%^&*+/=_~.-]{8,256})(?![A-Za-z0-9(\[])"
)
"""Given in a header or on a command line."""
_HANDING = ("Bearer ", "Basic ", "X-", " --", " -p", " -a", " -u", " -P")
_ADDRESS = re.compile(r"(?<![a-z])[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:([^\s:/@]{8,64})@", re.IGNORECASE)
_GUESSABLE = re.compile(
    r"p[a@]ss|secret|12345|abcdef|qwerty|admin|sample|^test|demo|token|mykey"
    r"|^(?:AES|DES|3DES|RSA|SHA|HMAC|MD|SM|PBKDF|ECDSA|Ed|X)-?[0-9]",
    re.IGNORECASE,
)
"""Words, and the names of ciphers and hashes, which often stand after "password" or "key"."""


def secret(example: Example) -> str | None:
    """Keys, tokens and passwords that look real: the service's form, and ``_MIN_ENTROPY`` where there is none.

    The message names the kind and never the secret.
    """
    return locate(example, _secret, "system", "user", "assistant")


def _secret(text: str) -> str | None:
    signs = marks(text)
    if not signs or (b"_" not in signs and b"-----" not in signs and not (digits(text) and _MIXED.search(text))):
        return None
    for kind, beginnings, pattern in _TOKENS:
        if any(map(text.__contains__, beginnings)) and any(
            _meant(next(filter(None, found.groups()))) for found in pattern.finditer(text)
        ):
            return f"holds {kind}"
    for found in _BEGUN.finditer(text) if _RUN.search(text) else ():
        if _drawn(found[2]):
            return f"holds {_BEGINNINGS[found[1]]}"
    assigned = any(map(lowered(text).__contains__, _ASSIGNED))
    for found in chain(
        _ASSIGNMENT.finditer(text) if assigned else (),
        _SAID.finditer(text) if assigned else (),
        _HANDED.finditer(text) if any(map(text.__contains__, _HANDING)) else (),
        _ADDRESS.finditer(text) if "://" in text else (),
    ):
        if _password(next(filter(None, found.groups()))):
            return "holds a password or key"
    return None


def _drawn(token: str) -> bool:
    """Was it drawn at random, and is no name that begins alike?"""
    own = token.rstrip("=.-_/+")
    longest = max(re.split("[^A-Za-z0-9]", own), key=len)
    mixed = re.search("[0-9]", longest) or re.search("[a-z][A-Z]+[a-z]", longest)
    return len(longest) >= 12 and bool(mixed) and _meant(own) and _entropy(own) >= _MIN_ENTROPY


def _meant(token: str) -> bool:
    return len(set(token)) >= 6 and not _NOT_MEANT.search(token) and token != _JWT_OF_THE_MANUAL


def _password(text: str) -> bool:
    """Could nobody have thought of it as an example, a word or a piece of code?"""
    mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    varied = _entropy(text) >= _MIN_ENTROPY or (mixed and any(map(text.__contains__, "!@#$%^&*")))
    return mixed and varied and _meant(text) and not _GUESSABLE.search(text)


def _entropy(text: str) -> float:
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


# ---- personal data

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

_MANY_DIGITS = re.compile(r"[0-9](?:[0-9 ().\u2010-\u2015-]{5,}[0-9Xx]|/[0-9]{6})")
_LEAST_DIGITS = 7

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
    r"|the|his|my|now|directly|straight|again))*|电话|手机|手机号|座机|电话号码|致电|拨打|联系方式|联系|热线"
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
    r"|steuer-?id|itin|(?:bank )?account|identity card|id card|national id)(?: (?:number|no\.?"
    r"|num|id|card))?(?: (?:is|was|of))?"
    r"|(?:身份证|护照|社保卡?|驾驶证|驾照|银行卡|银行账户|银行账号|军官证|通行证|居住证|学籍|医保卡?|港澳证|護照"
    r"|身分證)(?:件)?(?:号码?|帳號|號碼?)?)"
    r"[^0-9A-Za-z\n]{0,3}(?:是|为|：)?[^0-9A-Za-z\n]{0,2}([A-Z]{0,3}[0-9][0-9A-Z -]{5,20})(?![0-9A-Za-z])",
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
    if len(signs) < _LEAST_DIGITS and not (signs.translate(None, b"0123456789") or "微信" in text):
        return None
    if b"@" in signs and any(map(_somebodys, _EMAIL.finditer(text))):
        return "holds an e-mail address"
    if (b"[]" in signs or b"()" in signs) and _SPELT_EMAIL.search(text):
        return "holds an e-mail address"
    if digits(text) >= _LEAST_DIGITS and _MANY_DIGITS.search(text):
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

# ---- internal references

_INTERNAL_WORD = re.compile(
    r"internal|in-house|confidential|proprietary|intranet|external|outside|sharepoint|confluence|drive|folder|wiki",
    re.IGNORECASE,
)
_INTERNAL_WORDS = watch(
    "internal internally confidential confidentially proprietary intranet external externally outside in-house house"
    " sharepoint confluence drive folder wiki"
)
_FAMILY = "[王李张刘陈杨赵黄周吴徐孙朱郭罗梁宋郑谢韩唐冯董曹袁邓许沈彭吕苏卢蒋蔡贾魏薛潘杜姚谭廖邹熊郝崔邱秦侯邵孟]"
_INTERNAL_PAIRS = pairs(
    "内部 內部 内网 內網 机密 機密 外传 外傳 外泄 外洩 外公 外披 外透 涉密 绝密 密级"
    " 享盘 共盘 公盘 网盘 纪要 例会 周会 禅道 飞书 钉钉 企微 语雀 石墨 抄送 "
    + " ".join(before + name for before in "老小@" for name in _FAMILY[1:-1])
)

_DOCUMENT = (
    r"(?:doc(?:ument)?s?|documentation|wiki|manual|handbook|memo(?:randum)?s?|guidelines?|guides?"
    r"|knowledge\ ?base|playbook"
    r"|runbook|e-?mails?|reports?|slides|deck|specs?|specification|portal|records?|page|polic(?:y|ies)"
    r"|procedures?|sop|faq"
    r"|minutes|circular|bulletin|announcement|notice|directive|regulations?|rules?|rulebook|standards?|roadmap"
    r"|spreadsheet"
    r"|dashboard|tracker|database|article|instructions?|checklist|presentation|analysis|review|audit\ report"
    r"|newsletter"
    r"|price\ list|tool|system|site|network|channel|training|material|notes?)"
)
"""What a house writes for itself."""
_PAPER = (
    "(?:文档|文件|资料|手册|知识库|wiki|备忘录|通知|通告|邮件|纪要|流程|指引|指南|公告|规定|制度|规范|规程|规则|细则|守则|政策|办法"
    "|报告|报表|周报|月报|季报|预案|方案|指令|台账|课件|教材|培训|模板|论坛|门户|口径|条例|章程|档案|通报|简报|清单|价目表|会议|工单"
    "|文檔|資料|知識庫|備忘錄|郵件|紀要|規定|規範|報告|報表|檔案|會議|通報)"
)
_PLACE = "(?:系统|平台|网站|网页|页面|渠道|要求|标准|说明|数据|数据库|服务器|网盘|群|系統|網站|數據|標準)"

_MEETING = "(?:会议|例会|周会|晨会|办公会)"

_INTERNAL = re.compile(
    rf"""
    \b(?:(?:according\ to|as\ per|per|based\ on|refer\ to|consult|see|quoting|cited\ in|from
          |in\ line\ with|(?:stated|described|noted|set\ out|explained|written|documented|laid\ down|listed
          |outlined|defined
          |mentioned|recorded|specified|published|posted|given|found)\ (?:in|on|by))\s+
       |(?:our|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?)\s+)
    (?:(?:our|the|my|this|its|your|an?|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?|latest|current
      |q[1-4]|[\w-]+)\s+){{0,3}}?
    (?:(?:company|strictly)-)?(?:internal|in-house|confidential|proprietary|intranet)(?:-only)?\s+
      (?:[\w'-]+\s+){{0,3}}?
    (?!data\b|external)(?:{_DOCUMENT}|file|files)\b
    | \b(?:the|our|this)\s+(?:internal|in-house|confidential)\s+(?:[\w'-]+\s+){{0,3}}?{_DOCUMENT}\s+(?:says?
      |states?|requires?|specif(?:y|ies)|lists?)\b
    | \b(?:our|company(?:'s)?|corporate|staff|team(?:'s)?|department(?:'s)?|office|employee)\s+
      (?:intranet|internal\ (?:network|wiki|portal)|sharepoint|confluence|(?:team\ )?wiki|(?:shared|network|team
      |common)\ (?:drive|folder))\b
    | \b(?:on|in|via)\ (?:the\ )?(?:intranet|sharepoint|confluence)(?:\ (?:page|portal|site|space|under|at)\b
      |\s?[>/→])
    | \binternal(?:[ -]only)?\ (?:document|doc|memo|policy|report|wiki|note|circular|procedure|sop|guideline
      |standard)s?
      \ (?:no\.?|number|id|ref\.?|\#|v?\d|[a-z]{{2,6}}-)
    | \b(?:payroll|finance|accounting|legal|hr|it|sales|support|marketing|procurement|compliance|security|engineering
      |operations|logistics|team|department|group|office|branch)'s\s+internal\s+
      (?:faq|wiki|handbook|memo|playbook|runbook|knowledge\ base|portal|sop|guidelines?|manual|intranet)\b
    | \binternal\s+(?:[\w'-]+\s+){{0,2}}?{_DOCUMENT},?\s\(?(?:question|chapter|section|sec\.|page|item|appendix|annex
      |step|paragraph|§|version|v)\s?\d
    | \b(?:on|in|from)\ (?:the|our)\ [h-z]:?\ drive\b
    | \binternal\ (?:use\ )?only\b | \b(?:for|to)\ internal\ (?:distribution|circulation|eyes)\b
    | \b(?:company|strictly|highly)[ ]confidential\b | \bconfidential\ (?:and|\&)\ proprietary\b
    | \b(?:marked|classified|labell?ed|stamped)\s(?:as\s)?["“']?(?:company[ ]|strictly[ ])?(?:confidential|internal)\b
    | \b(?:not|never|don't|neither)\ (?:be\ |to\ be\ |for\ )?
      (?:share|forward|distribute|circulate|disclose|publish|leave|release|use|distribution)d?\ (?:\w+\ ){{0,3}}?
      (?:externally\b|(?:outside|beyond)\ (?:of\ )?(?:the|our|this)\ (?:company|team|organi[sz]ation|department
      |firm|office|group|business)\b)
    | \bnot\ for\ external\ (?:use|distribution|release|circulation)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_INTERNAL_IN_CHINESE = re.compile(
    rf"""
    (?:根据|依据|按照|参照|参考|参见|参阅|详见|请见|查阅|查看|依照|遵照|遵循|对照|援引|引自|出自|来自|摘自
      |登录|根據|依據|參照|參考|參見|詳見|查閱|见|据|按)
      [^，。,！？；\n]{{0,8}}?(?:内部|內部|内网|內網|机密|機密)(?!控制|审计|收益|審計)[^，。,！？；\n]{{0,8}}?(?:{_PAPER}|统计|测算|调研|评估)
    | (?:根据|依据|按照|参照|参考|参见|详见|请见|查看|登录|在|据|按|根據|依據)\s?(?:我们|我司|公司|本公司|部门
      |的|我們){{0,2}}(?:内部|内网|內部|內網)(?:的)?(?:{_PLACE}|系统)(?:的|中|里|公告|记录|，|显示|提交|查)
    | (?:如|从|由|正如|在)[^，。,！？；\n]{{0,4}}?(?:内部|內部|内网|內網)(?!控制|审计
      |收益)[^，。,！？；\n]{{0,8}}?{_PAPER}[^，。！？；\n]{{0,6}}?
      (?:所述|所说|所示|所列|规定|写|提到|指出|要求|说|显示|记载|載)
    | (?:我们|我司|本公司|咱们|本部门|部门|团队|单位|我們|本司|公司)(?:的)?(?:内部|內部|内网|內網)
      (?:的)?[^，。,！？；\n]{{0,5}}?
      (?:{_PAPER}|{_PLACE}|系统)[^，。！？；\n]{{0,8}}?(?:写|说|规定|提到|要求|显示|指出|标明|注明|载明|《|第
      |[A-Z]{{2,}}-?\d|填写|提交|下载|查询|查看|申请|可查|公布|发布|通知)
    | (?:公司|我司|单位|集团|部门)(?:的)?(?:内网|內網)(?:的|里的|上的|中的)?[^，。,！？；\n]{{0,6}}?(?:系统|门户
      |平台|网站|页面|主页|首页|公告|论坛|网盘|栏目|下载)
    | (?:内部|內部)(?:文档|文件|资料|手册|文檔|資料|手冊|制度|规定|通知|邮件|报告)(?:编号|編號|第|《
      |[:：]?\s?[a-z]{{2,}}[-_]?\d)
    | (?:^|[，。：；（(【\[\s])(?:内部|機密|机密|涉密|绝密|內部)(?:资料|文件|信息|邮件|文档|資料|使用|传阅|参考
      |公开|口径|通知|消息)?[，,。：:；）)】\]！!]
    | (?:进入|登录|登陆|录入|提交|上报|报送|走|填入|查)[^，。；\n]{{0,4}}?(?:内部|內部|内网|內網)[^，。；的\n]{{0,6}}?
      (?:系统|平台|流程|台账|网站|系統)
    | (?:内部|內部)(?:版|稿|传阅|掌握|保密)(?=[，。）)】》的])
    | (?:内网|內網)(?:门户|首页|主页|公告)
    | 密级\s?[:：]
    | (?:仅供|僅供|仅限|僅限|只限|只供|限于|供)[^，。\n]{{0,6}}(?:内部|內部)
    | (?:属于?|为|是|列为)[^，。\n]{{0,5}}?(?:公司|我司|内部|集团)(?:的)?(?:机密|秘密|绝密|機密)
    | (?:请勿|勿|禁止|不得|严禁|切勿|不要|不可|不能|不宜|不准|請勿|嚴禁)[^，。！？\n]{{0,6}}?(?:外传|外傳|外泄
      |外洩|对外公开|对外披露|对外透露|对外公布)
    | (?:我们|本|我|咱们?|公司|单位|学校|医院|支行|[一-龥](?:部|处|科|室|组|中心))(?:的)?[^，。；\n]{{0,4}}?
      (?:共享盘|公共盘|公盘|共享网盘|企业网盘|部门网盘)
    | (?:我们|本部门|本科室|我科|我部|我司|公司|咱们?|本组|本院|我院|我校|我行)[^，。；\n]{{0,8}}?{_MEETING}
      (?:纪要|记录|决议|上)(?:里|中|上)?(?:定|说|决定|要求|规定|写|第|为准|执行)
    | (?:见|按照?|根据|参考|参照|依据?|以)(?:我们|我司|公司|本?部门|本?科室|本院|我校)?
      (?:上周|上次|上个?月|昨天|本周|周[一二三四五])
      [^，。；\n]{{0,6}}?{_MEETING}(?:的)?(?:纪要|决议|决定)
    | (?:禅道|云效)[^，。；\n]{{0,10}}?(?:\#\s?|[号单]\s?|bug\s?)[0-9]{{3,8}}
    | (?:飞书|钉钉|企业微信|企微|飛書|釘釘)[^，。；\n]{{0,6}}?
      ["“「《](?!审批|工作台|发起|通讯录|加入|创建)[^"”」》\n]{{2,20}}
      (?:群["”」]|["”」》]\s?(?:审批单|申请单|群|流程|表单|知识库|审批流))
    | (?:语雀|石墨|飞书|钉钉)(?:文档|知识库)?(?:上|里|中)?的?\s?《
    | @\s?{_FAMILY}[一-龥]{{1,2}}?(?:审批|确认|处理|跟进|签字|协助|即可|就行)
    | (?:抄送给?|找|联系|问|发给|转给|报给|@)\s?[^，。；\n]{{0,6}}?(?:部|组|科|处|室|中心|团队)的?
      (?:[老小]{_FAMILY}(?=[，。；要审开领拿确批帮]|$)|{_FAMILY}(?:哥|姐|工|总|主任|经理|老师)|{_FAMILY}[一-龥]{{1,2}}(?=[，。；要审开领拿确]|$))
    """,
    re.IGNORECASE | re.VERBOSE,
)

_SYSTEM = re.compile(
    r"""
    (?:我司|本公司|公司|部门|团队|我们|[一-龥](?:部|处|科|室|组|中心)|[院校行厂局司]内)的?\s?
      (?:OA|ERP|CRM|Wiki|SharePoint|Confluence|Jira|Notion|TAPD)(?=\s?(?:系统|平台|公告|通知|[上里中的提查,，]))
    | (?:Wiki|SharePoint|Confluence|Jira|Notion|OA)\s?(?:系统|平台|空间)?(?:上|里|中)?的?\s?
      (?:《|[「“"]?[^，。；」”"\n]{0,8}(?:手册|检查单|规范|制度|公告第))
    | \bOA(?:系统)?公告第
    | (?<![A-Za-z-])(?:our|[a-z]+\ team's|company's)\ (?:(?:shared|private|own)\ )?
      (?:Notion|Slack|Jira|Asana|Trello|Zendesk|ServiceNow|Airtable)\b(?!\ (?:bot|app|API|integration|connector|plugin))
    | \b(?:see|look\ (?:at|up)|check|per|read|follow|refer\ to|according\ to|find)\ [^.;\n]{0,30}\b(?:page|doc|document
      |runbook|checklist|wiki|guide|playbook|handbook)\b[^.;\n]{0,30}\ (?:in|on)\ (?:our\ )?Notion\b
    | \b(?:in|to|under|on|with)\ the\ [A-Z\d]{3,12}\ (?:queue|board|project|backlog)\ (?:on|in|of)
      \ (?:Jira|ServiceNow|Zendesk)\b
    | \b(?:ping|message|dm|ask|tell|contact|reach)\ (?:(?-i:[A-Z][a-z]+\b)
      |the\ [\w-]+\ (?:team|desk)\b|us\b)[^.;\n]{0,40}?
      \ (?:on|in|via|over)\ (?:our\ |the\ )?(?:Slack|Microsoft\ Teams)\b
    | (?<![\w#])\#(?!general|random|your|channel)[a-z][\w-]{2,40}\ (?:Slack\ |Teams\ )?channel\b
      (?!\ (?:of|on|in)\ (?:the\ )?[\w']*\ ?(?:Discord|IRC|Libera))
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A system of the house: whose it is, or what of the house's own is in it."""
_SYSTEM_WORDS = watch(
    "oa erp crm wiki sharepoint confluence jira notion tapd slack asana trello zendesk servicenow airtable channel"
)

_HOST = re.compile(
    r"""
    https?://(?:[\w-]+\.){1,5}(?:corp|internal|intranet|intra|lan|local|localdomain)(?![\w.-])
    | (?<![\w.@/-])(?:[\w-]+\.){1,4}(?:corp|intranet|intra|lan)(?![\w.-])
    | (?<![\w.@/-])(?=[\w.]{0,60}[\d-])(?:[\w-]+\.){2,4}internal(?![\w.-])
    | https?://(?:wiki|jira|confluence|intranet|gitlab|git|oa|erp|crm|portal|hr|sso|jenkins|grafana|kibana|nexus
      |nas|docs
        |helpdesk|sharepoint|redmine|zentao|vpn|it|finance)(?=[/:])
    | (?<![\w.@-])(?:[\w-]+\.){1,3}(?:inner|intra|intranet|corp|internal)\.[\w-]+\.(?:com|cn|net|org|io)(?![\w-])
    | (?:https?://|(?<![\w.-]))(?:intranet|confluence|oa|sharepoint)\.[\w-]+\.(?:com|cn|net|org)
    | https?://(?:jira|zentao|jenkins|kibana)\.[\w-]+\.(?:com|cn|net)
    | https?://[\w-]+\.sharepoint\.com/ | https?://[\w-]+\.(?:feishu\.cn|larkoffice\.com)/(?:wiki|docx?|docs
      |sheets|base)/
    | https?://(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.])
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_HOST_WORDS = watch("corp internal intranet intra inner lan confluence oa sharepoint jira")
_PUBLIC_HOST = re.compile(
    r"\.(?:cluster\.local|(?:docker|google|compute)\.internal)$|(?:raspberrypi|homeassistant)\.local$|atlassian\.com"
    r"|example\.",
    re.IGNORECASE,
)
_SHARE = re.compile(
    r"(?<![\w\\&}$])\\\\(?!(?:localhost|server\d?|servername|host|hostname|computer\w*|nas|wsl\b|your[\w-]*"
    r"|[\w-]*example[\w-]*)[\\$.])"
    r"[A-Za-z0-9][\w.-]{2,40}\\\w|\bsmb://[\w-]{3,40}/\w",
    re.IGNORECASE,
)
"""A folder on a file server, \\\\SERVER\\SHARE."""

_MAPPED = re.compile(r"(?<![A-Za-z])[H-Z]:\\(?!path|folder|your)[^\s\\:\"'<>|]{2,40}\\", re.ASCII)
"""A folder on a drive of the network, Z:\\FOLDER\\."""
_PRIVATE = re.compile(
    r"(?<![\w./])(?:10\.(?!0\.|1\.1\.|10\.|1\.2\.3|x)\d{1,3}\.\d{1,3}\.\d{1,3}|172\.(?:1[89]|2\d|3[01])\.\d{1,3}\.\d{1,3}):\d{4,5}(?!\d)",
    re.ASCII,
)
"""A server's address with a port in a private network (RFC 1918), but for those that manuals take."""

_KEY = (
    r"(?<![\w-])(?!(?:UTF|UCS|ISO|IEC|IEEE|RFC|CVE|CWE|PEP|SHA|MD|AES|RSA|GB|GBT|EN|DIN|BS|JIS|ANSI|ASTM|NIST"
    r"|FIPS|FAR|USB|COVID|SARS"
    r"|RTX|GTX|GPT|BERT|MIL|OSHA|NFPA|CAS|PM|CD|DVD|HTTP|TLS|SSL|IPV|WPA|LED|CR|AA|SN|PH|IEM|ICD|KB|MS|NGC|IC"
    r"|SPF|CAN|DDR|BOEING"
    r"|AIRBUS|TOYOTA|LTE|IP|OSI|SQL|ES|COBOL|APA|MLA|EIA|ITU|ECMA|ACI|AISC|API|UL|IAS|IFRS|FAS|WMO|CIE|NASA|ESA"
    r"|HLA|IL|CO|BMW|MP)-)"
    r"[A-Z][A-Z0-9]{1,9}-[0-9]{2,6}(?![\w-])"
)
"""Number of a ticket: a project's letters and a number, and no standard's, product's or disease's."""
_TICKET = re.compile(
    r"(?:\b(?:[Tt]icket|JIRA|Jira|[Ii]ncident|[Cc]hange request|[Ss]tory|[Ee]pic|[Bb]ug|[Tt]ask)"
    r"|工单|工單|任务单|任务|需求单|需求|变更单|事件单|故障单|缺陷)"
    r"(?:号|编号|號|編號| ID| id| [Nn]o\.?| number)?[ :：#为為是]{0,3}"
    r"(?:[A-Z][A-Z0-9]{1,9}-[0-9]{2,7}(?![\w-])|(?:INC|CHG|REQ|RITM|PRB)[0-9]{5,10})"
    r"|\b(?:INC|CHG|RITM|PRB|CRQ|SCTASK)[0-9]{7,12}\b|\bKB00[0-9]{5}\b"
    r"|\b[Tt]icket (?:#|[Nn]umber |[Nn]o\. ?)[0-9]{4,9}\b|工单号?(?:是|为)?[:：#]?\s?[0-9]{4,12}"
    r"|\b(?:JIRA|Jira)-[0-9]{2,6}\b"
    r"|\b(?:[Ff]ixed|[Tt]racked|[Rr]esolved|[Cc]losed|[Ll]ogged|[Rr]eported|[Ff]iled|[Rr]aised|[Mm]erged"
    r"|[Dd]iscussed|[Dd]eployed"
    r"|[Ii]mplemented|[Dd]ocumented|[Aa]ddressed|[Ss]ee|[Rr]efer to|[Pp]er|[Cc]heck|[Dd]uplicate of"
    r"|[Bb]locked by|[Cc]overed)"
    rf"(?: (?:in|as|under|with|via|by|on|at|the|our|also)){{0,2}} {_KEY}"
    rf"|(?:见|详见|参见|参考|根据|依据|在|按|关联|对应|记录于|登记为|提了)\s?{_KEY}"
    rf"|{_KEY}\s?(?:中|里)?(?:已?修复|已?解决|跟踪|跟进|处理|关闭|讨论|号文件?|号规定)"
    r"|\b(?:[Dd]ocument|[Pp]olicy|[Pp]rocedure|[Gg]uideline|[Mm]emo|[Cc]ircular|[Rr]unbook|[Hh]andbook|[Mm]anual"
    r"|[Ii]nstruction)"
    rf"(?: (?:no\.?|number|id))? {_KEY}"
    r"|(?<![\w-])(?:[A-Z]{2,6}-)?(?:SOP|POL|PROC|WI|MEMO)-(?:[A-Z]{2,6}-)?[0-9]{2,5}(?![\w-])",
    re.ASCII,
)
_NUMBERED = re.compile("[A-Z](?:-?[0-9]{2}|[a-z]+-[0-9])|[#r：:号单] ?[0-9]{4}")


def internal_reference(example: Example) -> str | None:
    """An answer that names internal documents, intranet hosts or tickets: the reader cannot open them.

    根据我们的内部文档XYZ: the course's part 3.4, problem 1. Numbers like UTF-8 or RTX-3060 are tickets only where
    a word says so; hosts are told by names that no public registry gives out.
    """
    return locate(example, _internal, "assistant")


def _internal(text: str) -> str | None:
    told = telling(text)
    signs = marks(text)
    if not _INTERNAL_WORDS.isdisjoint(told) and (found := _near(_INTERNAL_WORD, _INTERNAL, 60, 80, text)):
        return f"says {found[0].strip()[:60]!r}"
    if not text.isascii() and (found := _near(_INTERNAL_PAIRS, _INTERNAL_IN_CHINESE, 15, 25, text)):
        return f"says {found[0].strip()[:60]!r}"
    if not _SYSTEM_WORDS.isdisjoint(told) and (found := _SYSTEM.search(text)):
        return f"says {found[0]!r}"
    addressed = b"://" in signs or not _HOST_WORDS.isdisjoint(told)
    if addressed and any(not _PUBLIC_HOST.search(found[0]) for found in _HOST.finditer(text)):
        return "names a host of an internal network"
    if not signs:
        return None
    if b"\\" in signs and (_SHARE.search(text) or _MAPPED.search(text)):
        return "names a folder of an internal network"
    if digits(text) >= 2 and _NUMBERED.search(text):
        if b":" in signs and _PRIVATE.search(text):
            return "names a host of an internal network"
        if found := _TICKET.search(text):
            return f"says {found[0][:60]!r}"
    return None


def _near(words: re.Pattern[str], pattern: re.Pattern[str], before: int, after: int, text: str) -> re.Match[str] | None:
    """The pattern around one of the words."""
    seen = 0
    for word in words.finditer(text):
        if word.end() + after > seen + after // 3:  # one after the other, words are looked at together
            seen = word.end() + after
            if found := pattern.search(text, max(0, word.start() - before), seen):
                return found
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
