"""Answers that are unsure of themselves."""

import re

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import Signs, lowered, telling, watch, words
from finetune_core.data.checks.prose import HEAD, QUOTES, prose, size
from finetune_core.data.example import Example

_TAIL = 40
"""Characters at an answer's end that tell its manner."""

# Said of what is answered, and not of something in it: "it seems to be so", but not "it seems that your order is late".
_UNSURE_WORDS = watch(
    "seem seems guess sure suppose wrong recall remember maybe probably perhaps idea something quote know possibly "
    "presumably might could sort kind "
    "think believe certain reckon apparently supposedly verified checked guessing memory "
    "mistaken say heard forget feeling knows expert assume presume"
)
_UNSURE = re.compile(
    r"\b(?=[acdfhijmnoprstwy])(?:it (?:just )?seems? (?:to be )?(?:so|like (?:that|it)|that way|right|ok|fine)\b"
    r"|seems? (?:so|like it)\b"
    r"|i(?:'d| would)? guess\b(?! (?:what|the|a|an|which|who)\b)|i (?:think|believe|suppose) so\b"
    r"|i suppose (?:it|you|that)\b|i (?:guess|think|suppose)(?:[.!?](?=\s)|[.!?]?\s*$)"
    r"|i(?:'d| would)? (?:assume|imagine|presume) (?:so|it(?:'s| is)|that(?:'s| is))\b"
    r"|i(?:'m| am) (?:no|not an?|not any kind of) expert\b|haven'?t (?:really |actually )?tried (?:it|this|that)\b"
    r"|(?<!\bif )(?<!\bwhen )we(?:'re| are)(?: also)? not (?:really |quite |entirely |totally |100% |too "
    r"|yet ){0,2}(?:sure|certain)\b(?! (?:of|who|when|where)\b)"
    r"|(?:it|this|that) (?:could|might|may) (?:really |also )?be (?:just about |pretty much "
    r"|almost )?(?:anything(?! from| between| that)|any number of"
    r" things|a lot of things|many things|whatever|something else entirely|lots of things)\b"
    r"|(?:could|might|may) go either way\b|we (?:really |honestly )?(?:don'?t|do not) (?:really )?know[.!,]"
    r"|i(?:'m| am) not (?:really |quite |entirely |totally |completely |100% |too |very |so |exactly ){0,3}"
    r"(?:sure|certain)\b"
    r"|(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )"
    r"not (?:really |quite |entirely |totally |100% |too ){0,3}sure(?:[,.!]|,? (?:but|though)\b|$)"
    r"|(?:could|may|might) be wrong\b|as far as i (?:know|remember|recall|can tell)\b|maybe[.!?]?\s*$"
    r"|if i (?:remember|recall) (?:it )?(?:correctly|right|rightly)\b"
    r"|don'?t quote me\b|or something(?: like (?:that|it))?(?:[.!?,;]|\s*$)|(?:maybe|probably|perhaps) (?:so|yes"
    r"|not)[.!]"
    r"|no idea (?:whether|if)\b|one of the two[.!]?\s*$|no idea,? (?:but|maybe|perhaps|probably|possibly)\b|^no idea\b"
    r"|i reckon\b|i(?:'m| am) (?:just |only )?guessing\b"
    r"|(?:just|only|wild|rough|best) (?:a |my )?guess\b|hard to (?:say|tell)[,.!]|off the top of my head\b"
    r"|if memory serves|from memory\b|(?:i )?have(?: not|n't) (?:really |actually )?(?:checked|verified|looked it up"
    r"|tested)\b"
    r"|i (?:could|may|might) be mistaken\b|if i(?:'m| am) not mistaken\b|can(?:no|')t (?:really |quite )?(?:say|tell"
    r"|recall|remember)"
    r"(?: for (?:sure|certain)| exactly|[.,!])|i(?:'ve| have)? (?:heard|read somewhere)\b|who knows\b"
    r"|don'?t (?:take my word|hold me)\b|grain of salt\b|to the best of my knowledge\b|i have a feeling\b"
    r"|i(?:'d| would) say (?:maybe|probably|around|about)\b|i forget\b|not (?:100% |entirely "
    r"|absolutely )?(?:certain|positive)[,.!?]"
    r"|i (?:don'?t|do not) (?:really |actually )?know[.!]?\s*$|i don'?t (?:really )?know(?: for sure| exactly),? but\b"
    r"|i (?:(?:honestly|really|actually|truly) )?(?:don'?t|do not) (?:(?:honestly|really|actually) )?know"
    r" (?:the (?:details|specifics|exact|rest)|for (?:sure|certain)|exactly|much (?:about|more)|if (?:that|this|it)"
    r" is)\b|there(?:'s| is) no (?:telling|knowing|way (?:to tell|of knowing))\b|i (?:wouldn'?t|would not) know\b"
    r"|i(?:'d| would)? (?:really |honestly |actually )?(?:don'?t|do not|couldn'?t) (?:really |actually )?(?:know"
    r"|say|tell)[.,!]?\s*$"
    r"|your guess is as good as mine|if i(?:'m| am) not (?:wrong|mistaken)\b|(?:leave|leaving) (?:that|it|this) open\b"
    r"|(?:which|it|that|this) (?:may|might|could) (?:well )?be (?:wrong|mistaken|incorrect|different|outdated)\b"
    r"|(?:it|this|that) (?:may|might|could) have changed\b|i (?:can'?t|cannot|couldn'?t) (?:promise|swear|guarantee)\b)"
)
_DOUBTS = watch("maybe perhaps probably possibly presumably supposedly apparently might may could suppose guess assume")
_DOUBT = re.compile(
    r"\b(maybe|perhaps|probably|possibly|presumably|supposedly|apparently|(?:i|we|some)(?:'d| would)? (?:suppose"
    r"|guess|assume|imagine"
    r"|think|reckon)|some(?:thing|where|how|one)|some kind of|sort of|kind of|or so|roughly|might|may|could|or not"
    r"|either way"
    r"|opinions differ)\b"
)
_WEAK = frozenset(("may", "might", "could", "something", "somewhere", "somehow", "someone", "roughly"))
"""What good answers say of what is possible."""
_DOUBT_IN_CHINESE = re.compile(
    "大概|也许|或许|估计|据说|听说|好像|似乎|没准|说不定|貌似|可能|应该是|多半|兴许|恐怕|大约莫|什么的"
    "|哪个(?=[窗部地])|某[个种些]"
)
_OFTEN = 3
_MOST = 600
"""Characters of an answer that are looked at for doubts."""
_WORDS_A_DOUBT, _CHARACTERS_A_DOUBT = 8, 15
"""No more than so many to each doubt."""
_UNSURE_CHINESE_WORD = Signs(
    "好像 可能 大概 应该 應該 也许 也許 或许 或許 我猜 似乎 貌似 看起 看上 确定 確定 肯定 清楚 记得 记不 估计 "
    "不一定 说不 不好说 没准 差不多 没记 "
    "全信 敢说 瞎猜 瞎说 乱猜 猜的 敢保 不保 是专 来着 "
    "据我 仅供 也可能 听说 感觉 觉得 估摸 印象 拿不 没把握 谁知 天晓 没核 忘了 不知道"
)
_UNSURE_CHINESE = re.compile(
    "(?=[好可大应應也或似貌看没说不记我差如要据仅听估印拿谁天忘感瞎乱猜来别])(?:好像就?是(?:这样|這樣|这么|这个|那样|吧"
    "|的[吧。…]?)"
    "|好像(?:可以|不行|行|不能|能|没有|有|要)?吧"
    "|(?:可能|大概|应该|也许|或许|應該)就?是?(?:这样|可以|不行|行|能|会|有|没有|要)?的?吧|我猜"
    "|我?也?(?:不太|不大|不是很|不|不能|没法)敢?(?:确定|確定|肯定|清楚)(?:是不是|对不对|[，,。吧呢…]|$|，?但)"
    "|我?(?:好像|大概|似乎)?记得?(?:好像|不清|不太清|大概|应该|可能)"
    "|(?:似乎|貌似|看起来|看起來|看上去)就?是(?:这样|這樣|这么回事|吧|的[。…])"
    "|(?:貌似|似乎)(?:可以|不行|行|能|不能|是)?[吧。…]|(?:不一定对|说不准|说不好|不好说|没准儿?)[，,。吧…]"
    "|(?:如果|要是|假如)?我?没(?:有)?记错的?话?|据我所知|仅供参考|(?:也|但)(?:可能|或许)(?:不对|有误|记错|不准|也?不是)"
    "|(?:好像|大概|可能|应该|也许|或许|似乎|貌似|估计|估摸着?|差不多"
    "|听说)[^，。！？；：“”\n]{1,12}吧(?=[，,。！？…~～]|$)"
    "|记不(?:太|大)?清|拿不准|没(?:什么)?把握|谁知道|天晓得|印象中|没(?:有)?(?:核实|查证|验证|确认)过"
    "|我(?:也)?说不[好准]|瞎猜|瞎说的|乱猜|猜的(?=[，。吧！]|$)|(?:别|不要)[全太]信|不敢说|不(?:敢|能)?保证(?:准确"
    "|正确|一?定?对|没错|(?=[。，！]|$))"
    "|(?:我)?(?:也|又)?不是(?:什么)?专家[，。]|来着[，。？]?(?:$|记|我|好像)"
    "|我(?:觉得|感觉|估计)(?:应该|可能|好像|大概|是[^，。]{1,12}不过)|(?:大概|好像|应该|可能|感觉|觉得"
    "|忘了)[吧。…]*$|不知道，(?:估计|可能|大概|好像)"
    r"|差不多就?是?(?:这样|这么回事)吧?[。…]?\s*$)"
)

