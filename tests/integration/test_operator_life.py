"""A job's whole life in a cluster, with real training, as the person and the platform engineer see it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest

from control_plane import wait_for
from go_binaries import go_binary
from operator_jobs import NAME, Jobs, job
from operator_process import OperatorProcess
from pod_runner import PodRunner

ROOT = Path(__file__).parents[2]
LIFE = ["Pending", "Preparing", "Queued", "Training", "Succeeded"]
MAKE_MODEL = "import sys, pathlib, trainer_model; trainer_model.save_tiny_model(pathlib.Path(sys.argv[1]))"


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Llama; made in a process of its own, because these tests do without torch."""
    folder = tmp_path_factory.mktemp("base-model")
    subprocess.run([sys.executable, "-c", MAKE_MODEL, folder], cwd=ROOT / "tests" / "trainer", check=True)
    return folder


@pytest.fixture
def check_metrics(say: Callable[[str], None]) -> Callable[[str], None]:
    """Has promtool judge what Prometheus would read."""
    promtool = go_binary("promtool", say)

    def check(text: str) -> None:
        ended = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr

    return check


def test_of_a_job_with_real_training(
    operator: OperatorProcess,
    jobs: Jobs,
    pods: PodRunner,
    base_model: Path,
    check_metrics: Callable[[str], None],
) -> None:
    shutil.copytree(base_model, pods.claim(jobs.namespace, "models") / "base")
    data = pods.claim(jobs.namespace, "data")
    data.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "quickstart" / "rows.jsonl", data)
    settings = {"maxSteps": 40, "effectiveBatchSize": 8, "loggingSteps": 2, "learningRate": 3e-3}
    place = {"uri": "pvc://data/rows.jsonl", "task": "style"}
    applied = jobs.apply(job(dataset=place, method="lora", hyperparameters=settings))

    jobs.wait_for_phase("Training", seconds=60)
    jobs.wait_until_trained(1)
    check_metrics(operator.metrics())
    status = jobs.wait_for_phase("Succeeded", seconds=60)
    versions = [version.get("status", {}) for version in jobs.history(applied)]

    assert [phase for phase, _ in groupby(version.get("phase", "Pending") for version in versions)] == LIFE
    steps = [version["progress"]["step"] for version in versions if "progress" in version]
    assert steps == sorted(steps)
    losses = [version["progress"]["loss"] for version in versions if "loss" in version.get("progress", {})]
    assert losses[-1] == status["progress"]["loss"] < losses[0]
    assert status["artifact"]["uri"] == f"pvc://models/{NAME}"
    made = pods.claim(jobs.namespace, "models") / NAME
    assert len(json.loads((made / "manifest.json").read_text())["files"]) == status["artifact"]["files"]
    assert (made / "adapter" / "adapter_model.safetensors").is_file()
    assert (made / "report.html").is_file()

    described = jobs.plane.kubectl("describe", "ftj", NAME, *jobs.kubectl_options).stdout
    assert "MB/s (50 % of what the preparation measured)" in described
    told = described[described.index("Events:") :]
    story = ("Preparing", "DatasetReady", "Planned", "Training", "Succeeded")
    places = [told.index(f"  {reason}  ") for reason in story]
    assert places == sorted(places)
    [titles, shown] = jobs.plane.kubectl("get", "ftj", *jobs.kubectl_options).stdout.splitlines()
    assert titles.split() == ["NAME", "PHASE", "METHOD", "GPU", "PROGRESS", "LOSS", "ETA", "AGE"]
    assert shown.split()[:5] == [NAME, "Succeeded", "lora", "cpu", "40/40"]

    loss = f'finetune_job_train_loss{{name="{NAME}",namespace="{jobs.namespace}"}}'
    last = operator.values()[loss]
    assert last == status["progress"]["loss"]
    jobs.plane.kubectl("delete", "pods", "--all", *jobs.kubectl_options)
    operator.kill()
    operator.start()
    wait_for(lambda: operator.leads and loss in operator.values())
    assert operator.values()[loss] == last
    check_metrics(operator.metrics())
