"""What is known of the cluster: the newest of everything, and only what is this operator's."""

import json
from datetime import UTC, datetime

import pytest
from kubernetes_objects import Json, child_job, child_pod, finetune_job
from observed_jobs import NAME, UID

from finetune_operator.cache import Cache
from finetune_operator.decide.observed import Pod, Waiting
from finetune_operator.records import job_record, pod_record, step_record

KEY = ("team-a", NAME)
OTHER = "77777777-6f0e-4e39-9a3c-0d4f7f8f5a31"


def version(cache: Cache) -> str | None:
    record = cache.jobs.get(KEY)
    return record.resource_version if record else None


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param([("put", 9), ("put", 10)], "10", id="newer"),
        pytest.param([("put", 10), ("put", 9)], "10", id="late news, by number and not by letter"),
        pytest.param([("put", 1), ("drop", 2)], None, id="deleted"),
        pytest.param([("put", 1), ("drop", 2), ("put", 3)], "3", id="deleted and made again"),
        pytest.param([("put", 1), ("put", 3), ("drop", 2)], "3", id="a stale deletion does not count"),
        pytest.param([("drop", 2)], None, id="a deletion of what was not known"),
    ],
)
def test_the_newest_version_counts(told: list[tuple[str, int]], wanted: str | None) -> None:
    cache = Cache()
    for what, number in told:
        (cache.put_job if what == "put" else cache.drop_job)(finetune_job(version=number))
    assert version(cache) == wanted


def test_only_news_are_told() -> None:
    cache = Cache()
    assert cache.put_job(finetune_job(version=2)) == KEY
    assert cache.put_job(finetune_job(version=2)) is None
    assert cache.put_step(child_job()) == KEY
    assert cache.put_step(child_job()) is None
    assert cache.put_pod(child_pod()) == KEY
    assert cache.put_pod(child_pod()) is None
    assert cache.drop_pod(child_pod(2)) == cache.drop_step(child_job(version=2)) == KEY
    assert cache.drop_job(finetune_job(version=3)) == KEY


def test_children_are_found_by_owner_and_kind_oldest_first() -> None:
    cache = Cache()
    for number in (10, 2, 1):
        cache.put_step(child_job(number))
    cache.put_step(child_job(kind="prepare"))
    assert [record.step.number for record in cache.steps_of(KEY, UID, "train")] == [1, 2, 10]
    assert [record.step.kind for record in cache.steps_of(KEY, UID, "prepare")] == ["prepare"]
    cache.lost_step(("team-a", f"{NAME}-train-2"))
    assert [record.step.number for record in cache.steps_of(KEY, UID, "train")] == [1, 10]


def test_children_of_a_predecessor_are_not_ours() -> None:
    cache = Cache()
    cache.put_step(child_job(owner=OTHER))
    assert cache.steps_of(KEY, UID, "train") == []


def test_a_child_whose_label_somebody_changed_is_lost_without_harm() -> None:
    cache = Cache()
    cache.put_step(child_job(name="x"))
    cache.put_step(child_job(name="x", job="another", version=2))
    cache.drop_step(child_job(name="x", job="another", version=3))
    assert cache.steps_of(KEY, UID, "train") == []


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param({"labels": {}}, id="no labels"),
        pytest.param({"labels": child_job()["metadata"]["labels"] | {"finetune.dev/step": "pack"}}, id="no such step"),
        pytest.param({"labels": child_job()["metadata"]["labels"] | {"finetune.dev/number": "x"}}, id="no number"),
        pytest.param({"ownerReferences": []}, id="nobody's child"),
        pytest.param({"ownerReferences": [{"uid": UID}]}, id="another controller's"),
    ],
)
def test_strangers_jobs_are_passed_over(strange: Json) -> None:
    cache = Cache()
    assert cache.put_step(child_job(**strange)) is None
    assert cache.steps == {}


def names(pods: list[Pod]) -> list[str]:
    return sorted(pod.name for pod in pods)


