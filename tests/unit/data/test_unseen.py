"""Recall and precision of the dataset checks on rows written without a look at the checks or at their tests.

``unseen/CHECK.LANGUAGE.bad.jsonl`` has rows with the fault that a check finds, ``.good.jsonl`` rows that only look like
it; ``clean.LANGUAGE.good.jsonl`` has varied rows without a fault. Rows with the same ``pair`` belong together. A letter
of each made-up secret is written as a JSON escape, so that no scanner of repositories takes it for a real one.
``parts.LANGUAGE.jsonl`` has the sentences of which whole sets are put together. The folders ``second``, ``third``,
``fourth`` and ``fifth`` have other writers' rows, from other walks of life, each drawn after the checks had learned
from the ones before; ``fourth/parts.jsonl`` has whole sets of 60 rows, on several topics or mostly on one.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from finetune_core.api.findings import FindingCode
from finetune_core.data import DatasetReport, RawRow, examine

UNSEEN = Path(__file__).parent / "unseen"
SECOND, THIRD, FOURTH, FIFTH = (UNSEEN / name for name in ("second", "third", "fourth", "fifth"))
LANGUAGES = ("en", "zh")
ROW_CHECKS: tuple[FindingCode, ...] = (
    "html-markup", "control-characters", "mojibake", "secret", "pii", "internal-reference", "echo", "refusal",
    "hedged-output", "terse-output", "language-mismatch", "typo", "unrelated-output", "near-duplicate",
    "conflicting-output",
)  # fmt: skip
SECOND_CHECKS: tuple[FindingCode, ...] = ROW_CHECKS[: ROW_CHECKS.index("unrelated-output")]
THIRD_CHECKS: tuple[FindingCode, ...] = (
    "secret", "internal-reference", "echo", "refusal", "hedged-output", "terse-output", "language-mismatch", "typo",
)  # fmt: skip
FOURTH_CHECKS: tuple[FindingCode, ...] = SECOND_CHECKS
FIFTH_CHECKS: tuple[FindingCode, ...] = SECOND_CHECKS
SET_CHECKS: tuple[FindingCode, ...] = ("repeated-opening", "mixed-style", "topic-imbalance", "unrelated-output")

Row = dict[str, Any]
Rows = list[Row]


class Measured(NamedTuple):
    """What a check found among the bad rows and the others."""

    positives: int
    found: int
    alarms: int

    @property
    def recall(self) -> float:
        return self.found / self.positives

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.alarms) if self.found else 0.0


def read(name: str, folder: Path = UNSEEN) -> list[Row]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]


def lint(rows: Rows) -> DatasetReport:
    fields = ("instruction", "input", "output")
    numbered = enumerate(rows, start=1)
    return examine(RawRow(number, {name: row[name] for name in fields if name in row}) for number, row in numbered)


def reported(rows: Rows, code: FindingCode) -> set[int]:
    """Indices of the rows that the report lists."""
    return {number - 1 for finding in lint(rows).findings if finding.code == code for number in finding.rows}


def measure(code: FindingCode, language: str, folder: Path = UNSEEN) -> Measured:
    """Bad rows, look-alikes and clean rows are mixed, as they are in a real set."""
    bad, good = read(f"{code}.{language}.bad", folder), read(f"{code}.{language}.good", folder)
    rows = [*bad, *good, *read(f"clean.{language}.good", folder)]
    random.Random(7).shuffle(rows)
    marked = [rows[index] for index in reported(rows, code)]
    # Of a pair, the check may name either row.
    found = {row.get("pair", id(row)) for row in marked if row in bad}
    return Measured(
        positives=len({row.get("pair", id(row)) for row in bad}),
        found=len(found),
        alarms=sum(row not in bad for row in marked),
    )


class Parts(NamedTuple):
    """Sentences of a language, by topic and by style."""

    topics: list[Row]
    styles: dict[str, Row]

    @classmethod
    def of(cls, language: str) -> "Parts":
        lines = read(f"parts.{language}")
        return cls(
            topics=[line for line in lines if "topic" in line],
            styles={line["style"]: line for line in lines if "style" in line},
        )


FIRST_WORDS = {"en": "How do I {}?", "zh": "如何{}？"}


def talk(topic: Row, count: int, dice: random.Random) -> Rows:
    """Questions on one topic with their answers, no question twice."""
    pairs = zip(topic["asks"], topic["answers"], strict=True)
    chosen = dice.sample([(ask, answer, thing) for ask, answer in pairs for thing in topic["things"]], count)
    return [
        {
            "instruction": _capital(ask.format(thing)),
            "output": topic["between"].join([_capital(answer.format(thing)), dice.choice(topic["more"])]),
        }
        for ask, answer, thing in chosen
    ]


def ask_alike(language: str, topic: Row, count: int, dice: random.Random) -> Rows:
    """Questions on one topic that begin with the same words."""
    chosen = dice.sample([(deed, thing) for deed in topic["deeds"] for thing in topic["things"]], count)
    return [
        {
            "instruction": FIRST_WORDS[language].format(deed.format(thing)),
            "output": _capital(dice.choice(topic["answers"]).format(thing)),
        }
        for deed, thing in chosen
    ]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def mixed(*parts: Rows, dice: random.Random) -> Rows:
    rows = [row for part in parts for row in part]
    dice.shuffle(rows)
    return rows


def openings(language: str, share: float, dice: random.Random) -> Rows:
    """A share of the questions begins alike."""
    topics = Parts.of(language).topics[:4]
    alike = round(30 * share)
    return mixed(
        *(ask_alike(language, topic, alike, dice) for topic in topics),
        *(talk(topic, 30 - alike, dice) for topic in topics),
        dice=dice,
    )


def about(language: str, counts: list[int], first: int, dice: random.Random) -> Rows:
    """So many rows of each topic, from the given one on."""
    topics = Parts.of(language).topics[:4]
    turned = topics[first:] + topics[:first]
    return mixed(*(talk(topic, count, dice) for topic, count in zip(turned, counts, strict=False)), dice=dice)


def narrow(language: str, dice: random.Random) -> Rows:
    """All about one thing, as it is meant."""
    return talk(Parts.of(language).topics[4], 80, dice)


INSTRUCTION = {"en": "Which department is the message for?", "zh": "这条消息该转给哪个部门？"}


def labels(language: str, counts: list[int], first: int, dice: random.Random) -> Rows:
    """The same as ``about``, to be classified."""
    topics = Parts.of(language).topics[:4]
    turned = topics[first:] + topics[:first]
    return mixed(
        *(
            [
                {"instruction": INSTRUCTION[language], "input": row["instruction"], "output": topic["topic"]}
                for row in talk(topic, count, dice)
            ]
            for topic, count in zip(turned, counts, strict=False)
        ),
        dice=dice,
    )


def styled(language: str, formal: int, colloquial: int, dice: random.Random) -> Rows:
    """Answers of which so many are formal, and so many colloquial."""
    parts = Parts.of(language)
    styles = [parts.styles["formal"]] * formal + [parts.styles["colloquial"]] * colloquial
    asked = about(language, [(len(styles) + 3) // 4] * 4, 0, dice)
    things = [thing for topic in parts.topics[:4] for thing in topic["things"]]
    return mixed(
        [
            {
                "instruction": row["instruction"],
                "output": style["between"]
                .join(dice.choice(style[part]) for part in ("opening", "body", "closing"))
                .format(next(thing for thing in things if thing.lower() in row["instruction"].lower())),
            }
            for row, style in zip(asked, styles, strict=False)
        ],
        dice=dice,
    )


def swapped(rows: Rows, dice: random.Random) -> Rows:
    """The same with the outputs in another order: a column was sorted or shifted by itself."""
    outputs = [row["output"] for row in rows]
    dice.shuffle(outputs)
    return [{**row, "output": output} for row, output in zip(rows, outputs, strict=True)]


def shifted(rows: Rows) -> Rows:
    return [{**row, "output": rows[index - 1]["output"]} for index, row in enumerate(rows)]


def sets(code: FindingCode, language: str) -> Iterator[tuple[str, bool, Rows]]:
    """(what it is, whether it has the fault, rows)"""
    dice = random.Random(f"{code} {language}")
    clean = read(f"clean.{language}.good")
    if code == "repeated-opening":
        yield "nine in ten alike", True, openings(language, 0.9, dice)
        yield "all alike", True, openings(language, 1.0, dice)
        yield "three in four alike", True, openings(language, 0.75, dice)
        yield "one in three alike", False, openings(language, 0.33, dice)
        yield "varied", False, openings(language, 0.0, dice)
        yield "one instruction, many inputs", False, labels(language, [25, 25, 25, 25], 0, dice)
        yield "clean", False, clean
    elif code == "mixed-style":
        yield "half and half", True, styled(language, 50, 50, dice)
        yield "two thirds formal", True, styled(language, 66, 34, dice)
        yield "two thirds colloquial", True, styled(language, 34, 66, dice)
        yield "half and half, few", True, styled(language, 30, 30, dice)
        yield "formal", False, styled(language, 100, 0, dice)
        yield "colloquial", False, styled(language, 0, 100, dice)
        yield "neutral", False, about(language, [25, 25, 25, 25], 0, dice)
        yield "clean", False, clean
    elif code == "topic-imbalance":
        yield "80/15/5", True, about(language, [80, 15, 5], 0, dice)
        yield "80/15/5 of others", True, about(language, [80, 15, 5], 1, dice)
        yield "labels 80/15/5", True, labels(language, [80, 15, 5], 0, dice)
        yield "labels 80/15/5 of others", True, labels(language, [80, 15, 5], 2, dice)
        yield "balanced", False, about(language, [30, 30, 30, 10], 0, dice)
        yield "equal", False, about(language, [25, 25, 25, 25], 0, dice)
        yield "45/35/20", False, about(language, [45, 35, 20], 1, dice)
        yield "labels balanced", False, labels(language, [34, 33, 33], 0, dice)
        yield "labels 45/30/25", False, labels(language, [45, 30, 25], 1, dice)
        yield "one narrow domain", False, narrow(language, dice)
        yield "clean", False, clean
    elif code == "unrelated-output":
        talked = about(language, [25, 25, 25, 25], 0, dice)
        yield "outputs shuffled", True, swapped(talked, dice)
        yield "outputs shuffled in varied rows", True, swapped(clean, dice)
        yield "outputs shifted by one", True, shifted(talked)
        yield "outputs in place", False, talked
        yield "labels in place", False, labels(language, [25, 25, 25, 25], 0, dice)
        yield "one narrow domain", False, narrow(language, dice)
        yield "clean", False, clean


BEHIND: dict[tuple[str, str], str] = {
    ("unrelated-output", "en"): "words cannot tell an answer on a subject that is nowhere else in the set",
    ("unrelated-output", "zh"): "words cannot tell an answer on a subject that is nowhere else in the set",
}
"""Checks that are not yet good enough on the rows. A line goes when its check is: a test that passes here fails."""

SECOND_BEHIND: dict[tuple[str, str], str] = {
    ("typo", "zh"): "finds 13 of 15",
}
"""The same on the second writer's rows."""

