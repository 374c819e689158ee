"""Chinese words with a wrong character in them, told by a dictionary.

A character that sounds or looks like the right one leaves a word that no dictionary has: it falls apart into single
characters, as 急燥 does. Where another character in its place makes a frequent word (急躁), and the sentence far
likelier, that one was meant. The dictionary with its frequencies is jieba's, by way of rjieba (MIT);
``chinese_words.txt`` has its words that occur a hundred times and more and are no names, ``chinese_sounds.txt`` the
syllables of 5,500 characters, as pypinyin has them (MIT). Look-alikes, wrong words that the dictionary knows, and words
that it is too old to know are lists of our own.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import accumulate
from math import log
from typing import NamedTuple, Protocol

from finetune_core.data.checks.word_lists import listed

_ALONE = frozenset(
    "的一是了我不在他有这个上们来到时大地为中你说着就那和要出也得里后自以会可下而过天去能对都好看起把还用没成只想从被与又很最但"
    "将并向及或其之更让则已当给由所等于每再做该请吗呢吧啊您她它啦哦呀嘛么年月日号点分元次种两三四五六七八九十百千万第几多少"
)
"""Characters that are words by themselves: one alone says nothing."""
_NUMBERS = frozenset("一二两三四五六七八九十百千万几每各")
_FAMILIES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦马苗凤方俞任袁柳鲍史唐"
    "费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐傅齐康伍余元顾孟黄穆萧尹姚邵汪祁毛禹狄米贝明臧计伏成戴宋庞熊纪舒屈项祝董梁杜阮蓝闵席季"
    "麻强贾路江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房解丁宣邓郁单洪包诸左石崔吉龚程邢裴陆荣翁荀甄曲封储靳段巫焦"
    "谷车侯全班仲宫宁仇栾甘武符刘景詹龙叶黎白蒲从卓池乔闻谭申冉桑桂牛寿尚温庄晏柴瞿阎习容向古易廖居文欧沃关佟聂肖辛"
)
"""Characters that families are called by: what follows may be a given name, and any two characters are one."""

_TWICE = re.compile(
    "(?<![目标打有红])的的(?![确士])|(?<![不除为得])了了(?![解之然如结断分])|(?<![不凡但只于可而总就还老要若正如也都])是是(?![非否])"
    "|(?<![现存实])在在(?![职线校])|(?<![申邀敬聘恳宴提])请请|您您|们们"
    "|(?<![，。、；：])(?:，，|。。|、、|；；)(?![，。、；：])|，。|。，"
)
"""Characters and marks set twice; 。。。 is for an ellipsis."""
_SIDE_BY_SIDE = ("，。", "。，", *(sign * 2 for sign in "的了是在请您们，。、；"))

_CHINESE = re.compile("[\u4e00-\u9fff]{2}")

_NOT_OF_TODAY = re.compile(
    "[們這個來時說對會發國學後開過還沒問麼與從當實經業長東點電車間給讓應種樣體關無為將條單買賣歡臨書話請謝幾現見聽讀寫錢員頭進運動機"
    "處務產區歲萬號數據網線樂愛覺總結則認識論講設計試該誰調談題類質費資購軟輕轉較達選遠邊難風飛養驗黃齊龍氣環簡裏裡]"
    "|[ぁ-ヿ矣兮曰哉]|不亦|(?<![几似近合在])乎[，。？！]"
)
"""Traditional characters, and particles of classical Chinese: the dictionary knows neither."""

_TOTAL = 60_101_964
"""Sum of the dictionary's frequencies."""
_ENOUGH = 5.8
"""Natural logarithm of how many times likelier the sentence has to become: one in 300 is hardly a chance."""
_EVERYDAY = 4_000
"""Frequency of words that the dictionary is too old for."""


_DEEDS = (
    "(?:追施|追肥|施肥|浇水|播种|移栽|喷[施药]|[交缴]费|付款|支付|提交|申请|办理|登[录陆]|下单|下载|安装|确认|检查|核对|决定|考虑|尝试"
    "|重启|打开|关闭|启动|使用|服用|吃药|涂抹?|下锅|[炒煮焖蒸炖]|[放加倒]入|撒上?|淋上?|拌匀?|清洗|冲洗|擦干|拧紧|联系|发货|出发|签字|填写"
    "|上传|寄回|退款|取出|装[回上]|插上|按[下住])(?![^，。；！？]{0,10}(?:[时前后中的里上下之内处间点台厅室]|过程|期间|方面|窗口))"
)
_AGAIN = re.compile(
    f"在(?<=[后期完遍]在){_DEEDS}|先[^。；！？]{{2,14}}，(?:然后)?在{_DEEDS}|(?:然后|之后|以后|最后|随后)，?在{_DEEDS}"
)
"""What comes next is done 再."""

