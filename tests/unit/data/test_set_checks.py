# ruff: noqa: E501 - a table of texts reads best one row a line
"""Checks of a dataset as a whole: is what is planted in a set found, and nothing in sets as they should be?"""

import json
import random
from pathlib import Path

import pytest
from planted import CLEAN, Row
from planted_more import CLEAN_MORE, LOOK_ALIKES

from finetune_core.data import RawRow, Rules, examine
from finetune_core.data.checks.sample import SIZE, Sample, wanted

QUICKSTART = [
    (row["instruction"], row["output"])
    for row in map(json.loads, Path("examples/quickstart/rows.jsonl").read_text(encoding="utf-8").splitlines())
]
ENGLISH = [row for row in QUICKSTART if row[0].isascii()]
CHINESE = [row for row in QUICKSTART if not row[0].isascii()]
VARIED = CLEAN + CLEAN_MORE + LOOK_ALIKES
SET_CHECKS = ("unrelated-output", "mixed-style", "topic-imbalance", "repeated-opening")


def found(rows: list[Row], **thresholds: float) -> dict[str, str]:
    """What the checks of sets say, by code."""
    rules = Rules(thresholds={code.replace("_", "-"): number for code, number in thresholds.items()})  # type: ignore[misc]
    report = examine((RawRow(n, {"instruction": q, "output": a}) for n, (q, a) in enumerate(rows, start=1)), rules)
    return {finding.code: finding.message for finding in report.findings if finding.code in SET_CHECKS}


@pytest.mark.parametrize("rows", [ENGLISH, CHINESE, QUICKSTART, CLEAN, CLEAN_MORE, VARIED])
def test_sets_as_they_should_be_give_no_finding(rows):
    assert found(rows) == {}


# ---- unrelated-output


def shuffled(rows: list[Row], seed: int) -> list[Row]:
    answers = [answer for _, answer in rows]
    random.Random(seed).shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(rows, answers, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [ENGLISH, CHINESE, QUICKSTART, VARIED], ids=["English", "Chinese", "both", "varied"])
def test_shuffled_answers_are_found(rows, seed):
    assert "another row's question fits an answer better" in found(shuffled(rows, seed))["unrelated-output"]


@pytest.mark.parametrize("rows", [ENGLISH, CHINESE, VARIED], ids=["English", "Chinese", "varied"])
@pytest.mark.parametrize(("by", "side"), [(1, "after"), (-1, "before")])
def test_answers_that_slipped_by_a_row_are_found(rows, by, side):
    answers = [answer for _, answer in rows]
    slipped = [(question, answer) for (question, _), answer in zip(rows, answers[by:] + answers[:by], strict=True)]
    turned = "before" if side == "after" else "after"
    assert f"fit the question of the row {side}" in found(slipped)["unrelated-output"]
    assert f"of the row {turned}" not in found(slipped)["unrelated-output"]


def test_where_the_disorder_begins_is_told():
    rows = ENGLISH[:85] + shuffled(ENGLISH[85:], 1)
    message = found(rows)["unrelated-output"]
    assert "rows 8" in message or "rows 9" in message or "rows 1" in message


def test_answers_that_share_no_word_by_nature_are_no_finding():
    translations = [(f"Translate into Chinese: {e}", c) for (e, _), (c, _) in zip(ENGLISH, CHINESE, strict=True)]
    labels = [(question, ("positive", "negative", "neutral")[n % 3]) for n, (question, _) in enumerate(QUICKSTART)]
    assert "unrelated-output" not in found(translations)
    assert found(labels) == {}


def test_how_much_disorder_is_too_much_can_be_set():
    rows = shuffled(ENGLISH, 0)
    assert "unrelated-output" in found(rows)
    assert "unrelated-output" not in found(rows, unrelated_output=0.7)


# ---- topic-imbalance

SHARES = {"80/15/5": (80, 15, 5), "even": (34, 33, 33), "two to one": (60, 25, 15)}
LABELS = [("refund", "shipping", "account"), ("退货", "物流", "账号"), ("positive", "negative", "neutral")]


