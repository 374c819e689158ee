"""``ftj status`` and ``kubectl ftj`` with the real kubectl and a real API server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_plane import ControlPlane
from go_binaries import go_binary

BIN = Path(sys.executable).parent
TIME = "2025-11-24T04:33:00Z"


class Cluster:
    """A namespace, and a person who is logged in to it."""

    def __init__(self, plane: ControlPlane, namespace: str, environment: dict[str, str]) -> None:
        self.plane = plane
        self.namespace = namespace
        self._environment = environment

    def create(self, name: str) -> None:
        spec = {
            "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct"},
            "dataset": {"uri": "s3://datasets/support.jsonl"},
            "gpu": {"type": "A10"},
            "output": {"uri": f"s3://models/{name}"},
        }
        head = {"apiVersion": "finetune.dev/v1alpha1", "kind": "FineTuneJob", "metadata": {"name": name}}
        created = json.dumps(head | {"spec": spec})
        self.plane.kubectl("create", "--namespace", self.namespace, "--filename", "-", input=created)

    def patch(self, name: str, phase: str, message: str, step: int) -> None:
        """Write the status, as the operator would."""
        ready = {"type": "Ready", "status": str(phase == "Succeeded"), "reason": phase, "message": message}
        progress = {"step": step, "totalSteps": 1200, "steps": f"{step}/1200", "epoch": 1.0, "loss": 1.25}
        status = {
            "phase": phase,
            "conditions": [ready | {"lastTransitionTime": TIME}],
            "progress": progress | {"updatedAt": TIME},
        }
        where = ("finetunejob", name, "--namespace", self.namespace, "--subresource=status")
        self.plane.kubectl("patch", *where, "--type=merge", "--patch", json.dumps({"status": status}))

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, "--namespace", self.namespace],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @contextmanager
    def watching(self, name: str) -> "Iterator[subprocess.Popen[str]]":
        process = subprocess.Popen(
            ["ftj", "status", name, "--watch", "--namespace", self.namespace],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def cluster(finetunejobs: ControlPlane, namespace: str, say: Callable[[str], None], tmp_path: Path) -> Cluster:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.symlink_to(go_binary("kubectl", say))  # one that was built for the tests has its version in its name
    environment = {
        "PATH": os.pathsep.join([str(kubectl.parent), str(BIN), os.environ["PATH"]]),
        "KUBECONFIG": str(finetunejobs.kubeconfig),
        "HOME": str(tmp_path),
        "COLUMNS": "120",
    }
    return Cluster(finetunejobs, namespace, os.environ | environment)


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def test_jobs_are_listed(cluster: Cluster) -> None:
    assert cluster.run("ftj", "status").stdout == f"no FineTuneJobs in namespace {cluster.namespace}\n"
    cluster.create("one")
    cluster.create("two")
    cluster.patch("two", "Training", "attempt 1 is training", 340)
    ended = cluster.run("ftj", "status")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[:2] for line in ended.stdout.splitlines()[2:]] == [["one", "-"], ["two", "Training"]]
    everywhere = cluster.run("ftj", "status", "-A")
    assert [cluster.namespace, "two", "Training"] in [line.split()[:3] for line in everywhere.stdout.splitlines()]


def test_the_plugin_shows_one_job(cluster: Cluster) -> None:
    cluster.create("one")
    cluster.patch("one", "Training", "attempt 1 is training", 340)
    ended = cluster.run("kubectl", "ftj", "one")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "attempt 1 is training" in ended.stdout
    assert "340/1200" in ended.stdout


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 1)])
def test_a_watch_of_one_job_ends_with_it(cluster: Cluster, phase: str, code: int) -> None:
    cluster.create("one")
    with cluster.watching("one") as watching:
        assert line_of(watching).startswith("one  -  the operator has not seen")
        for step in (10, 20):
            cluster.patch("one", "Training", "attempt 1 is training", step)
            assert f"{step}/1200  loss 1.25" in line_of(watching)
        cluster.patch("one", phase, "that was all", 1200)
        assert line_of(watching).endswith("that was all")
        assert watching.wait(timeout=20) == code


def test_a_watch_outlives_the_api_server(cluster: Cluster) -> None:
    cluster.create("one")
    with cluster.watching("one") as watching:
        line_of(watching)
        cluster.patch("one", "Training", "attempt 1 is training", 10)
        assert "10/1200" in line_of(watching)
        cluster.plane.restart_api_server()
        cluster.patch("one", "Training", "attempt 1 is training", 20)
        assert "20/1200" in line_of(watching)
        cluster.plane.kubectl("delete", "finetunejob", "one", "--namespace", cluster.namespace)
        assert line_of(watching) == "one  deleted"
        assert watching.wait(timeout=20) == 1


def test_what_is_not_there_is_said_in_one_line(cluster: Cluster) -> None:
    ended = cluster.run("ftj", "status", "nope")
    message = 'Error from server (NotFound): finetunejobs.finetune.dev "nope" not found'
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"ftj: kubectl: {message}\n")
