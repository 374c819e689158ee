"""Words that are written wrong."""

import re
from collections.abc import Iterable, Iterator
from importlib import resources
from itertools import pairwise

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import telling, watch
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
    "按装": "按装(?![置修箱载潢船机甲配订])",
    "按排": "按排(?![名序列期])",
    "做为": "(?<![叫当看])做为(?![了难人民])",
    **{
        f"己{then}": f"(?<![自知利克异律各一为切损舍由对正依责修安身贵推戊])己{then}"
        for then in "经发付收签退支寄被更关登注确停售开预下"
    },
    "自已": "(?<![各来出源始])自已(?![故经有被在])",
    "购卖": "(?<![采代收])购卖(?![家场方点])",
    "乎视": "(?<![几似近合])乎视",
    "以勉": "以勉(?![强励力])",
    "立既": "(?<![建成设树独确创])立既",
    "究竞": "(?<![研探讲考])究竞",
    "道谦": "道谦(?![虚逊恭和让])",
    "连继": "连继(?![续承任])",
    "决择": "(?<!解)决择",
    "充直": "(?<!补)充直(?![接播径])",
    "冲值": "(?<![缓脉])冲值",
    "这莫": "[这那]莫(?![非名不大])",
    "那莫": "[这那]莫(?![非名不大])",
    "编篡": "编篡(?![改夺])",
    "连系": "(?<!相)连系(?![统列])",
    "感概": "感概(?![念况率括述])",
    "部暑": "部暑(?![假期])",
    "题醒": "题醒(?![目来])",
    "悠美": "(?<!忽)悠美(?!国)",
    "操做": "(?<!体)操做",
    "强列": "强列(?=[推要反谴的地不]|建议)",
    "严历": "(?<!庄)严历(?![史来经时程代法])",
    "历害": "(?<![经来病简学])历害(?!怕)",
    "步聚": "(?<![一逐初徒])步聚(?=[，。：、如是为操])",
    "付责": "(?<![支对交应兑])付责",
    "铺助": "(?<![店商])铺助",
    "正再": "(?<![修更改纠订校矫真])正再(?=[进处加播发使施建派运审])",
    "存再": "(?<![保缓内库留封寄])存再(?=[的问，。风差较着很明])",
    "致少": "(?<![导招以一引])致少(?![数不人量])",
    **dict.fromkeys(
        (f"{of}薄" for of in "习业账帐口讯记录话"),
        "(?:练习|作业|[账帐]|户口|通讯|登记|笔记|记录|电话)薄(?![弱厚利纸膜荷])",
    ),
    **{f"于{whom}": f"(?<![由关对等])于{whom}[们服家]?(?:取得)?联系" for whom in "我您你客商卖"},
    **dict.fromkeys(
        (f"{of}卷" for of in "惠费场金用换物减扣验影"),
        "(?:优惠|消费|入场|代金|抵用|现金|兑换|购物|满减|折扣|抵扣|体验|电影)卷(?![起入])",
    ),
    "奈心": "(?<!无)奈心",
    "一至": "(?<![周第])一至(?=同意|认为|好评|通过|决定|推荐|表示)"
    "|(?:保持|意见|达成|时间|内容|完全|信息|前后不)一至(?![二两三四五六七八九十])",
    "点机": "(?<![一两几有网站起热])点机(?=确认|备份|登录|下载|提交|链接|按钮|进入|打开|查看|设置|保存|[此右左“「])",
    "通之": "(?:提前|及时|请|另行|短信|会|收到)通之|通之[您我]",
    "副上": "(?<![一全这那两每几正])副上(?=[简您照图截相证文说地链联])(?!文明|图书)",
    "帮住": "帮住(?![户院宅校店房处所址])",
    "检察": "检察(?=一下|是否|网络|设备|电源|身体|作业|一遍)",
    "进人": "(?<![引促])进人(?=[页设系首下官网][面置统页一方]|后台|下一)",
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
    "担误": "(?<![承负分])担误(?![工差])",
    "覆行": "(?<![颠倾反答回])覆行(?![业])",
    "意件": "(?<!生)意件",
    "常期": "(?<![正经日平通非异反如时])常期(?![望待盼货刊])",
    "工做": "(?<![手加人员施职开民化打美精分竣完木])工做(?=[。，、的中人量者时])",
    "动做": "(?<![运活移自主劳启手驱联])动做(?=[。，、要慢快])",
    "合做": "合做(?=伙伴|关系|愉快|协议|共赢|单位|社)",
    "按健": "按健(?![康全身])",
    "错健": "错健(?![康全身])",
    "捷健": "捷健(?![康全身])",
    "关健": "关健(?=[词点是在步的])",
    "车健": "回车健(?![康全身])",
    "归定": "(?<![回当])归定(?![理位居])",
    "下栽": "下栽(?=[安软文和到后完并链地，])",
    "包扩": "(?<![钱面背书软件])包扩(?![展容大充张散建编])",
    "措失": "(?<!举)措失",
    "治僚": "(?<![政统])治僚",
    "屡行": "屡行(?=[合义职承])",
    "导制": "(?<![主引领指])导制(?![定度造作品])",
    "至使": "(?<![以乃甚直及])至使(?![用馆节])",
    "提共": "提共(?![和享同])",
    "任然": "(?<![责担信主])任然(?![后而])",
    "令外": "(?<![命勒下口司指法])令外(?=[一还加，])",
    "列如": "(?<![序数行阵排下系队陈])列如(?=[，：、])",
    "保正": "(?<!确)保正(?=金|书|质量)",
    "必需": "必需(?=提前|携带|遵守|按时|严格|立即|马上)",
    "周未": "周未(?=愉快|加班|放假|休息|[。，、两日])",
    "未端": "(?<![从并尚])未端",
    "资科": "(?<!劳)资科(?![技学])",
    "材科": "(?<!教)材科(?![技学])",
    **{f"题{then}": f"(?<![问试标话主课习议考专难真原答])题{then}" for then in "交示供"},
    **{f"{of}渡": f"{of}渡(?![过河江海口劫船轮])" for of in "制温速态角浓厚亮坡幅额密精频年季"},
    **{f"末{then}": f"(?<![周期年月岁季世学本始粉毫端最句篇])末{then}" for then in "来必满知婚"},
    "末成": "末成年",
    "末经": "(?<![周期年月岁季世学本始粉毫端最])末经(?=授权|允许|许可|同意|批准|本人)",
    "他门": "[他她]们?门(?=[都也的说会在])",
}
"""Right in other surroundings: 以经济, 在次日, 因该公司违约."""