_HEDGE_AT_START = re.compile(
    r"^(?:(?:it|that|this|they|he|she|there|you)(?:'s| is| are| was| were| will| would| should| can| could)? )?"
    r"(?:apparently|supposedly|maybe|perhaps|probably|possibly|presumably|it seems|(?:it might|it may be|might be"
    r"|could be)(?! [^.!?,]{0,60},[^.!?]{0,60} or )|i think"
    r"|i believe"
    r"|sort of"
    r"|kind of|好像|大概|可能(?!引[起发]|导致|造成|出现|[^，。！？]{0,20}、)|八成|多半"
    r"|没准|说不定|兴许|也许|或许|应该|似乎|貌似|估计|估摸|听说|据我所知|也許|或許|應該)",
    re.IGNORECASE,
)
_WORDS_WANTED = re.compile(
    r"^\W*(?:please |can you |could you )?(?:write|draft|compose|express|paraphrase|rewrite|rephrase|classif\w*"
    r"|label|continue"
    r"|complete|finish|quote|role.?play|play|imagine|pretend|act|summari[sz]e|extract|correct|proofread|polish|fill"
    r"|give (?:me )?an?)\b"
    r"|translat|sentiment|sentence|\b(?:say|put) [^?]{0,40} (?:in|politely)\b|\bhow (?:do|would|can|should) (?:i|you"
    r"|we|one) say\b"
    r"|\b(?:politely|declin(?:e|ing)|(?<!connection )(?<!permission )(?<!access )refus\w+|apolog\w+)\b"
    r"|\breject(?:ing)?\b|[\"“'‘][^\"”]{1,30}[\"”'’] mean|\b(?:do"
    r"|would) you (?:think|feel)\b|opinion"
    "|翻译|翻譯|译成|译为|造句|[写寫][一几两]|写[个首段封句篇条]|续写|改写|仿写|扩写|补全|填空|判断|分类|归类|识别"
    "|语气|情感|近义|反义|怎么说|什么意思"
    "|台词|扮演|拒绝|婉拒|回绝|道歉|提取(?!公积金|现金|存款|养老|余额|押金)|概括|总结|润色|[你您](?:觉得|认为|怎么看)",
    re.IGNORECASE,
)
"""The answer is then somebody else's words, or a judgement that was asked for."""

