"""From a decision to the cluster: actions, then the status in one patch, then events.

Killed between any two of these writes, the next process decides again and finds what was done: children have names
that follow from the job, and the status is only ever written onto the version that was decided on.
"""

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from finetune_core.api.status import FineTuneJobStatus
from finetune_core.contract import PrepareReport
from finetune_operator.cache import Cache
from finetune_operator.client import (
    EVENTS,
    FINETUNEJOBS,
    JOBS,
    SERVICES,
    AlreadyExists,
    ApiError,
    Client,
    NotFound,
    Refused,
    Resource,
)
from finetune_operator.decide.decision import Decision, RemoveJob, StartPreparation, StartTraining, StopStep
from finetune_operator.decide.observed import Observed
from finetune_operator.manifests import Parent, event, prepare_job, train_job, train_service
from finetune_operator.records import JobRecord, Key
from finetune_operator.settings import Settings


class NameTaken(Exception):
    """Another object has the name that a child should get; the next decision takes another number."""


class Applier:
    """Carries out decisions."""

    def __init__(self, client: Client, cache: Cache, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings

    async def apply(self, key: Key, record: JobRecord, observed: Observed, decision: Decision, now: datetime) -> None:
        """Carry out a decision; done again, it changes nothing.

        Raises:
            NameTaken: a child could not be created under its name.
            Conflict: the job has changed since it was observed.
            NotFound: the job is gone.
            Refused, Unavailable: the API server said no, for good or for now.
        """
        for action in decision.actions:
            match action:
                case StartPreparation() | StartTraining():
                    await self._start(key, record, observed, action)
                case StopStep():
                    # In the foreground: the Job stays until its pod has ended, so that no second one starts beside it.
                    await self._client.delete(JOBS, key[0], action.name, action.uid, "Foreground")
                case RemoveJob():
                    await self._client.delete(FINETUNEJOBS, key[0], key[1], observed.uid, "Background")
                    return
        version = await self._write_status(key, record, decision.status)
        for order, what in enumerate(decision.events):
            with contextlib.suppress(ApiError):  # an event is told for people; the status has it all
                body = event(key[0], key[1], observed.uid, version, what, now, order)
                await self._client.create(EVENTS, key[0], body)

    async def _start(
        self, key: Key, record: JobRecord, observed: Observed, action: StartPreparation | StartTraining
    ) -> None:
        assert observed.spec is not None
        labels = json.loads(record.body)["metadata"].get("labels", {})
        parent = Parent(key[0], key[1], observed.uid, labels, observed.spec)
        if isinstance(action, StartPreparation):
            manifest = prepare_job(parent, action.number, self._settings)
        else:
            assert observed.status.prepare_report is not None
            report = PrepareReport.model_validate_json(observed.status.prepare_report)
            manifest = train_job(parent, action.number, self._settings, report=report, plan=action.plan)
            if action.plan.gpu.nodes > 1:
                await self._ensure_service(parent)  # before the pods, which look for each other in it
        created = await self._create(JOBS, manifest)
        if not _belongs_to(observed.uid, created):
            name = manifest["metadata"]["name"]
            self._cache.taken[observed.uid].add(name)
            raise NameTaken(f"Job {name} is not this operator's: taking the next number")
        self._cache.put_step(created)

    async def _ensure_service(self, parent: Parent) -> None:
        """It is there from the first attempt on, so it is looked for before it is made."""
        service = train_service(parent)
        name = service["metadata"]["name"]
        try:
            found = await self._client.get(SERVICES, parent.namespace, name)
        except NotFound:
            found = await self._create(SERVICES, service)
        if not _belongs_to(parent.uid, found):
            raise Refused(409, "AlreadyExists", f"Service {name} has the name that the train pods need: delete it")

    async def _create(self, resource: Resource, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """What has that name now: the new object, or one that was there before."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        try:
            return await self._client.create(resource, namespace, manifest)
        except AlreadyExists:
            return await self._client.get(resource, namespace, name)

    async def _write_status(self, key: Key, record: JobRecord, status: FineTuneJobStatus) -> str:
        """Patch what changed; the resource version that the job then has."""
        patch = merge_patch(json.loads(record.body)["status"], json.loads(status.to_json()))
        if not patch:
            return record.resource_version
        body = {"metadata": {"resourceVersion": record.resource_version}, "status": patch}
        changed = await self._client.patch(FINETUNEJOBS, key[0], key[1], body, "status")
        self._cache.put_job(changed)
        return str(changed["metadata"]["resourceVersion"])


def _belongs_to(uid: str, body: Mapping[str, Any]) -> bool:
    return any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", []))


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes ``before`` into ``after``: null removes, lists are whole."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[name] = inner
        elif value != old or name not in before:
            patch[name] = value
    return patch
