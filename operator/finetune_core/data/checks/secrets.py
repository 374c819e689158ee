"""Keys, tokens and passwords: a model repeats what it was trained on."""

import math
import re
from collections import Counter
from itertools import chain

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import digits, lowered, marks
from finetune_core.data.example import Example

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
    r"(?:passw(?:or)?d|passphrase|passcode|pwd|(?<![a-z])pw|(?<![a-z])pass(?=[\"']?\s?[=:])|secret|api[ _-]?key"
    r"|(?:access|secret|auth|private|account|signing|app|license|licence|master|service|consumer|client|security|shared"
    r"|storage|activation|encrypt(?:ion)?|webhook|server|deploy|map|host|admin)[ _-]?(?:key|token|code)|(?:js|auth"
    r"|app)code"
    r"|token|credentials?|密码|密碼|口令|密钥|密鑰|秘钥|令牌|授权码|激活码|鉴权码|私钥)(?: (?:for|of|to"
    r"|on) [\w ./'-]{1,30}?"
    r"|[（(][^（）()\n]{1,12}[)）])?[\"'`]?\s{0,3}"
    r"(?:=>?|:=?|：|\b(?:is|was)\b(?: (?:now|set to|still))?|->|→|(?:已?(?:设置?|重置|修?改|更新)[为成]|还是"
    r"|就是|是|为|為|填写?|写成?|使?用|输入))\s{0,3}[:：]?\s{0,3}"
    r"(?:\"([^\"\s]{8,128})\"|'([^'\s]{8,128})'|`([^`\s]{8,128})`"
    r"|([A-Za-z0-9!@#%^&*+/=_~$-]{8,128})(?![A-Za-z0-9!@#%^&*+/=_~$(\[-]|\.[A-Za-z0-9]))",
    re.IGNORECASE,
)
_ASSIGNED = (
    "pass", "pwd", "pw", "secret", "key", "token", "credential", "code", "ak=", "sig", "session", "sid", "cookie",
    "phrase", "pin", "words", "密", "口令", "令牌", "秘钥", "授权码", "激活码", "鉴权码", "私钥", "助记词",
)  # fmt: skip
"""One of them is in all that ``_ASSIGNMENT`` and ``_SAID`` find."""
_SAID = re.compile(
    r"(?:(?:passw(?:or)?d|passphrase|passcode|pwd|\bpw)(?:\s|\s?[（(])|(?:密码|密碼|口令|授权码)\s?[（(]?)[\"'`“「]?"
    r"(?=[A-Za-z0-9_-]{1,63}[!@#$%^&*~]|(?-i:[A-Z][a-z]+)[-_.][A-Za-z0-9]+[-_.]?[0-9])([A-Za-z0-9!@#$%^&*+=_~-]{8,64})(?![A-Za-z0-9/(\[]|\.[A-Za-z0-9])"
    r"|(?:账号|帳號|账户|用户名?|user(?:name)?|login)\s?(?:/|和|and)?\s?(?:密码|密碼|口令"
    r"|pass(?:word)?)\s?(?:[:：是为]|is|are)\s?"
    r"[\w.@-]{2,40}\s?[/／|,，]\s?([A-Za-z0-9!@#$%^&*+=_~-]{8,64})(?![A-Za-z0-9/(\[]|\.[A-Za-z0-9])"
    r"|授权码\s?[:：是为]?\s?[\"'“「]?([a-z]{16})(?![a-z])"
    r"|(?<![a-z])(?:[a-z]*sess(?:ion)?(?:_?(?:id|key|token))?|sid|csrf_?token|(?:remember|auth|access|id"
    r"|refresh)_?token|connect\.sid)"
    r"[=:]\s?([A-Za-z0-9%._-]{16,512})"
    r"|[?&](?:sig|signature|x-amz-signature|(?:access_?)?token|auth|api_?key|sk)=([A-Za-z0-9%._-]{24,512})"
    r"|(?:[?&](?:key|ak)=|\bapp_?key=|\bAPPCODE |(?:密钥|密鑰|令牌)\s?[a-z_]{2,16}\s?[=:：]\s?)"
    r"([A-Za-z0-9]{32})(?![A-Za-z0-9])",
    re.IGNORECASE | re.ASCII,
)
"""Right after the word for it, where a sign in it shows that it is no word; after the user's name; in an address."""
_HANDED = re.compile(
    r"(?:\b(?:Bearer|Authorization: Basic|X-[A-Za-z-]{0,20}(?:Key|Token):)\s+|--(?:password|passwd|pass|token"
    r"|secret|api-?key|access-key|auth)[ =]"
    r"|\b(?:mysql|mysqldump|mysqladmin|sshpass|mongo|sqlcmd|psql)\b[^\n]{0,60}?\s-[pPa] ?"
    r"|\s-[pPwW]\s?(?=[\"'][A-Za-z0-9._-]*[!@#$%^&*])|\bmosquitto_\w+\b[^\n]{0,80}?\s-P "
    r"|\bldap\w+\b[^\n]{0,120}?\s-w |\s-U\s?[\w.\\-]{1,40}%|\bpass:|\b(?:login"
    r"|redis-cli)\b[^\n]{0,60}?\s-[pa] |\s-u ?[\w.@-]{1,40}:)"
    r"[\"']?([A-Za-z0-9!@#%^&*+/=_~.-]{8,256})(?![A-Za-z0-9(\[])"
)
"""Given in a header or on a command line."""
_HANDING = ("Bearer ", "Basic ", "X-", " --", " -p", " -a", " -u", " -P", " -w", " -W", " -U", "pass:")
_DIGITS = re.compile(
    r"(?:(?<![a-z])(?:pin(?: code| number)?|(?:door|gate|alarm|entry|safe|lock|garage|vault|wi-?fi"
    r"|unlock)(?:'s)? (?:code"
    r"|combination|password|pin))\s?(?:is|was|[:=])\s?|(?:门禁|开锁|开门|保险[柜箱]|取款|支付|锁屏|解锁|报警器"
    r"|无线网?|wifi"
    r"|门锁|银行卡|账户)的?(?:密码|口令)\s?(?:是|为|[:：=])\s?)([0-9]{4,10})(?!\.?[0-9]|%)(?! ?(?:digits|to|or"
    r"|characters|位|-))",
    re.IGNORECASE,
)
"""Of digits alone, of what somebody opens with it."""
_OPENING = ("pin", "code", "pass", "combin")
_LEAST_DIGITS = 4
_EVERYBODYS = re.compile(
    r"default|factory|initial|example|for instance|e\.g\.|such as|默认|出厂|初始|例如|比如|示例|假如|如果",
    re.IGNORECASE,
)
_MNEMONIC = re.compile(
    r"(?:(?:seed|recovery|mnemonic|backup|secret)\s(?:phrase|words)|mnemonic|助记词)[^a-z\n]{0,4}(?:is|are|was|是"
    r"|为)?[^a-z\n]{0,4}"
    r"((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})(?![a-z])"
)
"""The words that a wallet is restored with (BIP 39): twelve to 24, in small letters."""
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
    if ("phrase" if text.isascii() else "助记词") in text and _MNEMONIC.search(text):
        return "holds the words that open a wallet"
    signs = marks(text)
    coded = not text.isascii() and "授权码" in text
    if not signs and not coded:
        return None
    count = digits(text)
    if count >= _LEAST_DIGITS and _may_open(text) and _opened(text):
        return "holds a code that opens something"
    mixed = count and _MIXED.search(text)
    if not mixed and b"_" not in signs and b"-----" not in signs and not coded:
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
        given = next(filter(None, found.groups()))
        if (
            _password(given)
            or _chosen(found, given)
            or (found[0].startswith("授权码") and given.isalpha() and _entropy(given) >= _MIN_ENTROPY)
        ):
            return "holds a password or key"
    return None