_IN_CONTEXT = {
    "因该": "因该(?![公项事案产品行类条笔单企地药车房楼校院系合协批平措计活工证比国市县区人法处])",  # 因该公司违约
    "既使": "既使(?![^。]{0,20}(?:又|也使))",
    "既可": "既可(?![^。]{0,30}[又也还])",
    "既将": "既将(?![^。]{0,20}(?:又|也将))",
    "既便": "既便(?![^。]{0,20}[又宜])",
    "在次": "(?<![现存])在次(?![日级要年月序元轮世品数])",
    "以经": "以经(?![济验营典纪常费书文络度学贸脉理过史商销由])",
    "做为": "(?<![叫当看])做为(?![了难人民])",
    "己": "(?<![自知利克异律各一为切损舍由对正依责修安身贵推戊])己[经发付收签退支寄被更关登注确停售开预下]",
    "自已": "(?<![各来出源始])自已(?![故经有被在])",
    "这莫": "这莫(?![非名不大])",
    "那莫": "那莫(?![非名不大])",
    "正再": "(?<![修更改纠订校矫真])正再(?=[进处加播发使施建派运审])",
    "薄": "(?:练习|作业|[账帐]|户口|通讯|登记|笔记|记录|电话)薄(?![弱厚利纸膜荷])",
    "联系": "(?<![由关对等])于[我您你客商卖][们服家]?(?:取得)?联系",
    "卷": "(?:优惠|消费|入场|代金|抵用|现金|兑换|购物|满减|折扣|抵扣|体验|电影)卷(?![起入])",
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
    "在试": "在试一[次遍下]|(?:稍后|稍候|晚点|回头|改天|下次|之后|然后|明天|请)您?在试(?=[，。！？试]|$)",
    "在来": "在来一[次遍]|(?:以后|回头|改天|下次|晚点|稍后|明天)在来(?=[，。！？吧]|$)",
    "在联": "(?:以后|回头|改天|下次|晚点|稍后|之后|然后)在联系",
    "在打": "(?:回头|改天|下次|晚点|稍后|过会儿)在打(?![车工折])",
    "在登": "(?:稍后|之后|然后|下次|重启后)在登[录陆]",
    "在操": "(?:稍后|之后|然后|下次)在操作",
    "在说": "在说一[次遍]|(?:以后|回头|改天|下次|晚点|稍后)在说(?=[，。！？吧]|$)",
    "在见": "(?<![现存正])在见[。！，]?$",
    "一但": "(?<![万唯])一但(?!是)",
    "经长": "(?<![已曾神财总])经长(?=[在会去要被做看用浇出说听吃有发不])",
    "至使": "(?<![以乃甚直及])至使(?![用馆节])",
    "必需": "必需(?=提前|携带|遵守|按时|严格|立即|马上)",
    "周未": "周未(?=愉快|加班|放假|休息|[。，、两日])",
    "末": "(?<![周期年月岁季世学本始粉毫端最句篇])末(?:[来必满知婚]|成年|经(?:授权|允许|许可|同意|批准|本人))",
    "渡": "[制温速态角浓厚亮坡幅额密精频年季]渡(?![过河江海口劫船轮])",
    "门": "[他她]们?门(?=[都也的说会在])",
    "碰": "(?:药|[天隔日周]|液|剂)[^，。；]{0,4}碰[一两三](?:次|遍)(?![面头])|碰(?:洒|雾|药|漆|淋)",
    "减掉": "(?:吊牌|标签|线头|头发|指甲|枝|叶|须|绳|商标|胶带|扎带)[^，。；]{0,6}减掉",
    "减短": "(?:头发|指甲|枝|线|裤|绳)[^，。；]{0,4}减短",
    "受命": "(?:使用|电池|零件|设备|机器|灯[泡管]|轮胎|轴承|刀具|延长|缩短|平均|产品|预期|循环)的?[^，。；]{0,4}受命",
    "通": "(?:提前|及时|请|另行|会)通之(?=前台|客服|物业|家|老师|医)",
    "题": "题前(?=[一两三几半0-9]|预约|告知|通知|准备|到达|还款|申请|联系)",
    "悼": "悼(?=一下|水|熟)",
    "抄": "(?:[锅火油里翻葱蒜]|下入|快速)抄(?=熟|匀|香|出香|至|[一两三几]下|[一两三几]分钟)",
    "跺": "跺(?=碎|成|馅)",
    "墩": "(?:小火|慢|清|再|炉上|锅)墩(?=[熟煮汤]|[一二两半0-9])",
    "反应": "(?:向|跟|给)[^，。]{1,8}反应(?=情况|问题|意见|一下|此事)",
    "反映": "(?:化学|不良|过敏|应激|条件)反映|反映(?:快|慢|迟钝|灵敏|过来)",
    "启示": "(?:招聘|寻人|寻物|招领|征稿|征婚)启示",
    "报道": "(?:新生|入学|到校|办理|来校|入职|按时|准时)报道(?![称说了中的])|报道(?:手续|地点|处|证)",
    "公私": "(?:我们|贵|该|本|有限|分|子|总|快递|保险|物业|装修|搬家|物流)公私(?!分)",
    "实践": "(?:营业|开放|上班|下班|发货|到账|办理|预约|等待)实践",
    "事件": "(?:营业|开放|上班|下班|发货|到账|预约|等待)事件",
    "地质": "(?:收货|邮寄|家庭|联系|详细|寄送|发货|退货|通讯)地质(?![灾勘调大局])",
    "等级": "(?:办理|入住|访客|来访|实名)等级(?=[。，后]|手续|信息|表|处)",
    "现实": "(?:屏幕|页面|系统|界面|仪表)[^，。]{0,3}现实(?=为|出|“|：|错误|红|绿|异常|[0-9]|不全|正常)",
    "主意": "(?:请|需要?|应|务必|特别|还要|但要)主意(?=[，：安保防不查观避别是用]|事项)",
    "忠于": "忠于(?=完成|成功|解决|修好|等到|可以|找到)",
    "即使": "(?:请|[^只]要|应|需|务必|并|尽快|建议|及)即使(?=联系|就医|处理|更换|清理|通知|告知|报修|送医|补|反馈"
    "|清洗|关闭|回复)",
    "暗示": "(?:请|要|应|需|务必|每天|须|必须)暗示(?=服|吃|完成|到|交|缴|还|上课|上班|参加|提交|归还|复查)",
    "元件": "(?:身份证|证件|合同|发票|护照|户口本|房产证|票据)的?元件",
    "关住": "关住(?=公众号|我们的|官方|微信)",
    "拨掉": "拨掉(?=插头|电源|针|管|钥匙)",
    "拨下": "拨下(?=插头|电源|钥匙|U盘)",
    "拨出": "拨出(?=插头|U盘|钥匙|针)",
    "折开": "折开(?=包装|外壳|快递|盒|封|机)",
    "一分": "一分(?=合同|简历|表格|申请|材料|报告|清单|早餐|午餐|晚餐|外卖|快餐|工作)",
    "一课": "一课(?=[^，。]{0,2}(?:树|药|牙|糖|星星|纽扣|螺丝|白菜))",
    "公元": "(?:森林|湿地|动物|主题|城市|游乐|儿童|街心)公元",
    "座": "(?<![一两三几这那每整该满让有定客])座(?=公交|地铁|电梯|飞机|火车|高铁|出租车|缆车|下来|下休息)",
    "冲电": "冲电(?!影)",
    "到入": "到入(?=锅|碗|杯|盆|容器|[水油])",
    "到掉": "到掉(?!落)",
    "佩带": "佩带(?=口罩|手套|护目镜|安全帽|头盔|眼镜|耳机)",
}
"""Wrong in some surroundings and right in others, as in 以经济, 在次日."""


