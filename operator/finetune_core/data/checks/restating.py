"""Answers that have no word of their own: those of the question in another order, and words that say nothing."""

import re

from finetune_core.data.checks.glance import lowered, words

_EMPTY = frozenset(
    (
        b"a an the and of to in for on at by as with from about into is are was were be been being am it its this that "
        b"these those there here what which who whom whose how why when where whether if than i you we they he she "
        b"me my "
        b"mine your yours our ours their us them him her ones do does did done doing can could will would shall should "
        b"may might must have has had having s t re ll ve d m so well then also just indeed actually really very quite "
        b"exactly because since due reason reasons reasoning cause caused causes way ways manner thing things "
        b"something "
        b"somehow some certain such question questions questioned query answer answers answered ask asks asked asking "
        b"know knows known knowing want wants wanted wish wishes like likes need needs needed wonder wonders wondering "
        b"explain explains explained explaining explanation describe describes described describing description tell "
        b"tells telling told say says said discuss discussing talk talking topic subject matter issue request please "
        b"sure okay ok course certainly understand understood see look looking interested interesting interest good "
        b"great common important popular many people often help helps helping happy glad hello hi thanks thank let "
        b"inquiry enquiry regarding concerning simply means mean meaning meant call calls called due date day time "
        b"place person customer client get gets got make makes made "
        b"happen happens happening following user write list give provide name out information details"
    ).split()
)
"""Words that answer nothing where a question does not have them. Of how many, whether and when, some are answers:
"all", "not", "one", "before" are not among them."""
_EMPTY_SIGNS = frozenset(
    "的了是在我你您他她它们这那哪什么怎样如何为吗呢吧啊呀就所以之因由于个些某种想知道问题问答原因理方法式办"
    "东西需要情况关好请谢"
    "复用谓称叫解释说明介绍会能可应该得及和与也还来即其而则被把给让对到"
    "时候者嗯哦当然明白了解内容具体否询想咨请教下面看待呗嘛一边"
    "，。！？、；：…—·“”‘’「」《》（）～"
)
_ONE = frozenset("一边")
"""Of how many, and of which of two, they are answers."""
_WHETHER = re.compile(r"(\w)[不没]\1")
_NOT = frozenset("不没")
_SIGN = re.compile("[^\x00-\x7f]")
_ENDING = re.compile(rb"(?:ing|ed|es|ly|s|d|e)$")
_STEM = 5