THIRD_BEHIND: dict[tuple[str, str], str] = {}
"""The same on the third writer's rows."""

FOURTH_BEHIND: dict[tuple[str, str], str] = {
    ("terse-output", "en"): "finds 13 of 15",
    ("terse-output", "zh"): "finds 14 of 15",
}
"""The same on the fourth writer's rows."""

FIFTH_BEHIND: dict[tuple[str, str], str] = {}
"""The same on the fifth writer's rows."""


def _cases(codes: tuple[FindingCode, ...], behind: dict[tuple[str, str], str]) -> list[Any]:
    return [
        pytest.param(
            code,
            language,
            marks=[pytest.mark.xfail(raises=AssertionError, reason=reason)]
            if (reason := behind.get((code, language)))
            else [],
        )
        for code in codes
        for language in LANGUAGES
    ]


def _good_enough(measured: Measured) -> None:
    assert measured.recall >= 0.95, measured
    assert measured.precision >= 0.9, measured


@pytest.mark.parametrize(("code", "language"), _cases(ROW_CHECKS, BEHIND))
def test_a_check_finds_faulty_rows_and_passes_those_that_only_look_it(code, language):
    _good_enough(measure(code, language))


@pytest.mark.parametrize(("code", "language"), _cases(SECOND_CHECKS, SECOND_BEHIND))
def test_it_does_so_on_another_writers_rows(code, language):
    _good_enough(measure(code, language, SECOND))


