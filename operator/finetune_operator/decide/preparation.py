"""Preparation: fetch, check and tokenize the data on CPUs, before any GPU is held."""

from datetime import datetime

from pydantic import ValidationError

from finetune_core.api.status import DatasetStatus, FindingSummary, Lengths
from finetune_core.contract import DATASET_REPORT, PrepareReport
from finetune_operator.decide import attempts
from finetune_operator.decide.decision import Decision, Event, StartPreparation
from finetune_operator.decide.ending import Ending, ending
from finetune_operator.decide.numbers import child_name, free_number
from finetune_operator.decide.observed import Observed, Step
from finetune_operator.decide.retries import count_disruption, count_failure, wait_seconds
from finetune_operator.decide.story import failed, told, why_it_waits, with_condition


def judge(observed: Observed, now: datetime) -> Decision | None:
    """Take what an ended preparation answered: its report, a refusal, or a reason to try again."""
    step = current(observed)
    end = ending(step) if step is not None else None
    if step is None or end is None:
        return None
    report = _report(end.answer)
    if report is not None:
        return _prepared(observed, now, step, end.answer, report)
    if end.kind == "answered":
        end = Ending("failed", "TrainerError", f"{step.name} gave an answer that this operator cannot read")
    refused = with_condition(observed.status.conditions, observed, now, "DatasetReady", False, end.reason, end.message)
    again = count_disruption(observed, end) if end.kind == "disrupted" else count_failure(observed, end)
    if again is None:
        return failed(observed, now, end.reason, end.message, conditions=refused)
    return Decision(
        status=told(observed, now, "Pending", end.reason, end.message, preparation=step.number + 1, **again),
        events=(Event("Warning", end.reason, f"{end.message}; trying again"),),
        requeue_after=0,
    )


def run(observed: Observed, now: datetime) -> Decision | None:
    """Start the preparation, and wait for it."""
    if observed.status.prepare_report is not None or attempts.current(observed) is not None:
        return None
    step = current(observed)
    if step is None:
        return _next(observed, now)
    if step.started:
        status = told(
            observed, now, "Preparing", "Preparing", "checking and tokenizing the data", preparation=step.number
        )
    else:
        status = told(observed, now, "Pending", "WaitingForPod", why_it_waits(step), preparation=step.number)
    return Decision(status=status, requeue_after=observed.poll_seconds)


def _next(observed: Observed, now: datetime) -> Decision:
    before = max(observed.preparations, key=lambda step: step.number, default=None)
    if before is not None and before.active:
        status = told(observed, now, "Pending", "Stopping", f"waiting for {before.name} to stop")
        return Decision(status=status, requeue_after=observed.poll_seconds)
    end = ending(before) if before is not None else None
    if before is not None and end is not None and end.kind == "failed":
        wait = wait_seconds(observed, before.finished_at or now, now)
        if wait > 0:
            return Decision(status=observed.status, requeue_after=wait)
    number = free_number(observed, "prepare", max(1, observed.status.preparation))
    name = child_name(observed.name, observed.uid, "prepare", number)
    first = Event("Normal", "Preparing", "checking the data before a GPU is asked for")
    return Decision(
        status=told(observed, now, "Pending", "WaitingForPod", f"{name} waits for its pod", preparation=number),
        actions=(StartPreparation(number),),
        events=(first,) if number == 1 else (),
        requeue_after=observed.poll_seconds,
    )


def current(observed: Observed) -> Step | None:
    """The prepare Job that counts: none before the status was told to take the next number, none once it answered."""
    if observed.status.prepare_report is not None or not observed.preparations:
        return None
    newest = max(observed.preparations, key=lambda step: step.number)
    return newest if newest.number >= observed.status.preparation else None


def _report(answer: str) -> PrepareReport | None:
    try:
        return PrepareReport.model_validate_json(answer)
    except ValidationError:
        return None


def _prepared(observed: Observed, now: datetime, step: Step, answer: str, report: PrepareReport) -> Decision:
    assert observed.spec is not None
    statistics, lengths = report.statistics, report.statistics.lengths
    dataset = DatasetStatus(
        rows=report.rows,
        used_rows=report.used_rows,
        rejected_rows=report.rejected_rows,
        validation_rows=statistics.validation_rows,
        tokens=statistics.tokens,
        supervised_tokens=statistics.supervised_tokens,
        length_percentiles=Lengths(p50=lengths.p50, p95=lengths.p95, p99=lengths.p99, max=lengths.max),
        findings=[FindingSummary(code=f.code, severity=f.severity, count=f.count) for f in report.findings],
        report_uri=f"{observed.spec.output.uri.rstrip('/')}/.work/{observed.uid}/prepared/{DATASET_REPORT}",
    )
    message = (
        f"{report.used_rows:,} of {report.rows:,} rows are used, {statistics.validation_rows:,} of them for validation"
    )
    conditions = with_condition(
        observed.status.conditions, observed, now, "DatasetReady", True, "DatasetReady", message
    )
    return Decision(
        status=told(
            observed, now, "Preparing", "Planning", "choosing method and settings",
            conditions=conditions, dataset=dataset, prepare_report=answer, preparation=step.number,
        ),
        events=(Event("Normal", "DatasetReady", message),),
        requeue_after=0,
    )  # fmt: skip
