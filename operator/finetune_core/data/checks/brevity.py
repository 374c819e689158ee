"""Answers that are too short."""

import re

from finetune_core.data.checks.base import Check, Context, RowCheck
from finetune_core.data.checks.prose import size
from finetune_core.data.checks.refusals import declines
from finetune_core.data.example import Example

_TERSE = 5
"""Words; 可以退货 is the course's example of what is not complete (part 3.2)."""

_OPEN = re.compile(
    r"\b(?:how (?:do|does|can|could|should|would|to|come|is|are)\b"
    r"(?![^?]{0,40} (?:spelled|spelt|pronounced|called|written|abbreviated))"
    r"(?!(?: (?:you|i|we|one))? (?:say|spell|pronounce|write(?! an? )|translate)\b)"
    r"|why\b|(?:explain|describe|elaborate|discuss|compare|outline)\b|what (?:should|can|do) i do\b"
    r"|(?:tell|show|teach) me (?:about|how|why|more)\b|walk me through\b|help me understand\b"
    r"|give me (?:tips|advice)\b"
    r"|what(?: is|'s) the (?:difference|process|procedure|best way|purpose|principle|idea behind)\b|pros and cons\b"
    r"|(?:write|draft|compose|plan|design|develop|create|prepare|outline|organi[sz]e) (?:me |us )?(?:an?|my|our|the)"
    r" (?:(?!for\b|of\b|to\b|about\b|in\b|on\b)[\w-]+ ){0,3}(?:essay|article|story|report|letter|e-?mail|speech|review"
    r"|trip|itinerary|holiday|proposal|guide|poem|tutorial|blog post|paragraph|lesson|party|curriculum|menu|campaign"
    r"|workout|schedule)\b(?! (?:title|headline|name|subject|address))"
    r"|what (?:else |all )?(?:should|must|do|shall|would|can) (?:i|we|you|one|people|he|she|they|an? \w+|the \w+)"
    r" (?:\w+ ){0,2}?(?:think|consider|know|watch|check|look|avoid|keep|pay attention|expect|prepare|bear|do"
    r"|take into)\b"
    r"|what(?: all)? (?:goes|is involved|has to be done|needs to be done|matters|counts)\b|in what ways?\b|(?:what"
    r"|which) factors\b"
    r"|what makes an? (?:\w+ )?(?:good|great|strong|healthy|successful)|what (?:led|leads) to\b|where (?:do|should"
    r"|can) i (?:begin|start)"
    r"|what now\b|teach me\b|(?:give|provide|write)(?: me| us)?(?: an?| some| the)? (?:\w+ )?(?:overview"
    r"|instructions|introduction"
    r"|guide|explanation|examples)\b|(?:suggest|recommend|propose)(?: me)? an? (?:\w+ ){0,2}(?:plan|routine"
    r"|itinerary|schedule|menu"
    r"|strategy)\b|summari[sz]e the\b"
    r"|what can (?:i|we) do\b|any (?:tips|advice|suggestions)\b"
    r"|(?:what|which|list)(?: are| were)?(?: the| some| its| their)?(?: \w+)? (?:steps|symptoms|advantages"
    r"|disadvantages|benefits"
    r"|drawbacks|differences|causes|reasons|effects|consequences|risks|features|requirements|ways|tips)\b"
    r"|how (?:did|will|was|were|might|am)\b(?! (?:old|many|much|long|far))|what happens (?:if|when|after|during|in"
    r"|to)\b"
    r")"
    r"|如何|怎么(?!说|读|写|念|翻译|拼|称呼|卖)"
    r"|(?<![字词文语”」])怎么写"
    r"|怎樣|怎样|怎麼(?!說|讀|寫|念)|为什么|為什麼"
    r"|为何|為何"
    r"|(?:请|请你)?(?:详细|具体)?(?:解释|说明|介绍|描述|阐述|阐明|分析|比较|对比|评价|论述|概述|解釋|說明"
    r"|介紹)(?:一下)?"
    "|(?:要|该|应当|需要?|得|必须)(?:考虑|注意|留意|留心|准备|检查|避免|做|看|了解)(?:些)?(?:什么|哪些)"
    "|从哪(?:里|儿)?(?:开始|入手|学起)|技巧|要点|背景是"
    "|咋(?!说|读|写|念)|原理|优缺点|优势|优点|缺点|利弊|好处|坏处|区别|差别|不同之处|步骤|流程|症状|起因|注意(?:什么"
    "|哪些|事项)|何以"
    "|(?:有什么|有哪些|什么)(?:办法|方法|原因|影响|作用|建议|意义|特点)|(?:讲讲|讲一下|谈谈|聊聊|说说|讲解|列举|教我"
    "|告诉我(?:怎|如何))|应?该做(?:些)?(?:什么|哪些)"
    "|写(?:一|1)?[篇封份](?![^，。]{0,16}(?:标题|题目|名字))|(?:安排|规划|制定|设计|策划|计划|拟定?"
    "|做)[^，。？]{0,12}(?:行程|计划|方案|活动"
    "|旅行|旅游|日程|食谱|教案|攻略)|[些几点条个]建议|(?:哪些|什么)准备",
    re.IGNORECASE,
)
_CONCRETE = re.compile(r"[0-9`=/\\{}()<>\[\]$_|+*^#@:：“”\"「」《》]|(?<!\w)-\w")
"""A number, a command, a name in quotes: short, and yet an answer."""

_CURT = re.compile(
    r"(?:yes|no|yep|yeah|nope|nah|ok|okay|sure|maybe|correct|right|of course|you can(?:not|'t)?|yes,? you can"
    r"|no,? you can(?:no|')t"
    r"|(?:it )?(?:all )?depends|not really|it varies|whatever|(?:just )?google it|ask (?:support|someone)|same as above"
    r"|看情况|不一定|都行|随便|随你|无所谓|还行|看着办|自己看|自己查|百度一下|不好说|差不多"
    r"|i don'?t know|idk|no idea|n/?a|tbd|todo|see above|done"
    r"|可以|可以的|不可以|不行|行|行的|能|能的|不能|是|是的|不是|对|对的|对啊|好|好的|好吧|嗯|嗯嗯|有|有的|没有|没"
    r"|会|会的|不会"
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
    r"|翻译|翻譯|判断|分类|情感|标签|以下|下面|下列|上述|选择|选项|属于|只(?:需|要|用|能)?回答|回答[“\"]?是|是或否"
    r"|是/否|真假|对错|蕴含|句子|判斷|分類|選擇",
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
        stripped = answer.strip().replace("’", "'")
        question = example.contents("user")[-1]
        curt = _CURT.fullmatch(stripped) or (len(stripped) <= _CURT_CHINESE and question.rstrip("？? ").endswith("吗"))
        if not curt and not 0 < size(stripped) <= context.thresholds["terse-output"]:
            return None
        if _LABEL_WANTED.search(question):
            return None
        if curt:
            return f"the answer is {stripped[:20]!r}"
        if stripped.rstrip("?？。.") in question:
            return None  # which is an echo
        if _OPEN.search(question) and not _CONCRETE.search(stripped) and declines(answer) is None:
            return f"the answer to an open question is {stripped[:40]!r}"
        return None

    return check


# The course's table of good and bad rows, part 3.2.
TERSE_OUTPUT = Check(
    code="terse-output",
    policy="warn",
    threshold=_TERSE,
    measure="words of an answer to an open question, up to",
    message="the answer is curt",
    fix="add the steps, conditions or an example; for labels, set dataset.task to classification (--task)",
    row=terse_output,
    sampled=True,
)
