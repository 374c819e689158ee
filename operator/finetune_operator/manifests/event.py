"""A Kubernetes Event about a FineTuneJob."""

import hashlib
from datetime import datetime
from typing import Any

from finetune_core.api.job import API_VERSION, KIND
from finetune_operator.decide.decision import Event
from finetune_operator.manifests.labels import MANAGER


def event(namespace: str, name: str, uid: str, resource_version: str, what: Event, now: datetime) -> dict[str, Any]:
    """The Event; its name is that of its cause, so that one cause is told once."""
    cause = f"{uid} {resource_version} {what.reason} {what.message}"
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{hashlib.sha256(cause.encode()).hexdigest()[:16]}", "namespace": namespace},
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
