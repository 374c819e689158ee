"""Is it written in one style?"""

import re

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.data.checks.glance import lowered
from finetune_core.data.checks.prose import prose
from finetune_core.data.checks.sample import Sample, wanted
from finetune_core.data.example import Example

_RARER = 0.15
"""Share of the answers that may be of the rarer of the two styles: one in seven is no slip."""
_LEAST = 30
"""Answers. With fewer there is no telling."""
_CHARACTERS = 300
"""More of an answer tells no more about its style."""
_CLEAR = 2
"""Marks of one style more than of the other in an answer that has one."""


def _any(english: str, chinese: str, *patterns: str) -> re.Pattern[str]:
    phrases = "|".join(phrase.strip() for phrase in english.split(","))
    return re.compile("|".join((rf"\b(?:{phrases})\b", *chinese.split(), *patterns)))


_FORMAL = _any(
    "dear customer, dear sir, dear madam, dear valued, sincerely, kind regards, best regards, yours faithfully, "
    "kindly, hereby, herewith, pursuant, in accordance with, prior to, we regret, we apologize, we apologise, "
    "sincerely apologize, our apologies, for the inconvenience, do not hesitate, should you have, "
    "should you require, should you wish, should you need, we would, would be pleased, would be happy, "
    "at your earliest, be advised, be informed, please note, please ensure, please contact, please submit, "
    "please provide, please refer, please find, please allow, please complete, please select, please navigate, "
    "please visit, thank you for your, thank you for contacting, thank you for choosing, we appreciate your, "
    "furthermore, moreover, therefore, thus, consequently, shall, regarding, concerning, assist, assistance, "
    "request, requested, require, requires, required, provided that, is not, are not, do not, does not, cannot, "
    "will not, must not, upon, ensure, obtain, appropriate, accordingly, respective",
    "您好 尊敬的 敬请 请您 烦请 敬启 此致 祝您 感谢您 谢谢您 为您 向您 给您 您的 您可 您需 您提 本公司 我司 贵司 "
    "贵公司 阁下 根据 依据 按照 遵照 予以 如有 即可 方可 届时 应当 须 不得 谨此 特此 兹 综上 鉴于 上述 相关 若 "
    "请于 请在 提交 进行",
)
_COLLOQUIAL = _any(
    "gonna, wanna, gotta, gotcha, kinda, sorta, lemme, gimme, dunno, ain't, y'all, yeah, yep, yup, nope, nah, hey, "
    "hiya, howdy, yay, oops, whoops, ugh, wow, haha, lol, lmao, btw, imo, tbh, asap, pls, plz, thx, cuz, guys, "
    "folks, dude, buddy, pal, mate, bro, awesome, cool, super, totally, pretty much, no worries, no problem, "
    "no biggie, you bet, sure thing, cheers, stuff, a bunch of, tons of, loads of, you're good, good to go, "
    "hang tight, piece of cake, a breeze, heads up, ping us, shoot us, drop us, grab, just hit, just tap, "
    "just pop, just head, just go, just drop, just give, just ask, just click, just hop, real quick, bummer, "
    "my bad, sweet",
    "亲亲 宝子 宝贝 小伙伴 小姐姐 咱 咋 啥 甭 搞定 没事 超好 超赞 超级 超快 超简单 哈哈 嘻嘻 嘿 么么 妥妥 老铁 "
    "哥们 兄弟 姐妹 木有 给力 放心 随便 一下下 就行 就好 得了 呗 咯 嘞",
    r"(?:n't|'re|'ll|'ve|'d|(?:it|that|there|here|what|let|he|she)'s|i'm)\b",  # contractions
    "[哈呀哦啦嘛哟喔哇噢哒呐滴啊呢吧](?=[，。！？~～!…\\s]|$)|亲(?=[，,~～！!])",  # particles at the end of a clause
    "[!！]+|[~～]|[:;]-?[)D(P]|[\U0001f300-\U0001faff\u2600-\u27bf]",  # exclamations and emoji
)
"""Small letters: texts are lowered before."""


def mixed_style(context: Context) -> SetCheck:
    """Formal and colloquial answers in one set, each in more than the threshold's share.

    An answer is of a style where it has clearly more of its marks (``_CLEAR``): forms of address and set phrases on the
    one side; contractions, slang, particles such as 哦 and 啦, exclamations and emoji on the other. Each language is
    judged for itself; most answers may be of neither. Of many rows, a sample counts.
    """
    sample: Sample[tuple[bool, int]] = Sample()

    def fact(example: Example) -> tuple[int, tuple[bool, int]] | None:
        if example.plain or not wanted(example.number):
            return None
        text = lowered(prose(" ".join(example.contents("assistant"))[:_CHARACTERS]))
        return example.number, (any("\u3400" <= sign <= "\u9fff" for sign in text), _style(text))

    def judge(used_rows: int) -> str | None:
        rows = sample.rows()
        for chinese in (True, False):
            answers = [(number, style) for number, (written, style) in rows if written == chinese]
            by_style = {style: [number for number, other in answers if other == style] for style in (1, -1)}
            rarer = min(by_style.values(), key=len)
            if len(answers) >= _LEAST and len(rarer) > context.thresholds["mixed-style"] * len(answers):
                formal, colloquial = (len(by_style[style]) / len(answers) for style in (1, -1))
                first = ", ".join(f"{number:,}" for number in rarer[:3])
                name = "formal" if rarer is by_style[1] else "colloquial"
                return (
                    f"{formal:.0%} of {len(answers):,} {'Chinese' if chinese else 'other'} answers are formal and"
                    f" {colloquial:.0%} colloquial; {name} are rows {first}"
                )
        return None

    return SetCheck(judge, fact, sample.add)


def _style(text: str) -> int:
    """1 for formal, -1 for colloquial, 0 for neither."""
    clearly = len(_FORMAL.findall(text)) - len(_COLLOQUIAL.findall(text))
    return (clearly >= _CLEAR) - (clearly <= -_CLEAR)


MIXED_STYLE = Check(
    code="mixed-style",
    policy="warn",
    threshold=_RARER,
    measure="share of the answers in the rarer style, above",
    # 有的正式、有的口语: the course's table of good and bad rows, part 3.2.
    message="some answers are formal and some colloquial",
    fix="rewrite the rarer ones in the style that the model shall have, or name the style in the system prompt",
    dataset=mixed_style,
)
