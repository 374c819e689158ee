"""Jobs that share a cache of models: the preparation downloads the weights, and nothing is downloaded twice."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trainer_jobs import QUICK
from trainer_steps import ENVIRONMENT, Bench, prepare_config, trainer_config

from finetune_core.api import FineTuneJob
from finetune_core.contract import PrepareConfig, PrepareReport, RunReport, TrainerConfig
from reading_hub import COMMIT, reading_hub
from servers import free_port


class Pod:
    """A step in a process whose hub and home are its own; the cache is shared where there is one."""

    def __init__(self, config: PrepareConfig | TrainerConfig, home: Path, hub: str, cache: Path | None = None) -> None:
        home.mkdir()
        self._answer = home / "answer"
        environment = {name: value for name, value in (os.environ | ENVIRONMENT).items() if not name.startswith("HF_")}
        environment |= {"HOME": str(home), "HF_ENDPOINT": hub, "FINETUNE_CONFIG": config.to_json()}
        if cache is not None:
            environment |= {"HF_HUB_CACHE": str(cache), "FINETUNE_MODEL_CACHE": str(cache)}
        step = "prepare" if isinstance(config, PrepareConfig) else "train"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "finetune_trainer.main", step],
            env=environment | {"FINETUNE_TERMINATION_LOG": str(self._answer)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[str, str]:
        """What it answered and printed."""
        printed, errors = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, errors
        return self._answer.read_text(encoding="utf-8"), printed


def job_of(bench: Bench, output: Path, branch: str = "") -> FineTuneJob:
    job = bench.job(output, **QUICK)
    model = job.spec.model.model_copy(update={"uri": f"hf://org/tiny{branch}"})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"model": model})})


def test_jobs_with_a_shared_cache_download_a_model_once(bench: Bench, tiny_model: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    cache = tmp_path / "cache"
    jobs = [job_of(bench, tmp_path / name) for name in ("first", "second")]
    with reading_hub({"org/tiny": files}, before=lambda _: time.sleep(0.5)) as hub:
        pods = [
            Pod(prepare_config(job), tmp_path / f"home-{number}", hub.url, cache) for number, job in enumerate(jobs)
        ]
        answers = [pod.end() for pod in pods]
        assert sorted(hub.given) == sorted(files)
        assert all("fetching the model\n" in printed for _, printed in answers)
        again, printed = Pod(prepare_config(jobs[0]), tmp_path / "home-again", hub.url, cache).end()
        assert (again, "found it prepared\n" in printed) == (answers[0][0], True)
        assert len(hub.given) == len(files)

    # With the hub gone, the training finds all of it.
    nobody = f"http://127.0.0.1:{free_port()}"
    config = trainer_config(jobs[1], PrepareReport.model_validate_json(answers[1][0]))
    report, printed = Pod(config, tmp_path / "home-train", nobody, cache).end()
    assert RunReport.model_validate_json(report).steps == 2
    assert printed.index("fetching the model\n") < printed.index("loading the model\n")
    assert (cache / "models--org--tiny" / "refs" / "main").read_text() == COMMIT


def test_without_a_cache_the_preparation_leaves_the_weights_alone(
    bench: Bench, tiny_model: Path, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    with reading_hub({"org/tiny": files}) as hub:
        Pod(prepare_config(job_of(bench, tmp_path / "job")), tmp_path / "home", hub.url).end()
        assert set(hub.given) == files.keys() - {"model.safetensors"}


@pytest.mark.parametrize(("branch", "cached"), [("", True), ("@main", False)], ids=["a cache", "no cache"])
def test_what_was_prepared_for_is_trained_wherever_the_branch_has_moved(
    bench: Bench, tiny_model: Path, tmp_path: Path, branch: str, cached: bool
) -> None:
    """It moves when the first file is fetched, and nobody can train what it then holds."""
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    moved = {"f" * 40: {"org/tiny": files | {"model.safetensors": b"no weights"}}}
    job = job_of(bench, tmp_path / "job", branch)
    cache = tmp_path / "cache" if cached else None
    with reading_hub({"org/tiny": files}, before=lambda _: hub.commits.update(moved)) as hub:
        answer, _ = Pod(prepare_config(job), tmp_path / "home", hub.url, cache).end()
        again, printed = Pod(prepare_config(job), tmp_path / "home-again", hub.url, cache).end()
        assert (again, "found it prepared\n" in printed) == (answer, True)
        config = trainer_config(job, PrepareReport.model_validate_json(again))
        Pod(config, tmp_path / "home-train", hub.url, cache).end()
        assert hub.given.count("model.safetensors") == 1
    told = json.loads((tmp_path / "job" / "run-report.json").read_text())
    adapter = json.loads((tmp_path / "job" / "adapter" / "adapter_config.json").read_text())
    assert (told["modelRevision"], adapter["revision"], adapter["base_model_name_or_path"]) == (
        COMMIT,
        COMMIT,
        "org/tiny",
    )
    card = (tmp_path / "job" / "adapter" / "README.md").read_text()
    assert f"[org/tiny](https://huggingface.co/org/tiny) at `{COMMIT}`" in card
    assert f'from_pretrained("org/tiny", revision="{COMMIT}", ' in card
