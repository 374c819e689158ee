"""``ftj gpus``: the catalogue of cards."""

import json
import re
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
            _another_name(gpu),
        )
    return table


def _another_name(gpu: Gpu) -> str:
    """The shortest other name, and how many more there are: the table is to fit a terminal of 80 columns.

    The maker's name before it and case make no difference, so they make no other name.
    """
    bare = [re.sub(r"^(NVIDIA-)?(GeForce-)?", "", alias, flags=re.IGNORECASE) for alias in reversed(gpu.aliases)]
    others = {name.lower(): name for name in bare if name.lower() != gpu.name.lower()}
    shortest, more = min(others.values(), key=len, default=""), len(others) - 1
    return f"{shortest} +{more}" if more > 0 else shortest


def _capability(gpu: Gpu) -> str:
    return ".".join(map(str, gpu.compute_capability or ()))
