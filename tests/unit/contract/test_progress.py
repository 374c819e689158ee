"""Progress and stages as lines of a log: what was written is read again, and nothing else is."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.contract import Progress, format_progress, format_stage, parse_progress, parse_stage
from finetune_core.contract.progress import PROGRESS_PREFIX

finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.none() | st.floats()
counts = st.integers(min_value=0, max_value=2**53)

progresses = st.builds(
    Progress,
    step=counts,
    total_steps=counts,
    epoch=finite,
    time=finite,
    loss=numbers,
    eval_loss=numbers,
    learning_rate=st.none() | finite,
    grad_norm=numbers,
    tokens_per_second=st.none() | finite,
    peak_memory_bytes=st.none() | counts,
)


def line_of(**fields: object) -> str:
    return PROGRESS_PREFIX + json.dumps({"step": 1, "total_steps": 2, "epoch": 0.5, "time": 1.0, **fields})


@given(progresses)
@settings(deadline=None)
def test_progress_survives_its_line(progress: Progress) -> None:
    line = format_progress(progress)
    assert "\n" not in line
    again = parse_progress(line + "\n")
    assert again is not None
    # repr, because NaN is not equal to itself
    assert repr(again) == repr(progress)


def test_names_are_those_of_the_metrics_and_what_was_not_measured_is_absent() -> None:
    progress = Progress(step=3, total_steps=9, epoch=0.25, time=5.0, eval_loss=1.5, tokens_per_second=2.0)
    assert json.loads(format_progress(progress).removeprefix(PROGRESS_PREFIX)) == {
        "step": 3, "total_steps": 9, "epoch": 0.25, "time": 5.0, "eval_loss": 1.5, "tokens_per_second": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")], ids=str
)
def test_numbers_that_are_not_finite_travel_as_words(number: float, text: str) -> None:
    progress = Progress(step=1, total_steps=2, epoch=0.5, time=1.0, loss=number, grad_norm=number)
    written = json.loads(format_progress(progress).removeprefix(PROGRESS_PREFIX))
    assert (written["loss"], written["grad_norm"]) == (text, text)


def test_fields_of_a_later_version_are_passed_over() -> None:
    progress = parse_progress(line_of(loss=1.0, temperature=3))
    assert progress is not None
    assert progress.loss == 1.0


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loss: 1.0",
        "finetune-progress",
        PROGRESS_PREFIX,
        PROGRESS_PREFIX + "{}",
        PROGRESS_PREFIX + "null",
        PROGRESS_PREFIX + "[1, 2]",
        PROGRESS_PREFIX + '{"step": 1, "total_steps": 2, "epoch": 0.5, "ti',
        PROGRESS_PREFIX + "[" * 5_000,
        " " + line_of(),
        line_of(step="1"),
        line_of(step=1.5),
        line_of(loss="much"),
        line_of(loss=[1]),
        line_of() + line_of(),
        line_of() + "\x00",
        format_stage("training"),
    ],
)
def test_any_other_line_is_no_progress(line: str) -> None:
    assert parse_progress(line) is None


@given(progresses, st.integers(min_value=0, max_value=400))
@settings(deadline=None)
def test_a_line_cut_short_is_no_progress(progress: Progress, kept: int) -> None:
    line = format_progress(progress)
    assert parse_progress(line[: min(kept, len(line) - 1)]) is None


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), min_size=1))
@settings(deadline=None)
def test_a_stage_survives_its_line(text: str) -> None:
    assert parse_stage(format_stage(text) + "\n") == text


@pytest.mark.parametrize("line", ["", "training", " finetune-stage: training", "finetune-stage:training", line_of()])
def test_any_other_line_is_no_stage(line: str) -> None:
    assert parse_stage(line) is None
