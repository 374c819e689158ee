"""Runs that are ended again and again, at moments that nobody chose: the loss curve is that of a run left alone."""

import random
import signal
import time
from pathlib import Path

import pytest
from trainer_jobs import ADAPTER, Spec
from trainer_steps import Bench, Run, Step, complete_checkpoints

from finetune_core.contract import TrainerConfig, parse_progress
from finetune_core.contract.environment import EXIT_TERMINATED

TIMES = 20
EVERY = 5
LONG: Spec = {
    "method": "lora",
    "hyperparameters": ADAPTER | {"maxSteps": 700, "loggingSteps": 1, "learningRate": 0.002},
    "evaluation": {"everySteps": 50, "earlyStoppingPatience": 0, "samples": {"count": 1, "maxNewTokens": 4}},
    "checkpoints": {"everySteps": EVERY, "keep": 2},
}
"""Long enough not to end before it has been ended so often."""


@pytest.fixture(scope="module")
def undisturbed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bench.train(bench.job(tmp_path_factory.mktemp("undisturbed") / "output", **LONG))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_ended_twenty_times_is_the_run_left_alone(
    bench: Bench, undisturbed: Run, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM costs no finished step. SIGKILL costs those since the last checkpoint, and one may be on its way."""
    config = bench.trainer_config(bench.job(tmp_path / "output", **LONG))
    draw = random.Random(int(number))
    for _ in range(TIMES):
        began_at = newest(config)
        step = bench.start(config)
        delay = draw.uniform(0.0, 0.25)
        ended = step.signal_when(lambda step=step, delay=delay: has_trained(step, delay), number)  # type: ignore[misc]
        assert ended.code == (EXIT_TERMINATED if number == signal.SIGTERM else -number), ended.stderr
        reached = max(line.step for line in ended.progress)
        if number == signal.SIGTERM:
            assert newest(config) >= reached
        else:
            assert newest(config) > reached - 2 * EVERY
        assert newest(config) >= began_at

    run = bench.train_again(config)
    assert run.report.resumed_from_step == newest_before_the_end(run)
    assert run.metrics == undisturbed.metrics
    assert run.weights_digest == undisturbed.weights_digest
    assert run.report.supervised_tokens == undisturbed.report.supervised_tokens


def newest(config: TrainerConfig) -> int:
    return max(complete_checkpoints(config), default=0)


def newest_before_the_end(run: Run) -> int:
    return min(line.step for line in run.ended.progress) - 1


def has_trained(step: Step, seconds: float) -> bool:
    """Whether the first line of a step came so long ago; the sleep is the random moment."""
    if not any(parse_progress(line) for line in step.printed.splitlines()):
        return False
    time.sleep(seconds)
    return True
