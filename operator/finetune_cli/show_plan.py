"""A plan on a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune_core.api import Plan
from finetune_core.api.plan import Memory, PodResources

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
    console.print(Text.assemble((name, "bold"), ": ", ("does not fit", "bold red"), f" {plan.gpu.words}"))
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
    parts = {name: size for name, size in memory.parts.model_dump().items() if size}
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


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0, overflow="fold")
    return table
