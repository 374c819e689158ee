"""From Kubernetes objects, as the API server sends them, to the little that is kept of each.

Thousands are held in memory, and a parsed object takes many times its JSON: of Jobs and Pods only what policies ask
for is kept, of FineTuneJobs the JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from finetune_core.api.location import ClaimUri, S3Uri, parse_uri
from finetune_core.errors import InvalidSpec
from finetune_operator.decide.observed import Pod, Step, Waiting
from finetune_operator.manifests.labels import INDEX, JOB, NUMBER, STEP
from finetune_operator.manifests.pod import CONTAINER

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A FineTuneJob."""

    uid: str
    resource_version: str
    created_at: datetime
    finished: bool
    output: str
    """Where it writes to, so that two jobs can be compared; empty where that cannot be told."""
    body: bytes
    """The object as JSON, without managedFields."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A child Job."""

    step: Step
    resource_version: str
    owner_uid: str
    owner: Key


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod of a child Job."""

    pod: Pod
    resource_version: str
    step_name: str
    owner: Key
    created_at: str


def job_record(body: Mapping[str, Any]) -> JobRecord:
    """What is kept of a FineTuneJob."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    annotations = metadata.get("annotations", {})
    metadata["annotations"] = {
        key: annotations[key] for key in annotations if not key.startswith("kubectl.kubernetes.io")
    }
    return JobRecord(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        created_at=_time(metadata["creationTimestamp"]),
        finished=body.get("status", {}).get("phase") in ("Succeeded", "Failed"),
        output=_output(body),
        body=json.dumps(
            {"metadata": metadata, "spec": body.get("spec", {}), "status": body.get("status", {})},
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode(),
    )


def step_record(body: Mapping[str, Any]) -> StepRecord | None:
    """What is kept of a Job; None where it is nobody's child."""
    metadata, status = body["metadata"], body.get("status", {})
    labels = metadata.get("labels", {})
    owner_uid = next((owner["uid"] for owner in metadata.get("ownerReferences", []) if owner.get("controller")), "")
    kind, number = labels.get(STEP), labels.get(NUMBER, "")
    if kind not in ("prepare", "train") or not number.isdecimal() or not owner_uid or JOB not in labels:
        return None
    result: Mapping[str, Any] = next(
        (c for c in status.get("conditions", []) if c["type"] in ("Complete", "Failed") and c["status"] == "True"), {}
    )
    return StepRecord(
        step=Step(
            name=metadata["name"],
            uid=metadata["uid"],
            kind=kind,
            number=int(number),
            created_at=_time(metadata["creationTimestamp"]),
            waits_since=_time(status.get("startTime", metadata["creationTimestamp"])),
            deleting="deletionTimestamp" in metadata,
            held=body.get("spec", {}).get("suspend", False),
            result=result.get("type"),
            reason=result.get("reason", ""),
            message=result.get("message", ""),
            finished_at=_time(result["lastTransitionTime"]) if "lastTransitionTime" in result else None,
        ),
        resource_version=metadata["resourceVersion"],
        owner_uid=owner_uid,
        owner=(metadata["namespace"], labels[JOB]),
    )


def pod_record(body: Mapping[str, Any]) -> PodRecord | None:
    """What is kept of a Pod; None where it is no step's."""
    metadata, status = body["metadata"], body.get("status", {})
    labels = metadata.get("labels", {})
    step_name = labels.get("batch.kubernetes.io/job-name")
    if not step_name or JOB not in labels:
        return None
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    container: Mapping[str, Any] = next((c for c in status.get("containerStatuses", []) if c["name"] == CONTAINER), {})
    state = container.get("state", {})
    ended = state.get("terminated", {})
    disruption = conditions.get("DisruptionTarget", {})
    index = metadata.get("annotations", {}).get(INDEX, "")
    return PodRecord(
        pod=Pod(
            name=metadata["name"],
            uid=metadata["uid"],
            phase=status.get("phase", "Unknown"),
            index=int(index) if index.isdecimal() else 0,
            started_at=_time(status["startTime"]) if "startTime" in status else None,
            ended_at=_time(ended["finishedAt"]) if ended.get("finishedAt") else None,
            waiting=_waiting(conditions.get("PodScheduled", {}), state.get("waiting", {})),
            exit_code=ended.get("exitCode"),
            out_of_memory=ended.get("reason") == "OOMKilled",
            answer=ended.get("message", ""),
            ended_by=": ".join(status[name] for name in ("reason", "message") if status.get(name)),
            disruption=disruption.get("message", "") or disruption.get("reason", "")
            if disruption.get("status") == "True"
            else "",
        ),
        resource_version=metadata["resourceVersion"],
        step_name=step_name,
        owner=(metadata["namespace"], labels[JOB]),
        created_at=metadata["creationTimestamp"],
    )


def _waiting(scheduled: Mapping[str, str], waiting: Mapping[str, str]) -> Waiting | None:
    if scheduled.get("status") == "False":
        return Waiting(scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    reason = waiting.get("reason", "")
    return Waiting(reason, waiting.get("message", "")) if reason not in ("", "ContainerCreating") else None


def _output(body: Mapping[str, Any]) -> str:
    output = body.get("spec", {}).get("output", {})
    try:
        where = parse_uri(output.get("uri", ""))
    except InvalidSpec:
        return ""
    match where:
        case ClaimUri():  # a claim's name means something in its own namespace only
            return f"{body['metadata']['namespace']} pvc {where.claim} {PurePosixPath(where.path)}"
        case S3Uri():  # two buckets of one name may lie at two endpoints
            return f"{output.get('endpointURL', '')} s3 {where.bucket} {where.key}"
    return ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
