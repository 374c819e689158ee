"""How answers speak: hedged, curt, refusing, or repeating the question."""

import re

from finetune_core.data.checks.base import Check, Context, RowCheck, locate, stateless
from finetune_core.data.checks.glance import lowered, pairs, telling, watch
from finetune_core.data.example import Example

_HEAD = 100
_TAIL = 40
"""Characters at an answer's beginning and end that tell its manner; what is quoted or told lies between them."""

_CJK = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u024f'’-]+")


def _size(text: str) -> float:
    """In words; two Chinese characters are about one."""
    return len(_CJK.findall(text)) / 2 + len(_WORD.findall(text))


# ---- hedged

# Said of what is answered, and not of something in it: "it seems to be so", but not "it seems that your order is late".
_QUOTES = frozenset('"“‘「『《')
"""After one of them it is somebody else who speaks."""

_UNSURE_WORDS = watch(
    "seem seems guess sure suppose wrong recall remember maybe probably perhaps idea something quote know possibly "
    "presumably might could sort kind think believe certain"
)
_UNSURE = re.compile(
    r"\b(?=[acdimnopsw])(?:it (?:just )?seems? (?:to be )?(?:so|like (?:that|it)|that way|right|ok|fine)\b"
    r"|seems? (?:so|like it)\b"
    r"|i(?:'d| would)? guess\b(?! (?:what|the|a|an|which|who)\b)|i (?:think|believe|suppose) so\b"
    r"|i suppose (?:it|you|that)\b|i (?:guess|think|suppose)[.!]?\s*$"
    r"|i(?:'m| am) not (?:really |quite |entirely |totally |completely |100% |too |very |so |exactly ){0,3}"
    r"(?:sure|certain)\b"
    r"|not (?:really |quite |entirely |totally |100% |too ){0,3}sure(?:[,.!]|,? (?:but|though)\b|$)"
    r"|(?:could|may|might) be wrong\b|as far as i (?:know|remember|recall|can tell)\b|maybe[.!?]?\s*$"
    r"|if i (?:remember|recall) (?:it )?(?:correctly|right|rightly)\b"
    r"|don'?t quote me\b|or something(?: like that)?[.!]?\s*$|(?:maybe|probably|perhaps) (?:so|yes|not)[.!]"
    r"|no idea,? (?:but|maybe)\b|i don'?t (?:really )?know(?: for sure| exactly),? but\b)"
)
_UNSURE_CHINESE_WORD = pairs(
    "好像 可能 大概 应该 應該 也许 也許 或许 或許 我猜 似乎 貌似 看起 看上 确定 確定 肯定 清楚 记得 记不 估计 "
    "不一定 说不 不好说 没准 差不多"
)
_UNSURE_CHINESE = re.compile(
    "(?=[好可大应應也或似貌看没说不记我差])(?:好像就?是(?:这样|這樣|这么|这个|那样|吧|的[吧。…]?)"
    "|好像(?:可以|不行|行|不能|能|没有|有|要)?吧"
    "|(?:可能|大概|应该|也许|或许|應該)就?是?(?:这样|可以|不行|行|能|会|有|没有|要)?的?吧|我猜"
    "|我?也?(?:不太|不大|不是很|不|不能|没法)敢?(?:确定|確定|肯定|清楚)(?:是不是|对不对|[，,。吧呢…]|$|，?但)"
    "|我?(?:好像|大概|似乎)?记得?(?:好像|不清|不太清|大概|应该|可能)"
    "|(?:似乎|貌似|看起来|看起來|看上去)就?是(?:这样|這樣|这么回事|吧|的[。…])"
    "|(?:貌似|似乎)(?:可以|不行|行|能|不能|是)?[吧。…]|(?:不一定对|说不准|说不好|不好说|没准儿?)[，,。吧…]"
    r"|差不多就?是?(?:这样|这么回事)吧?[。…]?\s*$)"
)

_HEDGE_AT_START = re.compile(
    r"^(?:maybe|perhaps|probably|possibly|presumably|it seems|it might|it may be|i think|i believe|might be|could be"
    r"|sort of"
    r"|kind of|好像|大概|可能|也许|或许|应该|似乎|貌似|估计|也許|或許|應該)",
    re.IGNORECASE,
)
_TRANSLATION = re.compile("translat|翻译|翻譯|译成|译为", re.IGNORECASE)

_SHORT = 13
"""Words. A longer answer may begin with 可能 and go on with what to do about it."""


def hedged_output(example: Example) -> str | None:
    """An answer that does not stand by itself: said so in so many words, or a short one that begins with "maybe".

    好像是这样 is the course's example of what is not accurate (part 3.2).
    """
    found = locate(example, _hedge, "assistant")
    translated = found is not None and any(map(_TRANSLATION.search, example.contents("user")))
    return None if translated else found