def labelled(labels: tuple[str, ...], shares: tuple[int, ...]) -> list[Row]:
    answers = [label for label, share in zip(labels, shares, strict=True) for _ in range(share)]
    random.Random(1).shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(QUICKSTART[::3], answers, strict=False)]


@pytest.mark.parametrize("labels", LABELS)
def test_labels_out_of_balance_are_found(labels):
    message = found(labelled(labels, (80, 15, 5)))["topic-imbalance"]
    assert f"80% of the answers are {labels[0]!r}, one of 3 labels" in message
    assert found(labelled(labels, (34, 33, 33))) == {}
    assert found(labelled(labels, (60, 25, 15))) == {}


def test_two_labels_may_differ_more_than_many():
    assert "topic-imbalance" not in found(labelled(("spam", "ham"), (75, 25)))
    assert "topic-imbalance" in found(labelled(("spam", "ham"), (90, 10)))
    many = tuple(f"class {n}" for n in range(6))
    assert "topic-imbalance" in found(labelled(many, (75, 5, 5, 5, 5, 5)))
    assert "topic-imbalance" in found(labelled(("spam", "ham"), (75, 25)), topic_imbalance=0.4)


TOPICS = {
    "English": (
        ["How do I get a refund for {}?", "My refund for {} has not arrived.", "Is {} refundable?", "I want to be refunded for {}!", "When will you refund {}?", "Refund policy on {}?", "Can {} be refunded after a month?"],
        ["Where is the parcel with {}?", "How fast do you ship {}?", "The courier lost {}."],
        ["I forgot my password and cannot see {}.", "Please close my account, I only bought {}."],
        ["Can I have an invoice for {}?", "Is there a warranty on {}?", "What is {} made of?"],
        ["the lamp", "the red shoes", "a toaster", "two towels", "my phone case", "the desk", "that jacket", "the kettle", "a bike pump", "this rug", "the tent", "the headphones"],
    ),
    "Chinese": (
        ["{}怎么退货？", "我想退掉{}", "{}的退款什么时候到账？", "买的{}不满意，能退吗", "{}退货要自己出运费吗？", "申请了{}退款没人理"],
        ["{}发货了吗？", "{}的快递到哪里了", "{}几天能送到？"],
        ["忘记密码了，看不到{}的订单", "注销账号，之前只买过{}"],
        ["{}能开发票吗？", "{}保修多久？", "{}是什么材质的？"],
        ["台灯", "红色的鞋子", "烤面包机", "两条毛巾", "手机壳", "书桌", "那件外套", "水壶", "打气筒", "地毯", "帐篷", "耳机"],
    ),
}  # fmt: skip


def topics(language: str, *shares: int) -> list[Row]:
    *kinds, things = TOPICS[language]
    rows = []
    for kind, share in zip(kinds, shares, strict=False):
        rows += [
            (kind[n % len(kind)].format(things[n % len(things)]), f"{things[n % len(things)]} {n}")
            for n in range(share)
        ]
    random.Random(2).shuffle(rows)
    return rows


@pytest.mark.parametrize(("language", "word"), [("English", "refund"), ("Chinese", "退")])
def test_a_topic_that_most_questions_name_is_found(language, word):
    message = found(topics(language, 80, 15, 5))["topic-imbalance"]
    assert f"80% of the questions are about {word!r}" in message
    for balanced in ((30, 30, 30, 10), (25, 25, 25, 25), (50, 30, 20)):
        assert "topic-imbalance" not in found(topics(language, *balanced))
    assert "topic-imbalance" not in found(topics(language, 100)), "all rows are meant to be of the topic"


# ---- mixed-style

