"""Jobs over several nodes, on a real API server and Job controller: what is made, and who tells of it."""

from datetime import datetime
from pathlib import Path

import pytest

from control_plane import Json, wait_for
from faulty_api import FaultyApi, Write
from finetune_operator.decide.numbers import service_name
from operator_jobs import NAME, STEPS, Answer, Jobs, Script, failure, hanging, index_of, job, manifest_of, trained
from operator_process import OperatorProcess, Operators
from pod_runner import PodRunner
from servers import HOST

TWO = {"type": "cpu", "nodes": 2}


def service(jobs: Jobs, uid: str) -> tuple[int, Json]:
    return jobs.plane.request("GET", f"/api/v1/namespaces/{jobs.namespace}/services/{service_name(NAME, uid)}")


def train_pods(jobs: Jobs) -> list[Json]:
    """Pods of the newest attempt that has any, the first node's first."""
    found = [pod for pod in jobs.pods() if pod["metadata"]["labels"]["finetune.dev/step"] == "train"]
    newest = max((pod["metadata"]["labels"]["finetune.dev/number"] for pod in found), default="")
    return sorted((pod for pod in found if pod["metadata"]["labels"]["finetune.dev/number"] == newest), key=index_of)


def test_its_pods_are_named_in_a_service_and_the_first_one_answers(
    operator: OperatorProcess, jobs: Jobs, script: Script
) -> None:
    script.trainings[1] = lambda config: trained(config, seconds=2)
    script.further_nodes[1] = Answer(log="not the one that is asked\n", seconds=1)
    uid = jobs.apply(job(gpu=TWO))["metadata"]["uid"]
    jobs.wait_until_trained(STEPS)
    code, found = service(jobs, uid)
    assert code == 200
    assert (found["spec"]["clusterIP"], found["spec"]["publishNotReadyAddresses"]) == ("None", True)
    [child] = jobs.children("train")
    pods = train_pods(jobs)
    assert [index_of(pod) for pod in pods] == [0, 1]
    for index, pod in enumerate(pods):
        assert pod["spec"]["hostname"] == f"{child['metadata']['name']}-{index}"
        assert pod["spec"]["subdomain"] == found["metadata"]["name"]
        assert found["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    variables = {variable["name"]: variable.get("value") for variable in pods[1]["spec"]["containers"][0]["env"]}
    first = f"{pods[0]['spec']['hostname']}.{pods[0]['spec']['subdomain']}"
    assert variables["FINETUNE_RENDEZVOUS"] == f"{first}:29500"
    status = jobs.wait_for_phase("Succeeded")
    assert status["artifact"]["manifestSHA256"] == manifest_of(uid)
    assert (status["plan"]["gpu"]["nodes"], status["plan"]["gpu"]["perNode"]) == (2, 1)
    jobs.delete()
    wait_for(lambda: service(jobs, uid)[0] == 404)


TELLER = """
import os, pathlib
folder, rank = pathlib.Path(os.environ["FOLDER"]), os.environ["FINETUNE_NODE_RANK"]
(folder / rank).write_text(os.environ["FINETUNE_NODES"] + " " + os.environ["FINETUNE_RENDEZVOUS"])
"""


def test_a_process_of_each_node_is_told_which_it_is_and_where_the_first_one_is(
    operator: OperatorProcess, jobs: Jobs, script: Script, pods: PodRunner, tmp_path: Path
) -> None:
    pods.script = lambda pod: script(pod) if pod["metadata"]["labels"]["finetune.dev/step"] == "prepare" else None
    package = tmp_path / "finetune_trainer"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "main.py").write_text(TELLER)
    env = [{"name": name, "value": str(tmp_path)} for name in ("PYTHONPATH", "FOLDER")]
    jobs.apply(job(gpu=TWO, failurePolicy={"maxRetries": 0}, pod={"env": env}))
    jobs.wait_for_phase("Failed")  # it said nothing of a model
    assert [(tmp_path / rank).read_text() for rank in "01"] == [f"2 {HOST}:29500"] * 2