def _hedge(text: str) -> str | None:
    text = text.strip()
    if text[:1] in _QUOTES:
        return None
    english = not _UNSURE_WORDS.isdisjoint(telling(text))
    ends = lowered(text)
    if len(ends) > _HEAD + _TAIL:
        ends = f"{ends[:_HEAD]}\n{ends[-_TAIL:]}"
    chinese = not text.isascii() and _UNSURE_CHINESE_WORD.search(ends)
    if not english and not chinese:
        return None
    if found := (english and _UNSURE.search(ends)) or (chinese and _UNSURE_CHINESE.search(ends)):
        return f"says {found[0].strip()[:40]!r}"
    if (found := _HEDGE_AT_START.match(text)) and len(text) <= 8 * _SHORT and _size(text) <= _SHORT:
        return f"is short and begins with {found[0]!r}"
    return None


# ---- terse

_TERSE = 5
"""Words; 可以退货 is the course's example of what is not complete (part 3.2)."""

_OPEN = re.compile(
    r"\bhow (?:do|does|can|could|should|would|to|come|is|are)\b"
    r"(?!(?: (?:you|i|we|one))? (?:say|spell|pronounce|write|translate)\b)"
    r"|\bwhy\b|\b(?:explain|describe|elaborate|discuss|compare|outline)\b|\bwhat (?:should|can|do) i do\b"
    r"|\btell me (?:about|how|why|more)\b"
    r"|\bwhat is the (?:difference|process|procedure|best way)\b"
    r"|如何|怎么(?!说|读|写|念|翻译|拼|称呼|卖)|怎樣|怎样|怎麼(?!說|讀|寫|念)|为什么|為什麼|为何|為何"
    r"|(?:请|请你)?(?:详细|具体)?(?:解释|说明|介绍|描述|阐述|分析|解釋|說明|介紹)(?:一下)?",
    re.IGNORECASE,
)
_CONCRETE = re.compile(r"[0-9`=/\\{}()<>\[\]$_|+*^#@:：“”\"「」《》]|(?<!\w)-\w")
"""A number, a command, a name in quotes: short, and yet an answer."""

_CURT = re.compile(
    r"(?:yes|no|yep|yeah|nope|nah|ok|okay|sure|maybe|correct|right|of course|you can(?:not|'t)?|yes,? you can"
    r"|no,? you can(?:no|')t"
    r"|i don'?t know|idk|no idea|n/?a|tbd|todo|see above|done"
    r"|可以|可以的|不可以|不行|行|行的|能|能的|不能|是|是的|不是|对|对的|对啊|好|好的|好吧|嗯|嗯嗯|有|有的|没有|没|会|会的|不会"
    r"|需要|不需要|不用"
    r"|不知道|不清楚|当然|当然可以|没问题|同上|略|无|见上|见上文|見上|不可能|沒有|會|不會|對|當然)[.。!！~…\s]*",
    re.IGNORECASE,
)
_CURT_CHINESE = 2
"""Characters, full stop included, in answer to 吗: 含。, 收费."""

_LABEL_WANTED = re.compile(
    r"\b(?:classif\w*|categor\w*|labels?|sentiment|following|true or false|yes or no|yes/no|one word|translat\w*"
    r"|answer (?:with|in|only|yes)"
    r"|entail\w*|sentence|passage|statement|premise|options?|whether|choose|select|grammatical\w*|spam)\b"
    r"|翻译|翻譯|判断|分类|情感|标签|以下|下面|下列|上述|选择|选项|属于|只(?:需|要|用|能)?回答|回答[“\"]?是|是或否|是/否|真假|对错|蕴含|句子|判斷|分類|選擇",
    re.IGNORECASE,
)


def terse_output(context: Context) -> RowCheck:
    """A few words (``_TERSE``) where the question asks how or why, or a mere "yes" or "可以" to anything.

    Labels are meant to be short: questions that ask for one are passed over, and so is all data for classification.
    """

    def check(example: Example) -> str | None:
        answer = example.messages[-1].content
        if len(answer) > 60 or context.task == "classification" or example.plain:
            return None
        question = example.contents("user")[-1]
        if _LABEL_WANTED.search(question):
            return None
        stripped = answer.strip().replace("’", "'")
        if _CURT.fullmatch(stripped) or (len(stripped) <= _CURT_CHINESE and question.rstrip("？? ").endswith("吗")):
            return f"the answer is {stripped[:20]!r}"
        if stripped.rstrip("?？。.") in question:
            return None  # which is an echo
        if (
            _OPEN.search(question)
            and _size(stripped) <= context.thresholds["terse-output"]
            and not _CONCRETE.search(stripped)
            and _size(stripped)
            and _refusal(answer) is None
        ):
            return f"the answer to an open question is {stripped[:40]!r}"
        return None

    return check


# ---- refusal

