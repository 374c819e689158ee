"""AdamW with moments in 8 bits: what it learns, and that an interrupted run goes on with the same moments."""

import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor
from trainer_jobs import METHODS, STEPS, Spec
from trainer_steps import Bench, Run, checkpoint_folder, complete_checkpoints

from finetune_core.contract.environment import EXIT_TERMINATED
from finetune_trainer.optimizer import make_optimizer

SMALLEST = 4096
"""Elements of a tensor whose moments are kept in 8 bits."""
SHARED_BY_ALL = {"qmap1", "qmap2", "step"}
"""What 8-bit numbers stand for: one table for all tensors."""


def spec(method: str, optimizer: str) -> Spec:
    """Adapters of rank 64, since those of rank 8 are too small here for moments in 8 bits."""
    settings = METHODS[method]["hyperparameters"] | {"optimizer": optimizer, "lora": {"rank": 64}}
    if method != "full":
        settings |= {"learningRate": 0.002}
    return METHODS[method] | {
        "hyperparameters": settings,
        "checkpoints": {"everySteps": 5, "keep": 2, "keepAfterSuccess": True},
    }


@pytest.fixture(scope="module", params=["full", "lora", "qlora"])
def both(request: pytest.FixtureRequest, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The same job with either optimizer."""
    folder = tmp_path_factory.mktemp(request.param)
    return {
        name: bench.train(bench.job(folder / name, **spec(request.param, name))) for name in ("adamw", "adamw-8bit")
    }


def states_of(run: Run) -> list[dict[str, Tensor]]:
    """The optimizer's state of each tensor in the newest checkpoint."""
    stored = torch.load(checkpoint_folder(run.config, run.checkpoints[-1]) / "state.pt", weights_only=True)
    states = [state.get("__bnb_optimizer_quant_state__", state) for state in stored["optimizer"]["state"].values()]
    return [{name: value for name, value in state.items() if isinstance(value, Tensor)} for state in states]


def test_8_bits_learn_what_32_learn(both: dict[str, Run]) -> None:
    exact, short = both["adamw"], both["adamw-8bit"]
    assert short.losses != exact.losses
    assert short.losses == pytest.approx(exact.losses, rel=0.01)
    assert short.report.eval_loss == pytest.approx(exact.report.eval_loss, rel=0.01)
    assert short.losses[-1] < 0.6 * short.losses[0]


def test_the_moments_are_as_large_as_planned_but_for_small_tensors(both: dict[str, Run]) -> None:
    for name, kind in (("adamw", torch.float32), ("adamw-8bit", torch.uint8)):
        memory = both[name].config.plan.memory
        assert memory is not None
        planned = memory.parts.optimizer / (memory.parts.gradients / 4)
        large = [state for state in states_of(both[name]) if max(map(Tensor.numel, state.values())) >= SMALLEST]
        assert large
        for state in large:
            parameters = max(map(Tensor.numel, state.values()))
            moments = [value for value in state.values() if value.numel() == parameters]
            assert [value.dtype for value in moments] == [kind, kind]
            size = sum(value.nbytes for name, value in state.items() if name not in SHARED_BY_ALL)
            assert size / parameters == pytest.approx(planned, rel=1e-3)


def test_an_interrupted_run_goes_on_bit_for_bit(both: dict[str, Run], bench: Bench, tmp_path: Path) -> None:
    reference = both["adamw-8bit"]
    config = bench.trainer_config(bench.job(tmp_path / "output", **spec(reference.config.method, "adamw-8bit")))
    step = bench.start(config)
    ended = step.signal_when(lambda: '"step":3' in step.printed, signal.SIGTERM)
    assert ended.code == EXIT_TERMINATED, ended.stderr
    at = complete_checkpoints(config)[-1]
    resumed = bench.train_again(config)
    assert resumed.report.resumed_from_step == at < STEPS
    assert resumed.metrics == reference.metrics
    assert resumed.weights_digest == reference.weights_digest


def test_two_processes_have_the_numbers_of_one(bench: Bench, tmp_path: Path) -> None:
    """Each keeps all moments; without dropout, which each draws for itself."""
    job = spec("full", "adamw-8bit")
    jobs = [
        bench.job(tmp_path / name, **job | {"hyperparameters": job["hyperparameters"] | {"microBatchSize": 2}})
        for name in ("one", "two")
    ]
    one, two = map(bench.trainer_config, jobs)
    together = two.plan.model_copy(update={"gpu": two.plan.gpu.model_copy(update={"per_node": 2})})
    alone, both = map(bench.train_again, (one, two.model_copy(update={"plan": together})))
    assert both.losses == pytest.approx(alone.losses, rel=1e-3)


def test_a_step_is_that_of_adamw(both: dict[str, Run]) -> None:
    """Weight decay that is not a part of the gradient, and the moments' start from zero made up for."""
    settings = both["adamw-8bit"].config.hyperparameters
    torch.manual_seed(5)
    start, slope = torch.randn(64, 64), torch.randn(64, 64)
    moved = {}
    for name in ("adamw", "adamw-8bit"):
        weight = torch.nn.Parameter(start.clone())
        changes = {"optimizer": name, "learning_rate": 0.1, "weight_decay": 0.5}
        optimizer = make_optimizer([weight], settings.model_copy(update=changes))
        for scale in (1.0, 1.0, -0.5):
            weight.grad = slope * scale
            optimizer.step()
        moved[name] = weight.detach() - start
    difference = (moved["adamw-8bit"] - moved["adamw"]).abs().mean() / moved["adamw"].abs().mean()
    assert 0 < difference < 0.02