@pytest.mark.parametrize(("code", "language"), _cases(THIRD_CHECKS, THIRD_BEHIND))
def test_it_does_so_on_a_third_writers_rows(code, language):
    _good_enough(measure(code, language, THIRD))


@pytest.mark.parametrize(("code", "language"), _cases(FOURTH_CHECKS, FOURTH_BEHIND))
def test_it_does_so_on_a_fourth_writers_rows(code, language):
    _good_enough(measure(code, language, FOURTH))


@pytest.mark.parametrize(("code", "language"), _cases(FIFTH_CHECKS, FIFTH_BEHIND))
def test_it_does_so_on_a_fifth_writers_rows(code, language):
    _good_enough(measure(code, language, FIFTH))


@pytest.mark.parametrize(("code", "language"), _cases(SET_CHECKS, {}))
def test_a_check_of_whole_sets_finds_faulty_ones_and_passes_others(code, language):
    verdicts = [
        (faulty, any(finding.code == code for finding in lint(rows).findings))
        for _, faulty, rows in sets(code, language)
    ]
    _good_enough(
        Measured(
            positives=sum(faulty for faulty, _ in verdicts),
            found=sum(faulty and told for faulty, told in verdicts),
            alarms=sum(told and not faulty for faulty, told in verdicts),
        )
    )


BEHIND_IN_FEW_ROWS = "60 rows of which four in five are on one topic, in ever different words"


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        *(
            pytest.param(name, True, marks=pytest.mark.xfail(raises=AssertionError, reason=BEHIND_IN_FEW_ROWS))
            for name in ("shop-desk-skewed", "sleep-clinic-skewed", "商城客服-偏斜", "物业报修-偏斜")
        ),
        *((name, False) for name in ("help-mix-five", "town-desk-six", "综合问答-五类", "便民热线-六类")),
    ],
)
def test_small_sets_mostly_on_one_topic_are_told_from_others(name, faulty):
    rows = [row for row in read("parts", FOURTH) if row["set"] == name]
    assert any(finding.code == "topic-imbalance" for finding in lint(rows).findings) == faulty


@pytest.mark.parametrize(
    "folder", [UNSEEN, SECOND, THIRD, FOURTH, FIFTH], ids=["first", "second", "third", "fourth", "fifth"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_clean_rows_are_all_used_and_hardly_warned_of(language, folder):
    rows = read(f"clean.{language}.good", folder)
    report = lint(rows)
    assert not report.refused
    assert report.used_rows == len(rows)
    found = [finding for finding in report.findings if finding.code != "too-few-samples"]
    assert sum(finding.count for finding in found) <= 0.02 * len(rows), found
