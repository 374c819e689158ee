"""Estimates, statistics, splits and how much is enough."""

import statistics as reference
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.contract import LENGTH_EDGES
from finetune_core.data import (
    Example,
    Message,
    choose_validation,
    estimate_tokens,
    exchange_digest,
    question_digest,
    summarize,
)
from finetune_core.sufficiency import advice, judge


@dataclass(frozen=True)
class Tokens:
    length: int
    supervised: int


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("four", 1),
        ("The quick brown fox jumps over the lazy dog.", 11),
        ("您可以申请退货。", 6),
        ("机器学习", 3),
        ("機械学習とは何ですか？", 8),
        ("用 Python 写", 4),
    ],
)
def test_tokens_are_estimated_for_both_languages(text, tokens):
    assert estimate_tokens(text) == tokens


LENGTHS = st.lists(st.integers(1, 40_000), min_size=1, max_size=60)


@settings(deadline=None)
@given(lengths=LENGTHS)
def test_statistics_are_exact(lengths):
    result = summarize((Tokens(length, length // 2) for length in lengths), validation_rows=3)
    assert (result.rows, result.validation_rows, result.exact) == (len(lengths), 3, True)
    assert (result.tokens, result.supervised_tokens) == (sum(lengths), sum(length // 2 for length in lengths))
    assert (result.lengths.max, result.supervised_max) == (max(lengths), max(lengths) // 2)
    assert result.lengths.p50 == reference.median_low(lengths)
    for percent, value in ((95, result.lengths.p95), (99, result.lengths.p99)):
        assert sum(length <= value for length in lengths) * 100 >= percent * len(lengths)
        assert sum(length < value for length in lengths) * 100 < percent * len(lengths)
    for place, (low, high) in enumerate(pairwise([0, *LENGTH_EDGES])):
        assert result.histogram[place] == sum(low < length <= high for length in lengths)
    assert sum(result.histogram) == len(lengths)


def test_the_edges_of_the_histogram_are_inclusive():
    histogram = summarize([Tokens(16, 1), Tokens(17, 1), Tokens(32768, 1), Tokens(32769, 1)]).histogram
    assert [place for place, count in enumerate(histogram) if count] == [0, 1, 16, 17]


def test_no_rows_have_statistics_too():
    nothing = summarize([])
    assert (nothing.rows, nothing.tokens, nothing.lengths.p50, nothing.lengths.max) == (0, 0, 0, 0)


def questions(*names: str) -> list[bytes]:
    return [question_digest(Example(1, (Message("user", name), Message("assistant", "x")))) for name in names]


MANY = questions(*(f"问题 {n}" for n in range(200)))


@pytest.mark.parametrize(
    ("rows", "fraction", "chosen"),
    [
        (9, 0.5, 0), (10, 0.0, 0), (10, 0.001, 1), (10, 0.1, 1), (15, 0.1, 2), (170, 0.1, 17), (200, 0.25, 50),
        (10, 0.999, 9),
    ],
)  # fmt: skip
def test_the_share_is_exact(rows, fraction, chosen):
    assert len(choose_validation(MANY[:rows], fraction=fraction, seed=0)) == chosen


@pytest.mark.parametrize(("fraction", "chosen"), [(0.05, 1_500), (0.1, 2_000), (0.9, 2_000)])
def test_of_many_rows_no_more_are_held_out_than_an_evaluation_needs(fraction: float, chosen: int) -> None:
    """Rows come in threes that ask the same, and a tenth of them is bad: threes stay whole, the tenth a tenth."""
    groups = [str(place // 3).encode() for place in range(30_000)]
    labels = ["差评" if place // 3 % 10 == 0 else "好评" for place in range(30_000)]
    held = choose_validation(groups, labels=labels, fraction=fraction, seed=0)
    assert chosen - 4 <= len(held) <= chosen
    assert all({place // 3 * 3 + other for other in range(3)} <= held for place in held)
    assert sum(labels[place] == "差评" for place in held) == pytest.approx(chosen / 10, abs=3)


def test_the_choice_hangs_on_content_and_seed_and_not_on_the_order():
    def chosen(rows: list[bytes], seed: int) -> set[bytes]:
        return {rows[place] for place in choose_validation(rows, fraction=0.1, seed=seed)}

    assert chosen(MANY, 0) == chosen(MANY[::-1], 0)
    assert chosen(MANY, 0) != chosen(MANY, 1)
    # Known by heart: a change of the choice would give stored runs another validation set.
    assert sorted(choose_validation(MANY[:50], fraction=0.1, seed=42)) == [13, 20, 28, 39, 47]


@settings(deadline=None)
@given(
    names=st.lists(st.sampled_from("甲乙丙丁abcdefgh"), max_size=40), fraction=st.floats(0, 0.99),
    seed=st.integers(0, 2**31 - 1),
)  # fmt: skip
def test_a_split_is_complete_and_keeps_questions_together(names, fraction, seed):
    rows = questions(*names)
    chosen = choose_validation(rows, fraction=fraction, seed=seed)
    assert chosen <= set(range(len(rows)))
    held = {rows[place] for place in chosen}
    trained = {row for place, row in enumerate(rows) if place not in chosen}
    assert not held & trained
    if len(rows) >= 10 and fraction > 0 and len(set(rows)) > 1:
        assert held
        assert trained
    else:
        assert not held


def test_a_question_asked_too_often_stays_in_training():
    rows = questions(*["你好"] * 100, *(f"q{n}" for n in range(100)))
    chosen = choose_validation(rows, fraction=0.1, seed=3)
    assert len(chosen) == 20
    assert min(chosen) >= 100


def example(*messages: tuple[str, str]) -> Example:
    return Example(1, tuple(Message(role, text) for role, text in messages))  # type: ignore[arg-type]


def test_digests_see_content_and_not_its_dress():
    plain = example(("user", "café"), ("assistant", "a\n  b"))
    dressed = example(("system", "s"), ("user", " cafe\u0301 "), ("assistant", "a\r\n  b\n"))
    assert question_digest(plain) == question_digest(dressed)
    assert exchange_digest(plain) == exchange_digest(dressed)
    assert exchange_digest(plain) != exchange_digest(example(("user", "café"), ("assistant", "a\nb")))
    assert exchange_digest(example(("user", "ab"), ("assistant", "c"))) != exchange_digest(
        example(("user", "a"), ("assistant", "bc"))
    )


@pytest.mark.parametrize(
    ("task", "rows", "verdict"),
    [
        ("style", 49, "too-few"), ("style", 50, "least"), ("style", 199, "least"), ("style", 200, "enough"),
        ("classification", 99, "too-few"), ("classification", 100, "least"), ("classification", 500, "enough"),
        ("knowledge", 499, "too-few"), ("knowledge", 500, "least"), ("knowledge", 2000, "enough"),
        ("reasoning", 999, "too-few"), ("reasoning", 1000, "least"), ("reasoning", 5000, "enough"),
        (None, 49, "too-few"), (None, 50, "least"), (None, 200, "enough"),
    ],
)  # fmt: skip
def test_how_much_is_enough(task, rows, verdict):
    assert judge(rows, task).verdict == verdict
    assert (advice(rows, task) is None) == (verdict == "enough")


def test_thirty_rows_are_better_used_in_a_prompt():
    assert "few-shot prompting or retrieval" in (advice(30, "style") or "")
    assert "pilot on 50-100 core rows" in (advice(45, "style") or "")
    assert "pilot on 50-100 core rows" in (advice(120, "style") or "")


@pytest.mark.parametrize(("task", "recommended"), [(None, "200"), ("reasoning", "5,000")])
def test_thirty_rows_are_told_both_stages(task, recommended):
    hint = advice(30, task) or ""
    assert f"collect 50-100 core rows for a pilot, then add what it lacks, up to {recommended}" in hint
