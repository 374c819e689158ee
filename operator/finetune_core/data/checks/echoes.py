"""Answers that are the question again."""

import re
from difflib import SequenceMatcher

from finetune_core.data.checks.base import Check, stateless
from finetune_core.data.checks.prose import chinese_characters, size
from finetune_core.data.checks.restating import restated
from finetune_core.data.example import Example

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_MIN_ECHO = 5
"""Words, or ten Chinese characters at most: "Good morning" is answered by "Good morning"."""
_LEAD_IN = re.compile(
    r"^[\"“「]?(?:(?:question|instruction|prompt|user|q|you asked?|sure|okay|ok|of course|certainly)\b"
    "|问题|指令|用户|您?问的?是?|你问的是|题目|好的|当然|没问题|请问)[\\s:：,，!！。.]*",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\b(?:good (?:morning|afternoon|evening|night|luck)|merry|happy|hello|hi|welcome|congratulations|see you"
    r"|thank(?:s| you))\b"
    "|快乐|恭喜|早上好|晚上好|下午好|晚安|再见|谢谢|[你您]好|平安|加油|好久不见",
    re.IGNORECASE,
)
_CHANGE_WANTED = re.compile(
    r"\b(?:translat\w*|rewrite|rephrase|paraphrase|reword|summari[sz]e|condense|shorten|simplify|expand|explain)\b"
    r"|\b(?:answer|reply|respond|classif\w*|categori[sz]\w*|sentiment|analy[sz]e|route|assess|evaluate|rate|diagnose)\b"
    "|翻译|翻譯|译成|译为|改写|概括|总结|缩写|扩写|简化|精简|提炼|解释|改得|改成(?!繁|简)|换[个种]说法|转述"
    "|回答|回复|答复|分类|归类|归到|归入|判断|分析|评估|评价|打分|诊断",
    re.IGNORECASE,
)
_FAULT_WANTED = re.compile(
    r"\b(?:correct|fix|repair|edit|proofread|improve|polish)\b[^.:\n]{0,30}\b(?:errors?|mistakes?|grammar|spelling|typos?"
    r"|punctuation|sentences?|text|paragraph|phrase|wording|bug|code)\b"
    r"|\b(?:capitalize|capitalise|punctuate|reverse|unscramble|censor|anonymi[sz]e|redact|convert|negate)\b"
    r"|\b(?:turn|change|put|transform) (?:\w+ ){1,5}?(?:into|to) (?:the |a |an )?(?:\w+ )?(?:question|negative"
    r"|plural|singular"
    r"|past|future|present|passive|active|tense|voice|uppercase|lowercase|formal|table|list|json|csv)\b"
    "|(?:改正|纠正|修改|修正|订正|改)[^。：:\n]{0,8}(?:病句|错误|错别字|错字|语病|语法|句子|拼写|标点|错处)"
    "|(?:加上?|添加)标点|去掉重复|脱敏|打码|改[为成](?:疑问|否定|反问|感叹|被动|主动|把字|被字|陈述|肯定)句?",
    re.IGNORECASE,
)
"""The text is to be another afterwards."""
_PART_WANTED = re.compile(
    r"\b(?:extract|list|find|identify|name|count|pick out|pull out|underline|highlight|select|spot|locate|get|give"
    r"|write down"
    r"|which|what|how many|return)\b[^.:\n]{0,40}?\b(?:all|dates?|names?|numbers?|keywords?|key words|places?"
    r"|cit(?:y|ies)|countries"
    r"|persons?|people|organi[sz]ations?|compan(?:y|ies)|entit(?:y|ies)|times?|prices?|amounts?|verbs?|nouns?|adjectives?"
    r"|adverbs?|pronouns?|products?|addresses|e-?mails?|topics?|main (?:idea|point)|facts?|locations?|words?|sums?"
    r"|figures?|brands?"
    r"|colou?rs?|ingredients?|deadlines?)\b"
    "|(?:提取|找出|列出|抽取|标出|圈出|摘出|指出|挑出|选出|识别|统计|数一?数|摘录)[^。：:\n]{0,12}(?:时间|日期|人名|地名|地点|数字|金额"
    "|价格|关键词|关键字|名词|动词|形容词|副词|成语|机构|公司|产品|实体|姓名|电话|城市|国家|食材|中心|主题|要点|信息|人物|词语|部分|数据)",
    re.IGNORECASE,
)
"""A part of the text is the answer."""
_AS_IT_IS = re.compile(
    r"\b(?:as (?:it )?is|unchanged|if needed|if (?:it is )?(?:correct|right)|repeat|verbatim)\b|抄|原样|原文|重复|不变"
    "|没有(?:就|则)",
    re.IGNORECASE,
)
_ECHO_RATIO = 1.2
"""The answer is the question and at most a fifth more."""


_REPEATED = 8
"""Characters; "ha" may be answered by "haha"."""
_LONGEST_COMPARED = 500
"""Characters: to compare letter by letter takes time that grows with the square of them."""
_ALIKE = 0.85
"""Of two questions; "What's" for "What is", 搬了家 for 搬家."""
_ABOUT_WORDS = re.compile(
    r"\b(?:translat|rewrit|rewrite|rephras|paraphras|correct|grammar|spell|edit|proofread|fix|convert|change|replace"
    r"|turn"
    r"|make|similar|another|customer|user|caller|client|follow-?up|punctuat\w*)|译|改|语法|纠|润色|错|替换|转|换|类似"
    r"|追问|客户|顾客|用户"
    "|病句|标点|变",
    re.IGNORECASE,
)
"""A question may then be answered with one much like it."""
_ASKED_TO_KNOW = re.compile(
    r"(?=[sorwytiSORWYTI那所好嗯您你我，])(?:(?:so|ok|okay|right|well),? )?(?:you (?:(?:would like|'d like|want|wish"
    r"|need|asked|are asking|'re asking)"
    r"(?: me)? (?:to know|to ask|to understand|about|how|why|what|when|where|whether|if|which)|are wondering|wonder)\b"
    r"|you're (?:asking|wondering)\b|your question (?:is|was|concerns)\b|the question is\b"
    r"|i (?:understand|see) (?:that )?(?:you (?:want|would like|are asking|wish)|your question)\b)[^.!?。！？\n]+[.!?]?"
    r"|(?:那么|所以|好的|嗯)?，?(?:[您你](?:是)?(?:想|要|是在)(?:知道|问|了解|咨询|请教)|[您你](?:的问题|问的"
    r"|想问的)是|[您你]在问"
    r"|我(?:明白|理解|知道)[您你]?(?:想|的问题))[^.!?。！？\n]+[。.！!？?]?",
    re.IGNORECASE,
)
"""A single sentence, no longer than the question with these words."""


_FORM = re.compile(
    r"^\W*(?:question|instruction|prompt|user|human|input|q|问题|指令|用户|题目|输入|提问|问)\s?[:：]"
    r"|\W*\b(?:answer|response|assistant|output|a)\s?[:：]\W*$|\W*(?:回答|答案|助手|输出|回复|答|解答)\s?[:：]\W*$",
    re.IGNORECASE,
)
"""Names of the fields of a form, the last of them empty."""

_FILLER = re.compile(
    r"\b(?:(?:that(?:'s| is)|what) (?:an? )?|an? )?(?:very |really |truly |such an? )?(?:good|great|excellent"
    r"|interesting"
    r"|fair|tough|fascinating|important|nice|common|tricky|big|wonderful) (?:question|point|one)\b[^.!?\n]{0,40}[.!?]*"
    r"|\b(?:let me (?:think|see|check)|thanks? (?:you )?for (?:asking|your question|the question)|i see|hmm+|noted"
    r"|got it"
    r"|understood|(?:i(?:'m| am) )?glad you asked)\b[^.!?\n]{0,30}[.!?…,]*"
    "|(?:这|那|[您你])?真?(?:是|提了|提出了|问了)?一?个?(?:很|非常|挺|相当)?(?:好|棒|有趣|有意思|重要|常见|经典"
    "|值得(?:思考|探讨)|不错)的?"
    "(?:问题|提问)[^，。！？\n]{0,6}[，。！？~]*|[您你]?(?:问|提)得(?:很|真|非常|太)?好[，。！？]*"
    "|让我(?:想想|想一想|看看|查查|考虑一下)[，。！？…]*|(?:谢谢|感谢)[您你]?的?(?:提问|咨询|问题|关注)[，。！？]*"
    "|(?:这个|[您你]的)问题(?:很|非常)(?:好|有趣|重要)[，。！？]*|(?:嗯+|哦|收到|明白|了解)[，。！？…]+",
    re.IGNORECASE,
)
"""Said of a question by those who have no answer."""
_SPEECH = re.compile(
    r"(?:(?:so|ok|okay|well|sure|yes|and|question|answer|please|of course|certainly)\b[,:. ]*"
    r"|(?:can|could|would|will) you |i(?:'ll| will| shall| can| would like to| want to|'d like to|'m going to) |let me "
    r"|you (?:want|would like|wish|need|asked|are asking)(?: me)?(?: to(?: know)?| about)? |you asked:? ?"
    r"|the (?:user|question|customer|task)(?: is| asks| wants)?(?: to(?: know)?| about)?:? |(?:here|this|that"
    r"|it) is |here's "
    r"|(?:tell|show|give) (?:me|you|us) |(?:explain|describe|write|list|provide|create|draft|discuss|outline|name) "
    r"|how (?:to|(?:do|can|should|would|could) (?:i|you|we|one)) "
    "|好的|当然|没问题|是的|那么|所以|请问|请|麻烦|帮[我您你]|我(?:来|会|可以|能|将|要)|[您你](?:是?想|要|问的是"
    "|是在问)(?:问|知道|了解)?"
    "|(?:[您你]的)?(?:问题|题目)是|用户(?:问|想知道)|关于|给[我您你]|为[您你]|让我|怎么样?|如何|怎样|解释|说明|介绍"
    "|描述|写|列出|列举|分析|讲讲|说说"
    "|一下|[，：:、 ])+",
    re.IGNORECASE,
)
"""What opens a question, or an answer that only promises one."""
_CLOSING = re.compile(r"(?:[,]? please|的问题|一下|呢|[\s。.？?！!，,…])+$", re.IGNORECASE)


def _core(text: str) -> str:
    """What it is about, without the words of asking."""
    bare = _CLOSING.sub("", _FILLER.sub("", text.replace("’", "'")).strip().lower())
    opening = _SPEECH.match(bare)
    return _NOT_ALPHANUMERIC.sub("", bare[opening.end() :] if opening else bare)


def echo(example: Example) -> str | None:
    """The answer is the question again, whole or with a few words around it."""
    if example.plain:
        return None
    question, answer = example.contents("user")[-1].strip(), example.messages[-1].content.strip()
    asked, said = len(question), len(answer)
    if (
        said >= 2 * asked >= 2 * _REPEATED
        and answer.startswith(question)
        and not answer[asked:].replace(question, "").strip()
    ):
        return "the answer is the question, more than once"
    if (
        said <= asked + 30
        and answer[-1:] in ":："
        and _FORM.sub("", answer).strip(" \n?？。.") == question.strip(" ?？。.")
    ):
        return "the answer is the question, and a form to fill in"
    if 0.4 * asked < said < asked + 60 and _only_promised(question, answer):
        return "the answer is the question in other words"
    if said <= 2.5 * asked + 60 and restated(question, answer):
        return "the answer has only the question's words"
    if said > 1.4 * asked + 8 or said < 0.7 * asked:
        return "the answer is the text as it was given" if said < asked and _untouched(question, answer) else None
    bare = _NOT_ALPHANUMERIC.sub("", question).lower()
    told = _NOT_ALPHANUMERIC.sub("", answer).lower()
    if _ASKED_TO_KNOW.fullmatch(answer) and not _ABOUT_WORDS.search(question):
        return "the answer only says what was asked"
    if len(told) > max(_ECHO_RATIO * len(bare), len(bare) + 8):
        return None
    same = bare == told or bare == _NOT_ALPHANUMERIC.sub("", _LEAD_IN.sub("", answer)).lower()
    if (
        same
        and (len(bare) > 12 or chinese_characters(bare) >= 4 or size(question) >= 3)
        and not _GREETING.search(question)
    ):
        return "the answer is the question"
    # "Is Paris in France?" "Yes, it is in France": what goes before a statement answers it.
    if bare in told and question[-1:] in "?？" and answer[-1:] in "?？" and size(question) >= _MIN_ECHO / 2:
        return "the answer holds the question and little more"
    asked_back = question[-1:] in "?？" and answer[-1:] in "?？" and size(question) >= _MIN_ECHO / 2
    if asked_back and len(bare) <= _LONGEST_COMPARED:
        alike = SequenceMatcher(None, bare, told, autojunk=False)
        if alike.quick_ratio() >= _ALIKE <= alike.ratio() and not _ABOUT_WORDS.search(
            "\n".join(example.contents("system", "user"))
        ):
            return "the answer is the question in nearly the same words"
    return "the answer is the text as it was given" if _untouched(question, answer) else None


def _only_promised(question: str, answer: str) -> bool:
    about = _core(question)
    return (
        (len(about) > 10 or chinese_characters(about) >= 4)
        and about == _core(answer)
        and not (_GREETING.search(question) or _ABOUT_WORDS.search(question) or re.search('[:：“"「\n]', question))
    )


def _untouched(question: str, answer: str) -> bool:
    """It was to be translated, put in other words, answered or judged."""
    if len(answer) >= len(question) or not question.endswith(answer) or size(answer) < _MIN_ECHO / 2:
        return False
    wanted = question[: -len(answer)]
    if _AS_IT_IS.search(wanted):
        return False
    several = len(re.findall("[.。!！?？]|[，,；;](?=.{4})", answer)) >= 2 and size(answer) >= 2 * _MIN_ECHO
    return bool(
        _CHANGE_WANTED.search(wanted) or _FAULT_WANTED.search(wanted) or (several and _PART_WANTED.search(wanted))
    )


# The course's table of good and bad rows, part 3.2.
ECHO = Check(
    code="echo",
    policy="warn",
    message="the answer repeats the question",
    fix="write the answer, or remove the row: the model would learn to ask back",
    row=stateless(echo),
    sampled=True,
)