class _Slip(NamedTuple):
    written: str
    meant: str
    gain: float


class _Dictionary(Protocol):
    def cut(self, text: str, hmm: bool = ..., /) -> list[str]: ...
    def has_word(self, word: str, /) -> bool: ...
    def suggest_freq(self, segment: str, /) -> int: ...


@cache
def _dictionary() -> _Dictionary:
    import rjieba  # which loads its dictionary: 32 MB that only the processes need that look at rows

    for word in _everyday():
        rjieba.add_word(word, max(_EVERYDAY, rjieba.suggest_freq(word)), None)
    for word in _watched():
        rjieba.add_word(word, rjieba.suggest_freq(word), None)
    return rjieba  # type: ignore[return-value]  # functions that its __all__ does not name


@cache
def _everyday() -> frozenset[str]:
    """Words that the dictionary is too old for, or has seen too seldom in its newspapers."""
    return frozenset(listed("chinese_new_words.txt"))


@cache
def _watched() -> frozenset[str]:
    """Words that are wrong, or may be."""
    return frozenset(_IN_CONTEXT).union(listed("misspelled_chinese.txt"))


@cache
def _fillings() -> Mapping[str, str]:
    """What fits into the gap of a word: 急_ has 躁忙救. Strings, since as sets they would take twice the memory."""
    found: dict[str, str] = {}
    for word in listed("chinese_words.txt") + listed("chinese_new_words.txt"):
        for place, sign in enumerate(word):
            gap = f"{word[:place]}_{word[place + 1 :]}"
            found[gap] = found.get(gap, "") + sign
    return found


