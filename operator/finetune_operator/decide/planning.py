"""Planning: method and settings, from the job, the model's shape, the data's lengths and the GPU."""

from datetime import datetime

from finetune_core.api import Plan
from finetune_core.contract import PrepareReport
from finetune_core.errors import InvalidSpec
from finetune_core.planning import find_gpu, in_words, infeasible_line, plan
from finetune_operator.decide.decision import Decision, Event
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.story import failed, told, with_condition


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Plan once; the plan then stands in the status and is not made anew."""
    status, spec = observed.status, observed.spec
    if (status.plan is not None and status.plan.feasible) or status.prepare_report is None or spec is None:
        return None
    report = PrepareReport.model_validate_json(status.prepare_report)
    try:
        gpu = find_gpu(spec.gpu.type)
        planned = plan(spec, report.model_shape, report.statistics, gpu, report.storage_bytes_per_second)
    except InvalidSpec as error:
        return failed(observed, now, error.reason, str(error))
    message = _summary(planned) if planned.feasible else infeasible_line(spec, planned)
    reason = "Planned" if planned.feasible else "Infeasible"
    conditions = with_condition(status.conditions, observed, now, "Planned", planned.feasible, reason, message)
    if not planned.feasible:
        return failed(observed, now, reason, message, plan=planned, conditions=conditions)
    warnings = tuple(Event("Warning", "PlanWarning", warning.message) for warning in planned.warnings)
    return Decision(
        status=told(observed, now, "Queued", reason, message, plan=planned, conditions=conditions),
        events=(Event("Normal", reason, message), *warnings),
        requeue_after=0,
    )


def _summary(planned: Plan) -> str:
    assert planned.hyperparameters is not None
    assert planned.memory is not None
    assert planned.estimate is not None
    settings, expected = planned.hyperparameters, planned.estimate
    peak, usable = planned.memory.peak_bytes / 2**30, planned.memory.budget_bytes / 2**30
    return (
        f"{planned.method} ({planned.why('method')}) on {planned.gpu.words}: {settings.total_steps} steps of "
        f"{settings.effective_batch_size} rows, learning rate {settings.learning_rate:g}, "
        f"{peak:.1f} of {usable:.1f} GiB usable, about {in_words(expected.seconds)}"
        f"{f' and {expected.cost:.2f} {expected.currency}' if expected.cost else ''}"
    )