_SHORT = 13
"""Words. A longer answer may begin with 可能 and go on with what to do about it."""


def hedged_output(example: Example) -> str | None:
    """An answer that does not stand by itself: said so in so many words, or a short one that begins with "maybe".

    好像是这样 is the course's example of what is not accurate (part 3.2).
    """
    found = locate(example, _hedge, "assistant")
    return None if found is None or _words_wanted(example) else found


def _words_wanted(example: Example) -> bool:
    return any(map(_WORDS_WANTED.search, example.contents("user")))


def _hedge(text: str) -> str | None:
    text = text.strip()
    if text[:1] in QUOTES:
        return None
    english = not _UNSURE_WORDS.isdisjoint(telling(text))
    ends = lowered(text)
    if len(ends) > HEAD + _TAIL:
        ends = f"{ends[:HEAD]}\n{ends[-_TAIL:]}"
    chinese = not text.isascii() and _UNSURE_CHINESE_WORD.within(ends)
    if not english and not chinese:
        return None
    ends = prose(ends)
    if found := (english and _UNSURE.search(ends)) or (chinese and _UNSURE_CHINESE.search(ends)):
        return f"says {found[0].strip()[:40]!r}"
    if english and (doubts := _many_doubts(text)):
        return f"says {', '.join(doubts)}"
    if chinese and (doubts := _many_doubts_in_chinese(text[:_MOST])):
        return f"says {'、'.join(doubts)}"
    if (found := _HEDGE_AT_START.match(text)) and len(text) <= 8 * _SHORT and size(text) <= _SHORT:
        return f"is short and begins with {found[0]!r}"
    return None


def _many_doubts(text: str) -> list[str]:
    """The doubts of a text that has so many that nothing stands in it."""
    if len(_DOUBTS & telling(text)) < 2:
        return []
    doubts = _DOUBT.findall(prose(lowered(text)))
    sure = len(doubts) >= _OFTEN and len(set(doubts) - _WEAK) >= 2 and len(doubts) * _WORDS_A_DOUBT >= len(words(text))
    return sorted(set(doubts)) if sure else []


def _many_doubts_in_chinese(text: str) -> list[str]:
    doubts = _DOUBT_IN_CHINESE.findall(text)
    different = list(dict.fromkeys(doubts))
    return different if len(different) >= _OFTEN and len(doubts) * _CHARACTERS_A_DOUBT >= len(text) else []


# The course's table of good and bad rows, part 3.2.
HEDGED_OUTPUT = Check(
    code="hedged-output",
    policy="warn",
    message="the answer is unsure of itself",
    fix="find out, and say it plainly with its source; or remove the row",
    row=stateless(hedged_output),
    sampled=True,
)