@cache
def _readings() -> Mapping[str, tuple[str, ...]]:
    """Syllables of a character, each with its tone."""
    found: dict[str, tuple[str, ...]] = {}
    table = listed("chinese_sounds.txt")
    for syllable, signs in zip(table[::2], table[1::2], strict=True):
        for sign in signs:
            found[sign] = (*found.get(sign, ()), syllable)
    return found


@cache
def _striking() -> frozenset[str]:
    """Words to look at, and characters that are hardly ever words."""
    return (frozenset(_readings()) - _ALONE) | _watched()


def _blurred(syllable: str) -> str:
    """Without its tone, and without what is easily confused: zh and z, -ng and -n."""
    return re.sub("(?<=[zcs])h|(?<=[aei]n)g|[0-9]", "", syllable)


@cache
def _by_sound() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for sign, syllables in _readings().items():
        for syllable in syllables:
            found.setdefault(_blurred(syllable), set()).add(sign)
    return {syllable: frozenset(signs) for syllable, signs in found.items()}


@cache
def _look_alikes() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for group in listed("chinese_look_alikes.txt"):
        for sign in group:
            found[sign] = found.get(sign, frozenset()) | frozenset(group)
    return found


@lru_cache(maxsize=1024)
def _alike(sign: str) -> frozenset[str]:
    """What may have been meant by a character."""
    sounds = (_by_sound()[_blurred(syllable)] for syllable in _readings().get(sign, ()))
    return _look_alikes().get(sign, frozenset[str]()).union(*sounds) - {sign}


@lru_cache(maxsize=8192)
def _chance(word: str) -> float:
    """Logarithm of the share that a word has of all text."""
    dictionary = _dictionary()
    return log((dictionary.suggest_freq(word) if dictionary.has_word(word) else 0.5) / _TOTAL)


def share_in_words(text: str) -> float:
    """Share of a text's characters that are in words of two and more."""
    return sum(len(word) for word in _dictionary().cut(text, False) if len(word) > 1) / max(1, len(text))


def misspellings(text: str) -> list[str]:
    """What of the text is written wrong, and what is there twice."""
    if not _CHINESE.search(text):
        return []
    words = _dictionary().cut(text, False)
    found: list[str] = []
    if not _striking().isdisjoint(words):
        for word in _watched().intersection(words):
            found += [match[0] for match in [re.search(_IN_CONTEXT.get(word, word), text)] if match]
        if not _NOT_OF_TODAY.search(text):
            found += (slip.written for slip in _slips(text, words) if slip.gain >= _ENOUGH)
    if "在" in text and (again := _AGAIN.search(text)):
        found.append(again[0][-8:])
    for pair in _SIDE_BY_SIDE:
        if pair in text:
            found += [match[0] for match in [_TWICE.search(text)] if match]
            break
    return found


_REACHES = ((1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2), (3, 0), (0, 3))
"""Words before a single character and after it that may make one word with it."""
_LONGEST = 4
"""Characters of a word."""