_TWICE_CHINESE = (
    "(?<![目标打有红])的的(?![确士])|(?<![不除为得])了了(?![解之然如结断分])|(?<![不凡但只于可而总就还老要若正如也都])是是(?![非否])"
    "|(?<![现存实])在在(?![职线校])|(?<![申邀敬聘恳宴提])请请|您您|们们"
    "|(?<![，。、；：])(?:，，|。。|、、|；；)(?![，。、；：])|，。|。，"
)
"""Characters and marks set twice; 。。。 is for an ellipsis."""

_FREQUENT = frozenset(
    "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要出也得里后自以会家可下而过天去能对小多然于心学么之都好看起"
    "发当没成只如事把还用第样道想作种开美总从无情面最但现前些所同日手又行意动方期头经长回位分爱老因很给名法间知世什两次使身者被"
    "高已其进此话常与活正感见明问力理点文几定本公特做外相果走将月十实向声车全信重三机工物气每并别真打新比才便再书部水等体加电主"
    "利受表少代员先口由安写性光或住难望教结色更记处让应直字场平报友关放认接告入内民往何度路带边解任金快原变通立数失满格轻目条始"
    "达完今提求清化空业思切找片钱语言流约各指合反题必该论交请制决保读运及则量品产答视连管类未台队收首整式取照办容送市步术留户"
    "计您装足转诉称客领站选包争建持准联单确消费程号查密底列错参除设线致验助支退款货订单付邮商价优惠规券登录址期限申审核需效修改"
    "系换礼网存补账售证标择码门充维屏隐恢"
)
"""Characters that most texts have."""


def _telling_pair(word: str) -> str:
    """The two characters next to each other that fewest texts have."""
    return max(map("".join, pairwise(word)), key=lambda pair: sum(sign not in _FREQUENT for sign in pair))


_WRONG = dict(_WRONG_IN_CONTEXT)
for _word in _WRONG_CHINESE:
    _pair = _telling_pair(_word)
    _WRONG[_pair] = f"{_WRONG[_pair]}|{_word}" if _pair in _WRONG else _word
"""By pairs of characters that are in all that is wrong, and in little else: 惠卷 of 优惠卷."""


def _either(signs: Iterable[str]) -> str:
    return "([{}])".format("".join(sorted(set(signs))))


def _searches() -> Iterator[tuple[re.Pattern[str], dict[tuple[str, str], str]]]:
    """Each with what it may find, as it finds it; they begin with the rarer of both characters."""
    rare_first = [pair for pair in _WRONG if pair[0] not in _FREQUENT]
    rare_second = [pair for pair in _WRONG if pair[0] in _FREQUENT and pair[1] not in _FREQUENT]
    frequent = [pair for pair in _WRONG if _FREQUENT.issuperset(pair)]
    for pairs in (rare_first, frequent):
        yield (
            re.compile(f"{_either(pair[0] for pair in pairs)}(?={_either(pair[1] for pair in pairs)})"),
            {(pair[0], pair[1]): _WRONG[pair] for pair in pairs},
        )
    yield (
        re.compile(
            f"{_either(pair[1] for pair in rare_second)}(?<={_either(pair[0] for pair in rare_second)}.)", re.DOTALL
        ),
        {(pair[1], pair[0]): _WRONG[pair] for pair in rare_second},
    )


_SEARCHES = tuple(_searches())
_MAY_BE_TWICE = re.compile(r"([的了是在请您们，。、；])\1")

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


def _chinese_patterns(text: str) -> list[str]:
    """Those in the text as it stands, quotes and all."""
    patterns = [among[pair] for search, among in _SEARCHES for pair in search.findall(text) if pair in among]
    if _MAY_BE_TWICE.search(text) or "，。" in text or "。，" in text:
        patterns.append(_TWICE_CHINESE)
    return [pattern for pattern in patterns if re.search(pattern, text)] if patterns else patterns


def _mistake(text: str) -> str | None:
    told = telling(text)
    wrong = told & _MISSPELLED if told and not told.isdisjoint(_ENGLISH) else frozenset[str]()
    if told:
        wrong |= told & _TWICE
    patterns = [] if text.isascii() else _chinese_patterns(text)
    if not wrong and not patterns:
        return None
    own = prose(text)
    for word in sorted(wrong):
        # In small letters, or at the beginning of a sentence: elsewhere it is a name.
        rest = word[1:].replace(" ", r"\s+")
        if re.search(
            rf"(?<![\w./#-])(?:{word[0]}|(?:^|(?<=[.!?:\n] )|(?<=\n)){word[0].upper()}){rest}(?![\w/]|\.\w)", own
        ):
            return f"says {word!r}"
    for pattern in patterns:
        if found := re.search(pattern, own):
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
