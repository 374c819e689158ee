"""What the watches have told, by key: the newest known version of every job, child Job and pod.

What this process wrote itself is put here at once, so that it is never decided anew on what was before.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeVar

from finetune_operator.decide.observed import Pod, StepKind
from finetune_operator.records import JobRecord, Key, PodRecord, StepRecord, job_record, pod_record, step_record

R = TypeVar("R", JobRecord, StepRecord, PodRecord)


class Cache:
    """Records of the three kinds, with the indexes that a reconciliation needs."""

    def __init__(self) -> None:
        self.jobs: dict[Key, JobRecord] = {}
        self.steps: dict[Key, StepRecord] = {}
        self.pods: dict[Key, PodRecord] = {}
        self.taken: dict[str, set[str]] = defaultdict(set)
        """Names that a job's children cannot have, by the job's UID: another object has them."""
        self._steps_of: dict[Key, set[Key]] = defaultdict(set)
        self._pods_of: dict[Key, set[Key]] = defaultdict(set)
        self._writers: dict[str, set[Key]] = defaultdict(set)

    def put_job(self, body: Mapping[str, Any]) -> Key | None:
        """Remember a FineTuneJob; its key where that was news."""
        key = _key(body)
        if not _is_news(self.jobs, body):
            return None
        before, record = self.jobs.get(key), job_record(body)
        if before is not None and (before.uid, before.output) != (record.uid, record.output):
            self.lost_job(key)
        self.jobs[key] = record
        if record.output:
            self._writers[record.output].add(key)
        return key

    def drop_job(self, body: Mapping[str, Any]) -> Key | None:
        """Forget a deleted FineTuneJob, unless one of its name is known that came after it."""
        return self.lost_job(_key(body)) if _is_last(self.jobs, body) else None

    def lost_job(self, key: Key) -> Key:
        """Forget a FineTuneJob that is gone."""
        record = self.jobs.pop(key, None)
        if record is not None:
            self.taken.pop(record.uid, None)
            if record.output:
                _discard(self._writers, record.output, key)
        return key

    def put_step(self, body: Mapping[str, Any]) -> Key | None:
        """Remember a Job; its owner's key where that was news."""
        record = step_record(body) if _is_news(self.steps, body) else None
        if record is None:
            return None
        self.lost_step(_key(body))  # its labels, by which it is found, may be others now
        self.steps[_key(body)] = record
        self._steps_of[record.owner].add(_key(body))
        return record.owner

    def drop_step(self, body: Mapping[str, Any]) -> Key | None:
        """Forget a deleted Job; its owner's key."""
        return self.lost_step(_key(body)) if _is_last(self.steps, body) else None

    def lost_step(self, key: Key) -> Key | None:
        """Forget a Job that is gone; its owner's key."""
        record = self.steps.pop(key, None)
        if record is None:
            return None
        _discard(self._steps_of, record.owner, key)
        return record.owner

    def put_pod(self, body: Mapping[str, Any]) -> Key | None:
        """Remember a Pod; its owner's key where that was news."""
        record = pod_record(body) if _is_news(self.pods, body) else None
        if record is None:
            return None
        self.lost_pod(_key(body))
        self.pods[_key(body)] = record
        self._pods_of[record.owner[0], record.step_name].add(_key(body))
        return record.owner

    def drop_pod(self, body: Mapping[str, Any]) -> Key | None:
        """Forget a deleted Pod; its owner's key."""
        return self.lost_pod(_key(body)) if _is_last(self.pods, body) else None

    def lost_pod(self, key: Key) -> Key | None:
        """Forget a Pod that is gone; its owner's key."""
        record = self.pods.pop(key, None)
        if record is None:
            return None
        _discard(self._pods_of, (record.owner[0], record.step_name), key)
        return record.owner

    def steps_of(self, key: Key, uid: str, kind: StepKind) -> list[StepRecord]:
        """The child Jobs of that kind, oldest first. A stranger's, of another UID, are none of them."""
        records = (self.steps[step] for step in self._steps_of.get(key, ()))
        mine = (record for record in records if record.owner_uid == uid and record.step.kind == kind)
        return sorted(mine, key=lambda record: record.step.number)

    def pods_of(self, step: Key) -> list[Pod]:
        """The pods of a child Job, the newest of each index."""
        records = sorted((self.pods[pod] for pod in self._pods_of.get(step, ())), key=lambda record: record.created_at)
        return list({record.pod.index: record.pod for record in records}.values())

    def output_holder(self, key: Key) -> str:
        """``namespace/name`` of an older unfinished job that writes to the same place; empty where there is none."""
        mine = self.jobs[key]
        for other in self._writers.get(mine.output, ()):
            record = self.jobs[other]
            if other != key and not record.finished and (record.created_at, other) < (mine.created_at, key):
                return "/".join(other)
        return ""

    def training(self) -> int:
        """How many steps run; of pods that train together, the first is counted."""
        return sum(1 for record in self.pods.values() if record.pod.phase == "Running" and record.pod.index == 0)


def _key(body: Mapping[str, Any]) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _is_news(records: Mapping[Key, R], body: Mapping[str, Any]) -> bool:
    """Whether an object is newer than what is known of it.

    Resource versions of one kind of object count upwards: Kubernetes 1.35 promises it, and with etcd it was always so.
    """
    before = records.get(_key(body))
    return before is None or int(body["metadata"]["resourceVersion"]) > int(before.resource_version)


def _is_last(records: Mapping[Key, R], body: Mapping[str, Any]) -> bool:
    """Whether nothing newer is known than the object whose deletion is told of."""
    record = records.get(_key(body))
    return record is None or int(record.resource_version) <= int(body["metadata"]["resourceVersion"])


def _discard(index: dict[Any, set[Key]], under: Any, key: Key) -> None:
    index[under].discard(key)
    if not index[under]:
        del index[under]
