"""Published measurements of GPU memory in fine-tuning: every row of every table in ``published/``.

A file is one source. ``common`` of a table holds for all its rows; a row gives the values of ``columns`` and, after
them, a mapping of what is particular to it. ``OOM`` as the peak says that the run ended out of memory. A row that our
memory model cannot predict keeps its place and says why in ``leftOut``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.job import Method
from finetune_core.contract import ModelShape
from finetune_core.planning import shipped_shape
from finetune_core.planning.shapes import shape_from_config

FOLDER = Path(__file__).parent / "published"

UNITS = {"B": 1, "MiB": 2**20, "1000 MiB": 1000 * 2**20, "GB": 10**9, "GiB": 2**30}
"""Bytes; 1000 MiB is what reading nvidia-smi in thousands gives."""


class Row(ApiModel):
    """One row of a table, as it is written."""

    model: str | None = None
    """Hub id."""
    method: Method | None = None
    micro_batch: int | None = None
    """Rows in a micro-batch of one card."""
    tokens: int | None = None
    """Of the longest row after the cutoff."""
    rank: int | None = None
    targets: tuple[str, ...] = Field(default=(), strict=False)
    """Linears with adapters by our names for them, or all-linear; lm_head besides where the head has one."""
    weights: Literal["fp32", "bf16", "fp16", "nf4", "nf4-dq"] | None = None
    """As they are stored; nf4-dq with double quantisation. Trained ones: gradients and optimizer states likewise."""
    compute: Literal["bf16", "fp16"] | None = None
    adapters: Literal["fp32", "bf16", "fp16"] | None = None
    """Adapters, their gradients and optimizer states; None: not said."""
    optimizer: str | None = None
    checkpointing: bool | None = None
    loss: Literal["whole", "chunked", "fused"] | None = None
    """Of the logits: whole; made and compared in parts that are all kept; or in parts that are not."""
    gpu: str | None = None
    """The catalogue's name where it has the card."""
    gpus: int = 1
    sharded: bool = False
    """Whether the cards divide weights, gradients and optimizer states among them."""
    peak: float | Literal["OOM"] | None = None
    unit: str | None = None
    """Of the peak, where it is not the file's."""
    summed_over: int = 1
    """Cards whose peaks the figure adds up."""
    device: float | None = None
    """Peak of nvidia-smi in MiB, where the source gives both."""
    out_of_memory: bool = False
    estimate: bool = False
    """Computed by the source, not measured."""
    left_out: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """A row with what its file says of all of them."""

    source: str
    """Name of the file."""
    trainer: str
    table: str
    number: int
    """Of the row in its table, from 1."""
    row: Row
    measure: Literal["allocated", "reserved", "device", "unstated"]
    unit: str
    shape: ModelShape | None
    """None where neither the file nor our shipped models know it."""

    @property
    def usable(self) -> bool:
        """Whether the row can be predicted and was measured, or is a fact of running out of memory."""
        return self.row.left_out is None and not self.row.estimate

    @property
    def out_of_memory(self) -> bool:
        return self.row.out_of_memory or self.row.peak == "OOM"

    @property
    def shards(self) -> int:
        """Cards over which weights, gradients and optimizer states are divided."""
        return self.row.gpus if self.row.sharded else 1

    @property
    def peak_bytes(self) -> int | None:
        """Of one card; None where there is no figure or it ran out of memory."""
        if self.row.peak is None or self.row.peak == "OOM":
            return None
        return round(self.row.peak * UNITS[self.unit] / self.row.summed_over)

    @property
    def device_bytes(self) -> int | None:
        """Of one card as the driver counts it."""
        return None if self.row.device is None else round(self.row.device * UNITS["MiB"])

    def __str__(self) -> str:
        return f"{self.source}, {self.table}, row {self.number}"


@cache
def sources() -> dict[str, dict[str, Any]]:
    """What the files hold, by name."""
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}


@cache
def points() -> tuple[Point, ...]:
    """Every row of every table, left out or not."""
    return tuple(point for name, content in sources().items() for point in _points(name, content))


def shapes_of(content: dict[str, Any]) -> dict[str, ModelShape]:
    """The models that a file describes itself."""
    return {name: shape_from_config(entry["config"], name) for name, entry in content.get("shapes", {}).items()}


def _points(name: str, content: dict[str, Any]) -> Iterator[Point]:
    measure, own = content["measure"], shapes_of(content)
    for table in content["tables"]:
        columns = table["columns"]
        for number, values in enumerate(table["rows"], start=1):
            particular = values[len(columns)] if len(values) > len(columns) else {}
            row = Row.model_validate(table["common"] | dict(zip(columns, values, strict=False)) | particular)
            yield Point(
                source=name,
                trainer=content["trainer"]["name"],
                table=table["title"],
                number=number,
                row=row,
                measure=measure["kind"],
                unit=row.unit or measure["unit"],
                shape=None if row.model is None else own.get(row.model) or shipped_shape(f"hf://{row.model}"),
            )
