"""Jobs as the operator finds them: a status, child Jobs and pods to vary."""

from datetime import UTC, datetime, timedelta
from typing import Any

from jobs import data_of, job, plan_of, shape_of

from finetune_core.api.status import Attempt, FineTuneJobStatus, Outcome
from finetune_core.contract import Artifact, Failure, PrepareReport, Progress, RunReport
from finetune_operator.decide.decision import Decision, Policy
from finetune_operator.decide.numbers import child_name
from finetune_operator.decide.observed import LogTail, Observed, Pod, Step, StepKind

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAME = "support-bot"
UID = "5b0f3f0a-6f0e-4e39-9a3c-0d4f7f8f5a31"

PREPARE_REPORT = PrepareReport(
    fingerprint="0" * 64,
    model_shape=shape_of("hf://Qwen/Qwen2.5-7B-Instruct"),
    model_revision="c" * 40,
    statistics=data_of(),
    rows=1_100,
    used_rows=1_050,
    rejected_rows=50,
    findings=[],
)
PREPARED = PREPARE_REPORT.to_json()
"""What a preparation answers."""

RUN_REPORT = RunReport(
    job_name=NAME,
    job_uid=UID,
    steps=189,
    train_loss=0.51234,
    eval_loss_before=2.5,
    eval_loss=0.75,
    supervised_tokens=10**6,
    seconds=12.5,
    truncated_rows=3,
    versions={"torch": "2.9"},
    artifact=Artifact(
        uri="s3://models/support-bot", manifest_sha256="a" * 64, size_bytes=10**9, files=9, method="lora",
        base_model="Qwen/Qwen2.5-7B-Instruct", report_uri="s3://models/support-bot/report.html",
    ),
)  # fmt: skip
TRAINED = RUN_REPORT.to_json()
"""What a training answers."""

PLAN = plan_of()
INFEASIBLE = plan_of("gpu.type=RTX-3070")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def failure(reason: str, message: str = "it said why") -> str:
    """What a step answers that failed."""
    return Failure(reason=reason, message=message).to_json()


def pod(phase: str = "Running", **fields: Any) -> Pod:
    return Pod(**{"name": "support-bot-pod", "uid": "pod-1", "phase": phase, **fields})


def step(kind: StepKind = "train", number: int = 1, **fields: Any) -> Step:
    """A child Job without a pod, made a minute ago."""
    name = child_name(NAME, UID, kind, number)
    made = fields.pop("created_at", ago(60))
    named = {"name": name, "uid": f"uid-of-{name}", "kind": kind, "number": number}
    return Step(**{**named, "created_at": made, "waits_since": made, **fields})


def running(kind: StepKind = "train", number: int = 1, **fields: Any) -> Step:
    return step(kind, number, pod=pod(), **fields)


def complete(answer: str, kind: StepKind = "train", number: int = 1) -> Step:
    """A child Job whose pod ended well, with that answer."""
    ended = pod("Succeeded", exit_code=0, answer=answer)
    return step(kind, number, result="Complete", finished_at=NOW, pod=ended)


def crashed(answer: str = "", kind: StepKind = "train", number: int = 1, **of_pod: Any) -> Step:
    """A child Job whose pod failed, with that answer."""
    ended = pod("Failed", **{"exit_code": 1, "answer": answer, **of_pod})
    message = "Job has reached the specified backoff limit"
    return step(
        kind, number, result="Failed", reason="BackoffLimitExceeded", message=message, finished_at=NOW, pod=ended
    )


def evicted(kind: StepKind = "train", number: int = 1) -> Step:
    """A child Job whose pod the cluster took away, and that is gone."""
    message = f"Pod team-a/{NAME}-pod has condition DisruptionTarget matching FailJob rule at index 0"
    return step(kind, number, result="Failed", reason="PodFailurePolicy", message=message, finished_at=NOW)


def attempt(number: int = 1, outcome: Outcome | None = None, **fields: Any) -> Attempt:
    ended = {"end_time": NOW} if outcome else {}
    known = {"number": number, "method": "lora", "micro_batch_size": 4, "start_time": ago(60), "outcome": outcome}
    return Attempt(**{**known, **ended, **fields})


def planned(*attempts: Attempt, **fields: Any) -> FineTuneJobStatus:
    """The status of a job that is prepared and planned, with its attempts so far."""
    known = {"phase": "Queued", "preparation": 1, "prepare_report": PREPARED, "plan": PLAN, "start_time": ago(600)}
    return FineTuneJobStatus(**{**known, "attempts": list(attempts), **fields})


def new(**fields: Any) -> FineTuneJobStatus:
    """The status of a job that nobody has looked at, or with a little in it."""
    return FineTuneJobStatus(**fields)


def observed(*changes: str, status: FineTuneJobStatus | None = None, **fields: Any) -> Observed:
    """A job that exists and nothing else; its spec with changes as ``--set`` takes them."""
    return Observed(
        **{
            "namespace": "team-a",
            "name": NAME,
            "uid": UID,
            "generation": 2,
            "spec": job(*changes).spec,
            "status": status or new(),
            **fields,
        }
    )


def log(seconds_ago: float = 0, **of_progress: Any) -> LogTail:
    """The log of a running trainer that grew so long ago."""
    known = {"step": 340, "total_steps": 1_200, "epoch": 0.85, "time": 1_000.0, "loss": 1.23456}
    return LogTail(progress=Progress(**{**known, **of_progress}), seconds_per_step=2.0, changed_at=ago(seconds_ago))


def answer(policy: Policy, seen: Observed) -> Decision:
    """What a policy says to a job that it applies to."""
    decision = policy(seen, NOW)
    assert decision is not None
    return decision


def told(decision: Decision) -> tuple[str | None, str | None]:
    """Phase and reason, as a person reads them."""
    ready = decision.status.condition("Ready")
    return decision.status.phase, ready.reason if ready else None
