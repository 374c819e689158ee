"""Checkpoints as files: whole or not there, the right ones kept."""

from pathlib import Path
from typing import Any

import pytest
import torch

from finetune_core.contract import Place
from finetune_core.errors import StorageError
from finetune_storage import open_folder
from finetune_trainer.checkpoints import Checkpoints

OWNER = ("job", "uid-1")


def checkpoints(tmp_path: Path, *, keep: int = 2, owner: tuple[str, str] = OWNER) -> Checkpoints:
    """As a new process would open them."""
    return Checkpoints(open_folder(Place(uri=(tmp_path / "place").as_uri())), tmp_path / "scratch", keep, owner)


def save(place: Checkpoints, *steps: int, best: int | None = None, mark: float = 0.0) -> None:
    for step in steps:
        weights = {"w": torch.full((3,), step + mark)}
        place.save(step, weights, {"run": {"step": step, "mark": mark}}, best)
    place.wait()


def steps_there(tmp_path: Path) -> list[int]:
    return sorted(int(file.parent.name[-8:]) for file in (tmp_path / "place").glob("*/complete.json"))


def damage(tmp_path: Path, step: int) -> None:
    (tmp_path / "place" / f"step-{step:08d}" / "weights.safetensors").write_bytes(b"damaged")


def newest(tmp_path: Path, **options: Any) -> int | None:
    fetched = checkpoints(tmp_path, **options).newest()
    return fetched.step if fetched else None


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    weights = {"b": torch.arange(6.0).view(2, 3).t(), "a": torch.ones(2, dtype=torch.bfloat16)}
    state = {"rng": torch.get_rng_state(), "run": {"step": 3, "metrics": ["{}"], "best_step": None}, "scaler": None}
    place = checkpoints(tmp_path)
    place.save(3, weights, state, None)
    place.wait()
    fetched = checkpoints(tmp_path).newest()
    assert fetched is not None
    assert fetched.step == 3
    restored, again = fetched.weights(), fetched.state()
    fetched.remove()
    assert restored.keys() == weights.keys()
    for name, value in weights.items():
        assert restored[name].dtype == value.dtype
        assert torch.equal(restored[name], value)
    assert torch.equal(again["rng"], state["rng"])
    assert again["run"] == state["run"]


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert newest(tmp_path) is None


def test_the_newest_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    save(checkpoints(tmp_path, keep=9), 9, 100, 11)
    assert newest(tmp_path) == 100


def test_all_but_the_newest_and_the_best_are_pruned(tmp_path: Path) -> None:
    place = checkpoints(tmp_path, keep=2)
    save(place, 1, 2, best=2)
    save(place, 3, 4, 5, best=2)
    assert steps_there(tmp_path) == [2, 4, 5]
    save(place, 6, best=6)
    assert steps_there(tmp_path) == [5, 6]
    assert sorted(path.name for path in (tmp_path / "place").iterdir()) == ["step-00000005", "step-00000006"]


def test_nothing_of_a_save_stays_in_scratch(tmp_path: Path) -> None:
    save(checkpoints(tmp_path), 1, 2)
    fetched = checkpoints(tmp_path).newest()
    assert fetched is not None
    assert fetched.step == 2
    fetched.remove()
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": 1}'])
def test_a_damaged_list_of_files_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    save(checkpoints(tmp_path), 1, 2)
    (tmp_path / "place" / "step-00000002" / "complete.json").write_bytes(content)
    assert newest(tmp_path) == 1
    assert "step 2 is damaged" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    save(checkpoints(tmp_path), 1, 2)
    damage(tmp_path, 2)
    again = checkpoints(tmp_path)
    assert again.newest().step == 1
    save(again, 2, best=2, mark=0.5)
    assert again.fetch(2).state()["run"] == {"step": 2, "mark": 0.5}
    assert newest(tmp_path) == 2


def test_a_damaged_checkpoint_does_not_count_among_those_kept(tmp_path: Path) -> None:
    save(checkpoints(tmp_path, keep=2), 1, 5)
    damage(tmp_path, 5)
    again = checkpoints(tmp_path, keep=1)
    assert again.newest().step == 1
    save(again, 2, 3)
    assert newest(tmp_path) == 3  # and not gone because step 5 looks newer


def test_another_jobs_checkpoint_is_not_taken(tmp_path: Path) -> None:
    save(checkpoints(tmp_path, owner=("job", "uid-2")), 5)
    assert newest(tmp_path) is None
    with pytest.raises(StorageError, match="another job"):
        checkpoints(tmp_path).fetch(5)


def test_a_state_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    place = checkpoints(tmp_path)
    place.save(1, {"w": torch.zeros(1)}, {"run": Hostile()}, None)
    fetched = place.newest()
    assert fetched is not None
    with pytest.raises(Exception, match="Weights only load failed"):
        fetched.state()
    assert not (tmp_path / "ran").exists()
