"""A dataset in a ConfigMap: mounted into the prepare pod, which needs no right to read it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane import ControlPlane, Json, wait_for
from finetune_core.api.read import read_spec
from finetune_operator.manifests import Parent, prepare_job
from finetune_operator.settings import Settings
from operator_jobs import NAME, Jobs, job
from operator_process import OperatorProcess
from pod_runner import PodRunner

ROOT = Path(__file__).parents[2]
ROWS = [
    {"instruction": f"第{n}个问题是什么? What is number {n}?", "output": f"这是第{n}个回答。It is {n}."}
    for n in range(80)
]  # fmt: skip
MAKE_MODEL = "import sys, pathlib, trainer_model; trainer_model.save_tiny_model(pathlib.Path(sys.argv[1]))"
DATASET = {"uri": "configmap://faq/rows.jsonl", "task": "style"}


def config_map(key: str = "rows.jsonl") -> Json:
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    return {"metadata": {"name": "faq"}, "data": {key: rows}}


def test_a_restricted_namespace_takes_the_pod(control_plane: ControlPlane, namespace: str) -> None:
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    merge = "application/merge-patch+json"
    path = f"/api/v1/namespaces/{namespace}"
    assert control_plane.request("PATCH", path, {"metadata": {"labels": labels}}, merge)[0] == 200
    spec = read_spec(job(dataset=DATASET)["spec"])
    made = prepare_job(Parent(namespace, NAME, "0" * 36, {}, spec), 1, Settings(trainer_image="trainer:1"))
    template = made["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prepare"}, "spec": template["spec"]}
    for manifest in (made, pod):
        command = ("create", "--dry-run=server", "--validate=strict", "--namespace", namespace, "--filename", "-")
        ended = control_plane.kubectl(*command, input=json.dumps(manifest), check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base-model")
    subprocess.run([sys.executable, "-c", MAKE_MODEL, folder], cwd=ROOT / "tests" / "trainer", check=True)
    return folder


def test_a_job_reads_it_as_soon_as_it_is_there(
    operator: OperatorProcess, jobs: Jobs, pods: PodRunner, base_model: Path
) -> None:
    shutil.copytree(base_model, pods.claim(jobs.namespace, "models") / "base")
    jobs.apply(job(dataset=DATASET, hyperparameters={"maxSteps": 2, "effectiveBatchSize": 8}))
    path = f"/api/v1/namespaces/{jobs.namespace}/configmaps"
    wait_for(lambda: jobs.status().get("phase") == "Pending")
    assert jobs.plane.request("POST", path, config_map())[0] == 201
    dataset = wait_for(lambda: jobs.status().get("dataset"), seconds=90)
    assert (dataset["rows"], dataset["usedRows"]) == (len(ROWS), len(ROWS))
