"""The page, from data."""

from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from finetune_core.api.plan import Plan
from finetune_core.contract import LENGTH_EDGES, RunReport
from finetune_core.report.charts import curves, series

PART_NAMES = {
    "weights": "model weights",
    "adapters": "adapters",
    "gradients": "gradients",
    "optimizer": "optimizer states",
    "activations": "activations",
    "logits": "logits",
    "scratch": "scratch buffers",
    "runtime": "runtime and libraries",
}


def render_report(
    *,
    title: str,
    plan: Plan,
    run: RunReport,
    metrics: list[dict[str, Any]],
    dataset: dict[str, Any],
    samples: list[dict[str, Any]],
) -> str:
    """HTML of a finished run.

    Args:
        title: the job's name.
        plan: what was planned, with its reasons.
        run: what came of it.
        metrics: the lines of ``metrics.jsonl``.
        dataset: ``dataset-report.json``.
        samples: ``samples.json``: messages, before, after and, where there is one, reference.
    """
    loss = curves("Loss", {"training": series(metrics, "loss"), "validation": series(metrics, "eval_loss")})
    others = [
        curves("Learning rate", {"learning rate": series(metrics, "learning_rate")}, height=220),
        curves("Gradient norm", {"gradient norm": series(metrics, "grad_norm")}, height=220),
    ]
    return _template().render(
        title=title,
        plan=plan,
        run=run,
        curves={"loss": Markup(loss), "others": [Markup(chart) for chart in others if chart]},  # pygal escapes
        parts=_memory_parts(plan),
        dataset=dataset,
        lengths=_length_bars(dataset, plan.hyperparameters.cutoff_length if plan.hyperparameters else None),
        samples=samples,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("finetune_core.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["bytes"] = _bytes
    environment.filters["number"] = lambda value: f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return environment.get_template("report.html.j2")


def _bytes(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _memory_parts(plan: Plan) -> list[tuple[str, int, float]]:
    """(name, bytes, share of the budget in per cent) of each part that needs anything."""
    if plan.memory is None:
        return []
    whole = max(plan.memory.budget_bytes, plan.memory.peak_bytes)
    parts = plan.memory.parts.model_dump()
    return [(PART_NAMES[name], size, 100 * size / whole) for name, size in parts.items() if size]


class LengthBar(NamedTuple):
    """A bucket of the length histogram."""

    range: str
    rows: int
    share: float
    """Per cent of the fullest bucket."""
    cut: bool
    """Its rows are longer than the cutoff."""


def _length_bars(dataset: dict[str, Any], cutoff_length: int | None) -> list[LengthBar]:
    """The buckets from the first to the last that holds rows."""
    counts: list[int] = dataset.get("statistics", {}).get("histogram", [])
    used = [index for index, count in enumerate(counts) if count]
    if not used:
        return []
    edges = [0, *LENGTH_EDGES]
    return [
        LengthBar(
            range=f"{edges[index] + 1:,}-{edges[index + 1]:,}" if index < len(LENGTH_EDGES) else f"> {edges[-1]:,}",
            rows=counts[index],
            share=100 * counts[index] / max(counts),
            cut=cutoff_length is not None and edges[index] >= cutoff_length,
        )
        for index in range(used[0], used[-1] + 1)
    ]
