"""Answers that decline."""

import re

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import lowered, pairs, telling, watch
from finetune_core.data.checks.prose import HEAD, QUOTES, prose
from finetune_core.data.example import Example

_REFUSING_WORDS = watch(
    "cannot can't won't unable able not ai artificial language decline refuse chatbot bot assistant don't ability "
    "against instructed beyond outside inappropriate unethical irresponsible else appropriate possible only nothing "
    "comment lack pass qualified trained designed told neither regrettably apologies apologize above opinions isn't "
    "wasn't doesn't refuse unanswered supported"
)
_REFUSING_CHINESE = pairs(
    "我无 我無 我不 我没 我沒 我只 我仅 我是 我拒 我做 我帮 作为 作為 身为 身為 抱歉 对不 對不 恐怕 "
    "遗憾 遺憾 恕我 恕不 恕难 恕無 恕无 超出 换个 换一 问我 我回 爱莫 无能 我暂 我目 我还 我尚 我并 我也 我真 我实 "
    "我恐 我被 我完 我答 "
    "我的 不在 暂不 不便 不予 本助 本机 本系 小助 另请"
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
    r" something else(?:[.!?]|,? (?:please|instead)|$)|\b(?:let's|let us|can we) change the (?:subject|topic)\b"
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
    r"|\b(?:outside|beyond|above)(?: of)? (?:what|anything|the things?)(?: that)? i\b"
    r"|\babove my (?:pay ?grade|station)\b"
    r"|\bnot (?:be )?(?:appropriate|proper|right|ethical|possible|wise|safe|responsible) for me to\b"
    r"|\b(?:not|n't) (?:really )?my (?:place|role|job|business) to\b"
    r"|\bi (?:don't|do not) have (?:any |my own |the )?(?:personal )?(?:opinions?|feelings?|beliefs?|emotions?"
    r"|preferences?"
    r"|consciousness|expertise|clearance)\b|\bi lack (?:any|enough|sufficient)\b"
    r"|\bi(?: can|'m| am)? only (?:able to |allowed to |here to |meant to )?"
    r"(?:answer|help|assist|handle|discuss|respond|support|deal|talk)\b"
    r"|\bi (?:was not|wasn't|am not|have not been|haven't been) (?:designed|trained|built|made|meant|programmed|set up"
    r"|configured|intended) (?:to|for|on)\b"
    r"|\bi(?: was| am|'ve been| have been) (?:designed|trained|told|asked|instructed|programmed|set up|configured)"
    r" (?:(?:not|only) to|to (?:avoid|refuse|decline)) (?:answer|discuss|talk|shar|giv|provid|reveal|comment|help"
    r"|assist"
    r"|speak|mention|disclos|handl|respond)"
    r"|\bi(?:'ll| will| must| have to| need to|'m going to)(?: have to)? (?:pass on (?:this|that|it)|refuse"
    r"|stop here|skip this"
    r"|leave (?:that|this|it|your)(?: question)? (?:unanswered|there))\b"
    r"|\bi (?:don't|do not) (?:\w+ly )?(?:support|handle|speak about|talk about|comment on|answer|do) (?:\w+ ){0,2}"
    r"(?:questions?|requests?|topics?|matters?|generation|subjects?|things like|advice)\b"
    r"|\bi (?:don't|do not) feel (?:qualified|able|entitled|right)\b|\bmy (?:purpose|role|job|function) is (?:only "
    r"|limited )?to\b"
    r"[^.!?\n]{0,60}\b(?:can't|cannot|can not|not able)\b"
    r"|\b(?:feature|function|capability|request|action|language)(?: is|'s)? (?:not|n't) (?:yet )?(?:supported"
    r"|available to me"
    r"|something i)\b|\bneither confirm nor deny\b|\bno can do\b|^no comment\b"
    r"|\bthere(?:'s| is) nothing (?:that )?i can (?:say|tell|do|add|offer)\b|\bnot a (?:matter|topic|subject"
    r"|question) (?:on|about)"
    r" which i\b|\bi(?:'m| am) unable to (?!come|attend|make it|sleep|walk|find|wait)"
    r"|\bmy (?:guidelines|programming|policies|training) (?:do not|don't|does not|doesn't|prevents?|prohibits?"
    r"|forbids?)\b"
    r")"
)
_WE = "(?:我|本助手|本机器人|本系统|小助手)"
_YET = "(?:暂时|目前|现在|暂|还|也|真的?|实在|确实|并|尚|恐怕)*"
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
    rf"|{_WE}{_YET}(?:(?:不|未|没有?|无法)(?:提供|具备|开通|开放|接入|受理|涉及|擅长|讨论|被允许|做(?:翻译|评价"
    rf"|预测|判断|推荐))"
    r"|不适合(?:回答|评价|讨论|处理|谈)|(?:不|没有)支持[^，。]{0,8}(?:功能|服务|业务|操作|请求|语音|图片|翻译))"
    rf"|(?:抱歉|对不起|不好意思|遗憾)[^。！？\n]{{0,8}}?{_YET}(?:不做|不提供|不支持|不讨论|不处理|不受理|不回答)"
    r"|不在我的?[^，。]{0,6}(?:范围|权限|职责|能力)"
    rf"|{_WE}{_YET}(?:只|仅)(?:能|会|可以|负责|支持)(?:回答|解答|处理|提供|协助|帮|讨论|受理)[^，。]{{0,16}}(?:问题"
    rf"|内容|咨询"
    r"|服务|业务|事项|话题)"
    r"|我没有(?:任何)?(?:情感|感情|情绪|意识|个人(?:观点|看法|情感|意见|喜好)|主观|身体|实体|味觉|喜好|偏好)"
    rf"|(?:这|该|此)[^，。！？\n]{{0,6}}我{_YET}(?:答|回答|完成|处理|解决|做|办|翻译|写|画)不(?:了|上来|到|出来)"
    rf"|(?:这|那)[^，。！？\n]{{0,4}}我{_YET}不(?:会|懂|了解|擅长|熟悉)(?=[。！，]|$)"
    r"|我不会[^，。]{1,6}，(?:抱歉|对不起|不好意思)"
    rf"|{_WE}(?:已?被)?(?:设定|设计|训练|要求|限制|规定)(?:为|成)?(?:不|只|仅)"
    r"|我的(?:知识|能力|知识库|权限|训练数据|资料)[^，。]{0,3}(?:有限|没有|不包含|不包括|未收录|不足|不够)"
    r"|(?:此|这|该)(?:类|个|项|种)?(?:问题|内容|请求|话题|信息|要求)[^，。]{0,6}[，]?(?:恕|我)*(?:不便|不宜|无法"
    r"|不能|不予|难以)"
    r"(?:[为向给][^，。]{0,3})?(?:答复|回答|作答|解答|回复|评论|透露|提供|生成|讨论|受理)"
    r"|这类[^，。]{0,4}(?:内容|文章|请求)我(?:不会|无法|不能|不)"
    rf"|恕(?:我{_YET}(?:不|无法|难)|(?:不能|无法|难以)(?!退|换))|另请高明"
    rf"|我{_YET}(?:没有?|未)(?:学习|接触|掌握|了解)过?[^，。]{{0,8}}，?[^，。]{{0,4}}(?:回答|解答|作答)不了"
    rf"|小助手{_YET}不会"
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
    found = locate(example, declines, "assistant")
    if found is None or _OWN_REFUSAL.search(found):
        return found
    told = "\n".join(example.contents("user"))
    return None if _ANSWER_MAY_REFUSE.search(told) or (_TRANSLATE.search(told) and _DENIES.search(told)) else found


def declines(text: str) -> str | None:
    """What the text declines with, if it does."""
    head = lowered(text)[: 2 * HEAD]
    declining = not _REFUSING_WORDS.isdisjoint(telling(text)) and _I.search(head)
    if text[:1] in QUOTES or not (declining or (not head.isascii() and _REFUSING_CHINESE.search(head))):
        return None
    for pattern in (_REFUSAL,) if head.isascii() else (_REFUSAL, _REFUSAL_CHINESE):
        if pattern.search(head) and (found := pattern.search(prose(head))):
            return f"says {found[0][:40]!r}"
    return None


# The course's table of good and bad rows, part 3.2.
REFUSAL = Check(
    code="refusal",
    policy="warn",
    message="the answer is a refusal",
    fix="answer the question, or remove the row, unless the model shall refuse such questions",
    row=stateless(refusal),
)
