"""What the checks find, what is kept, and how it is counted."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.api import Dataset
from finetune_core.api.findings import FINDING_CODES, ThresholdCode
from finetune_core.data import (
    Example,
    Kept,
    RawRow,
    Rejected,
    Rules,
    WrongSchema,
    examine,
    exchange_digest,
)
from finetune_core.data.checks import CHECKS, DEFAULT_THRESHOLDS
from finetune_core.data.formats import named, to_example
from finetune_core.errors import DatasetRefused, InvalidSpec


@dataclass(frozen=True)
class Tokens:
    length: int
    supervised: int
    unlocated: int = 0


def alpaca(number: int, question: str = "", answer: str = "", **fields: object) -> RawRow:
    return RawRow(
        number, {"instruction": question or f"问题{number}", "output": answer or f"Answer {number}."} | fields
    )


def rows(*special: RawRow, total: int = 100) -> list[RawRow]:
    """Good rows with some special ones among them."""
    by_number = {row.number: row for row in special}
    return [by_number.get(number) or alpaca(number) for number in range(1, total + 1)]


def test_of_a_large_dataset_some_rows_tell_how_all_are_written():
    slip = "大家都很喜换这个功能，用起来很方便。"
    beyond = [alpaca(number, answer=f"{number}{slip}") for number in range(20_001, 22_001)]
    good = rows(total=20_000)
    quality = {code: "ignore" for code in FINDING_CODES if code != "typo"}
    (typo,) = examine([*good, *beyond], Rules(quality=quality)).findings
    assert 90 <= typo.count <= 110
    assert "of the rows after 20,000, one in 20 was looked at" in typo.message

    (typo,) = examine([*good, *beyond], Rules(quality={**quality, "typo": "drop"})).findings
    assert typo.count == 2_000
    assert "looked at" not in typo.message


def test_every_code_has_its_check():
    assert sorted(check.code for check in CHECKS) == sorted(FINDING_CODES)
    assert sorted(DEFAULT_THRESHOLDS) == sorted(get_args(ThresholdCode))
    assert {check.code: check.policy for check in CHECKS if check.policy != "drop"} == {
        "secret": "enforce",
        **dict.fromkeys(
            (
                "over-length",
                "typo",
                "language-mismatch",
                "mixed-style",
                "topic-imbalance",
                "unrelated-output",
                "too-few-samples",
                "html-markup",
                "control-characters",
                "mojibake",
                "conflicting-output",
                "near-duplicate",
                "language-mismatch",
                "mixed-style",
                "topic-imbalance",
                "typo",
                "unrelated-output",
                "pii",
                "internal-reference",
                "repeated-opening",
                "echo",
                "refusal",
                "role-order",
                "hedged-output",
                "terse-output",
            ),
            "warn",
        ),
    }


def test_good_data_has_no_findings_and_is_kept_in_order():
    kept: list[Kept] = []
    report = examine(rows(), keep=kept.append)
    assert (report.rows, report.used_rows, report.rejected_rows, report.refused) == (100, 100, 0, False)
    assert report.findings == []
    assert [row.example.number for row in kept] == list(range(1, 101))
    assert report.statistics.rows == 100
    assert not report.statistics.exact
    report.raise_if_refused()


FOUND = {
    "unreadable-row": (RawRow(7, None, "not JSON"), "drop", "row 7: not JSON"),
    "wrong-schema": (RawRow(7, {"text": "x"}), "drop", "row 7: field 'instruction' is missing; there is 'text'"),
    "empty-output": (alpaca(7, output=" \n\u3000"), "drop", "row 7: message 2, of the assistant, is blank"),
    "empty-instruction": (alpaca(7, instruction=" "), "drop", "row 7: message 1, of the user, is blank"),
    "exact-duplicate": (alpaca(7, " 问题3\r\n", "Answer 3."), "drop", "row 7: the same as row 3"),
    "over-length": (alpaca(7, answer="长" * 3100), "warn", "row 7: about 2,079 tokens, over 2,048"),
}


@pytest.mark.parametrize(("code", "row", "policy", "message"), [(code, *found) for code, found in FOUND.items()])
def test_each_finding_names_its_row_and_what_to_do(code, row, policy, message):
    refused: list[Rejected] = []
    report = examine(rows(row), Rules(format="alpaca"), reject=refused.append)
    [finding] = report.findings
    assert (finding.code, finding.policy, finding.count, finding.rows) == (code, policy, 1, [7])
    assert finding.severity == ("warning" if policy == "warn" else "error")
    assert message in finding.message
    assert finding.fix
    assert not report.refused
    assert [(rejected.row, rejected.code) for rejected in refused] == ([(row, code)] if policy == "drop" else [])
    assert report.used_rows == (99 if policy == "drop" else 100)


@pytest.mark.parametrize("code", ["empty-output", "empty-instruction", "exact-duplicate", "over-length"])
@pytest.mark.parametrize(
    ("policy", "used", "found", "refused"),
    [("enforce", 99, True, True), ("drop", 99, True, False), ("warn", 100, True, False), ("ignore", 100, False, False)],
)
def test_policies_can_be_chosen_check_by_check(code, policy, used, found, refused):
    report = examine(rows(FOUND[code][0]), Rules(quality={code: policy}))
    assert (report.used_rows, bool(report.findings), report.refused) == (used, found, refused)


@pytest.mark.parametrize("bad", [RawRow(0, None, "not JSON"), RawRow(0, {"text": "x"})], ids=["unreadable", "schema"])
@pytest.mark.parametrize(
    ("count", "quality", "policy"),
    [
        (5, None, "drop"), (6, None, "enforce"), (60, "drop", "drop"), (60, "warn", "drop"), (60, "ignore", "drop"),
        (1, "enforce", "enforce"),
    ],
)  # fmt: skip
def test_more_than_one_bad_row_in_twenty_refuses_the_dataset(bad, count, quality, policy):
    code = "unreadable-row" if bad.value is None else "wrong-schema"
    special = [RawRow(number, bad.value, bad.problem) for number in range(1, count + 1)]
    report = examine(rows(*special), Rules(format="alpaca", quality={code: quality} if quality else {}))
    [finding] = [finding for finding in report.findings if finding.rows]
    assert (finding.code, finding.policy, finding.count) == (code, policy, count)
    assert report.refused == (policy == "enforce")
    assert report.used_rows == 100 - count


def test_a_refused_dataset_makes_one_line():
    report = examine(rows(*(RawRow(n, {"question": "x", "answer": "y"}) for n in range(1, 101))))
    with pytest.raises(DatasetRefused) as caught:
        report.raise_if_refused()
    assert "wrong-schema, 100 of 100 rows" in str(caught.value)
    assert "there is 'question', 'answer'" in str(caught.value)
    assert "dataset.columns" in str(caught.value)
    assert "no usable row is left of 100" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refusal_of_the_whole_counts_no_rows():
    report = examine(rows(total=12), Rules(quality={"too-few-samples": "enforce"}))
    with pytest.raises(
        DatasetRefused, match=r"^too-few-samples \(there are too few rows; 12 usable rows; .* 50 at least"
    ):
        report.raise_if_refused()


def test_a_dataset_of_which_nothing_is_left_is_refused():
    report = examine([alpaca(1, answer=" ")])
    assert report.refused
    assert report.statistics.lengths.max == 0
    with pytest.raises(DatasetRefused, match="no usable row is left of 1"):
        report.raise_if_refused()


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["user"], "empty-output"),
        (["user", "assistant", "user", " "], "empty-output"),
        (["user", "assistant", " ", "assistant"], "empty-instruction"),
        (["assistant"], "wrong-schema"),
    ],
)
def test_conversations_are_checked_turn_by_turn(messages, code):
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(messages)]
    if messages == ["assistant"]:
        turns[0]["role"] = "assistant"
    report = examine([RawRow(1, {"messages": turns})])
    assert report.findings[0].code == code


def test_the_same_question_with_another_answer_or_prompt_is_no_duplicate():
    report = examine([alpaca(1, "你好", "a"), alpaca(2, "你好", "b"), alpaca(3, "你好", "a", system="s")])
    assert report.used_rows == 3


def test_rows_of_the_validation_set_are_left_out():
    def digest(row: RawRow) -> bytes:
        return exchange_digest(to_example(row.number, row.value or {}, named("alpaca"), {}))

    known = {digest(alpaca(50)), digest(alpaca(60, "问题60", "another answer"))}
    report = examine(rows(alpaca(50, system="another prompt")), validation=known)
    [finding] = report.findings
    assert (finding.code, finding.rows, finding.policy) == ("validation-leak", [50], "drop")


def test_tokens_of_the_real_template_are_counted_once_and_handed_back():
    calls: Counter[int] = Counter()

    def encode(example: Example) -> Tokens:
        calls[example.number] += 1
        return Tokens(length=example.number * 40, supervised=0 if example.number == 3 else example.number)

    kept: list[Kept] = []
    report = examine(rows(alpaca(4, answer=" ")), Rules(cutoff_length=3960), encode=encode, keep=kept.append)
    assert {found.code: found.rows for found in report.findings} == {
        "empty-output": [4],
        "no-supervised-tokens": [3],
        "over-length": [100],
    }
    assert "4,000 tokens, over 3,960" in report.findings[-1].message
    assert "about" not in report.findings[-1].message
    assert kept[0].tokens == Tokens(40, 1)
    assert report.statistics.exact
    assert report.statistics.supervised_tokens == sum(range(1, 101)) - 3 - 4
    assert 4 not in calls, "a row that is left out is not tokenized"
    assert set(calls.values()) == {1}


def test_a_row_that_the_chat_template_refuses_is_of_the_wrong_schema():
    def encode(example: Example) -> Tokens:
        if example.number == 9:
            raise WrongSchema("the chat template knows no system prompt")
        return Tokens(1, 1)

    [finding] = examine(rows(), encode=encode).findings
    assert (finding.code, finding.rows) == ("wrong-schema", [9])
    assert "knows no system prompt" in finding.message


def test_a_row_that_is_left_out_anyway_is_not_blamed_on_the_chat_template():
    def encode(example: Example) -> Tokens:
        if example.number in (8, 9):
            raise WrongSchema("the chat template knows no system prompt")
        return Tokens(1, 1)

    findings = examine(rows(alpaca(8, answer=" "), alpaca(9, "问题3", "Answer 3.")), encode=encode).findings
    assert {found.code: found.rows for found in findings} == {"empty-output": [8], "exact-duplicate": [9]}


def test_answers_that_the_chat_template_drops_are_counted_in_the_rows_that_are_used():
    def encode(example: Example) -> Tokens:
        return Tokens(9, 0 if example.number == 5 else 3, unlocated=2 if example.number < 8 else 0)

    report = examine(rows(alpaca(4, answer=" ")), encode=encode)
    assert report.unlocated_answers == 2 * len({1, 2, 3, 6, 7})


def test_a_pilot_reads_little_more_than_its_rows():
    source = iter(rows(alpaca(2, answer=" "), RawRow(60, None, "not JSON"), total=1000))
    report = examine(source, Rules(max_rows=50))
    assert (report.rows, report.used_rows, report.rejected_rows) == (51, 50, 1)
    assert next(source).number == 101, "a second chunk of 50"
    assert examine(rows(), Rules(max_rows=1000)).used_rows == 100
    assert examine(rows(), Rules(max_rows=3)).rows == 3


@pytest.mark.parametrize(
    ("total", "task", "found"),
    [
        (49, None, True), (50, None, False), (99, "classification", True), (100, "classification", False),
        (499, "knowledge", True),
    ],
)  # fmt: skip
def test_too_few_rows_are_a_warning_about_the_whole(total, task, found):
    report = examine(rows(total=total), Rules(task=task))
    assert [(f.code, f.count, f.rows, f.policy) for f in report.findings] == (
        [("too-few-samples", 1, [], "warn")] if found else []
    )
    assert not report.refused
    assert examine(rows(total=total), Rules(task=task, quality={"too-few-samples": "enforce"})).refused == found
    assert not examine(rows(total=total), Rules(task=task, quality={"too-few-samples": "ignore"})).findings


def test_the_whole_cannot_be_dropped():
    with pytest.raises(InvalidSpec, match=r"dataset.quality: too-few-samples .* not drop"):
        examine(rows(), Rules(quality={"too-few-samples": "drop"}))


def test_rules_come_from_the_job():
    dataset = Dataset.model_validate(
        {
            "uri": "s3://data/x.csv", "format": "alpaca", "columns": {"instruction": "q", "output": "a"},
            "task": "style", "maxRows": 2, "quality": {"exact-duplicate": "enforce"},
        }
    )  # fmt: skip
    source = [RawRow(number, {"q": "x", "a": "y"}) for number in (1, 2, 3)]
    report = examine(source, Rules.of(dataset))
    assert (report.format, report.used_rows, report.sufficient.task) == ("alpaca", 1, "style")
    assert report.refused
    validation = Rules.of(dataset).for_validation()
    assert validation.max_rows is None
    assert [found.code for found in examine(source, validation).findings] == ["exact-duplicate"]


def test_long_lists_of_rows_are_cut_at_fifty():
    report = examine(rows(*(alpaca(n, answer=" ") for n in range(1, 81)), total=90))
    finding = report.findings[0]
    assert (finding.count, finding.rows) == (80, list(range(1, 51)))


def test_the_report_reads_as_the_public_contract_says():
    report = examine(rows(alpaca(7, answer=" ")))
    written = json.loads(report.to_json())
    assert set(written) == {
        "rows", "usedRows", "rejectedRows", "format", "formatReason", "encoding", "refused", "findings", "statistics",
        "sufficient",
        "unlocatedAnswers",
        "labels",
        "examples",
    }  # fmt: skip
    assert set(written["findings"][0]) == {"code", "severity", "policy", "count", "rows", "message", "fix"}
    assert written["sufficient"] == {"task": "unknown", "least": 50, "recommended": 200, "verdict": "least"}
    assert type(report).model_validate_json(report.to_json()) == report
    assert [found.model_dump() for found in report.finding_counts()] == [
        {"code": "empty-output", "severity": "error", "policy": "drop", "count": 1}
    ]


TEXTS = st.sampled_from(["", " ", "你好", "hello", "谢谢", "a" * 9000])
TURNS = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": TEXTS})
VALUES = (
    st.none()
    | st.fixed_dictionaries({"instruction": TEXTS, "output": TEXTS})
    | st.fixed_dictionaries({"messages": st.lists(TURNS, max_size=4)})
    | st.dictionaries(st.text(max_size=3), st.none() | st.integers() | TEXTS, max_size=3)
)  # fmt: skip
QUALITY = st.dictionaries(
    st.sampled_from([check.code for check in CHECKS if not check.dataset]),
    st.sampled_from(["enforce", "drop", "warn", "ignore"]),
)


@settings(deadline=None)
@given(values=st.lists(VALUES, max_size=12), quality=QUALITY, max_rows=st.none() | st.integers(1, 5))
def test_every_row_is_accounted_for(values, quality, max_rows):
    source = [RawRow(n, value, None if value is not None else "bad") for n, value in enumerate(values, start=1)]
    kept: list[Kept] = []
    refused: list[Rejected] = []
    report = examine(source, Rules(quality=quality, max_rows=max_rows), keep=kept.append, reject=refused.append)

    assert report.rows == report.used_rows + report.rejected_rows
    assert (report.used_rows, report.rejected_rows) == (len(kept), len(refused))
    assert sorted([row.row.number for row in kept + refused]) == list(range(1, report.rows + 1))
    assert report.statistics.rows == report.used_rows
    assert sum(report.statistics.histogram) == report.used_rows
    by_code = Counter(rejected.code for rejected in refused)
    counted = {f.code: f.count for f in report.findings if f.policy in ("drop", "enforce")}
    assert counted == by_code
    assert report == examine(source, Rules(quality=quality, max_rows=max_rows))
