"""The catalogue of cards: ``gpus.yaml`` beside this file, whose head says where each figure comes from."""

import difflib
import re
import reprlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from finetune_core.api.base import ApiModel
from finetune_core.api.yaml import load_yaml
from finetune_core.errors import InvalidSpec

_NVIDIA = "nvidia.com/gpu"
_LABEL_KEYS = {
    "gke": ("cloud.google.com/gke-accelerator",),
    "eks": ("karpenter.k8s.aws/instance-gpu-name", "eks.amazonaws.com/instance-gpu-name"),
    "aks": ("karpenter.azure.com/sku-gpu-name",),
}


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One kind of card, or the processor."""

    name: str
    """Name in the catalogue, as ``status.plan`` says it."""
    memory_bytes: int
    """Usable memory, as the driver reports it."""
    compute_capability: tuple[int, int] | None
    """Major and minor, such as (8, 6); None for the processor."""
    bf16: bool
    """Whether its tensor cores compute in bfloat16."""
    tflops: float
    """Dense 16-bit tensor TFLOPS with 32-bit accumulation."""
    bandwidth: float
    """Memory bandwidth in GB/s (10^9 bytes)."""
    aliases: tuple[str, ...]
    """Other names for it, values of node labels among them."""
    price_per_hour: float
    """Rough price in USD; ``price_note`` says of what kind."""
    resource_name: str | None
    """What a pod requests to get one; None for the processor."""
    node_labels: dict[str, tuple[str, ...]]
    """Label key -> values that nodes with this card may have; each key alone tells the card. May be empty."""

    @property
    def is_cpu(self) -> bool:
        """Whether this is the processor and no card."""
        return self.compute_capability is None

    @property
    def is_slice(self) -> bool:
        """Whether this is a part of a card (MIG), of which a pod has one."""
        return self.resource_name is not None and self.resource_name.startswith("nvidia.com/mig-")


class _Entry(ApiModel):
    """An entry of ``gpus.yaml``, whose head explains the fields; other catalogues have two more."""

    name: Annotated[str, Field(min_length=1)]
    memory_gib: Annotated[float, Field(alias="memoryGiB", gt=0)]
    compute_capability: Annotated[str, Field(pattern=r"^\d+\.\d$")] | None
    bf16: bool
    tflops16: Annotated[float, Field(alias="tflops16", gt=0)]
    bandwidth_gbs: Annotated[float, Field(alias="bandwidthGBs", gt=0)]
    price_per_hour: Annotated[float, Field(ge=0)]
    labels: dict[str, list[str]] = Field(default_factory=dict)
    """``product``, ``gke``, ``eks``, ``aks``, or the whole key of a label."""
    aliases: list[str] = Field(default_factory=list)
    resource_name: str = _NVIDIA
    """A MIG slice has one of its own."""


_added: list[Gpu] = []


def add_gpus(text: str) -> None:
    """Know more cards, or other figures of known ones: a YAML list of entries as ``gpus.yaml`` has them.

    For the start of a process: plans that were made before do not know of it.

    Raises:
        InvalidSpec: it is no such list.
    """
    try:
        content = load_yaml(text)
        if not isinstance(content, list):
            raise InvalidSpec("further GPUs are a list of entries as those of gpus.yaml")
        cards = []
        for entry in content:
            cards.append(_read(entry))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([f"entry {len(cards) + 1}", *map(str, first["loc"])])
        raise InvalidSpec(f"further GPUs: {where}: {first['msg']}, not {reprlib.repr(first['input'])}") from error
    _added.extend(cards)
    catalogue.cache_clear()
    _by_key.cache_clear()


@cache
def catalogue() -> tuple[Gpu, ...]:
    """Every card there is, in the catalogue's order; of several with one name the one that was added last."""
    return tuple({gpu.name: gpu for gpu in (*_shipped(), *_added)}.values())


@cache
def _shipped() -> tuple[Gpu, ...]:
    return tuple(_read(entry) for entry in _file()["gpus"])


def price_note() -> str:
    """One sentence on the prices: their date and how far to trust them."""
    return str(_file()["prices"])


def find_gpu(name: str) -> Gpu:
    """The card of a name or alias.

    A leading ``NVIDIA-`` or ``GeForce-``, case, spaces, ``-`` and ``_`` make no difference.

    Raises:
        InvalidSpec: no card has that name, or several sizes of one share it.
    """
    gpu = _by_key().get(_key(name))
    if gpu is None:
        nearest = " or ".join(_nearest(name))
        hint = f"did you mean {nearest}? " if nearest else ""
        raise InvalidSpec(f"unknown GPU {reprlib.repr(name)}: {hint}'ftj gpus' lists all of them")
    return gpu


@cache
def _file() -> dict[str, Any]:
    text = resources.files("finetune_core.planning").joinpath("gpus.yaml").read_bytes()
    content: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return content


def _read(content: Any) -> Gpu:
    entry = _Entry.model_validate(content)
    capability = entry.compute_capability
    major, minor = capability.split(".") if capability else (0, 0)
    keys = _LABEL_KEYS | {"product": (f"{entry.resource_name}.product",)}
    labels = {key: tuple(values) for kind, values in entry.labels.items() for key in keys.get(kind, (kind,))}
    return Gpu(
        name=entry.name,
        memory_bytes=round(entry.memory_gib * 2**30),
        compute_capability=(int(major), int(minor)) if capability else None,
        bf16=entry.bf16,
        tflops=entry.tflops16,
        bandwidth=entry.bandwidth_gbs,
        aliases=tuple(dict.fromkeys([*chain.from_iterable(labels.values()), *entry.aliases])),
        price_per_hour=entry.price_per_hour,
        resource_name=entry.resource_name if capability else None,
        node_labels=labels,
    )


def _key(name: str) -> str:
    """A name without what makes no difference."""
    return re.sub(r"[\s_-]+", "", name.lower()).removeprefix("nvidia").removeprefix("geforce")


@cache
def _by_key() -> dict[str, Gpu]:
    return {_key(name): gpu for gpu in catalogue() for name in (gpu.name, *gpu.aliases)}


def _nearest(name: str) -> list[str]:
    """Up to four cards that were perhaps meant: those whose name says more (A100), else those spelled alike.

    Slices are named where the name can mean nothing else: there are many of each card.
    """
    key = _key(name)
    known = _by_key()
    longer = [other for other in known if len(key) > 1 and key in other]
    whole = [other for other in longer if not known[other].is_slice]
    alike = whole or longer or difflib.get_close_matches(key[:64], known, n=3, cutoff=0.7)
    return list(dict.fromkeys(known[other].name for other in alike))[:4]
