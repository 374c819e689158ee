"""Runs that were stopped, killed or started again: the same numbers and the same weights, bit for bit."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from trainer_jobs import METHODS, STEPS
from trainer_steps import (
    Bench,
    Run,
    checkpoint_folder,
    checkpoints_folder,
    complete_checkpoints,
    folder_of,
    prepare_config,
    tree,
)

from finetune_core.contract import TrainerConfig
from finetune_core.contract.build import trainer_config
from finetune_core.contract.environment import EXIT_TERMINATED
from finetune_core.planning.step_down import step_down


def assert_same_run(run: Run, reference: Run) -> None:
    assert run.metrics == reference.metrics
    assert run.weights_digest == reference.weights_digest
    told = {"steps", "best_step", "train_loss", "eval_loss", "eval_loss_before", "supervised_tokens", "truncated_rows"}
    assert run.report.model_dump(include=told) == reference.report.model_dump(include=told)


@pytest.fixture(scope="session")
def kept(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The LoRA run once more, its checkpoints kept."""
    spec = METHODS["lora"] | {"checkpoints": METHODS["lora"]["checkpoints"] | {"keepAfterSuccess": True}}
    return bench.train(bench.job(tmp_path_factory.mktemp("kept") / "output", **spec))


def test_a_second_run_is_the_first_one_again(kept: Run, runs: dict[str, Run]) -> None:
    """The reference ran in interpreters of its own, with other hash seeds."""
    assert kept.config.job_uid != runs["lora"].config.job_uid
    assert kept.config.prepare_report == runs["lora"].config.prepare_report
    assert_same_run(kept, runs["lora"])


def test_another_seed_is_another_run(bench: Bench, runs: dict[str, Run], tmp_path: Path) -> None:
    spec = METHODS["lora"] | {"hyperparameters": METHODS["lora"]["hyperparameters"] | {"seed": 12}}
    other = bench.train(bench.job(tmp_path / "output", **spec))
    assert other.metrics[0]["eval_loss"] == runs["lora"].metrics[0]["eval_loss"]  # the same base
    assert other.losses != runs["lora"].losses
    assert other.weights_digest != runs["lora"].weights_digest


def test_checkpoints_are_kept_if_the_job_says_so_and_pruned_to_keep(kept: Run) -> None:
    assert kept.report.best_step == STEPS
    assert kept.checkpoints == [15, STEPS]
    assert [folder.name for folder in sorted(checkpoints_folder(kept.config).iterdir())] == [
        "step-00000015",
        f"step-{STEPS:08d}",
    ]
    assert not (kept.output / ".work").exists()


def stopped(bench: Bench, config: TrainerConfig) -> tuple[int, str]:
    """Train, SIGTERM at the first lines; exit code and answer."""
    step = bench.start(config)
    ended = step.signal_when(lambda: '"step":3' in step.printed, signal.SIGTERM)
    return ended.code, ended.answer


@pytest.mark.parametrize("label", METHODS)
def test_a_run_stopped_by_sigterm_goes_on_bit_for_bit(
    bench: Bench, runs: dict[str, Run], tmp_path: Path, label: str
) -> None:
    config = bench.trainer_config(bench.job(tmp_path / "output", **METHODS[label]))
    assert stopped(bench, config) == (EXIT_TERMINATED, "")
    assert not (tmp_path / "output" / "manifest.json").exists()
    at = complete_checkpoints(config)[-1]
    assert 3 <= at < STEPS

    resumed = bench.train_again(config)
    assert resumed.report.resumed_from_step == at
    assert f"resuming from step {at}" in resumed.ended.stdout
    assert min(line.step for line in resumed.ended.progress) > at
    assert_same_run(resumed, runs[label])
    assert resumed.checkpoints == []


def test_a_run_goes_on_with_half_the_micro_batch(bench: Bench, tmp_path: Path) -> None:
    """As after an out-of-memory: only rounding may differ.

    Without dropout, whose random numbers go by the shape, and at a rate that lets no rounding grow.
    """
    settings = METHODS["lora"]["hyperparameters"] | {"lora": {"dropout": 0.0}, "learningRate": 0.003}
    spec = METHODS["lora"] | {"hyperparameters": settings}
    whole = bench.train(bench.job(tmp_path / "whole", **spec))

    job = bench.job(tmp_path / "halved", **spec)
    config = bench.trainer_config(job)
    assert stopped(bench, config) == (EXIT_TERMINATED, "")
    halved = step_down(config.plan)
    assert halved is not None
    smaller = trainer_config(prepare_config(job), job.spec, config.prepare_report, halved, "cpu")
    assert (config.hyperparameters.micro_batch_size, smaller.hyperparameters.micro_batch_size) == (4, 2)

    at = complete_checkpoints(config)[-1]
    resumed = bench.train_again(smaller)
    assert resumed.report.resumed_from_step == at < STEPS
    assert resumed.losses == pytest.approx(whole.losses, rel=1e-4)
    assert resumed.report.eval_loss == pytest.approx(whole.report.eval_loss, rel=1e-4)
    assert resumed.report.supervised_tokens == whole.report.supervised_tokens


