"""How answers speak: hedged, curt, refusing, or repeating the question."""

import re
from difflib import SequenceMatcher

from finetune_core.data.checks.base import Check, Context, RowCheck, locate, stateless
from finetune_core.data.checks.glance import lowered, pairs, telling, watch
from finetune_core.data.checks.prose import prose
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
    r" is)\b)"
)
_UNSURE_CHINESE_WORD = pairs(
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
    r"|\b(?:politely|declin\w+|refus\w+|reject\w*|apolog\w+)\b|[\"“'‘][^\"”]{1,30}[\"”'’] mean|\b(?:do"
    r"|would) you (?:think|feel)\b|opinion"
    "|翻译|翻譯|译成|译为|造句|[写寫][一几两]|写[个首段封句篇条]|续写|改写|仿写|扩写|补全|填空|判断|分类|归类|识别"
    "|语气|情感|近义|反义|怎么说|什么意思"
    "|台词|扮演|拒绝|婉拒|回绝|道歉|提取|概括|总结|润色|[你您](?:觉得|认为|怎么看)",
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
    if text[:1] in _QUOTES:
        return None
    english = not _UNSURE_WORDS.isdisjoint(telling(text))
    ends = lowered(text)
    if len(ends) > _HEAD + _TAIL:
        ends = f"{ends[:_HEAD]}\n{ends[-_TAIL:]}"
    chinese = not text.isascii() and _UNSURE_CHINESE_WORD.search(ends)
    if not english and not chinese:
        return None
    ends = prose(ends)
    if found := (english and _UNSURE.search(ends)) or (chinese and _UNSURE_CHINESE.search(ends)):
        return f"says {found[0].strip()[:40]!r}"
    if (found := _HEDGE_AT_START.match(text)) and len(text) <= 8 * _SHORT and _size(text) <= _SHORT:
        return f"is short and begins with {found[0]!r}"
    return None


# ---- terse

_TERSE = 5
"""Words; 可以退货 is the course's example of what is not complete (part 3.2)."""

_OPEN = re.compile(
    r"\b(?:how (?:do|does|can|could|should|would|to|come|is|are)\b"
    r"(?!(?: (?:you|i|we|one))? (?:say|spell|pronounce|write(?! an? )|translate)\b)"
    r"|why\b|(?:explain|describe|elaborate|discuss|compare|outline)\b|what (?:should|can|do) i do\b"
    r"|(?:tell|show|teach) me (?:about|how|why|more)\b|walk me through\b|help me understand\b"
    r"|give me (?:tips|advice)\b"
    r"|what(?: is|'s) the (?:difference|process|procedure|best way|purpose|principle|idea behind)\b|pros and cons\b"
    r"|(?:write|draft|compose|plan|design|develop|create|prepare|outline|organi[sz]e) (?:me |us )?(?:an?|my|our|the)"
    r" (?:(?!for\b|of\b|to\b|about\b|in\b|on\b)[\w-]+ ){0,3}(?:essay|article|story|report|letter|e-?mail|speech|review"
    r"|trip|itinerary|holiday|proposal|guide|poem|tutorial|blog post|paragraph|lesson|party|curriculum|menu|campaign"
    r"|workout|schedule)\b(?! (?:title|headline|name|subject|address))"
    r"|what can (?:i|we) do\b|any (?:tips|advice|suggestions)\b"
    r"|(?:what|which|list)(?: are| were)?(?: the| some| its| their)?(?: \w+)? (?:steps|symptoms|advantages"
    r"|disadvantages|benefits"
    r"|drawbacks|differences|causes|reasons|effects|consequences|risks|features|requirements|ways|tips)\b"
    r"|how (?:did|will|was|were|might|am)\b(?! (?:old|many|much|long|far))|what happens (?:if|when|after)\b"
    r")"
    r"|如何|怎么(?!说|读|写|念|翻译|拼|称呼|卖)"
    r"|(?<![字词文语”」])怎么写"
    r"|怎樣|怎样|怎麼(?!說|讀|寫|念)|为什么|為什麼"
    r"|为何|為何"
    r"|(?:请|请你)?(?:详细|具体)?(?:解释|说明|介绍|描述|阐述|阐明|分析|比较|对比|评价|论述|概述|解釋|說明"
    r"|介紹)(?:一下)?"
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
        if not curt and not 0 < _size(stripped) <= context.thresholds["terse-output"]:
            return None
        if _LABEL_WANTED.search(question):
            return None
        if curt:
            return f"the answer is {stripped[:20]!r}"
        if stripped.rstrip("?？。.") in question:
            return None  # which is an echo
        if _OPEN.search(question) and not _CONCRETE.search(stripped) and _refusal(answer) is None:
            return f"the answer to an open question is {stripped[:40]!r}"
        return None

    return check


# ---- refusal

_REFUSING_WORDS = watch(
    "cannot can't won't unable able not ai artificial language decline refuse chatbot bot assistant don't ability "
    "against instructed beyond outside inappropriate unethical irresponsible else"
)
_REFUSING_CHINESE = pairs(
    "我无 我無 我不 我没 我沒 我只 我仅 我是 我拒 我做 我帮 作为 作為 身为 身為 抱歉 对不 對不 恐怕 "
    "遗憾 遺憾 恕我 恕不 恕难 恕無 恕无 超出 换个 换一 问我 我回 爱莫 无能"
)
_SELF = (
    r"(?:ai|a\.i\.|artificial intelligence|(?:large )?language model|(?:chat)?bot|virtual assistant|computer program"
    r"|machine"
    r"|(?:digital|automated) assistant)\b"
)
_DEED = (
    r"(?:help(?! \w+ing\b)|assist|provid\w+|fulfill?|comply|answer|generat\w+|creat\w+|engag\w+|give(?! up| in\b)"
    r"|predict|view"
    r"|make (?:(?:\w+ )?(?:recommendations?|predictions?|judg\w+|diagnos\w+|decisions?)|that decision)"
    r"|discuss\w*|respond|shar\w+|offer|do (?:that|this|it|so)|participate|support|complete|satisfy|accommodate"
    r"|access|browse|write (?:that|this"
    r"|such|about|code|content)|translate|solve|process|handle|perform|recommend|advise|diagnos\w+|comment|speculate"
    r"|judge|say (?:that|anything)"
    r"|look up|look that up|see (?:images|pictures|the (?:image|picture|file))|open (?:links|files|the (?:link"
    r"|file))|fix (?:code|that|this)"
    r"|continue with|proceed|express|produce|tell you)\b"
)
_REFUSAL = re.compile(
    r"\b(?=[abcefilmnoprstuvwy])(?:"
    rf"\bas an? (?:\w+ )?{_SELF}[^.!?\n]{{0,90}}?(?:\bnot\b|\bcannot\b|n't\b|\bunable\b|\bno\b|\bnever\b)"
    rf"|\bi(?:'m| am) (?:just|only|merely|simply) an? (?:\w+ )?{_SELF}|\bi won't be able to\b"
    rf"|\bi(?:'m| am) an? (?:\w+ )?{_SELF}[^.!?\n]{{0,40}}?(?:\bnot\b|\bcannot\b|n't\b|\bunable\b)"
    r"|\b(?:sorry|afraid|apologi[sz]e|unfortunately|regret)\b[^.!?\n]{0,25}?\bi(?:'m| am)? ?"
    r"(?:can(?:no|')t|can not|won't|will not|unable to|not able to|not in a position)"
    r"(?! (?:come|go|attend|make|accept|agree|believe|find|see|wait|stay|join)\b)"
    rf"|\bi(?:'m| am)? ?(?:cannot|can't|can not|won't|will not|unable to|not able to|not going to"
    rf"|not (?:programmed|allowed|comfortable|qualified|authori[sz]ed|permitted|designed|trained|equipped"
    rf"|willing)(?: to| with)?) (?:to )?{_DEED}"
    r"|\bi(?:'m| am) not (?:comfortable|qualified|authori[sz]ed|permitted|programmed|equipped|in a position)\b"
    r"|\bi (?:must|have to|need to|will|would|'ll)? ?(?:respectfully |politely )?(?:decline|refuse|refrain)"
    r" (?:to (?:answer|help|assist|respond|do|provide|comment|write|discuss|comply|give|share|engage)|this|that|your"
    r"|from|the request)"
    r"|\bi(?:'m| am) (?:not an?|no) (?:(?!expert)\w+ ){1,3}?(?:(?:and|so)(?: so)?|therefore) (?:i )?(?:cannot|can't"
    r"|can not"
    r"|won't|am not able|am unable)\b"
    r"|\b(?:that|this|it)(?:'s| is) (?:something|a (?:topic|subject|question|task)) (?:that )?i(?:'m| am)? ?"
    r"(?:cannot|can't|won't|unable|not able|not allowed|prefer not|(?:do not|don't) (?:do|discuss|answer))\b"
    r"|\b(?:that|this|it)(?:'s| is) (?:just |simply )?not (?:something|anything|a (?:topic|subject|question|task))"
    r" (?:that )?i(?:'m| am)? ?(?:can|could|able|allowed|comfortable|do)\b"
    r"|\b(?:inappropriate|not appropriate|improper|unethical|irresponsible|not (?:right|proper|my place)|wrong) for me"
    r" to\b"
    r"|\bi (?:don't|do not) have (?:enough|sufficient|the necessary|the required) (?:\w+ )?(?:information|knowledge"
    r"|data"
    r"|context|expertise) to (?:answer|help|respond|provide|give|assist|say|complete)\b"
    r"|\bi (?:don't|do not) (?:provide|offer|discuss|engage in|give) (?:\w+ )?(?:advice|opinions?|politics|information"
    r"|topics|that|such|this)\b|\bi (?:don't|do not) feel comfortable\b|\bi(?:'m| am) (?:only able|still learning)\b"
    r"|\bin good conscience\b"
    r"|\bi(?: have|'ve got) no (?:way (?:of|to)|ability to|means (?:of|to)|access to|capacity to)\b"
    r"|\b(?:let's|let us|can we|shall we|could we|please) (?:talk about|discuss|move on to|ask(?: me)?(?: about)?)"
    r" something else(?:[.!?]|,? (?:please|instead))|\b(?:let's|let us|can we) change the (?:subject|topic)\b"
    r"|^i (?:must|have to) decline|\bi(?:'d| would) (?:rather|prefer) not\b"
    r"|\bi (?:do not|don't|lack) (?:have )?(?:the |any )?(?:ability|capability|capacity|authority|permission|means"
    r"|tools) to\b|\bi lack the\b|\bi(?: have been|'ve been| was|'m| am) instructed not to\b"
    r"|\bi (?:do not|don't) have access to (?:real|live|current|the internet|the web|your|that|this|any|external"
    r"|personal|up-to)"
    r"|\b(?:this|that|your) (?:request|question|topic|prompt)(?: is| falls| goes)? ?(?:violates|against|outside"
    r"|beyond|conflicts)"
    r"|\b(?:against|violates?|by|beyond|outside(?: of)?|exceeds) (?:my|our|the) (?:\w+ (?:of )?)?"
    r"(?:guidelines|policy|policies|programming|principles|capabilities|abilities|expertise|competence|remit|training"
    r"|knowledge cutoff|scope of what i)\b"
    r"|\bmy (?:guidelines|programming|policies|training) (?:do not|don't|does not|doesn't|prevents?|prohibits?"
    r"|forbids?)\b"
    r")"
)
_REFUSAL_CHINESE = re.compile(
    r"[作身][为為](?:一[个個名款种種])?(?:大型?)?(?:ai|人工智能|人工智慧|大?型?[语語]言模型|智能助手|聊天机器人"
    r"|虚拟助手|机器人|程序)"
    r"[^。！？\n]{0,40}?(?:无法|不能|不会|没有|不具备|不可以|不便|無法|不會|沒有|不应|不該|没法|做不到)"
    r"|我(?:只|仅)是(?:一[个個名款])?(?:ai|人工智能|语言模型|聊天机器人|机器人|程序|虚拟助手|智能助手)"
    r"|我是(?:一[个個名款])?(?:ai|人工智能|语言模型|大?语言模型|聊天机器人|机器人|虚拟助手"
    r"|智能助手)[^。！？\n]{0,12}?(?:无法|不能|不会|没有|不具备|没法)"
    r"|(?:抱歉|对不起|不好意思|遗憾|恐怕|對不起|遺憾)[^。！？\n]{0,8}?我(?:暂时|目前|还|也|真的|实在|确实)?"
    r"(?:无法|不能|没办法|没有办法|没法|不会|不便|無法|沒辦法|不會|不可以|做不到|帮不[了上]|办不到|不方便|打不开"
    r"|看不[到了]|读不[了懂]|[做写算画]不了|没有权限"
    r"|没有能力)"
    r"(?!同意|认同|赞同|参加|來|来|去)"
    r"|(?:抱歉|对不起|不好意思|遗憾|對不起|遺憾)[^。！？\n]{0,12}?(?:无法|不能|不便|没法"
    r"|無法)(?:[为給给向帮為]?[您你])?"
    r"(?:回答|解答|满足(?:您|你|该|这|此)|协助|处理(?:您的|该|这个|此)请求|生成|创作|继续(?:这|该))"
    r"|我(?:暂时|目前|还|也|真的|实在|确实|并)?(?:无法|不能|没办法|没法|不便|不会|不太方便|無法|沒辦法|拒绝|不愿|不想"
    r"|无权|不可以"
    r"|不方便)(?:[为給给向帮為就对][^，。]{0,6}?)?"
    r"(?:提供|回答|解答|协助|满足|生成|参与|讨论|完成(?:这|该|此|您|你|[，。]|$)|执行|透露|回應|回应|協助|滿足|參與"
    r"|討論|创作|评论|评价"
    r"|修改代码|编写|撰写|翻译|访问|查看|浏览|预测|判断|推荐|计算|代替[您你]|替[您你]|解析|识别|帮助|帮[您你]|给出"
    r"|发表|谈论|诊断|处理(?:这|该|此|您|你))"
    r"|我没有?(?:[^，。！？]{0,10}的)?(?:资格|权限|能力|权利)(?:[^，。]{0,6}?(?:判断|回答|评价|查询|提供|[，。！]|$))"
    r"|我(?:并)?不是(?:专业的?)?[^，。！？\n]{2,6}[，,][^。！？\n]{0,6}?(?:不能|无法|不便|没法|不可以|不会"
    r"|没办法)[给为对向]?[^，。]{0,4}?"
    r"(?:提供|给出|建议|回答|判断|评价|诊断|解答|开)"
    r"|我(?:还|暂时|目前)*(?:没有?|不)(?:学会|学过|学到|掌握)|问我(?:一)?[点些个]?(?:别的|其他|其它)|(?:请|可以)问我"
    r"|(?:^|[，,。！？]|这个?|问题|请求|对此)我(?:还|也|实在|真的|确实|暂时)?(?:爱莫能助|无能为力|(?:回答|解答|处理"
    r"|解决|完成|满足)不了)"
    r"|暂(?:时)?不支持(?:该|这|此|您)|(?:该|这个|此)(?:问题|请求)(?:我)?(?:暂时)?(?:无法|不能|没法)(?:回答|解答|处理"
    r"|接受|满足)"
    r"|不符合[^。，]{0,12}?(?:规范|政策|准则|原则|规定)[，,][^。]{0,6}?(?:不能|无法|不便|拒绝|恕)|我不具备|我没资格"
    r"|(?:^|[，,。！？])我(?:做不到|帮不[了上]|办不到)"
    r"|我(?:无法|不能)继续[。，！]|我还没学会"
    r"|恕(?:我)?(?:不能|无法|难|不)(?:从命|回答|奉告|协助|提供|满足)|无可奉告|我拒绝(?:回答|提供|执行|协助|这|该)"
    r"|拒绝回答(?:这|该|此)"
    r"|违反[^。]{0,12}?(?:规范|政策|准则|原则|规定|要求)[，,][^。]{0,6}?(?:不能|无法|不便|拒绝|恕)"
    r"|超出了?我的[^，。]{0,4}?(?:能力|知识|职责|权限|范围)|(?:请|我们|咱们)?换(?:一个|个)(?:问题|话题)(?:吧|[。！]|$)"
)
_I = re.compile(r"\b(?:i|i'[a-z]+|my|me|request|as an?)\b")
_ANSWER_MAY_REFUSE = re.compile(
    r"sentence|\b(?:line|lyrics?|quote|say|politely|declin\w+|refus\w+|reject\w*|apolog\w+)\b"
    "|造句|怎么说|拒绝|婉拒|回绝|道歉|台词|扮演|判断|分类|写一?句",
    re.IGNORECASE,
)
_TRANSLATE = re.compile("translat|翻译|翻譯|译成|译为", re.IGNORECASE)
_DENIES = re.compile(
    r"n't\b|\b(?:not?|never|cannot|unable|sorry|afraid|ne|pas|nicht|keine?|non|não|niet|nie|inte)\b"
    "|不[能会可行便愿想要允应必同]|[做办帮受接]不|[没沒歉拒恕]|[无無]法"
    "|恐怕|对不起|對不起|ない|ません|ぬ|않|못|없|안 |\bн[еи]\b|нет",
    re.IGNORECASE,
)
"""In what is to be translated; where it denies nothing, the refusal is the answer's own."""
_OWN_REFUSAL = re.compile(r"\b(?:ai|model|bot|chatbot|request|content|translat\w+)\b|模型|人工|机器人|内容|请求|翻译")
"""What an assistant declines with, where the answer might be a refusal in somebody else's name."""


def refusal(example: Example) -> str | None:
    """An answer that declines as an assistant does: "As an AI language model I cannot", 作为一个AI，我无法."""
    found = locate(example, _refusal, "assistant")
    if found is None or _OWN_REFUSAL.search(found):
        return found
    told = "\n".join(example.contents("user"))
    return None if _ANSWER_MAY_REFUSE.search(told) or (_TRANSLATE.search(told) and _DENIES.search(told)) else found


def _refusal(text: str) -> str | None:
    head = lowered(text)[: 2 * _HEAD]
    declining = not _REFUSING_WORDS.isdisjoint(telling(text)) and _I.search(head)
    if text[:1] in _QUOTES or not (declining or (not head.isascii() and _REFUSING_CHINESE.search(head))):
        return None
    for pattern in (_REFUSAL,) if head.isascii() else (_REFUSAL, _REFUSAL_CHINESE):
        if pattern.search(head) and (found := pattern.search(prose(head))):
            return f"says {found[0][:40]!r}"
    return None


# ---- echo

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
    "|翻译|翻譯|译成|译为|改写|概括|总结|缩写|扩写|简化|精简|提炼|解释|改得|改成(?!繁|简)|换[个种]说法|转述",
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
        and (len(bare) > 12 or len(_CJK.findall(bare)) >= 4 or _size(question) >= 3)
        and not _GREETING.search(question)
    ):
        return "the answer is the question"
    # "Is Paris in France?" "Yes, it is in France": what goes before a statement answers it.
    if bare in told and question[-1:] in "?？" and answer[-1:] in "?？" and _size(question) >= _MIN_ECHO / 2:
        return "the answer holds the question and little more"
    asked_back = question[-1:] in "?？" and answer[-1:] in "?？" and _size(question) >= _MIN_ECHO / 2
    if asked_back and len(bare) <= _LONGEST_COMPARED:
        alike = SequenceMatcher(None, bare, told, autojunk=False)
        if alike.quick_ratio() >= _ALIKE <= alike.ratio() and not _ABOUT_WORDS.search(
            "\n".join(example.contents("system", "user"))
        ):
            return "the answer is the question in nearly the same words"
    return "the answer is the text as it was given" if _untouched(question, answer) else None


def _untouched(question: str, answer: str) -> bool:
    """It was to be translated or put in other words."""
    return (
        len(answer) < len(question)
        and question.endswith(answer)
        and _size(answer) >= _MIN_ECHO / 2
        and _CHANGE_WANTED.search(question[: -len(answer)]) is not None
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
