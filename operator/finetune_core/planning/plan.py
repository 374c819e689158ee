"""plan(): the method, the settings and the reasons, or what would fit instead."""

from finetune_core.api.job import Budget, FineTuneJobSpec, Method
from finetune_core.api.plan import Estimate, Plan, Reason, ResolvedHyperparameters, Warning
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning.alternatives import alternatives
from finetune_core.planning.estimate import estimate, over_budget
from finetune_core.planning.gpus import Gpu, catalogue
from finetune_core.planning.methods import METHODS, floor_bytes
from finetune_core.planning.pod import pod_resources
from finetune_core.planning.search import Fit
from finetune_core.planning.settings import Settings
from finetune_core.planning.warnings import warnings

GIB = 1024**3


def plan(
    spec: FineTuneJobSpec,
    shape: ModelShape,
    data: DataStatistics,
    gpu: Gpu,
    storage_bytes_per_second: int | None = None,
) -> Plan:
    """Decide how a job is trained.

    Pure: the same arguments give the same plan. An infeasible job gives a plan with ``feasible`` false, whose reasons
    say why each method was rejected and whose alternatives say which single change would help.

    Args:
        spec: the job.
        shape: its model.
        data: its rows.
        gpu: its card.
        storage_bytes_per_second: of the output store, where it was measured.
    """
    answer = _decide(spec, shape, data, gpu, storage_bytes_per_second)
    if answer.feasible:
        return answer
    return answer.model_copy(update={"alternatives": alternatives(spec, shape, data, gpu, _peak)})


def plans_for_all(spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics) -> list[Plan]:
    """The plan for every card of the catalogue: those that can train the job by cost, then the others."""

    def price(answer: Plan) -> tuple[bool, float, float]:
        expected = answer.estimate
        return (True, 0.0, 0.0) if expected is None else (False, expected.cost, expected.seconds)

    return sorted((_decide(spec, shape, data, gpu) for gpu in catalogue() if not gpu.is_cpu), key=price)


def _decide(
    spec: FineTuneJobSpec,
    shape: ModelShape,
    data: DataStatistics,
    gpu: Gpu,
    storage_bytes_per_second: int | None = None,
) -> Plan:
    """The plan without alternatives."""
    settings = Settings(spec, shape, data, gpu)
    found, rejected = _first(settings)
    if found is None:
        return Plan(feasible=False, gpu=settings.planned_gpu, reasons=rejected)
    return _feasible(*found, rejected, settings, storage_bytes_per_second)


def _peak(spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu) -> tuple[Method, int] | None:
    """Of a job that can be trained, the method and the predicted peak."""
    found, _ = _first(Settings(spec, shape, data, gpu))
    return (found[0], found[1].peak_bytes) if found else None


def _first(settings: Settings) -> tuple[tuple[Method, Fit] | None, list[Reason]]:
    """The first method that can be, with its shape, and why those before it cannot."""
    rejected: list[Reason] = []
    asked = settings.spec.method
    for method in METHODS if asked == "auto" else (asked,):
        problem, fit = _try(method, settings)
        if problem or fit is None:
            rejected.append(Reason(field="method", value=method, because=problem))
        elif beyond := _over_budget(method, fit, settings):
            rejected.append(Reason(field="budget", value=method, because=beyond))
        else:
            return (method, fit), rejected
    return None, rejected


def _over_budget(method: Method, fit: Fit, settings: Settings) -> str:
    """What is beyond the job's budget, or an empty string."""
    if settings.spec.budget == Budget():
        return ""
    resolved, _ = settings.resolve(method, fit)
    return over_budget(settings.spec.budget, _expected(fit, resolved, settings))


def _expected(fit: Fit, resolved: ResolvedHyperparameters, settings: Settings) -> Estimate:
    asked = settings.spec.gpu
    return estimate(settings.shape, fit.training, resolved, settings.data, settings.gpu, asked.per_node, asked.nodes)


def _try(method: Method, settings: Settings) -> tuple[str, Fit | None]:
    """Why a method is rejected, or the shape it would train with."""
    gpu, parameters = settings.planned_gpu, settings.shape.parameters
    if problem := settings.untrainable(method):
        return problem, None
    if not settings.shardings(method):
        return (
            f"rule of thumb: {method} of {parameters / 1e9:.2f}B parameters asks for "
            f"{_gib(floor_bytes(method, parameters))}, {gpu.words} offers {_gib(settings.memory_of_all(method))}",
            None,
        )
    if problem := settings.conflict(method):
        return problem, None
    fit = settings.fit(method)
    if not fit.fits:
        hint = settings.undivided(method) if gpu.count > 1 else ""
        return (
            f"{method} needs {_gib(fit.peak_bytes)}{' on each GPU' if gpu.count > 1 else ''} at the least, "
            f"of {gpu.type}'s {_gib(settings.memory_bytes)} a plan may use {_gib(fit.budget_bytes)}"
            f"{'; ' if hint else ''}{hint}",
            None,
        )
    return "", fit


def _feasible(
    method: Method, fit: Fit, rejected: list[Reason], settings: Settings, storage_bytes_per_second: int | None
) -> Plan:
    given = settings.spec.method != "auto"
    chosen = Reason(
        field="method",
        value=method,
        because="given in the job"
        if given
        else f"the first of full, lora, qlora that fits: predicted peak {_gib(fit.peak_bytes)} "
        f"of {_gib(fit.budget_bytes)} usable on {'each ' if settings.gpus > 1 else ''}{settings.gpu.name}",
    )
    resolved, reasons = settings.resolve(method, fit)
    expected = _expected(fit, resolved, settings)
    told = warnings(method, resolved, expected, settings.spec.dataset, settings.data, settings.gpu)
    pod, time_to_store = pod_resources(
        method,
        settings.shape,
        settings.data,
        fit.memory,
        settings.gpu,
        processes=settings.spec.gpu.per_node,
        shards=fit.training.shards,
        merged_bytes=_merged_bytes(settings, resolved),
        storage_bytes_per_second=storage_bytes_per_second,
    )
    return Plan(
        feasible=True,
        method=method,
        gpu=settings.planned_gpu,
        memory=fit.memory,
        hyperparameters=resolved,
        pod=pod,
        estimate=expected,
        reasons=[chosen, *rejected, *reasons, time_to_store],
        warnings=[Warning(code=code, message=message) for code, message in told],
    )


def _merged_bytes(settings: Settings, resolved: ResolvedHyperparameters) -> int:
    """Of the merged model, where one is asked for."""
    if resolved.lora is None or settings.spec.output.export not in ("merged", "both"):
        return 0
    return settings.shape.parameters * (4 if resolved.precision == "fp32" else 2)


def infeasible_line(spec: FineTuneJobSpec, answer: Plan) -> str:
    """The one line that an infeasible job ends with."""
    over = any(reason.field == "budget" for reason in answer.reasons)
    what = f"{spec.model.uri} {'is over the budget on' if over else 'does not fit'} {answer.gpu.words}"
    if spec.method != "auto":
        what += f" with method {spec.method}"
    if not answer.alternatives:
        return f"{what}: {answer.reasons[-1].because}"
    changes = ", or ".join(alternative.change for alternative in answer.alternatives[:3])
    return f"{what}; it would with {changes}"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
