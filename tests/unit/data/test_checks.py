"""Does each check find what it is for, and nothing else?

The planted rows of all checks lie among clean ones, the quickstart's 340 included, so that each check is tried on what
the others look for as well.
"""

import json
import time
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import CLEAN as FIRST_CLEAN
from planted import PLANTED as FIRST_PLANTED
from planted import Row
from planted_more import CLEAN_MORE, LOOK_ALIKES, MORE

from finetune_core.data import RawRow, Rejected, Rules, examine
from finetune_core.data.checks import CHECKS

QUICKSTART = [
    (row["instruction"], row["output"])
    for row in map(json.loads, Path("examples/quickstart/rows.jsonl").read_text(encoding="utf-8").splitlines())
]
PLANTED = {code: FIRST_PLANTED.get(code, []) + MORE.get(code, []) for code in {**FIRST_PLANTED, **MORE}}
CLEAN = FIRST_CLEAN + LOOK_ALIKES + CLEAN_MORE
WARN_ALL = {check.code: "warn" for check in CHECKS if not check.dataset}


def codes(rows: list[Row], **rules: object) -> dict[str, list[Row]]:
    """The rows in which each code is found; none is left out for another."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        one = examine([RawRow(1, {"instruction": row[0], "output": row[1]})], Rules(quality=WARN_ALL, **rules))
        for finding in one.findings:
            found[finding.code].append(row)
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, list[Row]]:
    return codes(QUICKSTART + CLEAN + [row for rows in PLANTED.values() for row in rows])


@pytest.mark.parametrize("code", PLANTED)
def test_what_is_planted_is_found_and_little_else(code, found):
    planted = set(PLANTED[code])
    hits = planted & set(found[code])
    others = set(found[code]) - planted
    if code == "control-characters":  # misread text is full of them
        others -= set(PLANTED["mojibake"])
    assert len(hits) / len(planted) >= 0.95, sorted(planted - hits)
    assert len(hits) / (len(hits) + len(others)) >= 0.9, sorted(others)


@pytest.mark.parametrize("code", PLANTED)
@pytest.mark.parametrize("chinese", [True, False])
def test_neither_language_is_the_poorer_one(code, chinese, found):
    planted = {row for row in PLANTED[code] if any("\u4e00" <= sign <= "\u9fff" for sign in row[0]) == chinese}
    assert len(planted & set(found[code])) / len(planted) >= 0.95


@pytest.mark.parametrize("row", CLEAN, ids=range(len(CLEAN)))
def test_clean_rows_are_clean(row):
    assert set(codes([row])) <= {"too-few-samples"}


def test_the_quickstart_is_clean():
    report = examine([RawRow(n, {"instruction": q, "output": a}) for n, (q, a) in enumerate(QUICKSTART, start=1)])
    assert [(finding.code, finding.rows) for finding in report.findings] == []


@pytest.mark.parametrize("row", PLANTED["secret"] + PLANTED["pii"])
def test_the_report_repeats_no_secret(row):
    report = examine([RawRow(1, {"instruction": row[0], "output": row[1]})], Rules(quality=WARN_ALL))
    hidden = [word for text in row for word in text.split() if any(map(str.isdigit, word)) and len(word) > 6]
    assert {finding.code for finding in report.findings} & {"secret", "pii"}
    assert not [word for word in hidden if word in report.to_json()]


def test_a_secret_refuses_the_dataset_and_names_the_row():
    good = [RawRow(n, {"instruction": q, "output": a}) for n, (q, a) in enumerate(QUICKSTART, start=1)]
    question, answer = PLANTED["secret"][0]
    refused: list[Rejected] = []
    report = examine([*good, RawRow(341, {"instruction": question, "output": answer})], reject=refused.append)
    assert report.refused
    assert [(finding.code, finding.rows, finding.policy) for finding in report.findings] == [
        ("secret", [341], "enforce")
    ]
    assert [(row.row.number, row.code) for row in refused] == [(341, "secret")]


def test_the_system_prompt_is_looked_at_too():
    for code in ("secret", "pii", "html-markup", "mojibake", "control-characters"):
        value = {"instruction": "Where is it?", "output": "It is in the hall.", "system": PLANTED[code][0][1]}
        assert code in {found.code for found in examine([RawRow(1, value)]).findings}


def test_classification_may_be_short():
    row = ("这家店的服务怎么样，如何评价？", "不行")
    assert "terse-output" in codes([row])
    assert "terse-output" not in codes([row], task="classification")


def test_the_page_lists_every_check_with_its_policy_and_threshold():
    page = Path("docs/checks.md").read_text(encoding="utf-8")
    assert [line.split(" | ")[:3] for line in page.splitlines() if line.startswith("| `")] == [
        [
            f"| `{check.code}`",
            check.policy + (", enforce above the threshold" if check.enforced_above_threshold else ""),
            "" if check.threshold is None else f"{check.measure} {check.threshold:g}",
        ]
        for check in CHECKS
    ]


def turns(*roles: str) -> RawRow:
    long = "It is a sentence of some length, number"
    return RawRow(1, {"messages": [{"role": role, "content": f"{long} {n}."} for n, role in enumerate(roles)]})


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        ("user assistant", None),
        ("system user assistant", None),
        ("system user assistant user assistant", None),
        ("assistant user assistant", "message 1 is of the assistant, where the user's turn is"),
        ("user user assistant", "message 2 is of the user, where the assistant's turn is"),
        ("user assistant assistant", "message 3 is of the assistant, where the user's turn is"),
        ("user system assistant", "message 2 is of the system, where the assistant's turn is"),
        ("system system user assistant", "message 2 is of the system, where the user's turn is"),
        ("user assistant user", "the last message is of the user"),
        ("system assistant user", "message 2 is of the assistant, where the user's turn is"),
    ],
)
def test_turns_alternate_and_end_with_an_answer(roles, problem):
    found = {finding.code: finding.message for finding in examine([turns(*roles.split())]).findings}
    assert ("role-order" in found) == (problem is not None)
    assert (problem or "") in found.get("role-order", "")


def conflicts(*rows: Row, **fields: str) -> list[int]:
    report = examine(
        [RawRow(n, {"instruction": q, "output": a} | fields) for n, (q, a) in enumerate(rows, start=1)],
        Rules(quality=WARN_ALL),
    )
    return [row for found in report.findings if found.code == "conflicting-output" for row in found.rows]


def test_one_question_with_different_answers_is_found_however_it_is_written():
    week, month = "Within a week of delivery.", "Within a month of delivery."
    assert conflicts(("When?", week), ("Who?", week), ("When?", month), ("when ", month), ("When?", week)) == [3, 4]
    assert conflicts(("多久能退？", "七天内可以退货。"), ("多久能退", "三十天内可以退货。")) == [2]
    assert conflicts(("When?", week), ("When?", "within a week of  delivery")) == []
    assert conflicts(*QUICKSTART) == []


def test_another_conversation_before_it_is_another_question():
    def row(number: int, system: str, earlier: str, answer: str) -> RawRow:
        value = {"system": system, "history": [["Hi", earlier]], "instruction": "When?", "output": answer}
        return RawRow(number, value)

    def found(*rows: RawRow) -> list[list[int]]:
        return [found.rows for found in examine(rows).findings if found.code == "conflicting-output"]

    assert found(row(1, "a", "b", "In May."), row(2, "a", "b", "In June.")) == [[2]]
    assert found(row(1, "a", "b", "In May."), row(2, "x", "b", "In June."), row(3, "a", "x", "In July.")) == []


def openings(*questions: str) -> list[str]:
    rows = [RawRow(n, {"instruction": q, "output": "It is done so."}) for n, q in enumerate(questions, start=1)]
    return [found.message for found in examine(rows).findings if found.code == "repeated-opening"]


def test_questions_that_begin_alike_are_told_in_each_language():
    varied = [question for question, _ in QUICKSTART]
    assert openings(*varied) == []
    alike = [
        f"如何{verb}{thing}？"
        for verb in ("查询", "取消", "修改", "申请")
        for thing in ("订单", "退货", "发票", "地址", "积分")
    ]
    others = ["我想退货", "订单在哪里看"]
    [message] = openings(*alike, *others)
    assert "91% of 22 different questions begin with '如何'" in message
    english = [f"How do I {verb} {thing}?" for verb in ("find", "cancel", "change", "get") for thing in "abcdef"]
    [message] = openings(*english, "Can I return it?", *(q for q in varied if q[0] > "z"))
    assert "96% of 25 different questions begin with 'how'" in message
    assert openings(*alike[:10]) == [], "too few to tell"
    assert openings(*alike[:10], *varied) == []


def test_an_instruction_that_all_rows_share_is_no_opening():
    assert openings(*(f"Classify the review.\nreview {n}" for n in range(100))) == []
    assert openings(*(f"How is it in room {n}?" for n in range(100))) == []
    assert openings(*(f"How is it, {'very' * n} good?" for n in range(100))) != []


def test_only_usable_rows_count_as_questions():
    rows = [RawRow(n, {"instruction": f"如何做第{n}件事？", "output": " "}) for n in range(1, 101)]
    assert "repeated-opening" not in {found.code for found in examine(rows).findings}


NASTY = [
    (piece * (200_000 // len(piece) + 1))[:200_000]
    for piece in (
        "a", "1", "1 ", "-", "<", "<p ", "`", "@", "a.", "a.b@",
        "password=", "-----BEGIN PRIVATE KEY-----", "eyJ",
        "eyJaaaaaaaa.", "://", "http://a.", "好", "浣", "ä½", "根据内部",
        "internal ", "see our internal ", "how ", "我不",
        "+1 ", "0123456789 ", "\n", "secret: '", "sk-a", "A-12", "ticket ", "1a", "&#1", "<!", "Â", "\u00e9",
        "not very ", "the the ", "teh ", "的的", "以经", "“", "「",
        "$", "' ", "\"", "www.", "因该", "der die das ", "是是",
        "抱歉",
    )
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=[text[:12].strip() for text in NASTY])
def test_no_text_takes_long(text):
    """200,000 characters on either side; a pattern that goes back and forth would take minutes."""
    began = time.process_time()
    codes([(text, text + " 1a end")])
    assert time.process_time() - began < 5


@settings(deadline=None)
@given(
    question=st.text(min_size=1),
    answer=st.text(min_size=1) | st.text(alphabet="<>&;@.-+/: =aA1密码是吧好像\u200b", max_size=60),
)
def test_no_text_breaks_a_check(question, answer):
    codes([(question, answer)])
