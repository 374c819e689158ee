"""FineTuneJobs, Jobs and Pods as an API server sends them."""

from typing import Any

from observed_jobs import NAME, UID

from finetune_operator.manifests.labels import child_labels

Json = dict[str, Any]


def finetune_job(
    name: str = NAME, version: int = 1, *, uid: str = UID, namespace: str = "team-a", created: str = "12:00",
    status: Json | None = None, output: Json | None = None, **metadata: Any,
) -> Json:  # fmt: skip
    known = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version), "generation": 1}
    return {
        "metadata": {**known, "creationTimestamp": f"2026-03-01T{created}:00Z", **metadata},
        "spec": {
            "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct"},
            "dataset": {"uri": "s3://datasets/support.jsonl"},
            "gpu": {"type": "A10"},
            "output": output or {"uri": f"s3://models/{name}"},
        },
    } | ({"status": status} if status else {})


def child_job(
    number: int = 1, version: int = 1, *, kind: Any = "train", job: str = NAME, owner: str = UID, uid: str = "job-1",
    conditions: list[Json] | None = None, name: str | None = None, **metadata: Any,
) -> Json:  # fmt: skip
    return {
        "metadata": {
            "name": name or f"{job}-{kind}-{number}",
            "namespace": "team-a",
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-03-01T12:00:00Z",
            "labels": child_labels(job, kind, number),
            "ownerReferences": [{"uid": owner, "controller": True}],
            **metadata,
        },
        "status": {"conditions": conditions or []},
    }


def child_pod(
    version: int = 1, *, number: int = 1, name: str = "a-pod", created: str = "12:00", index: int | None = None,
    **status: Any,
) -> Json:  # fmt: skip
    annotations = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
    return {
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-of-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": f"2026-03-01T{created}:00Z",
            "labels": child_labels(NAME, "train", number) | {"batch.kubernetes.io/job-name": f"{NAME}-train-{number}"},
            "annotations": annotations,
        },
        "status": {"phase": "Running", **status},
    }