@pytest.fixture(scope="session")
def killed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainerConfig, Path]:
    """A LoRA run that SIGKILL ended once it had two checkpoints: its config, and a copy of its output place."""
    folder = tmp_path_factory.mktemp("killed")
    config = bench.trainer_config(bench.job(folder / "output", **METHODS["lora"]))
    ended = bench.start(config).signal_when(lambda: len(complete_checkpoints(config)) >= 2, signal.SIGKILL)
    assert (ended.code, ended.answer) == (-signal.SIGKILL, "")
    assert not (folder / "output" / "manifest.json").exists()
    (folder / "output").rename(folder / "left-behind")
    return config, folder / "left-behind"


@pytest.fixture
def interrupted(killed: tuple[TrainerConfig, Path]) -> TrainerConfig:
    """The killed run as it was left."""
    config, left_behind = killed
    output = folder_of(config.output.uri)
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(left_behind, output)
    return config


def test_a_killed_run_goes_on_bit_for_bit(bench: Bench, runs: dict[str, Run], interrupted: TrainerConfig) -> None:
    newest = complete_checkpoints(interrupted)[-1]
    resumed = bench.train_again(interrupted)
    assert resumed.report.resumed_from_step == newest
    assert_same_run(resumed, runs["lora"])


def _flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGES: dict[str, Any] = {
    "a flipped bit in the weights": lambda folder: _flip_a_byte(folder / "weights.safetensors"),
    "a state cut short": lambda folder: (folder / "state.pt").write_bytes((folder / "state.pt").read_bytes()[:100]),
    "weights gone": lambda folder: (folder / "weights.safetensors").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    bench: Bench, runs: dict[str, Run], interrupted: TrainerConfig, damage: str
) -> None:
    before, newest = complete_checkpoints(interrupted)[-2:]
    DAMAGES[damage](checkpoint_folder(interrupted, newest))
    resumed = bench.train_again(interrupted)
    assert f"checkpoint of step {newest} is damaged" in resumed.ended.stderr
    assert resumed.report.resumed_from_step == before
    assert_same_run(resumed, runs["lora"])


def test_an_unfinished_checkpoint_is_passed_over(
    bench: Bench, runs: dict[str, Run], interrupted: TrainerConfig
) -> None:
    before, newest = complete_checkpoints(interrupted)[-2:]
    (checkpoint_folder(interrupted, newest) / "complete.json").unlink()
    resumed = bench.train_again(interrupted)
    assert resumed.report.resumed_from_step == before
    assert_same_run(resumed, runs["lora"])


def test_a_run_without_a_whole_checkpoint_starts_over(
    bench: Bench, runs: dict[str, Run], interrupted: TrainerConfig
) -> None:
    for step in complete_checkpoints(interrupted):
        _flip_a_byte(checkpoint_folder(interrupted, step) / "state.pt")
    restarted = bench.train_again(interrupted)
    assert restarted.report.resumed_from_step is None
    assert_same_run(restarted, runs["lora"])


def test_another_jobs_checkpoints_are_never_taken(
    bench: Bench, runs: dict[str, Run], kept: Run, tmp_path: Path
) -> None:
    config = bench.trainer_config(bench.job(tmp_path / "output", **METHODS["lora"]))
    place = checkpoints_folder(config)
    assert place.name != checkpoints_folder(kept.config).name  # the place alone keeps them apart,
    shutil.copytree(checkpoints_folder(kept.config), place)  # and were they to meet, so does the owner
    run = bench.train_again(config)
    assert run.report.resumed_from_step is None
    assert_same_run(run, runs["lora"])


def test_another_plans_checkpoints_are_left_alone(bench: Bench, interrupted: TrainerConfig) -> None:
    """Of a shorter cutoff, say; the job is the same."""
    before = tree(checkpoints_folder(interrupted))
    other = interrupted.model_copy(update={"plan_fingerprint": "0" * 64})
    run = bench.train_again(other)
    assert run.report.resumed_from_step is None
    assert tree(checkpoints_folder(interrupted)) == before
