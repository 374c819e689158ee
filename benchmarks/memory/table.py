"""The results as Markdown."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from cases import ACCUMULATION, Case

from finetune_core.planning import find_gpu

GIB = 2**30
CARD_TFLOPS = find_gpu("H100-80GB").tflops

Row = tuple[Case, dict[str, int], dict[str, Any]]
"""A case, its predicted parts, and what was measured."""


def markdown(entries: list[dict[str, Any]]) -> str:
    """Machine, errors by method, the cases, the parts, and the speed."""
    machine = next(entry["machine"] for entry in entries if "machine" in entry)
    rows = [(Case(**entry["case"]), entry["predicted"], entry["measured"]) for entry in entries if "measured" in entry]
    failed = [(Case(**entry["case"]), entry["predicted"]) for entry in entries if "failed" in entry]
    lines = [", ".join(f"{name} {value}" for name, value in machine.items()), ""]
    for title, part in (
        ("Errors by method", _errors(rows)),
        ("Cases", _cases(rows, failed)),
        ("Parts", _parts(rows)),
        ("Phases", _phases(rows)),
        ("Speed", _speed(rows)),
    ):
        lines += [f"## {title}", "", *part, ""]
    return "\n".join(lines)


def model_flops(case: Case) -> float:
    """Floating-point operations of an optimizer step that the mathematics asks for; recomputing counts nothing.

    2 for each weight and token, forward; as many for the gradient of the input; as many again for that of the weight,
    where it is trained (Kaplan et al. 2020, arXiv:2001.08361, section 2.1). Attention is causal: half of its square.
    """
    shape, tokens = case.shape, case.row_tokens
    linear = 2 * shape.linear_parameters * tokens
    head = 2 * shape.vocab_size * shape.hidden_size * case.positions
    attention = 2 * tokens * tokens * shape.num_heads * shape.head_dim * shape.num_layers
    trained = linear + head if case.method == "full" else 0
    return ACCUMULATION * case.micro_batch_size * (2 * (linear + head) + 3 * attention + trained)


def _errors(rows: list[Row]) -> Iterator[str]:
    by_label: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for case, predicted, measured in rows:
        total = sum(predicted.values())
        tensors = max(measured["peaks"].values())
        by_label[case.label].append((total / _on_card(measured) - 1, (total - predicted["runtime"]) / tensors - 1))
    """Predicted against measured, less one: of the card's memory, and of tensors alone (without ``runtime``)."""
    yield "| method | cases | card: median | highest | lowest | tensors: median | highest | lowest |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for label, errors in by_label.items():
        cells = [
            f"{value:+.0%}"
            for column in zip(*errors, strict=True)
            for value in (statistics.median(column), max(column), min(column))
        ]
        yield f"| {label} | {len(errors)} | {' | '.join(cells)} |"


def _cases(rows: list[Row], failed: list[tuple[Case, dict[str, int]]]) -> Iterator[str]:
    """Predicted peak, and what the run took of the card: reserved by torch's allocator, and outside of it."""
    yield f"{_CASE_HEAD} predicted | on the card | error | tensors | reserved | outside |"
    yield f"{_CASE_RULE}--:|--:|--:|--:|--:|--:|"
    for case, predicted, measured in rows:
        total = sum(predicted.values())
        yield (
            f"{_case(case)} {_gib(total)} | {_gib(_on_card(measured))} | {total / _on_card(measured) - 1:+.0%} | "
            f"{_gib(max(measured['peaks'].values()))} | {_gib(measured['peak_reserved'])} | "
            f"{_gib(measured['outside'])} |"
        )
    for case, predicted in failed:
        yield f"{_case(case)} {_gib(sum(predicted.values()))} | out of memory | | | | |"


_PARTS: dict[str, tuple[Callable[[dict[str, int]], int], Callable[[dict[str, Any]], int]]] = {
    "weights": (lambda parts: parts["weights"], lambda measured: measured["weights"]),
    "adapters": (lambda parts: parts["adapters"], lambda measured: measured["adapters"]),
    "gradients": (lambda parts: parts["gradients"], lambda measured: measured["gradients"]),
    "optimizer": (lambda parts: parts["optimizer"], lambda measured: measured["optimizer"]),
    "logits": (lambda parts: parts["logits"], lambda measured: measured["head"]),
    "activations and scratch": (
        lambda parts: parts["activations"] + parts["scratch"],
        lambda measured: measured["activations"],
    ),
}


def _parts(rows: list[Row]) -> Iterator[str]:
    """Every part as predicted / measured."""
    yield f"{_CASE_HEAD} {' | '.join(_PARTS)} |"
    yield _CASE_RULE + "--:|" * len(_PARTS)
    for case, predicted, measured in rows:
        cells = [f"{_gib(expected(predicted))} / {_gib(found(measured))}" for expected, found in _PARTS.values()]
        yield f"{_case(case)} {' | '.join(cells)} |"


_PHASES = ("layers", "head", "backward", "update")


def _phases(rows: list[Row]) -> Iterator[str]:
    """Peak of each phase beyond what stays from step to step: weights, adapters, gradients, optimizer."""
    yield f"{_CASE_HEAD} {' | '.join(_PHASES)} | predicted |"
    yield _CASE_RULE + "--:|" * (len(_PHASES) + 1)
    for case, predicted, measured in rows:
        staying = sum(measured[part] for part in ("weights", "adapters", "gradients", "optimizer"))
        cells = [_gib(measured["peaks"][phase] - staying) for phase in _PHASES]
        passing = sum(predicted[part] for part in ("activations", "logits", "scratch"))
        yield f"{_case(case)} {' | '.join(cells)} | {_gib(passing)} |"


def _speed(rows: list[Row]) -> Iterator[str]:
    yield f"{_CASE_HEAD} s a step | tokens/s | MFU | load s |"
    yield f"{_CASE_RULE}--:|--:|--:|--:|"
    for case, _, measured in rows:
        seconds = statistics.median(measured["step_seconds"])
        tokens = ACCUMULATION * case.micro_batch_size * case.row_tokens
        share = model_flops(case) / seconds / (CARD_TFLOPS * 1e12)
        yield f"{_case(case)} {seconds:.2f} | {tokens / seconds:,.0f} | {share:.0%} | {measured['load_seconds']:.1f} |"


_CASE_HEAD = "| model | method | rows x tokens | supervised | activations |"
_CASE_RULE = "|---|---|---|--:|---|"


def _case(case: Case) -> str:
    return (
        f"| {case.model.rpartition('/')[2].removesuffix('-Instruct')} | {case.label} | "
        f"{case.micro_batch_size} x {case.row_tokens} | {case.supervised_tokens} | "
        f"{'recomputed' if case.activation_checkpointing else 'kept'} |"
    )


def _on_card(measured: dict[str, Any]) -> int:
    return int(measured["peak_reserved"] + measured["outside"])


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"
