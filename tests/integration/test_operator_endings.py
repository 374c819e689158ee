"""Jobs that are deleted, suspended, recreated or in each other's way."""

from dataclasses import replace
from pathlib import Path

import pytest

from control_plane import ControlPlane, wait_for
from finetune_operator.decide.numbers import child_name
from operator_jobs import (
    GOOD_PREPARATION,
    NAME,
    Answer,
    Jobs,
    Script,
    failure,
    hanging,
    job,
    manifest_of,
    stubborn_trainer,
    trained,
)
from operator_process import OperatorProcess, Operators
from pod_runner import PodRunner


def assert_nothing_left(jobs: Jobs, operator: OperatorProcess) -> None:
    """No child and no pod, no figures, and no trouble in the operator's log."""
    wait_for(lambda: not jobs.children() and not jobs.pods())
    wait_for(lambda: f'namespace="{jobs.namespace}"' not in operator.metrics())
    assert " ERROR " not in operator.log
    assert " WARNING " not in operator.log


def test_a_deleted_job_leaves_nothing_in_any_phase(
    operator: OperatorProcess, jobs: Jobs, pods: PodRunner, script: Script
) -> None:
    script.preparations["preparing", 1] = Answer(never_ends=True)
    script.preparations["queued", 1] = replace(GOOD_PREPARATION, seconds=2)
    script.preparations["failed", 1] = failure("DatasetRefused", "nothing in it is any good")
    script.trainings["training", 1] = hanging(1)
    for name in ("preparing", "queued", "training", "succeeded", "failed"):
        jobs.apply(job(name))
    jobs.apply(job("suspended", suspend=True))
    wait_for(lambda: len(script.started) == 7)
    pods.hold = True  # the next pods wait: the first of "pending", the second of "queued"
    jobs.apply(job("pending"))
    for phase in ("Preparing", "Training", "Succeeded", "Failed", "Suspended", "Pending", "Queued"):
        jobs.wait_for_phase(phase, phase.lower())
    wait_for(lambda: "Unschedulable" in jobs.reason("pending")[1] and "Unschedulable" in jobs.reason("queued")[1])
    jobs.plane.kubectl("delete", "ftj", "--all", *jobs.kubectl_options)
    assert_nothing_left(jobs, operator)


