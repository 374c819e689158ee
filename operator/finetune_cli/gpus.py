"""``ftj gpus``: the catalogue of cards."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from finetune_core.planning.gpus import Gpu, catalogue, price_note


class Output(StrEnum):
    """How to print."""

    text = "text"
    json = "json"


def gpus(
    output: Annotated[Output, typer.Option("--output", "-o", help="A table, or JSON.")] = Output.text,
) -> None:
    """List the cards that gpu.type may name."""
    if output is Output.json:
        print(json.dumps([_as_json(gpu) for gpu in catalogue()], indent=2))
    else:
        Console().print(_as_table())


def _as_json(gpu: Gpu) -> dict[str, Any]:
    return {
        "name": gpu.name,
        "memoryBytes": gpu.memory_bytes,
        "computeCapability": _capability(gpu) or None,
        "bf16": gpu.bf16,
        "tflops16": gpu.tflops,
        "bandwidthGBs": gpu.bandwidth,
        "pricePerHour": gpu.price_per_hour,
        "currency": "USD",
        "aliases": list(gpu.aliases),
    }


def _as_table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, caption=price_note(), caption_justify="left")
    table.add_column("GPU", no_wrap=True)
    table.add_column("GiB", justify="right", no_wrap=True)
    table.add_column("bf16", no_wrap=True)
    table.add_column("SM", justify="right", no_wrap=True)
    table.add_column("USD/h", justify="right", no_wrap=True)
    table.add_column("also known as")
    for gpu in catalogue():
        table.add_row(
            gpu.name,
            f"{gpu.memory_bytes / 2**30:.1f}",
            "yes" if gpu.bf16 else "no",
            _capability(gpu),
            f"{gpu.price_per_hour:.2f}",
            _some(gpu.aliases),
        )
    return table


def _some(aliases: tuple[str, ...]) -> str:
    """The first alias, and how many more there are: the table is to fit a terminal of 80 columns."""
    return f"{aliases[0]} +{len(aliases) - 1}" if len(aliases) > 1 else "".join(aliases)


def _capability(gpu: Gpu) -> str:
    return ".".join(map(str, gpu.compute_capability or ()))
