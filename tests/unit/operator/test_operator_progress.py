"""What the end of a trainer's log says."""

import math

import pytest
from observed_jobs import NOW

from finetune_core.contract import Progress, format_progress
from finetune_operator.progress import read_tail


def line(step: int, **measured: float) -> str:
    return format_progress(Progress(step=step, total_steps=100, epoch=step / 50, time=1_000.0 + 2 * step, **measured))


def test_the_newest_of_each_measurement_is_taken_though_they_stand_in_different_lines() -> None:
    tail = read_tail(
        "\n".join([line(10, loss=2.0), line(10, eval_loss=1.9), line(20, loss=1.5, learning_rate=1e-4)]), NOW
    )
    newest = tail.progress
    assert (newest.step, newest.loss, newest.eval_loss, newest.learning_rate) == (20, 1.5, 1.9, 1e-4)
    assert tail.changed_at == NOW


@pytest.mark.parametrize(
    ("text", "step", "rate"),
    [
        pytest.param("", None, None, id="nothing yet"),
        pytest.param("Loading weights\n\x00\ud83d?\nTraceback", None, None, id="other lines"),
        pytest.param("finetune-progress: {\nfinetune-progress: {}", None, None, id="damaged lines"),
        pytest.param(line(10), 10, None, id="one step tells no rate"),
        pytest.param(f"{line(10)}\n{line(10, eval_loss=1.0)}", 10, None, id="one step twice"),
        pytest.param(f"{line(10)}\nwarning\n{line(20)}\nSaving", 20, 2.0, id="seconds per step"),
        pytest.param(f"{line(10)[9:]}\n{line(20)}\n{line(30)}", 30, 2.0, id="a first line that is cut off"),
    ],
)
def test_any_log_is_read(text: str, step: int | None, rate: float | None) -> None:
    tail = read_tail(text, NOW)
    assert (tail.progress.step if tail.progress else None, tail.seconds_per_step) == (step, rate)


def test_a_loss_that_is_no_number_is_news() -> None:
    newest = read_tail(f"{line(10, loss=2.0)}\n{line(20, loss=math.nan)}", NOW).progress
    assert math.isnan(newest.loss)