FORMAL = {
    "English": [
        "Dear customer, we apologize for the inconvenience. Please submit your request under Orders, and we will assist you.",
        "Thank you for contacting us. Kindly provide your order number so that we may assist you further.",
        "We regret that the item is not available at present. Should you require a refund, please contact our service.",
        "In accordance with our terms, returns are accepted within thirty days. Please ensure that the item is unused.",
        "We would be pleased to help. Please complete the form, and do not hesitate to contact us with further questions.",
        "Please be advised that delivery will require three working days. We appreciate your patience.",
        "Your request has been received. The appropriate department will contact you regarding the invoice.",
        "Payment shall be made prior to dispatch. Please refer to the attached document concerning the terms.",
    ],
    "Chinese": [
        "尊敬的客户，您好。请您在订单页面提交退货申请，我们将在两个工作日内为您审核。", "感谢您的咨询。如需退款，请您提供订单号，我司将尽快予以处理。",
        "根据平台规定，商品签收后七日内可申请退货，敬请知悉。", "您好，您的订单已进入发货流程，届时将以短信通知您。", "如有疑问，请您联系客服，我们将竭诚为您服务。",
        "非常抱歉给您带来不便，相关部门已在核实，请您耐心等待。", "依据保修条款，您需提供购买凭证，方可享受免费维修。", "请您确认收货地址，如需修改，应当在发货前提交申请。",
    ],
}  # fmt: skip
COLLOQUIAL = {
    "English": [
        "Hey! No worries, just hit Return under Orders and you're good to go :)", "Yeah, that's a bummer! Drop us a line and we'll sort it out.",
        "Nope, it's sold out, sorry! It'll be back next week though 😊", "Sure thing! It's super easy, just tap the little gear and you're done.",
        "Oops, my bad! I'll get that fixed for you right away!", "Cool, you've got 30 days, so don't stress about it!",
        "Haha, don't worry, it happens to all of us! We'll send you a new one.", "Gotcha! It's on its way, so hang tight, you'll have it by Friday!",
    ],
    "Chinese": [
        "亲，直接点退货就行啦，超简单的哦~", "哈哈没事儿，咱给你换一个就好啦！", "哎呀，这个卖完了呢，下周就有货咯～", "放心吧，妥妥的，明天就给你发出去哈！",
        "你看下订单嘛，里面就有物流的哦！", "搞定啦！钱马上就退给你哈~", "啥颜色都有呀，你喜欢哪个就拍哪个呗！", "宝子别急哦，小姐姐正在帮你查呢😊",
    ],
}  # fmt: skip


def styled(language: str, formal: int, colloquial: int) -> list[Row]:
    questions = ENGLISH if language == "English" else CHINESE
    answers = [FORMAL[language][n % 8] for n in range(formal)] + [
        COLLOQUIAL[language][n % 8] for n in range(colloquial)
    ]
    random.Random(3).shuffle(answers)
    return [
        (question, f"{answer} ({n})") for n, ((question, _), answer) in enumerate(zip(questions, answers, strict=False))
    ]


@pytest.mark.parametrize("language", ["English", "Chinese"])
def test_two_styles_in_one_set_are_found_and_one_is_not(language):
    for formal, colloquial in ((60, 60), (90, 30), (25, 95)):
        message = found(styled(language, formal, colloquial))["mixed-style"]
        assert ("formal are rows" if formal < colloquial else "are rows") in message
    for formal, colloquial in ((120, 0), (0, 120), (115, 5), (4, 116)):
        assert "mixed-style" not in found(styled(language, formal, colloquial))
    assert "mixed-style" in found(styled(language, 110, 10), mixed_style=0.05)


def test_each_language_may_have_its_style():
    assert "mixed-style" not in found(styled("English", 60, 0) + styled("Chinese", 0, 60))


# ---- the sample


@pytest.mark.parametrize("rows", [100, SIZE, 50_000])
def test_a_sample_is_even_and_bounded(rows):
    sample: Sample[int] = Sample()
    offered = [number for number in range(1, rows + 1) if wanted(number)]
    for number in offered:
        sample.add((number, -number))
    taken = [number for number, fact in sample.rows()]
    assert len(taken) == min(rows, SIZE)
    assert taken == sorted(taken)
    assert len(offered) <= SIZE * 5 + 1000
    quarters = [sum(1 for number in taken if number * 4 // (rows + 1) == quarter) for quarter in range(4)]
    assert max(quarters) <= 1.1 * min(quarters) + 2
    even = sum(1 for number in taken if number % 2 == 0)
    assert abs(even / len(taken) - 0.5) < 0.05