def test_the_newest_pod_of_a_child_counts() -> None:
    cache = Cache()
    cache.put_pod(child_pod(name="second", created="12:30", phase="Pending"))
    cache.put_pod(child_pod(name="first", created="12:00"))
    cache.put_pod(child_pod(name="of-another", number=2, created="13:00"))
    step = ("team-a", f"{NAME}-train-1")
    assert names(cache.pods_of(step)) == ["second"]
    cache.lost_pod(("team-a", "second"))
    assert names(cache.pods_of(step)) == ["first"]
    assert cache.training() == 2
    cache.lost_pod(("team-a", "first"))
    assert cache.pods_of(step) == []


def test_of_pods_that_train_together_the_newest_of_each_index_counts() -> None:
    cache = Cache()
    for index, name in enumerate(("first", "second", "third")):
        cache.put_pod(child_pod(name=name, index=index))
    cache.put_pod(child_pod(name="second-again", index=1, created="12:30"))
    assert names(cache.pods_of(("team-a", f"{NAME}-train-1"))) == ["first", "second-again", "third"]
    assert cache.training() == 1


def test_taken_names_are_forgotten_with_their_job() -> None:
    cache = Cache()
    cache.put_job(finetune_job())
    cache.taken[UID].add("a-name")
    cache.put_job(finetune_job(version=2, uid=OTHER))
    assert dict(cache.taken) == {}


S3, MINE = {"uri": "s3://models/bot"}, ("team-a", "second")


@pytest.mark.parametrize(
    ("first", "second", "holder"),
    [
        pytest.param({"output": S3}, {"output": S3}, "team-a/first", id="the older one"),
        pytest.param({"output": S3, "namespace": "team-b"}, {"output": S3}, "team-b/first", id="of any namespace"),
        pytest.param({"output": S3, "created": "12:30"}, {"output": S3}, "", id="not the younger one"),
        pytest.param({"output": S3, "created": "12:10"}, {"output": S3}, "team-a/first", id="by name at one time"),
        pytest.param({"output": S3, "status": {"phase": "Failed"}}, {"output": S3}, "", id="not a failed one"),
        pytest.param({"output": S3, "status": {"phase": "Succeeded"}}, {"output": S3}, "", id="not a finished one"),
        pytest.param({"output": S3, "status": {"phase": "Suspended"}}, {"output": S3}, "team-a/first", id="suspended"),
        pytest.param({"output": {"uri": "s3://models/bot/"}}, {"output": S3}, "team-a/first", id="a slash at the end"),
        pytest.param({"output": {"uri": "s3://models/bot-2"}}, {"output": S3}, "", id="another place"),
        pytest.param({"output": S3 | {"endpointURL": "https://s3.local"}}, {"output": S3}, "", id="another endpoint"),
        pytest.param(
            {"output": {"uri": "pvc://data/bot"}}, {"output": {"uri": "pvc://data/bot"}}, "team-a/first", id="a claim"
        ),
        pytest.param(
            {"output": {"uri": "pvc://data/bot"}, "namespace": "team-b"}, {"output": {"uri": "pvc://data/bot"}}, "",
            id="a claim of that name in another namespace",
        ),
        pytest.param({"output": {"uri": "nowhere"}}, {"output": {"uri": "nowhere"}}, "", id="no location"),
        pytest.param(
            {"output": {"uri": "pvc://data//bot"}}, {"output": {"uri": "pvc://data/bot"}}, "team-a/first",
            id="the same place written otherwise",
        ),
    ],
)  # fmt: skip
def test_an_older_unfinished_job_holds_its_output_place(first: Json, second: Json, holder: str) -> None:
    cache = Cache()
    cache.put_job(finetune_job("first", uid="1", **first))
    cache.put_job(finetune_job("second", uid="2", created="12:10", **second))
    assert cache.output_holder(MINE) == holder
    for key in list(cache.jobs):
        if key != MINE:
            cache.lost_job(key)
    assert cache.output_holder(MINE) == ""


