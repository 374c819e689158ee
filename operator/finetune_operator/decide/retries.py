"""How often a job may try again, and how long it waits before."""

from datetime import datetime
from typing import Any

from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed

FINAL = frozenset(
    {
        "InvalidSpec",
        "DatasetRefused",
        "DatasetUnavailable",
        "SecretMissing",
        "Infeasible",
        "OutputOccupied",
        "Diverged",
        "DeadlineExceeded",
    }
)
"""Reasons that another attempt would only meet again."""

FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
"""As the Job controller has the first figure for pods; its six minutes are long for a person who looks on."""


def count_failure(observed: Observed, end: Ending) -> dict[str, Any] | None:
    """The counted fault, for the status; None where there is no further attempt."""
    assert observed.spec is not None
    retries = observed.status.retries + 1
    if end.reason in FINAL or retries > observed.spec.failure_policy.max_retries:
        return None
    return {"retries": retries}


def count_disruption(observed: Observed, end: Ending) -> dict[str, Any] | None:
    """The counted disruption, for the status; None where there is no further attempt."""
    assert observed.spec is not None
    disruptions = observed.status.disruptions + 1
    if disruptions > observed.spec.failure_policy.max_disruptions:
        return None
    return {"disruptions": disruptions}


def wait_seconds(observed: Observed, fault_at: datetime, now: datetime) -> float:
    """Seconds until the next try may start, after a fault at that time: twice as many after each."""
    exponent = min(10, max(0, observed.status.retries - 1))
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**exponent)
    return min(wait, max(0.0, wait - (now - fault_at).total_seconds()))