def test_one_node_needs_no_service(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    jobs.apply(job(gpu={"type": "cpu", "perNode": 2}))
    jobs.wait_for_phase("Succeeded")
    code, found = jobs.plane.request("GET", f"/api/v1/namespaces/{jobs.namespace}/services")
    assert (code, found["items"]) == (200, [])


class TestOneThatFails:
    """The other is stopped, and the reason is that of the one that failed first."""

    @pytest.fixture(autouse=True)
    def running(self, script: Script) -> None:
        script.trainings[1] = hanging(1, 2, 3)

    def test_tells_why(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
        script.further_nodes[1] = failure("Diverged", "the loss is not finite", seconds=1)
        jobs.apply(job(gpu=TWO))
        status = jobs.wait_for_phase("Failed")
        assert jobs.reason() == ("Diverged", "the loss is not finite")
        assert [attempt["outcome"] for attempt in status["attempts"]] == ["Failed"]
        assert not [pod for pod in jobs.pods() if pod["status"]["phase"] == "Running"]

    def test_by_a_crash_is_tried_again_with_all(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
        script.further_nodes[1] = failure("TrainerError", "a defect", seconds=1)
        uid = jobs.apply(job(gpu=TWO))["metadata"]["uid"]
        status = jobs.wait_for_phase("Succeeded", seconds=60)
        first, second = status["attempts"]
        assert (first["outcome"], first["message"], second["outcome"]) == ("Failed", "a defect", "Succeeded")
        assert (status["retries"], status["disruptions"]) == (1, 0)
        assert sorted(script.kinds()) == [("prepare", 1), *[("train", 1)] * 2, *[("train", 2)] * 2]
        assert service(jobs, uid)[0] == 200

    def test_by_an_eviction_is_a_disruption(
        self, operator: OperatorProcess, jobs: Jobs, pods: PodRunner, script: Script
    ) -> None:
        script.further_nodes[1] = Answer(never_ends=True)
        jobs.apply(job(gpu=TWO))
        jobs.wait_until_trained(3)
        wait_for(lambda: [pod["status"]["phase"] for pod in train_pods(jobs)] == ["Running", "Running"])
        pods.evict(jobs.namespace, train_pods(jobs)[1]["metadata"]["name"])
        status = jobs.wait_for_phase("Succeeded")
        first, second = status["attempts"]
        assert (first["outcome"], second["outcome"]) == ("Disrupted", "Succeeded")
        assert "low on resource" in first["message"]
        assert (status["retries"], status["disruptions"]) == (0, 1)
        ended, started = (datetime.fromisoformat(time) for time in (first["endTime"], second["startTime"]))
        assert (started - ended).total_seconds() <= 1

    def test_by_its_deletion_is_a_disruption(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
        script.further_nodes[1] = Answer(never_ends=True)
        jobs.apply(job(gpu=TWO))
        jobs.wait_until_trained(3)
        wait_for(lambda: [pod["status"]["phase"] for pod in train_pods(jobs)] == ["Running", "Running"])
        jobs.plane.kubectl("delete", "pod", train_pods(jobs)[1]["metadata"]["name"], *jobs.kubectl_options)
        status = jobs.wait_for_phase("Succeeded")
        assert [attempt["outcome"] for attempt in status["attempts"]] == ["Disrupted", "Succeeded"]


def test_killed_after_every_write_all_is_made_once(
    operators: Operators, api: FaultyApi, jobs: Jobs, script: Script
) -> None:
    operator = operators(api=api)

    def kill(_: Write) -> None:
        operator.kill()

    api.after_write = kill
    jobs.apply(job(gpu=TWO))

    def succeeded() -> bool:
        if not operator.running:
            operator.start()
        return jobs.status().get("phase") == "Succeeded"

    wait_for(succeeded, 60)
    assert (api.created("services"), api.created("jobs")) == (1, 2)
    assert sorted(script.kinds()) == [("prepare", 1), ("train", 1), ("train", 1)]


def test_a_service_that_another_has_is_left_alone_and_told_of(operators: Operators, jobs: Jobs, script: Script) -> None:
    uid = jobs.apply(job(gpu=TWO))["metadata"]["uid"]
    path = f"/api/v1/namespaces/{jobs.namespace}/services"
    foreign = {"metadata": {"name": service_name(NAME, uid)}, "spec": {"ports": [{"port": 80}]}}
    assert jobs.plane.request("POST", path, foreign)[0] == 201
    operators().start()
    wait_for(lambda: jobs.status().get("plan") and "delete it" in jobs.reason()[1])
    assert not jobs.children("train")
    assert service(jobs, uid)[1]["spec"]["ports"][0]["port"] == 80
    assert jobs.plane.request("DELETE", f"{path}/{service_name(NAME, uid)}")[0] == 200
    jobs.wait_for_phase("Succeeded", seconds=60)
