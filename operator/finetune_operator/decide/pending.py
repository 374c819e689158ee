"""Pending: a pod that cannot start is waited for, but not for ever."""

from datetime import datetime
from typing import Any

from finetune_operator.decide import attempts, preparation
from finetune_operator.decide.decision import Decision, StopStep
from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed, Step
from finetune_operator.decide.story import failed

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Give up on a step whose pod was not started within ``failurePolicy.pendingDeadlineSeconds``."""
    if observed.spec is None:
        return None
    deadline = observed.spec.failure_policy.pending_deadline_seconds
    step = preparation.current(observed) or attempts.current(observed)
    if step is None or not step.active or step.deleting or step.held or step.started:
        return None
    if (now - step.waits_since).total_seconds() < deadline:
        return None
    reason, why = _why(step)
    message = f"{step.name} was not started within {deadline} s: {why}"
    changes: dict[str, Any] = {}
    if step.kind == "train":
        changes["attempts"] = attempts.closed(observed, now, "Failed", Ending("failed", reason, message))
    return failed(observed, now, reason, message, actions=(StopStep(step.name, step.uid),), **changes)


def _why(step: Step) -> tuple[str, str]:
    """Failure reason and the cluster's own words."""
    waiting = step.pod.waiting if step.pod else None
    if waiting is None:
        return "Unschedulable", "no pod was made for it" if step.pod is None else "its pod is still pending"
    words = f"{waiting.reason}: {waiting.message}"
    if waiting.reason in _IMAGE:
        return "ImagePullFailed", words
    if waiting.reason == "FailedMount":
        # As kubelet says it: configmap "NAME" not found, or configmap references non-existent config key: KEY.
        if any(said in waiting.message for said in (': configmap "', "configmap references")):
            return "DatasetUnavailable", words
        if "secret" in waiting.message.lower():
            return "SecretMissing", words
    return "Unschedulable", words
