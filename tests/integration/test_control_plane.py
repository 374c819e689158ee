"""That what the cluster tests stand on is right: the real Job controller, on pods that are played."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from control_plane import ControlPlane, wait_for
from pod_runner import Answer, PodRunner

Json = dict[str, Any]

WAITS_FOR_SIGTERM = """
import pathlib, os, signal, sys
folder = pathlib.Path(os.environ["FOLDER"])
def stop(*_):
    (folder / "stopped").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
(folder / "started").touch()
while True:
    signal.pause()
"""


def job(
    name: str,
    *command: str,
    rules: list[Json] | None = None,
    variables: dict[str, str] | None = None,
    volumes: dict[str, Json] | None = None,
) -> Json:
    """A Job of one attempt; ``volumes`` are sources by mount path."""
    named = {f"volume-{number}": one for number, one in enumerate((volumes or {}).items())}
    container = {
        "name": "main",
        "image": "none",
        "command": list(command),
        "env": [{"name": variable, "value": value} for variable, value in (variables or {}).items()],
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, (path, _) in named.items()],
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": volume} | source for volume, (_, source) in named.items()],
    }
    spec: Json = {"backoffLimit": 0, "template": {"spec": pod}}
    if rules is not None:
        spec["podFailurePolicy"] = {"rules": rules}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def create(plane: ControlPlane, namespace: str, made: Json) -> None:
    plane.kubectl("apply", "--namespace", namespace, "--filename", "-", input=json.dumps(made))


def ending(plane: ControlPlane, namespace: str, name: str) -> Json:
    """The condition that says how the Job ended."""

    def ended() -> Json | None:
        found = plane.json("job", name, "--namespace", namespace)["status"].get("conditions", [])
        return next((one for one in found if one["type"] in ("Complete", "Failed") and one["status"] == "True"), None)

    return wait_for(ended)


def pod_of(plane: ControlPlane, namespace: str, name: str) -> Json | None:
    found = plane.json("pods", "--namespace", namespace, "--selector", f"batch.kubernetes.io/job-name={name}")["items"]
    return found[0] if found else None


def test_a_job_runs_to_its_end(control_plane: ControlPlane, pods: PodRunner, namespace: str) -> None:
    command = 'echo one; echo two; echo three; printf \'{"rows": 3}\' > "$FINETUNE_TERMINATION_LOG"'
    create(control_plane, namespace, job("good", "sh", "-c", command))
    assert ending(control_plane, namespace, "good")["type"] == "Complete"
    pod = pod_of(control_plane, namespace, "good")
    assert pod is not None
    assert pod["status"]["phase"] == "Succeeded"
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (0, "Completed", '{"rows": 3}')
    log = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
    assert control_plane.request("GET", log) == (200, {"text": "one\ntwo\nthree\n"})
    assert control_plane.request("GET", f"{log}?tailLines=2&limitBytes=6") == (200, {"text": "two\nth"})


@pytest.mark.parametrize(
    ("name", "answer", "rules", "reason", "message"),
    [
        ("plain", Answer(1), None, "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
        (
            "exit-code",
            Answer(143),
            [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [143]}}],
            "PodFailurePolicy",
            "Container main for pod {pod} failed with exit code 143 matching FailJob rule at index 0",
        ),
        (
            "disrupted",
            Answer(143, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]),
            [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}],
            "PodFailurePolicy",
            "Pod {pod} has condition DisruptionTarget matching FailJob rule at index 0",
        ),
    ],
    ids=["plain", "exit-code", "disrupted"],
)
def test_why_a_job_failed(
    control_plane: ControlPlane,
    pods: PodRunner,
    namespace: str,
    name: str,
    answer: Answer,
    rules: list[Json] | None,
    reason: str,
    message: str,
) -> None:
    pods.script = lambda _: answer
    create(control_plane, namespace, job(name, "finetune-trainer", "train", rules=rules))
    condition = ending(control_plane, namespace, name)
    pod = pod_of(control_plane, namespace, name)
    assert pod is not None
    assert (condition["type"], condition["reason"]) == ("Failed", reason)
    assert condition["message"] == message.format(pod=f"{namespace}/{pod['metadata']['name']}")


def test_the_trainer_is_run_and_its_failure_is_heard(
    control_plane: ControlPlane, pods: PodRunner, namespace: str
) -> None:
    create(control_plane, namespace, job("trainer", "finetune-trainer", "prepare"))
    ending(control_plane, namespace, "trainer")
    pod = pod_of(control_plane, namespace, "trainer")
    assert pod is not None
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (1, "Error")
    assert json.loads(ended["message"])["message"] == "the environment variable FINETUNE_CONFIG is not set"


def test_volumes_are_folders(control_plane: ControlPlane, pods: PodRunner, namespace: str) -> None:
    volumes: dict[str, Json] = {"/in": {"secret": {"secretName": "key"}}, "/in/side": {"emptyDir": {}}}
    variables = {"CONFIG": '{"key": "/in/word", "side": "/in/side", "other": "/inside", "uri": "s3://a/main/in"}'}
    command = 'echo "$CONFIG"; cat "$(echo "$CONFIG" | cut -d \'"\' -f 4)"'
    create(control_plane, namespace, job("mounts", "sh", "-c", command, variables=variables, volumes=volumes))
    wait_for(lambda: pod_of(control_plane, namespace, "mounts"))
    control_plane.kubectl("create", "secret", "generic", "key", "--from-literal=word=hush", "--namespace", namespace)
    assert ending(control_plane, namespace, "mounts")["type"] == "Complete"
    config, word = control_plane.kubectl("logs", "job/mounts", "--namespace", namespace).stdout.splitlines()
    assert word == "hush"
    read = json.loads(config)
    assert Path(read["key"]).parent != Path(read["side"])
    assert Path(read["side"]).is_dir()
    assert (read["other"], read["uri"]) == ("/inside", "s3://a/main/in")


def test_an_evicted_pod_is_a_disruption(control_plane: ControlPlane, pods: PodRunner, namespace: str) -> None:
    pods.script = lambda _: Answer(never_ends=True)
    rules = [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    create(control_plane, namespace, job("evicted", "finetune-trainer", "train", rules=rules))
    running = wait_for(lambda: _running(control_plane, namespace, "evicted"))
    pods.evict(namespace, running["metadata"]["name"])
    assert ending(control_plane, namespace, "evicted")["reason"] == "PodFailurePolicy"
    pod = pod_of(control_plane, namespace, "evicted")
    assert pod is not None
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "Evicted")


def test_deleting_a_job_ends_its_process(control_plane: ControlPlane, pods: PodRunner, namespace: str) -> None:
    store = {"/store": {"persistentVolumeClaim": {"claimName": "store"}}}
    command = (sys.executable, "-c", WAITS_FOR_SIGTERM)
    create(control_plane, namespace, job("long", *command, variables={"FOLDER": "/store"}, volumes=store))
    folder = pods.claim(namespace, "store")
    wait_for((folder / "started").exists)
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/long"
    assert control_plane.request("DELETE", path, {"propagationPolicy": "Foreground"})[0] == 200
    wait_for(lambda: control_plane.request("GET", path)[0] == 404)
    assert (folder / "stopped").exists()
    assert pod_of(control_plane, namespace, "long") is None


def test_a_pod_that_fits_no_node_waits(control_plane: ControlPlane, pods: PodRunner, namespace: str) -> None:
    pods.hold = True
    create(control_plane, namespace, job("held", "true"))

    def held() -> list[Json] | None:
        pod = pod_of(control_plane, namespace, "held")
        return pod["status"].get("conditions") if pod else None

    [condition] = wait_for(held)
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "Unschedulable")
    pods.hold = False
    assert ending(control_plane, namespace, "held")["type"] == "Complete"


def test_the_api_server_comes_back_with_what_it_had(
    control_plane: ControlPlane, pods: PodRunner, namespace: str
) -> None:
    pods.script = lambda _: Answer(seconds=1)
    create(control_plane, namespace, job("survivor", "finetune-trainer", "train"))
    wait_for(lambda: _running(control_plane, namespace, "survivor"))
    control_plane.stop_api_server()
    try:
        with pytest.raises(ConnectionRefusedError):
            control_plane.request("GET", "/readyz")
    finally:
        control_plane.start_api_server()
    assert ending(control_plane, namespace, "survivor")["type"] == "Complete"


def _running(plane: ControlPlane, namespace: str, name: str) -> Json | None:
    pod = pod_of(plane, namespace, name)
    return pod if pod and pod["status"]["phase"] == "Running" else None
