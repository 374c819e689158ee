"""Several processes train one model: the numbers of one alone, interrupted or not, on as many or on others."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainer_jobs import METHODS
from trainer_steps import DEADLINE_SECONDS, Bench, Run, complete_checkpoints

from finetune_core.api.job import Sharding
from finetune_core.contract import TrainerConfig, parse_progress
from finetune_core.contract.environment import EXIT_TERMINATED, TERMINATION_VARIABLE
from finetune_trainer.group import Group

STEPS = 10

SPECS: dict[str, dict[str, Any]] = {
    label: METHODS[label]
    | {
        # Without dropout, which every process draws for itself, and at a rate that lets no rounding grow.
        "hyperparameters": METHODS[label]["hyperparameters"]
        | {"microBatchSize": 2, "learningRate": 0.003, "lora": {"dropout": 0.0}, "packing": False, "maxSteps": STEPS}
    }
    for label in ("full", "lora", "qlora")
}


def divided(config: TrainerConfig, processes: int, sharding: Sharding = "none") -> TrainerConfig:
    """The same work on so many processes."""
    plan = config.plan
    assert plan.gpu is not None
    assert plan.hyperparameters is not None
    return config.model_copy(
        update={
            "plan": plan.model_copy(
                update={
                    "gpu": plan.gpu.model_copy(update={"per_node": processes}),
                    "hyperparameters": plan.hyperparameters.model_copy(update={"sharding": sharding}),
                }
            )
        }
    )


@pytest.fixture(scope="session")
def alone(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    return {label: bench.train(bench.job(folder / label, **spec)) for label, spec in SPECS.items()}


def assert_same_numbers(run: Run, reference: Run, tolerance: float) -> None:
    assert [line["step"] for line in run.metrics] == [line["step"] for line in reference.metrics]
    for name in ("loss", "eval_loss", "grad_norm"):
        ours, theirs = ([line[name] for line in each.metrics if name in line] for each in (run, reference))
        assert ours == pytest.approx(theirs, rel=tolerance), name
    assert run.report.supervised_tokens == reference.report.supervised_tokens
    assert run.report.best_step == reference.report.best_step


DIVISIONS: list[tuple[str, int, Sharding]] = [
    ("full", 2, "none"), ("lora", 4, "none"), ("full", 2, "full"), ("lora", 2, "full"), ("full", 4, "full"),
    ("qlora", 2, "full"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "processes", "sharding"), DIVISIONS)
def test_several_processes_have_the_numbers_of_one(
    bench: Bench, alone: dict[str, Run], tmp_path: Path, label: str, processes: int, sharding: Sharding
) -> None:
    """32 rows, 8 a step: of 4 processes each has 2 rows, of unequal length."""
    config = divided(bench.trainer_config(bench.job(tmp_path / "output", **SPECS[label])), processes, sharding)
    run = bench.train_again(config)
    assert_same_numbers(run, alone[label], 1e-5)
    assert len(run.ended.progress) == len(alone[label].ended.progress)  # one speaks for all
    assert run.artifact.name == alone[label].artifact.name
    assert {path.name for path in run.artifact.iterdir()} == {path.name for path in alone[label].artifact.iterdir()}


@pytest.mark.parametrize(("label", "sharding"), [("lora", "none"), ("full", "full")])
def test_a_run_of_two_processes_goes_on_bit_for_bit(
    bench: Bench, tmp_path: Path, label: str, sharding: Sharding
) -> None:
    whole, stopped = (
        divided(bench.trainer_config(bench.job(tmp_path / name, **SPECS[label])), 2, sharding)
        for name in ("whole", "stopped")
    )
    reference = bench.train_again(whole)
    at = stop(bench, stopped)
    resumed = bench.train_again(stopped)
    assert resumed.report.resumed_from_step == at
    assert resumed.metrics == reference.metrics
    assert resumed.weights_digest == reference.weights_digest


def stop(bench: Bench, config: TrainerConfig) -> int:
    """SIGTERM at the first lines; the step of the checkpoint that was stored."""
    step = bench.start(config)
    ended = step.signal_when(lambda: '"step":3' in step.printed, signal.SIGTERM)
    assert (ended.code, ended.answer) == (EXIT_TERMINATED, ""), ended.stderr
    at = complete_checkpoints(config)[-1]
    assert 3 <= at < STEPS
    return at


@pytest.mark.parametrize(("before", "after"), [((2, "full"), (1, "none")), ((1, "none"), (2, "full"))])
def test_a_run_goes_on_with_another_number_of_processes(
    bench: Bench, alone: dict[str, Run], tmp_path: Path, before: tuple[int, Sharding], after: tuple[int, Sharding]
) -> None:
    config = bench.trainer_config(bench.job(tmp_path / "output", **SPECS["full"]))
    at = stop(bench, divided(config, *before))
    resumed = bench.train_again(divided(config, *after))
    assert resumed.report.resumed_from_step == at
    assert_same_numbers(resumed, alone["full"], 1e-4)


def test_a_process_that_is_killed_ends_them_all(bench: Bench, tmp_path: Path) -> None:
    config = divided(bench.trainer_config(bench.job(tmp_path / "output", **SPECS["lora"])), 2)
    step = bench.start(config)
    ended = step.kill_a_child_when(lambda: any(parse_progress(line) for line in step.printed.splitlines()))
    assert ended.code == 128 + signal.SIGKILL
    assert not (tmp_path / "output" / "manifest.json").exists()


def test_each_process_asks_for_segments_that_grow(bench: Bench, tmp_path: Path) -> None:
    config = divided(bench.trainer_config(bench.job(tmp_path / "output", **SPECS["lora"])), 2)
    step = bench.start(config)
    environments: list[bytes] = []

    def under_way() -> bool:
        environments[:] = [Path(f"/proc/{child}/environ").read_bytes() for child in step.children]
        return any(parse_progress(line) for line in step.printed.splitlines())

    step.signal_when(under_way, signal.SIGTERM)
    assert [b"\0PYTORCH_ALLOC_CONF=expandable_segments:True\0" in found for found in environments] == [True, True]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, "expandable_segments:True"),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}, "max_split_size_mb:64"),
        ({"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}, "max_split_size_mb:64"),
        ({"PYTORCH_CUDA_ALLOC_CONF": ""}, ""),
    ],
)
def test_what_torch_reads_of_the_allocator_is_the_users_own_where_there_is_one(
    given: dict[str, str], taken: str
) -> None:
    program = (
        "import contextlib, sys\n"
        "from finetune_trainer.main import main\n"
        "sys.argv = ['finetune-trainer', 'train']\n"
        "with contextlib.suppress(SystemExit):\n"  # without a config it ends at once
        "    main()\n"
        "import torch\n"
        "print(torch._C._accelerator_getAllocatorSettings())\n"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTORCH_")}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env=inherited | {TERMINATION_VARIABLE: os.devnull} | given,
        timeout=DEADLINE_SECONDS,
    )
    assert ended.stdout.splitlines()[-1] == taken
    assert len(ended.stderr.splitlines()) == 1  # that there is no config; torch has nothing to add


@given(st.integers(1, 8), st.lists(st.integers(1, 1000), max_size=64))
def test_rows_are_shared_out_evenly_and_each_once(size: int, lengths: list[int]) -> None:
    shares = Group(size=size).share(lengths)
    assert sorted(number for share in shares for number in share) == list(range(len(lengths)))
    tokens = [sum(lengths[number] for number in share) for share in shares]
    # Of two processes neither has more than the other by more than one row.
    assert max(tokens) - min(tokens) <= max(lengths, default=0)