def _may_open(text: str) -> bool:
    return any(map(lowered(text).__contains__, _OPENING)) if text.isascii() else "密码" in text or "口令" in text


def _opened(text: str) -> bool:
    for found in _DIGITS.finditer(text):
        digits, before = found[1], text[max(0, found.start() - 20) : found.start()]
        if len(set(digits)) >= 3 and digits not in "01234567890" and not _EVERYBODYS.search(before):
            return True
    return False


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


def _chosen(found: re.Match[str], given: str) -> bool:
    """Did somebody choose it for himself or for the house, as a word of his own with a number?"""
    if not _OF_ONES_OWN.fullmatch(given) or not _PASSWORD.match(found[0]):
        return False
    around = found.string[max(0, found.start() - 30) : found.end() + 20]
    return not (_EVERYBODYS.search(around) or _ADVISED.search(found.string))


_OF_ONES_OWN = re.compile(
    "(?!(?i:abc|admin|test|pass|pwd|root|user|qwer|asdf|demo|guest|aaa|xxx|your|my|name|hello|welcome|login|sample|key|code))"
    "[A-Za-z]{2,12}[@#_!.-]?[0-9]{4,8}[!#.]?"
)
_PASSWORD = re.compile("pass|pwd|密|口令", re.IGNORECASE)
_ADVISED = re.compile(
    r"\b(?:weak|strong|avoid|never use|don't use|common|easy to guess|guessable|characters|upper ?case|letters)\b"
    "|弱|避免|不要(?:使)?用|不安全|太简单|强度|字母|位数|大小写|常见",
    re.IGNORECASE,
)
"""It is shown as one to take or not to take."""


def _entropy(text: str) -> float:
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


SECRET = Check(
    code="secret",
    policy="enforce",
    message="there is a secret in the row",
    fix="revoke it, since it has been copied, and write <YOUR_KEY> in its place: a model repeats what it learned",
    row=stateless(secret),
)