@pytest.mark.parametrize("cascade", ["foreground", "orphan"])
def test_a_deleted_job_goes_as_it_is_told(cascade: str, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    script.trainings[1] = hanging(1)
    jobs.apply(job())
    jobs.wait_until_trained(1)
    jobs.plane.kubectl("delete", "ftj", NAME, f"--cascade={cascade}", *jobs.kubectl_options)
    assert not jobs.exists()
    if cascade == "orphan":
        assert [child["metadata"].get("ownerReferences") for child in jobs.children()] == [None, None]
        jobs.plane.kubectl("delete", "jobs", "--all", *jobs.kubectl_options)
    assert_nothing_left(jobs, operator)


def test_a_recreated_job_takes_nothing_of_the_one_before(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    script.trainings[1] = lambda config: trained(config, seconds=2)
    old = jobs.apply(job())["metadata"]["uid"]
    jobs.wait_for_phase("Training")
    jobs.plane.stop_controller_manager()  # nothing is collected for a while: the old trainer runs to its end
    try:
        jobs.delete()
        new = jobs.apply(job())["metadata"]["uid"]
        wait_for(lambda: [pod["status"]["phase"] for pod in jobs.pods()].count("Succeeded") == 2)
    finally:
        jobs.plane.restart_controller_manager()
    status = jobs.wait_for_phase("Succeeded")
    assert status["artifact"]["manifestSHA256"] == manifest_of(new)
    assert [started.config["jobUid"] for started in script.started] == [old, old, new, new]
    assert len(status["attempts"]) == 1
    wait_for(lambda: {child["metadata"]["ownerReferences"][0]["uid"] for child in jobs.children()} == {new})


def test_a_recreated_job_succeeds_while_the_old_trainer_stops(
    operator: OperatorProcess, jobs: Jobs, script: Script, tmp_path: Path
) -> None:
    folder = tmp_path / "trainer"
    script.trainings[1] = None
    jobs.apply(job(pod=stubborn_trainer(folder, seconds=6)))
    wait_for((folder / "running").exists)
    jobs.delete()
    wait_for((folder / "asked-to-stop").exists)
    script.trainings[1] = trained
    new = jobs.apply(job())["metadata"]["uid"]
    status = jobs.wait_for_phase("Succeeded")
    assert status["artifact"]["manifestSHA256"] == manifest_of(new)
    assert (status["retries"], status["disruptions"]) == (0, 0)


def test_a_namespace_is_deleted_during_training(
    cluster_operator: OperatorProcess, control_plane: ControlPlane, jobs: Jobs, script: Script
) -> None:
    script.trainings[1] = hanging(1)
    jobs.apply(job())
    jobs.wait_until_trained(1)
    path = f"/api/v1/namespaces/{jobs.namespace}"
    assert control_plane.request("DELETE", path)[0] == 200
    wait_for(lambda: control_plane.request("GET", path)[0] == 404)
    wait_for(lambda: f'namespace="{jobs.namespace}"' not in cluster_operator.metrics())
    wait_for(lambda: cluster_operator.values()["finetune_queue_depth"] == 0)
    assert cluster_operator.leads


def test_a_name_that_another_has_is_passed_over(operators: Operators, jobs: Jobs, script: Script) -> None:
    uid = jobs.apply(job())["metadata"]["uid"]
    container = {"name": "main", "image": "none"}
    foreign = {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    path = f"/apis/batch/v1/namespaces/{jobs.namespace}/jobs"
    names = [child_name(NAME, uid, "prepare", 1), child_name(NAME, uid, "train", 1)]
    for name in names:
        assert jobs.plane.request("POST", path, {"metadata": {"name": name}, "spec": foreign})[0] == 201
    wait_for(lambda: all("conditions" in jobs.plane.request("GET", f"{path}/{name}")[1]["status"] for name in names))
    before = [jobs.plane.request("GET", f"{path}/{name}")[1] for name in names]
    operators().start()
    status = jobs.wait_for_phase("Succeeded")
    assert script.kinds() == [("prepare", 2), ("train", 2)]
    assert [attempt["number"] for attempt in status["attempts"]] == [2]
    assert [jobs.plane.request("GET", f"{path}/{name}")[1] for name in names] == before


class TestOfASuspension:
    def test_the_trainer_stops_and_the_job_goes_on_later(
        self, operator: OperatorProcess, jobs: Jobs, script: Script, tmp_path: Path
    ) -> None:
        folder = tmp_path / "trainer"
        script.trainings[1] = None
        jobs.apply(job(pod=stubborn_trainer(folder, seconds=1)))
        wait_for((folder / "running").exists)
        jobs.suspend(True)
        status = jobs.wait_for_phase("Suspended")
        wait_for(lambda: not jobs.children("train"))
        assert (folder / "asked-to-stop").exists()
        assert not (folder / "running").exists()
        assert jobs.status()["attempts"][0]["outcome"] == "Suspended"
        wait_for(lambda: jobs.reason() == ("Suspended", "set spec.suspend to false to go on"))
        jobs.suspend(False)
        status = jobs.wait_for_phase("Succeeded")
        assert [attempt["outcome"] for attempt in status["attempts"]] == ["Suspended", "Succeeded"]
        assert (status["retries"], status["disruptions"]) == (0, 0)
        assert script.kinds() == [("prepare", 1), ("train", 1), ("train", 2)]

    def test_before_the_start_nothing_is_made(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
        jobs.apply(job(suspend=True))
        jobs.wait_for_phase("Suspended")
        assert not jobs.children()
        jobs.suspend(False)
        jobs.wait_for_phase("Succeeded")
        assert script.kinds() == [("prepare", 1), ("train", 1)]

    def test_during_the_preparation(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
        script.preparations[1] = Answer(never_ends=True)
        jobs.apply(job())
        jobs.wait_for_phase("Preparing")
        jobs.suspend(True)
        jobs.wait_for_phase("Suspended")
        wait_for(lambda: not jobs.children() and not jobs.pods())
        del script.preparations[1]
        jobs.suspend(False)
        status = jobs.wait_for_phase("Succeeded")
        assert (status["retries"], status["disruptions"]) == (0, 0)


def test_a_finished_job_is_removed_in_time_and_its_model_stays(
    operator: OperatorProcess, jobs: Jobs, pods: PodRunner, script: Script
) -> None:
    jobs.apply(job(ttlSecondsAfterFinished=1))
    jobs.wait_for_phase("Training")
    model = pods.claim(jobs.namespace, "models") / NAME / "adapter.safetensors"
    model.parent.mkdir()
    model.touch()
    wait_for(lambda: not jobs.exists())
    assert_nothing_left(jobs, operator)
    assert model.exists()


def test_two_jobs_with_one_output(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    place = {"uri": "pvc://models/shared"}
    jobs.apply(job("a-first", output=place))
    jobs.apply(job("b-second", output=place | {"uri": "pvc://models/shared/"}))
    jobs.wait_for_phase("Failed", "b-second")
    reason, message = jobs.reason("b-second")
    assert reason == "OutputOccupied"
    assert f"{jobs.namespace}/a-first" in message
    jobs.wait_for_phase("Succeeded", "a-first")
    assert script.kinds("b-second") == []