_OPEN = re.compile(
    r"\b(?:what|which|who|whom|where|when|why|how)\b|^\W*(?:please |can you |could you )?(?:explain|describe|tell"
    r"|list|give"
    r"|name|outline|discuss|suggest|define|provide|recommend|show|write|compare|summari[sz]e|think of|come up)\b"
    "|什么|怎|如何|为何|哪|谁|几|多少|多[久长大高远重]|咋|^(?:请|帮我)?(?:给|解释|说明|介绍|描述|列|写|讲|谈|推荐"
    "|分析|比较|想)",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(
    r"(?:^|[.!?,\n]\s*)(?:is|are|am|was|were|do|does|did|can|could|will|would|should|shall|may|might|must|has|have"
    r"|had|isn't"
    r"|aren't|don't|doesn't|didn't|can't|won't)\b[^.!?\n]*\?\W*$|吗[？?\s]*$|(\w)[不没]\1|是否|能否|可否|有没有",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\bor\b|\bwhich\b.*\band\b|\band\b.*\bwhich\b|\bwho(?:se|m)?\b|[a-z][./_][a-z]"
    r"|还是|或|谁|[和与跟、比].*哪|哪.*[和与跟、比]|[:：\"“「`\n]",
    re.IGNORECASE,
)
"""The answer may be among the question's words, or "you"."""
_ANNOUNCED = re.compile(
    r"^\W*(?:(?:so|ok|okay|well|right|i see|i understand|hello|hi|thanks?)\b[,.! ]*)?(?:(?:you|the (?:user"
    r"|customer|client|person)"
    r"|someone|your question|the question|this question|your request|what you)(?:'re|'d| are| is| was| would| have"
    r"| had)?\b"
    r" (?:just |really )?(?:asked|asks?|asking|want(?:s|ed)? to|like to|wish(?:es)? to|wonder(?:s|ing)?|about"
    r"|concerns?|whether|if|how"
    r"|what|why|when|where|who|which|interested)|whether)\b"
    r"|\b(?:you|the (?:user|customer))(?:'d| would)? (?:want|like|wish)(?:s|es)? to (?:know|ask|find out|understand)\b"
    "|^(?:那么|所以|好的|嗯)?，?(?:[您你](?:是|刚才)?(?:想|要|在)?(?:知道|问|了解|咨询|请教|询问)|(?:[您你]的|这个"
    "|该)?(?:问题|提问)(?:是|关于|在于|问的是)"
    "|用户(?:想|问|在问|要))|[您你](?:是)?想(?:知道|问|了解)|是否|能否|可否|(\\w)[不没]\\1",
    re.IGNORECASE,
)
"""It says itself that it is what was asked."""
_WORDS_WANTED = re.compile(
    r"\b(?:translat\w*|rewrit\w*|rewrite|rephras\w*|paraphras\w*|reword\w*|grammar|spell\w*|proofread|punctuat\w*"
    r"|sentences?"
    r"|phrases?|(?<!simple )(?<!own )words?|capitals?|repeat|fill|reverse|sort|arrange|order the|unscramble"
    r"|anagram|synonym\w*|opposite|plural|tense"
    r"|say|quote|titles?|headline|slogan|caption|continue|complete|similar|another|follow-?up|questions? (?:about"
    r"|on|for|to)"
    r"|correct|pretend|role|act as|turn|convert|extract|back to me|subject line|motto|haiku|rhyme)\b"
    "|译|改|语法|错|病句|标点|润色|句|词|排序|排列|填空|续写|标题|题目|口号|复述|重复|跟我|读|念|抄|追问|扮演|提问"
    "|转换|替换|提取|找出|对联|绕口令",
    re.IGNORECASE,
)

_LEAST = 4
"""Words or characters of an answer that can be told to be nothing but the question's."""
_COVERED = 0.6
"""Share of the question's own words that are in the answer; fewer may be what was asked for, out of it."""
_LONG = 20
"""Words or characters; in so many, one in ``_ODD`` may be new."""
_ODD = 12
_UNLIKE = 6
"""So many new words before their endings are cut off are new."""


def restated(question: str, answer: str) -> bool:
    """Is each word of the answer one of the question's, or one that says nothing?

    Where yes or no, or one of two, was asked for, that may be an answer, unless it says itself that it is none.
    """
    told, asked = set(words(answer)), set(words(question))
    ascii_only = answer.isascii()
    if len(told - asked - _EMPTY) > _UNLIKE + len(told) // _ODD:
        return False
    signs = set() if ascii_only else set(_SIGN.findall(answer))
    wanted = set() if ascii_only else set(_SIGN.findall(question))
    if len(signs - wanted - _EMPTY_SIGNS - _NOT) > len(signs) // _ODD or len(told) + len(signs) < _LEAST:
        return False
    small = lowered(question)
    back = answer[-1:] in "?？" and question[-1:] in "?？"
    announced = back or _ANNOUNCED.search(lowered(answer)) is not None
    if _found(question, answer) or _WORDS_WANTED.search(small) or not (announced or _opens(small)):
        return False
    empty_signs = _EMPTY_SIGNS if announced or not re.search("[几多]", question) else _EMPTY_SIGNS - _ONE
    if not ascii_only and _WHETHER.search(answer):
        empty_signs |= _NOT
    own = _stems(asked - _EMPTY) | wanted - _EMPTY_SIGNS
    said = _stems(told - _EMPTY) | signs - empty_signs
    new = len(said - _stems(asked) - wanted)
    return new <= (len(said) // _ODD if len(said) >= _LONG else 0) and len(said & own) >= max(1.0, _COVERED * len(own))


def _found(question: str, answer: str) -> bool:
    """Is the answer one of the sentences of a text in the question?"""
    return answer in question and re.search("[.!?。！？\n]", question.strip()[:-1]) is not None


def _opens(question: str) -> bool:
    return bool(_OPEN.search(question)) and not (_YES_OR_NO.search(question) or _CHOICE.search(question))


def _stems(told: set[bytes]) -> set[str]:
    return {(_ENDING.sub(b"", word) if len(word) > 3 else word)[:_STEM].decode() for word in told}
