"""Rows that are nearly the same are found, whatever lies between them; rows that only share a prompt are not."""

import random

import numpy as np
import pytest

from finetune_core.data import Kept, RawRow, Rules, examine
from finetune_core.data.first_seen import FirstSeen

ENGLISH = [
    ("How long does the warranty last?", "It lasts two years from the day of delivery, and covers faults of material."),
    ("Can I pay by instalments?", "Yes: in three, six or twelve monthly instalments, from a basket of 200 euros on."),
    ("Where is my parcel?", "Open the order and choose Track; the carrier's page shows where it was scanned last."),
    (
        "How do I change my address?",
        "Under Account, Addresses. Orders that are packed go to the address they had before.",
    ),
    ("Do you ship abroad?", "To all countries of the EU, to Norway and to Switzerland; customs are on the invoice."),
]
CHINESE = [
    ("保修期是多久？", "自签收之日起两年，材料和工艺造成的故障都在保修范围内，人为损坏除外。"),
    ("可以分期付款吗？", "可以，订单满两百元即可选择三期、六期或十二期，手续费在结算页显示。"),
    ("我的包裹到哪里了？", "打开订单详情，点击“物流跟踪”，即可看到承运商最近一次扫描的地点和时间。"),
    ("怎么修改收货地址？", "在“我的账户”里选择“地址管理”。已经打包的订单仍会寄往原来的地址。"),
    ("可以寄到国外吗？", "可以寄往欧盟各国、挪威和瑞士，关税会写在发票上，由收件人承担。"),
]


def row(number: int, question: str, answer: str, **fields: object) -> RawRow:
    return RawRow(number, {"instruction": question, "output": answer, **fields})


def near(*rows: RawRow, **thresholds: float) -> dict[int, int]:
    """Number of each row found to be nearly another -> number of that one."""
    kept: list[Kept] = []
    report = examine(rows, Rules(thresholds=dict(thresholds)), keep=kept.append)
    found = {each.row.number: each.like for each in kept if each.like}
    assert [number for finding in report.findings if finding.code == "near-duplicate" for number in finding.rows] == [
        *found
    ]
    return found


@pytest.mark.parametrize("rows", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_word_more_or_less_makes_no_other_row(rows):
    changed = {
        "It lasts two years": "It lasts two full years", "Yes: in three": "Yes - in three",
        "on the invoice": "on our invoice",
        "两年，": "两年。", "手续费在": "手续费会在", "最近一次": "最后一次", "由收件人承担": "由收件人支付",
    }  # fmt: skip
    variants = []
    for question, answer in rows:
        for old, new in changed.items():
            if old in answer:
                variants.append((question, answer.replace(old, new)))
    assert len(variants) >= 3
    numbered = [row(number, *each) for number, each in enumerate([*rows, *variants], start=1)]
    found = near(*numbered)
    origins = {question: number for number, (question, _) in enumerate(rows, start=1)}
    assert found == {number: origins[question] for number, (question, _) in enumerate(variants, start=len(rows) + 1)}


@pytest.mark.parametrize("rows", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_different_rows_are_different(rows):
    assert near(*(row(number, *each) for number, each in enumerate(rows, start=1))) == {}


def test_a_prompt_that_rows_share_does_not_make_them_alike():
    prompt = "Read the review below, decide how the customer feels about the product, and answer with one word:\n"
    texts = [answer for _, answer in [*ENGLISH, *CHINESE]]
    assert near(*(row(n, prompt + text, "positive" if n % 2 else "negative") for n, text in enumerate(texts, 1))) == {}


def test_the_system_prompt_is_not_compared_and_short_rows_are_left_alone():
    question, answer = ENGLISH[0]
    assert near(row(1, question, answer, system="Be brief."), row(2, question, answer, system="Be kind.")) == {2: 1}
    assert near(*(row(n, f"{n} + 1?", f"{n + 1}") for n in range(1, 40))) == {}


def test_a_group_is_named_by_its_first_row_and_the_others_may_be_dropped():
    question, answer = ENGLISH[0]
    rows = [row(n, question, answer + " Thanks." * n) for n in range(1, 4)]
    assert near(*rows) == {2: 1, 3: 1}
    report = examine(rows, Rules(quality={"near-duplicate": "drop"}))
    assert (report.used_rows, report.findings[0].rows) == (1, [2, 3])


def test_the_threshold_decides():
    question, answer = ENGLISH[0]
    rows = [
        row(1, question, answer),
        row(2, question, answer.replace("two years from the day", "three years from the date")),
    ]
    assert near(*rows) == {}
    assert near(*rows, **{"near-duplicate": 0.5}) == {2: 1}


def test_a_row_left_out_takes_no_other_with_it():
    question, answer = ENGLISH[0]
    key = "password: hU7#kq92LmZ"
    assert near(row(1, question, f"{answer} {key}"), row(2, question, answer)) == {}


def test_what_is_found_across_thousands_of_rows_does_not_depend_on_processes():
    random_of = random.Random(1)
    words = [
        f"{a}{b}" for a in ("ba", "ko", "ri", "mu", "ten", "sal", "vor") for b in ("na", "rel", "tis", "gor", "lum")
    ]
    rows = [
        row(n, " ".join(random_of.choices(words, k=9)), " ".join(random_of.choices(words, k=60)))
        for n in range(1, 12_001)
    ]
    planted = {number: number - 9_000 for number in range(9_100, 12_000, 100)}
    for number, origin in planted.items():
        value = rows[origin - 1].value
        assert value is not None
        rows[number - 1] = row(number, str(value["instruction"]), f"{value['output']} indeed")
    reports, kept = [], []
    for processes in (1, 2):
        likes: dict[int, int] = {}
        reports.append(
            examine(
                rows, processes=processes, keep=lambda each, likes=likes: likes.update({each.row.number: each.like})
            )
        )
        kept.append({number: like for number, like in likes.items() if like})
    assert reports[0] == reports[1]
    assert kept[0] == kept[1] == planted


def test_first_seen_remembers_the_first_of_each_key():
    random_of = np.random.default_rng(3)
    seen, expected = FirstSeen(), {}
    for start in range(1, 40_000, 1_000):
        keys = random_of.integers(0, 20_000, 1_000, dtype=np.uint64)
        numbers = np.arange(start, start + 1_000, dtype=np.uint32)
        for key, number in zip(keys.tolist(), numbers.tolist(), strict=True):
            expected.setdefault(key, number)
        assert seen.put(keys, numbers).tolist() == [expected[key] for key in keys.tolist()]
