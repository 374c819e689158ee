"""Words that are written wrong."""

import re
from collections.abc import Iterator
from importlib import resources

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import pairs, telling, watch
from finetune_core.data.checks.prose import prose
from finetune_core.data.example import Example


def _list(name: str) -> str:
    return resources.files("finetune_core.data.checks").joinpath(name).read_text("utf-8")


def _slips(word: str) -> Iterator[str]:
    """The word with two letters turned, one left out, one doubled, or another vowel; never in its first or last two."""
    for place in range(1, len(word) - 2):
        before, letter, after = word[:place], word[place], word[place + 1 :]
        yield before + after[0] + letter + after[1:]
        yield before + after
        yield before + letter + letter + after
        if letter in _VOWELS:
            yield from (before + vowel + after for vowel in _VOWELS)


_VOWELS = "aeiou"
_COMMON = _list("common_words.txt").split()
"""Words of seven letters and more that are often written, and so often written wrong."""

_MISSPELLED = watch(
    " ".join(
        {slip for word in _COMMON for slip in _slips(word)}.difference(
            _COMMON, _list("words_like_slips.txt").split()
        ).union(_list("misspelled.txt").split())
    )
)
"""English words written wrong: slips in common ones that are no words themselves, and mistakes of other kinds."""

_TWICE = frozenset(
    f"{word} {word}" for word in ("the", "a", "an", "of", "to", "and", "for", "with", "from", "at", "be", "are", "your")
)
"""Said twice in a row only by mistake, unlike "had had", "that that" or "log in in the app"."""

_ENGLISH = watch(
    "the and of you it with your this that my we they are is was be can will have has not on at by from which or "
    "if each what how please i"
)
"""One of them tells English from languages in which our mistakes are words: French "langage", Spanish "anual"."""

_WRONG_CHINESE = _list("misspelled_chinese.txt").split()
"""As they are often written wrong; none is a variant in use, as 帐号 and 登陆 are."""

_WRONG_IN_CONTEXT = {
    "因该": "因该(?![公项事案产品行类条笔单企地药车房楼校院系合协批平措计活工证比国市县区人法处])",  # 因该公司违约
    "既使": "既使(?![^。]{0,20}(?:又|也使))",
    "既可": "既可(?![^。]{0,30}[又也还])",
    "既将": "既将(?![^。]{0,20}(?:又|也将))",
    "既便": "既便(?![^。]{0,20}[又宜])",
    "在次": "(?<![现存])在次(?![日级要年月序元轮世品数])",
    "以经": "以经(?![济验营典纪常费书文络度学贸脉理过史商销由])",
    "按装": "按装(?![置修箱载潢船机甲配])",
    "按排": "按排(?![名序列期])",
    "做为": "(?<![叫当看])做为(?![了难人民])",
    "己经": "(?<!自)己经(?![历过手])",
    "自已": "自已(?!故)",
    "在也": "(?<![存现正实内所])在也[不没](?!在)",
    "已后": "已后(?![悔续退])",
    "在试": "在试一[次遍下]",
    "在来": "在来一[次遍]",
    "在说": "在说一[次遍]",
    "在见": "(?<![现存正])在见[。！，]?$",
    "一但": "(?<![万唯])一但(?!是)",
    "非长": "(?<![并是])非长(?![期久方大江途时短])",
    "经长": "(?<![已曾神财总])经长(?=[在会去要被做看用浇出说听吃有发不])",
    "遵重": "遵重(?!申)",
    "帮组": "帮组(?![织长员])",
    "问提": "(?<![请疑])问提(?=[，。！？很都请的是了]|$)",
    "导至": "(?<![引疏])导至",
    "验正": "验正码",
    "须品": "必须品(?![尝味质])",
    "即然": "(?<!立)即然(?!后)",
    "发漂": "(?<![头秀长短])发漂(?![亮白流浮洋])",
    "凉干": "(?<![清荒冰])凉干(?=[后，。])",
    "解绝": "解绝(?![不对大非])",
    "他门": "[他她]们?门(?=[都也的说会在])",
}
"""Right in other surroundings: 以经济, 在次日, 因该公司违约."""

_TWICE_CHINESE = (
    "(?<![目标打有红])的的(?![确士])|(?<![不除为得])了了(?![解之然如结断分])|(?<![不凡但只于可而总就还老要若正如也都])是是(?![非否])"
    "|(?<![现存实])在在(?![职线校])|(?<![申邀敬聘恳宴提])请请|您您|们们"
    "|(?<![，。、；：])(?:，，|。。|、、|；；)(?![，。、；：])|，。|。，"
)
"""Characters and marks set twice; 。。。 is for an ellipsis."""

_PAIRS = frozenset((*(word[-2:] for word in _WRONG_CHINESE), *_WRONG_IN_CONTEXT))
"""One of them is in all that is wrong, and few of them are in anything else: 惠卷 of 优惠卷."""
_MAY_BE_WRONG = pairs(" ".join(_PAIRS))
_MAY_BE_TWICE = re.compile(r"([的了是在请您们，。、；])\1")
_CHINESE = re.compile("|".join((*_WRONG_CHINESE, *_WRONG_IN_CONTEXT.values(), _TWICE_CHINESE)))

_ABOUT_SPELLING = re.compile(
    r"\bspell|typo|proof-?read|grammar|\bcorrect (?:the|this|my|any|all)\b|\bmistakes?\b|\berrors? in (?:the|this|my)\b"
    r"|rewrite|edit (?:the|this|my) (?:text|sentence|paragraph|essay)"
    r"|错别字|錯別字|错字|别字|拼写|改错|纠错|纠正|病句|校对|润色|语法|改正|修改(?:以下|下面|这)"
    "|写法|哪个字",
    re.IGNORECASE,
)


def typo(example: Example) -> str | None:
    """Common misspellings, and words and marks set twice; what they are is in the tables of this module.

    Only what is never right counts, so that most rare mistakes go unseen. Code, addresses and quotes are left out, as
    are names (in capitals) and rows about spelling.
    """
    found = locate(example, _mistake, "user", "assistant")
    return None if found is None or any(map(_ABOUT_SPELLING.search, example.contents("system", "user"))) else found


def _mistake(text: str) -> str | None:
    told = telling(text)
    wrong = told & _MISSPELLED if told and not told.isdisjoint(_ENGLISH) else frozenset[str]()
    if told:
        wrong |= told & _TWICE
    chinese = not text.isascii() and (
        any(text[may.start() : may.start() + 2] in _PAIRS for may in _MAY_BE_WRONG.finditer(text))
        or _MAY_BE_TWICE.search(text)
        or "，。" in text
        or "。，" in text
    )
    if not wrong and not chinese:
        return None
    own = prose(text)
    for word in sorted(wrong):
        # In small letters, or at the beginning of a sentence: elsewhere it is a name.
        rest = word[1:].replace(" ", r"\s+")
        if re.search(
            rf"(?<![\w./#-])(?:{word[0]}|(?:^|(?<=[.!?:\n] )|(?<=\n)){word[0].upper()}){rest}(?![\w/]|\.\w)", own
        ):
            return f"says {word!r}"
    if chinese and (found := _CHINESE.search(own)):
        return f"says {found[0]!r}"
    return None


TYPO = Check(
    code="typo",
    policy="warn",
    # 没有明显的错别字: the course's cleaning list, part 3.2.
    message="there is a typo",
    fix="correct it, best with a spelling checker: a model writes as its data does",
    row=stateless(typo),
)
