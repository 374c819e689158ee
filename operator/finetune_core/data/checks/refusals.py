"""Answers that decline."""

import re

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import Signs, lowered, telling, watch
from finetune_core.data.checks.prose import HEAD, QUOTES, prose
from finetune_core.data.example import Example

_REFUSING_WORDS = watch(
    "cannot can't won't unable able not ai artificial language decline refuse chatbot bot assistant don't ability "
    "against instructed beyond outside inappropriate unethical irresponsible else appropriate possible only nothing "
    "comment lack pass qualified trained designed told neither regrettably apologies apologize above opinions isn't "
    "wasn't doesn't unanswered supported contrary conflicts conflict violates violate prevents prohibits forbids "
    "forbidden prohibited barred denied blocked rejected sensitive neutral cutoff instead "
    "incapable haven't hasn't didn't without further additional "
    "clashes prevent prohibit forbid stops keeps wouldn't shouldn't must"
)
_REFUSING_CHINESE = Signs(
    "我无 我無 我不 我没 我沒 我只 我仅 我是 我拒 我做 我帮 作为 作為 身为 身為 抱歉 对不 對不 恐怕 "
    "遗憾 遺憾 恕我 恕不 恕难 恕無 恕无 超出 换个 换一 问我 我回 爱莫 无能 我暂 我目 我还 我尚 我并 我也 我真 我实 "
    "我恐 我被 我完 我答 "
    "我的 不在 暂不 不便 不予 本助 本机 本系 小助 另请 无法 無法 没法 难以 信息不 资料不 不支持"
)
_RARE = re.compile("[拒悖敏侵违符予劳涉立]")
_REFUSING_TOO = (
    "拒绝", "敏感", "涉及", "侵犯", "违背", "违反", "违规", "不符", "不予", "代劳", "有悖", "相悖", "中立",
)  # fmt: skip
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
    r"|\bas an? (?:[\w-]+ ){0,3}?(?:model|assistant|program|system|tool|service|bot|agent|ai),? i(?:'m"
    r"| am)? ?(?:do not|don't|"
    r"cannot|can't|can not|am not|not|unable|incapable|lack|have no)\b"
    r"|\bi(?:'m| am) (?:not capable of|incapable of|not yet able to|not in a position to|not set up to|not built to"
    r"|not made"
    r" (?:to|for)) (?!hurting|lying|being)"
    r"|\bi(?:'m| am)?(?: can| am able to)? ?only (?:able to )?(?:communicate|speak|converse|chat|write|reply|respond"
    r"|understand"
    r"|process|read|work|see|support|know)s? (?:in |with |and \w+ (?:in )?)?(?:plain )?(?:english|chinese|french"
    r"|german|spanish"
    r"|mandarin|japanese|text|written|words|languages?)\b"
    r"|\b(?:you|your (?:question|request|message|prompt|input)) (?:have not|haven't|has not|hasn't|did not|didn't"
    r"|does not"
    r"|doesn't) (?:provided?|given?|contain|included?|specif\w+|supplied|supply|offer) (?:me )?(?:with )?(?:enough"
    r"|sufficient"
    r"|adequate|the necessary|the required) (?:information|details?|context|data)\b"
    r"|\b(?:without|need) (?:more|further|additional) (?:information|details?|context|data),? (?:i(?: am"
    r"|'m)? ?(?:cannot|can't"
    r"|unable)|(?:before|to be able|in order) (?:i can|to) (?:answer|help|respond|reply))\b"
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
    r"|\b(?:against|conflicts?(?:ing)? with|contrary to|violat(?:e|es|ing)|(?:inconsistent|incompatible) with"
    r"|not in line with"
    r"|clash(?:es)? with) (?:\w+ ){0,3}?(?:my (?:\w+ ){0,2}?(?:rules|instructions|purpose|standards|training"
    r"|nature|design"
    r"|polic(?:y|ies))|(?:my|our) (?:\w+ ){0,2}?(?:values|guidelines|principles|programming|ethics|code of conduct))\b"
    r"|\bi(?:'m| am)? ?(?:will|would|must|have to|need to|going to have to|'ll have to"
    r"|forced to) (?:\w+ )?(?:decline|refuse|refrain"
    r"|abstain)\b"
    r"|\bi(?: was| am|'ve been| have been|'m) (?:told|asked|instructed|programmed|designed|advised|trained|made)"
    r" to (?:stay|steer|keep|refrain|avoid|decline|refuse)\b"
    r"|(?:\bnot|n't) be (?:right|fair|appropriate|proper|wise|ethical|suitable|safe|responsible) (?:for|of) me\b"
    r"|\b(?:prevents?|prohibits?|forbids?|keeps?|stops?|bars?|restricts?|prohibited|prevented|barred"
    r"|restricted) me from\b"
    r"|\bi(?:'m| am) (?:forbidden|prohibited|barred|prevented|restricted|banned|disallowed|discouraged) (?:from|to)\b"
    r"|\bi(?:'ll| will) not be (?:able to|providing|answering|writing|translating|helping|discussing|doing"
    r"|creating|sharing"
    r"|generating|giving|offering|summari[sz]ing|completing)\b"
    r"|(?:^|[.!] |\bbut |unfortunately,? )(?:your|this|that|the) (?:request|prompt|question|task|content|topic"
    r"|query) (?:cannot|can't|can not|could not|couldn't"
    r"|will not|won't|may not) be (?:\w+ )?(?:processed|fulfilled|completed|answered|granted|handled|translated"
    r"|generated"
    r"|addressed|served|accepted|honou?red|executed|carried out|met)\b(?! (?:without|until|unless|if|before|by"
    r"|while|when|because|as)\b)"
    r"|(?:^|[.!] )(?:your |this )?(?:request|prompt|query) (?:has been |was |is )?(?:denied|blocked|rejected"
    r"|refused|declined)\b"
    r"|\btoo (?:sensitive|personal|controversial|dangerous|political|delicate|private|risky) (?:a (?:topic|subject"
    r"|question) )?"
    r"for me\b"
    r"|\bi (?:must|have to|need to|will|would|'ll|'d|choose|prefer|am choosing|try)(?: to)? (?:say no"
    r"|not (?:answer|discuss"
    r"|take sides|comment|say)|(?:stay|remain|be) neutral|abstain|steer clear|avoid (?:this|that|such|these|the)"
    r" (?:topic|subject|question)s?)\b"
    r"|\bi (?:do not|don't) take sides\b|\b(?:i|my) (?:knowledge|training|training data) (?:cut-?off|ends|only goes)\b"
    r"|\bi (?:do not|don't|cannot|can't) (?:have|access|get|retrieve|see|fetch) (?:any )?(?:real-?time|live"
    r"|up-to-date|current)"
    r"|\b(?:someone|somebody|a \w+|an \w+|another \w+) (?:else )?(?:\w+ly )?(?:instead of|rather than) me\b"
    r"|\bmy (?:guidelines|programming|policies|training) (?:do not|don't|does not|doesn't|prevents?|prohibits?"
    r"|forbids?)\b"
    r")"
)
_WE = "(?:我|本助手|本机器人|本系统|小助手)"
_YET = "(?:暂时|目前|现在|暂|还|也|真的?|实在|确实|并|尚|恐怕)*"
_TASK = "(?:翻译|概括|总结|回答|作答|解答|生成|创作|撰写|编写|续写|改写|评论|讨论|置评)"
_REFUSAL_CHINESE = re.compile(
    r"[作身][为為](?:一[个個名款种種])?(?:大型?)?(?:ai|人工智能|人工智慧|大?型?[语語]言模型|智能助手|聊天机器人"
    r"|虚拟助手|机器人|程序)"
    r"[^。！？\n]{0,40}?(?:无法|不能|不会|没有|不具备|不可以|不便|無法|不會|沒有|不应|不該|没法|做不到)"
    r"|我(?:只|仅)是(?:一[个個名款])?(?:ai|人工智能|语言模型|聊天机器人|机器人|程序|虚拟助手|智能助手)"
    r"|我(?:目前|现在|暂时)*(?:只|仅)(?:能|会|可以|支持|懂|擅长)*(?:用|使用|以|说|讲|看懂|识别|理解|处理|接收)?(?:中文|英文|英语|汉语|普通话"
    r"|文字|文本|一种语言)(?=[，。！]|交流|沟通|回答|回复|作答|对话|内容|信息|输入|形式)"
    r"|(?:信息|细节|内容|资料|条件|描述)(?:不足|不够|有限|太少|不全|不完整)?[^。！？\n]{0,6}[，,](?:因此|所以|故)?我?(?:暂时|目前|还)?(?:无法|不能|没法|难以)"
    r"(?:为[您你])?(?:作答|回答|解答|答复|给出|判断|提供|完成)(?=[，。！]|您|你|答案|准确|建议|$)"
    r"|我是(?:一[个個名款])?(?:ai|人工智能|语言模型|大?语言模型|聊天机器人|机器人|虚拟助手"
    r"|智能助手)[^。！？\n]{0,12}?(?:无法|不能|不会|没有|不具备|没法)"
    r"|(?:抱歉|对不起|不好意思|遗憾|恐怕|對不起|遺憾)[^。！？\n]{0,8}?我(?:暂时|目前|还|也|真的|实在|确实)?"
    r"(?:无法|不能|没办法|没有办法|没法|不会|不便|無法|沒辦法|不會|不可以|做不到|帮不[了上]|办不到|不方便|打不开"
    r"|看不[到了]|读不[了懂]|[做写算画]不了|没有权限"
    r"|没有能力)"
    r"(?!同意|认同|赞同|参加|來|来|去)"
    r"|(?:抱歉|对不起|不好意思|遗憾|對不起|遺憾)[^。！？\n]{0,12}?(?:无法|不能|不便|没法"
    r"|無法)(?:[为給给向帮為]?[您你])?"
    r"(?:作答|答复|回复|完成(?:翻译|任务|这|该|此|您|你|创作|写作|编写|[，。！]|$)|提供(?:这|该|此|相关|答案|您|你|帮助|翻译|代码|建议|信息)|执行|翻译|编写|撰写"
    r"|写(?:诗|代码|文|作|出|这)|回答|解答|满足(?:您|你|该|这|此)|协助|处理(?:您的|该|这个|此)请求|生成|创作|继续(?:这|该))"
    r"|我(?:暂时|目前|还|也|真的|实在|确实|并)?(?:无法|不能|没办法|没法|不便|不会|不太方便|無法|沒辦法|拒绝|不愿|不想"
    r"|无权|不可以"
    r"|不方便)(?:[为給给向帮為就对][^，。]{0,6}?)?"
    r"(?:提供|回答|解答|作答|应答|答复|胜任|给[您你]答案|协助|满足|生成|参与|讨论|完成(?:这|该|此|您|你|[，。]|$)|执行|透露|回應|回应|協助|滿足|參與"
    r"|討論|创作|评论|评价"
    r"|修改代码|编写|撰写|翻译|访问|查看|浏览|预测|判断|推荐|计算|代替[您你]|替[您你]|解析|识别|帮助|帮[您你]|给出"
    r"|发表|谈论|诊断|处理(?:这|该|此|您|你))"
    rf"|(?:{_WE}|本人){_YET}(?:必须|只能|不得不|只好|会|要|选择|有权)?(?:拒绝|谢绝|婉拒|回绝)(?:{_TASK}|[，。！]|$)"
    rf"|(?:^|[，,。！？；])(?:因此|所以|故|对此|现)?(?:恕)?(?:不予|不便|不宜|恕不|暂不|拒绝)(?:为[您你]|对此"
    rf"|进行)*{_TASK}"
    r"(?=[。，！]|$|此|该|这|相关)"
    r"|(?:涉及|敏感|含有|违反|违规|不当|不文明|侵犯|冒犯)[^。！？]{0,20}[，,](?:因此|所以)?恕?(?:无法|不能|难以"
    r"|不予|不便|拒绝)(?:为[您你]|对此|进行)*"
    rf"{_TASK}"
    r"|我(?:并|也|还)?(?:没有|未|不能|无法)(?:连接?|接入|访问|获取|查询)?(?:到)?(?:联网|上网|互联网|网络|实时)"
    r"|(?:所以|因此|我|^)(?:也|就|暂时|目前)*(?:没法|无法|不能|没办法)(?:直接)?(?:告诉|回答|答复|提供给|帮到?)[您你]"
    r"|(?:有悖|违背|不符合|违反|有违|不符)(?:于)?[^，。]{0,3}我[^，。]{0,12}(?:原则|准则|价值观?|规范|初衷|定位"
    r"|设定|守则|要求)"
    r"|我(?![国们校市省方司院军家])[^。！？]{0,30}?不具备[^，。]{0,12}(?:能力|资格|功能|权限|条件)"
    r"|我是(?:由|一[个款名])?[^，。]{0,14}(?:助手|模型|机器人|程序)[^。！？\n]{0,40}?(?:无法|不能|不会|没有|不具备"
    r"|没法|不便)"
    r"|我(?:选择|会|要|应当?|只能|必须)?(?:保持中立|不站队|不予置评|不发表(?:意见|看法|评论))"
    r"|(?:您|你|该|此|这[个条项])的?(?:请求|提问|指令|内容)(?:已?被|遭到?)(?:拒绝|拦截|屏蔽)|(?:无法|不能"
    r"|未能)(?:处理|完成|执行|响应)(?:您|你|该|此|这)[的个项条]?"
    r"(?:请求|指令|要求|任务)"
    r"|我的(?:训练)?(?:数据|知识)(?:截止|只到|停留)"
    r"|换(?:一?[个点些])?(?:别的|其他|其它)?(?:话题|问题|主题)(?:聊聊|谈谈|试试|来聊|来问|问问)|(?:聊|谈"
    r"|说)[点些]别的(?:吧|[。！]|$)"
    rf"|(?:我|本人)(?:必须|只能|会|要|选择)?(?:拒绝|不愿意?|不想)(?:再|继续|为[您你]|给[您你])*(?:描述|提供|帮助"
    rf"|帮[您你]|讲|写|处理|推荐|编|给出|谈论"
    r"|参与|扮演|计算|介绍|列出)"
    r"|我(?:也|还|并|真的|实在|暂时|确实)*(?:不能|无法|不便|不会|不宜|不可以)(?:偏向|偏袒|描述|讲述|编造|扮演|代写"
    r"|代劳|站队|下结论|定论|给[您你]下"
    r"|做(?:出)?(?:判断|评价|选择))"
    r"|与我[^，。！？]{0,12}(?:不符|相悖|冲突|相违背|不一致|相抵触)"
    r"|(?:您|你|该|此|这[个条项])的?(?:请求|提问|指令|问题|内容|话题)[^。！？\n]{0,8}(?:包含|含有|涉及|触及|违反"
    r"|属于)[^。！？\n]{0,14}(?:不当|敏感|违规|不良|暴力"
    r"|规范|政策|隐私|安全|风险)[^。！？\n]{0,16}(?:拒绝|无法|不能|拦截|屏蔽|不予|不便)"
    r"|我(?:就|可|也|还是)*不(?:代劳|代写|掺和|便多说|做评论|予评论|作评价|做评价)"
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
    r"\b(?:dialogues?|conversations?|role.?play|screenplay|sketch|text message|what (?:would|could|should"
    r"|might) (?:i|you|he|she|they"
    r"|someone) (?:say|reply|answer))\b|对话|情景|情境|剧本|小品|怎么回|如何回复|"
    r"\b(?:a|the|this|that|each|example|next|another|sample) sentences?\b|(?<![-\w])(?:lines?\b(?! (?:poem|of))"
    r"|lyrics?|quote|say|politely|declin\w+|refus\w+|reject\w*|apolog\w+)\b"
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
_OWN_REFUSAL = re.compile(
    r"\b(?:ai|model|bot|chatbot|request|content|translat\w+|summari\w+|assistant|guidelines|programm\w+|generate|texts?"
    r"|(?:write|writing|creat\w+) (?:that|this|such|a|an|about)|help with)\b"
    "|模型|人工|机器人|内容|请求|翻译|概括|创作|生成|助手|续写|撰写",
)
"""What an assistant declines with, where the answer might be a refusal in somebody else's name."""


def refusal(example: Example) -> str | None:
    """An answer that declines as an assistant does: "As an AI language model I cannot", 作为一个AI，我无法."""
    found = locate(example, declines, "assistant")
    if found is None or any(_OWN_REFUSAL.search(lowered(text)[:HEAD]) for text in example.contents("assistant")):
        return found
    told = "\n".join(example.contents("user"))
    return None if _ANSWER_MAY_REFUSE.search(told) or (_TRANSLATE.search(told) and _DENIES.search(told)) else found


def declines(text: str) -> str | None:
    """What the text declines with, if it does."""
    head = lowered(text)[: 2 * HEAD]
    declining = not _REFUSING_WORDS.isdisjoint(telling(text)) and _I.search(head)
    if text[:1] in QUOTES or not (declining or (not head.isascii() and _may_decline(head))):
        return None
    for pattern in (_REFUSAL,) if head.isascii() else (_REFUSAL, _REFUSAL_CHINESE):
        if pattern.search(head) and (found := pattern.search(prose(head))):
            return f"says {found[0][:40]!r}"
    return None


def _may_decline(head: str) -> bool:
    if _REFUSING_CHINESE.within(head):
        return True
    return _RARE.search(head) is not None and any(map(head.__contains__, _REFUSING_TOO))


# The course's table of good and bad rows, part 3.2.
REFUSAL = Check(
    code="refusal",
    policy="warn",
    message="the answer is a refusal",
    fix="answer the question, or remove the row, unless the model shall refuse such questions",
    row=stateless(refusal),
    sampled=True,
)
