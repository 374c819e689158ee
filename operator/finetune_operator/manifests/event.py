"""A Kubernetes Event about a FineTuneJob."""

import hashlib
from datetime import datetime
from typing import Any

from finetune_core.api.job import API_VERSION, KIND
from finetune_operator.decide.decision import Event
from finetune_operator.manifests.labels import MANAGER


def event(
    namespace: str, name: str, uid: str, resource_version: str, what: Event, now: datetime, order: int = 0
) -> dict[str, Any]:
    """The Event; its name is that of its cause, so that one cause is told once.

    Events of one second are shown in the order of their names: theirs begins with the version of the job that they tell
    of, and with their ``order`` among those of one decision.
    """
    cause = hashlib.sha256(f"{uid} {what.reason} {what.message}".encode()).hexdigest()
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{int(resource_version):012x}{order:x}.{cause[:8]}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "resourceVersion": resource_version,
        },
        "type": what.type,
        "reason": what.reason,
        "message": what.message,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
    }