_UNLIKELY = 3.5
"""Doubt where both parts are words by themselves."""


def _slips(text: str, words: list[str]) -> Iterator[_Slip]:
    known, fillings, everyday = _readings(), _fillings(), _everyday()
    single = [place for place, word in enumerate(words) if word in known]
    odd = {place for place in single if words[place] not in _ALONE}
    yield from _swallowed(text, words, odd)
    far = [len(text) + _LONGEST] * 4
    starts = [0, *accumulate(map(len, words)), *far]  # far, too, for what is before the first word
    for wrong in single:
        reaches: tuple[tuple[int, int], ...]
        if wrong in odd:
            reaches = _REACHES
        elif wrong - 1 in odd or wrong + 1 in odd:
            reaches = _REACHES[:2]
        else:
            continue
        at = starts[wrong]
        for back, forth in reaches:
            start, end = starts[wrong - back], starts[wrong + forth + 1]
            if not 0 <= end - start <= _LONGEST:
                continue
            signs = fillings.get(f"{text[start:at]}_{text[at + 1 : end]}")
            if signs is None or not (likely := _alike(text[at]).intersection(signs)):
                continue
            likelihood = sum(map(_chance, words[wrong - back : wrong + forth + 1]))
            for sign in likely:
                meant = f"{text[start:at]}{sign}{text[at + 1 : end]}"
                gain = _chance(meant) - likelihood
                if gain >= _ENOUGH - 2:
                    doubt = _doubt(words, wrong - back, wrong + forth + 1, wrong, sign, meant in everyday)
                    yield _Slip(text[start:end], meant, gain - doubt)


def _swallowed(text: str, words: list[str], odd: set[int]) -> Iterator[_Slip]:
    """A wrong character that makes a word with its neighbour: 派 and 处所 for 派出所."""
    fillings = _fillings()
    starts = [0, *accumulate(map(len, words))]
    for alone in odd:
        for first in (alone - 1, alone):
            pair = words[first : first + 2] if first >= 0 else []
            if sorted(map(len, pair)) != [1, 2] or not _FAMILIES.isdisjoint(words[max(0, first - 1) : first + 2]):
                continue
            start = starts[first]
            whole = text[start : start + 3]
            for at in range(3):
                if start + at == starts[alone]:
                    continue
                signs = fillings.get(f"{whole[:at]}_{whole[at + 1 :]}")
                for sign in _alike(whole[at]).intersection(signs) if signs else ():
                    meant = f"{whole[:at]}{sign}{whole[at + 1 :]}"
                    yield _Slip(whole, meant, _chance(meant) - sum(map(_chance, pair)) - _UNLIKELY)


def _doubt(words: list[str], first: int, end: int, wrong: int, meant: str, everyday: bool) -> float:
    """Reasons against a slip, in logarithms."""
    sign = words[wrong]
    doubt = 0.0
    given = words[wrong + 1 : wrong + 3] if sign in _FAMILIES else []
    named = len(given) == 2 and all(word in _readings() and word not in _ALONE for word in given)
    if named or not _FAMILIES.isdisjoint(words[max(0, wrong - 2) : wrong]):
        doubt += 8  # a name
    sounds, meant_sounds = _readings().get(sign, ()), _readings().get(meant, ())
    if meant in _look_alikes().get(sign, ()):
        doubt -= 1.5
    else:
        if set(sounds).isdisjoint(meant_sounds):
            doubt += 1  # another tone
            if end - first == 2 and max(map(len, words[first:end])) > 1:
                doubt += 1.5  # what is added to a whole word may be a word by itself
            if {one[:-1] for one in sounds}.isdisjoint(one[:-1] for one in meant_sounds):
                doubt += 3  # and only nearly the sound
    if end - first == 2 and len(words[first]) == len(words[end - 1]) == 1:
        kept, beyond = (first, end) if wrong > first else (end - 1, first - 1)
        if 0 <= beyond < len(words) and words[beyond] in _readings() and words[beyond] not in _ALONE:
            doubt += 3  # the two may be a word that no dictionary has
        if words[kept] in _ALONE:
            doubt += 4.5 if words[kept] in _NUMBERS else 1 if everyday else 2.5
    return doubt
