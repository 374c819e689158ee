"""A plan on a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune_core.api import Plan
from finetune_core.api.plan import Estimate, Memory, PodResources
from finetune_core.planning import in_words

GIB = 1024**3
BAR_WIDTH = 48
PART_STYLES = {
    "weights": "blue",
    "adapters": "cyan",
    "gradients": "yellow",
    "optimizer": "magenta",
    "activations": "red",
    "logits": "bright_red",
    "scratch": "white",
    "runtime": "bright_black",
}


def show_plan(name: str, plan: Plan, console: Console | None = None) -> None:
    """Print method, memory, settings with their reasons, warnings; or what would fit instead."""
    console = console or Console()
    if not plan.feasible:
        _show_infeasible(name, plan, console)
        return
    console.print(Text.assemble((name, "bold"), ": ", (str(plan.method), "bold green"), f" on {plan.gpu.words}"))
    if plan.memory is not None:
        console.print()
        console.print(_memory(plan.memory))
    if plan.pod is not None:
        console.print(_pod("each pod" if plan.gpu.nodes > 1 else "pod", plan.pod))
    if plan.estimate is not None:
        console.print(_estimate(plan.estimate))
    console.print()
    table = _table("setting", "value", "because")
    for reason in plan.reasons:
        rejected = reason.field == "method" and reason.value != plan.method
        value = Text(f"not {reason.value}" if rejected else reason.value, style="dim" if rejected else "bold")
        table.add_row(reason.field, value, Text(reason.because, style="dim"))
    console.print(table)
    for warning in plan.warnings:
        console.print(Text.assemble(("warning ", "bold yellow"), (warning.code, "yellow"), f"  {warning.message}"))


def _show_infeasible(name: str, plan: Plan, console: Console) -> None:
    over = any(reason.field == "budget" for reason in plan.reasons)
    why = "over the budget on" if over else "does not fit"
    console.print(Text.assemble((name, "bold"), ": ", (why, "bold red"), f" {plan.gpu.words}"))
    console.print()
    rejected = _table("method", "why not")
    for reason in plan.reasons:
        rejected.add_row(reason.value, Text(reason.because, style="dim"))
    console.print(rejected)
    if plan.alternatives:
        console.print("What would fit (one of):")
        fitting = _table("--set", "method", "peak", "")
        for alternative in plan.alternatives:
            fitting.add_row(
                Text(alternative.change, style="bold"),
                alternative.method,
                f"{alternative.peak_bytes / GIB:.1f} GiB",
                Text(alternative.because, style="dim"),
            )
        console.print(fitting)


def _memory(memory: Memory) -> Text:
    """A bar of the parts against the budget, and their sizes below it."""
    whole = max(memory.budget_bytes, memory.peak_bytes)
    parts = {name: size for name, size in memory.parts.model_dump().items() if size >= 0.05 * GIB}
    text = Text("  ")
    drawn = 0
    for name, size in parts.items():
        width = round(size / whole * BAR_WIDTH)
        text.append("█" * width, style=PART_STYLES[name])
        drawn += width
    text.append("░" * max(0, BAR_WIDTH - drawn), style="dim")
    text.append(f"  {memory.peak_bytes / GIB:.1f} of {memory.budget_bytes / GIB:.1f} GiB usable", style="bold")
    text.append("\n  ")
    for name, size in parts.items():
        text.append("█ ", style=PART_STYLES[name])
        text.append(f"{name} {size / GIB:.1f}  ")
    return text


def _pod(name: str, pod: PodResources) -> Text:
    """What a pod asks for, besides its cards."""
    memory, disk = (f"{size / GIB:.1f} GiB" for size in (pod.memory_bytes, pod.ephemeral_storage_bytes))
    return Text(f"  {name}: {pod.cpu} CPUs, {memory} of memory, {disk} of disk", style="dim")


def _estimate(expected: Estimate) -> Text:
    """How long and how much, with the words that say how well that is known."""
    return Text(
        f"  training: about {in_words(expected.seconds)}, {expected.gpu_hours:g} GPU hours, {_cost(expected)} "
        f"({expected.tokens_per_second:,} tokens a second)",
        style="dim",
    )


def _cost(expected: Estimate) -> str:
    return f"{expected.cost:.2f} {expected.currency}"


def show_all(name: str, plans: Sequence[Plan], note: str, console: Console | None = None) -> None:
    """Print what each card would make of a job: those that can train it, the cheapest first, and those that cannot."""
    console = console or Console()
    console.print(Text.assemble((name, "bold"), f" on {len(plans)} GPUs"))
    table = _table("GPU", "method", "peak", "usable", "time", "cost")
    for plan in plans:
        if plan.memory is not None and plan.estimate is not None:
            peak, usable = (f"{size / GIB:.1f} GiB" for size in (plan.memory.peak_bytes, plan.memory.budget_bytes))
            time, cost = in_words(plan.estimate.seconds), _cost(plan.estimate)
            table.add_row(plan.gpu.words, Text(str(plan.method), style="bold green"), peak, usable, time, cost)
    console.print(table)
    if without := [plan.gpu.words for plan in plans if not plan.feasible]:
        console.print(Text(f"not on: {', '.join(without)}", style="dim"))
    console.print(Text(note, style="dim"))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0, overflow="fold")
    return table