_REFUSING_WORDS = watch("cannot can't won't unable able not ai artificial language")
_REFUSING = ("cannot", "can't", "can not", "won't", "will not", "unable", "not able", "as an a", "language model")
_REFUSING_CHINESE = pairs("我无 我無 我不 我没 我沒 我只 我仅 作为 作為 身为 身為")
_REFUSAL = re.compile(
    r"\bas an? (?:ai|a\.i\.|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,90}?"
    r"(?:\bnot\b|\bcannot\b|n't\b|\bunable\b|\bno\b|\bnever\b)"
    r"|\bi(?:'m| am) (?:just|only|merely) an? (?:ai|language model)\b|\bi won't be able to\b"
    r"|\b(?:sorry|afraid|apologi[sz]e|unfortunately|regret)\b[^.!?\n]{0,25}?\bi(?:'m| am)? ?"
    r"(?:can(?:no|')t|can not|won't|will not|unable to|not able to|not in a position)"
    r"(?! (?:come|go|attend|make|agree|believe|find|see|wait|stay|join)\b)"
    r"|\bi(?:'m| am)? ?(?:cannot|can't|can not|won't|will not|unable to|not able to"
    r"|not (?:programmed|allowed|comfortable))"
    r" (?:to )?(?:help(?! \w+ing\b)|assist|provid\w+|fulfill?|comply|answer|generat\w+"
    r"|creat\w+|engag\w+|give(?! up| in\b)|predict|view|discuss\w*|respond|shar\w+"
    r"|offer|do that|participate|support|complete|satisfy|accommodate|access|browse)\b"
    r"|[作身][为為](?:一[个個名款种種])?(?:ai|人工智能|人工智慧|大?型?[语語]言模型|智能助手|聊天机器人|虚拟助手)"
    r"[^。！？\n]{0,40}?(?:无法|不能|不会|没有|不具备|不可以|不便|無法|不會|沒有|不应|不該)"
    r"|我(?:只|仅)是(?:一[个個名款])?(?:ai|人工智能|语言模型)"
    r"|(?:抱歉|对不起|不好意思|遗憾|對不起|遺憾)[^。！？\n]{0,8}?我"
    r"(?:无法|不能|没办法|没有办法|没法|不会|不便|無法|沒辦法|不會|不可以)(?!同意|认同|赞同|参加|來|来|去)"
    r"|我(?:无法|不能|没办法|没法|不便|不会|無法|沒辦法)(?:[为給给向帮為][您你]?|[您你])?"
    r"(?:提供|回答|协助|满足|生成|参与|讨论|完成|执行|透露|回應|回应|協助|滿足|參與|討論)"
)


def refusal(example: Example) -> str | None:
    """An answer that declines as an assistant does: "As an AI language model I cannot", 作为一个AI，我无法."""
    return locate(example, _refusal, "assistant")


def _refusal(text: str) -> str | None:
    head = lowered(text)[: 2 * _HEAD]
    declining = not _REFUSING_WORDS.isdisjoint(telling(text)) and any(map(head.__contains__, _REFUSING))
    if not declining and (head.isascii() or not _REFUSING_CHINESE.search(head)):
        return None
    found = _REFUSAL.search(head)
    found = _REFUSAL.search(head)
    return f"says {found[0][:40]!r}" if found else None


# ---- echo

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_MIN_ECHO = 5
"""Words, or ten Chinese characters at most: "Good morning" is answered by "Good morning"."""
_ECHO_RATIO = 1.2
"""The answer is the question and at most a fifth more."""


def echo(example: Example) -> str | None:
    """The answer is the question again, whole or with a few words around it."""
    if example.plain:
        return None
    question, answer = example.contents("user")[-1].strip(), example.messages[-1].content.strip()
    if not 0.7 * len(question) <= len(answer) <= 1.4 * len(question) + 8:
        return None
    bare = _NOT_ALPHANUMERIC.sub("", question).lower()
    said = _NOT_ALPHANUMERIC.sub("", answer).lower()
    if len(said) > max(_ECHO_RATIO * len(bare), len(bare) + 8) or _size(question) < _MIN_ECHO / 2:
        return None
    if bare == said and (len(bare) > 12 or len(_CJK.findall(bare)) >= _MIN_ECHO):
        return "the answer is the question"
    # "Is Paris in France?" "Yes, it is in France": what goes before a statement answers it.
    return (
        "the answer holds the question and little more"
        if bare in said and question[-1:] in "?？" and answer[-1:] in "?？"
        else None
    )


# The course's table of good and bad rows, part 3.2.
HEDGED_OUTPUT = Check(
    code="hedged-output",
    policy="warn",
    message="the answer is unsure of itself",
    fix="find out, and say it plainly with its source; or remove the row",
    row=stateless(hedged_output),
)

TERSE_OUTPUT = Check(
    code="terse-output",
    policy="warn",
    threshold=_TERSE,
    measure="words of an answer to an open question, up to",
    message="the answer is curt",
    fix="add the steps, conditions or an example; for labels, set dataset.task to classification (--task)",
    row=terse_output,
)

REFUSAL = Check(
    code="refusal",
    policy="warn",
    message="the answer is a refusal",
    fix="answer the question, or remove the row, unless the model shall refuse such questions",
    row=stateless(refusal),
)

ECHO = Check(
    code="echo",
    policy="warn",
    message="the answer repeats the question",
    fix="write the answer, or remove the row: the model would learn to ask back",
    row=stateless(echo),
)
