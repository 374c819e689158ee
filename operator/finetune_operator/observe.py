"""From what is known of a job to what the policies are told; asks the API server where a watch cannot be trusted."""

import json
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from finetune_core.api import read_spec
from finetune_core.api.status import FINISHED, FineTuneJobStatus
from finetune_core.contract import PrepareReport
from finetune_core.errors import InvalidSpec
from finetune_operator.cache import Cache
from finetune_operator.client import EVENTS, JOBS, PODS, Client, NotFound
from finetune_operator.decide.numbers import child_name
from finetune_operator.decide.observed import Observed, Pod, Step, StepKind, Waiting
from finetune_operator.decide.pods import speaker
from finetune_operator.progress import LogReader
from finetune_operator.records import JobRecord, Key, StepRecord
from finetune_operator.settings import Settings

ASK_EVENTS_AFTER_SECONDS = 15.0
"""A pod that waits longer than this without a reason in its status is asked for its events: a Secret or volume that
cannot be mounted shows nowhere else."""
_NONE = sys.maxsize
"""No number is as high: every child of the kind is settled."""


class Observer:
    """Looks at one job at a time."""

    def __init__(self, client: Client, cache: Cache, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._logs = LogReader()

    def forget(self, key: Key) -> None:
        """Drop what is known of a job that is gone."""
        self._logs.forget(key)

    async def observe(self, key: Key, record: JobRecord, now: datetime) -> Observed:
        """Everything the policies need, at this moment."""
        namespace, name = key
        body = json.loads(record.body)
        metadata = body["metadata"]
        spec, problem = None, ""
        try:
            spec = read_spec(body["spec"])
        except InvalidSpec as error:
            problem = str(error)
        status = read_status(body["status"])
        holder = "" if record.finished else self._cache.output_holder(key)  # before others may change the cache
        preparations = await self._steps(key, record.uid, "prepare", *_open_preparation(status), now)
        trainings = await self._steps(key, record.uid, "train", *_open_training(status), now)
        observed = Observed(
            namespace=namespace,
            name=name,
            uid=record.uid,
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            spec=spec,
            problem=problem,
            status=status,
            preparations=preparations,
            trainings=trainings,
            taken=frozenset(self._cache.taken.get(record.uid, ())),
            output_holder=holder,
            poll_seconds=self._poll_seconds(),
        )
        running = next((step for step in trainings if step.running), None)
        if running is None:
            return observed
        tail = await self._logs.tail(self._client, key, running, now, observed.poll_seconds * 0.9)
        return replace(observed, log=tail)

    async def _steps(
        self, key: Key, uid: str, kind: StepKind, first_open: int, told: bool, now: datetime
    ) -> tuple[Step, ...]:
        """The children of a kind. Those from number ``first_open`` on are not judged yet, and looked at closely."""
        records = self._cache.steps_of(key, uid, kind)
        if told and not any(record.step.number >= first_open for record in records):
            # The status tells of a child that no watch has shown: a watch may lag, so the server has the word.
            found = await self._fetch_step(key[0], child_name(key[1], uid, kind, first_open), uid)
            records += [found] if found is not None else []
        settled = tuple(record.step for record in records if record.step.number < first_open)
        open_ = [await self._with_pod(key[0], record, now) for record in records if record.step.number >= first_open]
        return (*settled, *open_)

    async def _fetch_step(self, namespace: str, name: str, uid: str) -> StepRecord | None:
        try:
            body = await self._client.get(JOBS, namespace, name)
        except NotFound:
            return None
        self._cache.put_step(body)
        record = self._cache.steps.get((namespace, name))
        return record if record is not None and record.owner_uid == uid else None

    async def _with_pod(self, namespace: str, record: StepRecord, now: datetime) -> Step:
        step = record.step
        pods = self._cache.pods_of((namespace, step.name))
        if step.result is not None and not (pods and all(pod.ended for pod in pods)):
            # The Job's end was told before its pods', which have the answer: two watches, in no order.
            selector = f"batch.kubernetes.io/job-name={step.name}"
            async for body in self._client.list(PODS, namespace, selector):
                self._cache.put_pod(body)
            pods = self._cache.pods_of((namespace, step.name))
        pod = speaker(pods, step.result)
        if pod is None:
            return step
        waited = (now - step.created_at).total_seconds()
        if step.active and pod.phase == "Pending" and pod.waiting is None and waited > ASK_EVENTS_AFTER_SECONDS:
            pod = replace(pod, waiting=await self._mount_problem(namespace, pod))
        return replace(step, pod=pod)

    async def _mount_problem(self, namespace: str, pod: Pod) -> Waiting | None:
        fields = f"involvedObject.uid={pod.uid},reason=FailedMount"
        problems = [event async for event in self._client.list(EVENTS, namespace, fields=fields)]
        return Waiting("FailedMount", str(problems[-1].get("message", ""))) if problems else None

    def _poll_seconds(self) -> float:
        """Longer where so many train that looking at each would be too much for the API server."""
        return max(self._settings.poll_seconds, self._cache.training() / self._settings.progress_writes_per_second)


def read_status(status: dict[str, Any]) -> FineTuneJobStatus:
    """The status as this version knows it: a part that it cannot read is left out, and found anew."""
    status = dict(status)
    while True:
        try:
            read = FineTuneJobStatus.model_validate_json(json.dumps(status))
            break
        except ValidationError as error:
            for part in {str(details["loc"][0]) for details in error.errors()}:
                del status[part]
    try:
        if read.prepare_report is not None:
            PrepareReport.model_validate_json(read.prepare_report)
    except ValidationError:
        return read.model_copy(update={"prepare_report": None})
    return read


def _open_preparation(status: FineTuneJobStatus) -> tuple[int, bool]:
    """Number of the preparation without an outcome in the status, and whether the status tells that it was made."""
    if status.prepare_report is not None or status.phase in FINISHED:
        return _NONE, False
    return max(1, status.preparation), status.preparation > 0


def _open_training(status: FineTuneJobStatus) -> tuple[int, bool]:
    """Number of the attempt without an outcome in the status, and whether the status tells that it was made."""
    if status.plan is None or status.phase in FINISHED:
        return _NONE, False
    last = status.attempts[-1] if status.attempts else None
    if last is None or last.outcome is not None:
        return (1 if last is None else last.number + 1), False
    return last.number, True