def test_a_job_is_kept_small() -> None:
    heavy = {
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {str(number): {} for number in range(1_000)}}}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x" * 10_000, "team": "a"},
    }
    record = job_record(finetune_job(**heavy, status={"phase": "Training"}))
    body = json.loads(record.body)
    assert len(record.body) < 1_000
    assert "managedFields" not in body["metadata"]
    assert body["metadata"]["annotations"] == {"team": "a"}
    assert (body["spec"], body["status"]) == (finetune_job()["spec"], {"phase": "Training"})
    assert record.created_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def condition(kind: str, status: str = "True", **more: str) -> Json:
    return {"type": kind, "status": status, "lastTransitionTime": "2026-03-01T13:00:00Z", **more}


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        pytest.param([], (None, ""), id="running"),
        pytest.param([condition("FailureTarget", reason="BackoffLimitExceeded")], (None, ""), id="its pods still end"),
        pytest.param(
            [condition("Complete", reason="CompletionsReached")], ("Complete", "CompletionsReached"), id="done"
        ),
        pytest.param([condition("Failed", reason="DeadlineExceeded")], ("Failed", "DeadlineExceeded"), id="failed"),
        pytest.param([condition("Failed", "False")], (None, ""), id="not failed"),
        pytest.param([condition("Suspended"), condition("Complete", reason="x")], ("Complete", "x"), id="among others"),
    ],
)
def test_a_jobs_own_condition_says_how_it_ended(conditions: list[Json], wanted: tuple[str | None, str]) -> None:
    step = step_record(child_job(conditions=conditions)).step
    assert (step.result, step.reason) == wanted
    assert (step.finished_at is not None) == (step.result is not None)


def test_a_job_that_is_going_or_held_back_says_so() -> None:
    assert step_record(child_job(deletionTimestamp="2026-03-01T13:00:00Z")).step.deleting
    assert step_record({**child_job(), "spec": {"suspend": True}}).step.held
    assert not step_record(child_job()).step.deleting
    assert not step_record(child_job()).step.held


def container(**state: Json) -> Json:
    return {"containerStatuses": [{"name": "sidecar", "state": {}}, {"name": "trainer", "state": state}]}


@pytest.mark.parametrize(
    ("status", "field", "wanted"),
    [
        pytest.param(container(terminated={"exitCode": 3}), "exit_code", 3, id="exit code"),
        pytest.param(container(terminated={"message": "{}"}), "answer", "{}", id="answer"),
        pytest.param(container(terminated={"reason": "OOMKilled"}), "out_of_memory", True, id="out of memory"),
        pytest.param(container(terminated={"reason": "Error"}), "out_of_memory", False, id="another end"),
        pytest.param(
            container(waiting={"reason": "ImagePullBackOff", "message": "no"}), "waiting",
            Waiting("ImagePullBackOff", "no"), id="no image",
        ),
        pytest.param(container(waiting={"reason": "ContainerCreating"}), "waiting", None, id="just being made"),
        pytest.param(
            {"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message="0/3")]}, "waiting",
            Waiting("Unschedulable", "0/3"), id="no node",
        ),
        pytest.param(
            {"conditions": [condition("DisruptionTarget", message="preempted")]}, "disruption", "preempted", id="taken"
        ),
        pytest.param(
            {"conditions": [condition("DisruptionTarget", reason="EvictionByEvictionAPI")]}, "disruption",
            "EvictionByEvictionAPI", id="taken without a word",
        ),
        pytest.param(
            {"conditions": [condition("DisruptionTarget", "False", message="was to be")]}, "disruption", "", id="spared"
        ),
    ],
)  # fmt: skip
def test_a_pod_tells_what_became_of_it(status: Json, field: str, wanted: object) -> None:
    assert getattr(pod_record(child_pod(**status)).pod, field) == wanted


def test_pods_of_others_are_passed_over() -> None:
    assert pod_record({"metadata": {**child_pod()["metadata"], "labels": {"app": "web"}}, "status": {}}) is None
