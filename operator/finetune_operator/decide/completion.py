"""Completion: the attempt's report is the job's end, and says where the model lies."""

from datetime import datetime

from pydantic import ValidationError

from finetune_core.api.status import ArtifactStatus
from finetune_core.contract import DATASET_REPORT, RunReport
from finetune_operator.decide.attempts import closed, how_it_ended
from finetune_operator.decide.decision import Decision, Event
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.progress import from_report
from finetune_operator.decide.story import told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Succeed on a report with a model in it. Any other answer is a failure's business."""
    end = how_it_ended(observed)
    report = read_report(end.answer) if end is not None and end.kind == "answered" else None
    if end is None or report is None or report.artifact is None:
        return None
    stored = report.artifact
    assert observed.spec is not None
    place = observed.spec.output.uri.rstrip("/")  # as the person wrote it: the pod knows a claim as a folder
    artifact = ArtifactStatus(
        uri=place,
        manifest_sha256=stored.manifest_sha256,
        size_bytes=stored.size_bytes,
        files=stored.files,
        base_model=observed.spec.model.uri,
        method=stored.method,
        report_uri=f"{place}/{stored.report_uri.rpartition('/')[2]}",
    )
    dataset, plan = observed.status.dataset, observed.status.plan
    assert plan is not None
    if dataset is not None:  # the run has moved the data's report to the model, and removed the prepared tokens
        moved = f"{place}/{DATASET_REPORT}"
        dataset = dataset.model_copy(update={"truncated_rows": report.truncated_rows, "report_uri": moved})
    loss = f"loss {report.train_loss:.4g}"
    if report.eval_loss is not None:
        loss += f", validation loss {report.eval_loss:.4g}"
        if report.eval_loss_before is not None:
            loss += f" (before: {report.eval_loss_before:.4g})"
    message = f"{report.steps} steps, {loss}; the model lies at {place}"
    if report.pushed:
        message += f", and at {observed.spec.output.push}"
    elif report.pushed is not None:
        message += f"; not pushed: {report.push_problem}"
    return Decision(
        status=told(
            observed, now, "Succeeded", "Succeeded", message,
            attempts=closed(observed, now, "Succeeded", end),
            artifact=artifact,
            dataset=dataset,
            progress=from_report(report, plan, observed.status.progress, now),
        ),
        events=(Event("Normal", "Succeeded", message),),
    )  # fmt: skip


def read_report(answer: str) -> RunReport | None:
    """The report of a finished run; None where the answer is no such thing."""
    try:
        return RunReport.model_validate_json(answer)
    except ValidationError:
        return None
