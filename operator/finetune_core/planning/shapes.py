"""The shape of a base model: shipped with us (``models.yaml``), or read from its ``config.json``."""

import reprlib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from finetune_core.api.location import HubUri, parse_uri
from finetune_core.contract.shape import ModelShape
from finetune_core.errors import InvalidSpec


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model of the hub whose shape we ship."""

    family: str
    kind: str
    """``base`` or ``chat``: a smaller model should be of the same kind."""
    shape: ModelShape


@dataclass(frozen=True, kw_only=True)
class _Architecture:
    """What the layers of a model type are made of, and what transformers takes where its config.json is silent.

    The defaults are those of transformers' configuration classes (5.x), the layers those of its modeling files.
    """

    kv_heads: int | None = None
    """Default of num_key_value_heads; None: as many as num_attention_heads."""
    head_dim: int | None = None
    """Default of head_dim; None: hidden_size / num_attention_heads."""
    tied_embeddings: bool = False
    """Default of tie_word_embeddings."""
    max_positions: int
    """Default of max_position_embeddings."""
    attention_bias: bool | None = None
    """Default of attention_bias where it stands for biases of q, k and v alone; None: it is not read for them."""
    off: tuple[str, ...] = ()
    """Switches for what ModelShape does not count, such as biases; they must be off."""
    inner_size: str = "intermediate_size"
    """What the config.json calls the inner size of the MLP, or of an expert."""
    experts: tuple[int, int] | None = None
    """Defaults of num_experts and num_experts_per_tok of a mixture of experts."""
    extras: dict[str, Any] = field(default_factory=dict)
    """Fields of ModelShape that are no numbers of the config."""


_ARCHITECTURES = {
    "llama": _Architecture(max_positions=2048, off=("attention_bias", "mlp_bias")),
    "mistral": _Architecture(max_positions=131072, kv_heads=8),
    "qwen2": _Architecture(max_positions=32768, kv_heads=32, extras={"qkv_bias": True}),
    "qwen3": _Architecture(
        max_positions=32768, kv_heads=32, head_dim=128, off=("attention_bias",), extras={"qk_norm": True}
    ),
    "gemma": _Architecture(
        max_positions=8192, kv_heads=16, head_dim=256, tied_embeddings=True, off=("attention_bias",)
    ),
    "gemma3_text": _Architecture(
        max_positions=131072, kv_heads=4, head_dim=256, tied_embeddings=True, off=("attention_bias",),
        extras={"qk_norm": True, "norms_per_layer": 4},
    ),
    "phi3": _Architecture(max_positions=4096, extras={"fused_qkv": True, "fused_gate_up": True}),
    "glm4": _Architecture(
        max_positions=131072, kv_heads=2, head_dim=128, attention_bias=True,
        extras={"norms_per_layer": 4, "fused_gate_up": True},
    ),
    "mixtral": _Architecture(max_positions=131072, kv_heads=8, off=("router_jitter_noise",), experts=(8, 2)),
    "qwen3_moe": _Architecture(
        max_positions=32768, kv_heads=4, off=("attention_bias", "mlp_only_layers"), inner_size="moe_intermediate_size",
        experts=(128, 8), extras={"qk_norm": True},
    ),
}  # fmt: skip

_REFUSED = {
    "gemma2": "its attention caps the scores and its head the logits, which the trainer does not",
    **dict.fromkeys(
        ("qwen2_moe", "gpt_oss", "deepseek_v3", "glm4_moe", "phimoe"),
        "of mixtures of experts, those are known whose layers are all alike and have nothing beside the experts",
    ),
}
"""Why not, for what people would ask for."""

_LARGEST = {
    "hidden_size": 2**17,
    "intermediate_size": 2**20,
    "moe_intermediate_size": 2**20,
    "num_hidden_layers": 2**10,
    "num_attention_heads": 2**10,
    "num_key_value_heads": 2**10,
    "num_experts": 2**12,
    "num_local_experts": 2**12,
    "num_experts_per_tok": 2**12,
    "head_dim": 2**12,
    "vocab_size": 2**22,
    "max_position_embeddings": 2**26,
}
"""No model comes near these; a number beyond is a mistake or mischief."""


def shipped_shape(uri: str) -> ModelShape | None:
    """The shape of ``hf://org/name[@revision]`` if it is one of ours; None for any other location.

    Raises:
        InvalidSpec: not a location at all.
    """
    model = _find(uri)
    return model.shape if model else None


def smaller_models(uri: str) -> list[str]:
    """Locations of the smaller models of the same family and kind (base or chat), the next smaller first.

    One of each size: that which ``models.yaml`` names first.

    Raises:
        InvalidSpec: not a location at all.
    """
    model = _find(uri)
    if model is None:
        return []
    smaller: dict[int, str] = {}
    for name, other in _models().items():
        size = other.shape.parameters
        if (other.family, other.kind) == (model.family, model.kind) and size < model.shape.parameters:
            smaller.setdefault(size, f"hf://{name}")
    return [smaller[size] for size in sorted(smaller, reverse=True)]


def shape_from_config(config: dict[str, Any], source: str) -> ModelShape:
    """Read a transformers ``config.json``. Its content is a stranger's: every value is checked before it is used.

    Args:
        config: the parsed file.
        source: what to call it in an error.

    Raises:
        InvalidSpec: a model type that we do not know, or a value that is missing or makes no sense.
    """
    if not isinstance(config, dict):
        raise InvalidSpec(f"{source}: not a config.json: expected an object, found {reprlib.repr(config)}")
    model_type = config.get("model_type")
    architecture = _ARCHITECTURES.get(model_type) if isinstance(model_type, str) else None
    if not isinstance(model_type, str) or architecture is None:
        if isinstance(model_type, str) and model_type in _REFUSED:
            raise InvalidSpec(f"{source}: model type {model_type} cannot be trained: {_REFUSED[model_type]}")
        known = ", ".join(_ARCHITECTURES)
        raise InvalidSpec(f"{source}: model type {reprlib.repr(model_type)} is not known yet: known are {known}")
    for switch in architecture.off:
        if config.get(switch):
            raise InvalidSpec(f"{source}: {switch} is {reprlib.repr(config[switch])}: only models without it are known")

    hidden, heads = _number(config, "hidden_size", source), _number(config, "num_attention_heads", source)
    # An explicit null means as many as the query heads; only silence means the class's own default.
    kv_default = heads if "num_key_value_heads" in config else architecture.kv_heads or heads
    kv_heads = _number(config, "num_key_value_heads", source, kv_default)
    if heads % kv_heads:
        raise InvalidSpec(
            f"{source}: num_attention_heads is {heads}, which is not a multiple of num_key_value_heads {kv_heads}"
        )
    if architecture.head_dim is None and config.get("head_dim") is None and hidden % heads:
        raise InvalidSpec(f"{source}: hidden_size is {hidden}, which is not a multiple of num_attention_heads {heads}")
    particular: dict[str, Any] = _experts(config, source, architecture) if architecture.experts else {}
    if architecture.attention_bias is not None:
        particular["qkv_bias"] = _flag(config, "attention_bias", source, architecture.attention_bias)
    return ModelShape(
        model_type=model_type,
        hidden_size=hidden,
        intermediate_size=_number(config, architecture.inner_size, source),
        num_layers=_number(config, "num_hidden_layers", source),
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=_number(config, "head_dim", source, architecture.head_dim or hidden // heads),
        vocab_size=_number(config, "vocab_size", source),
        max_position_embeddings=_number(config, "max_position_embeddings", source, architecture.max_positions),
        tied_embeddings=_flag(config, "tie_word_embeddings", source, architecture.tied_embeddings),
        **particular,
        **architecture.extras,
    )


def _experts(config: dict[str, Any], source: str, architecture: _Architecture) -> dict[str, int]:
    """How many there are in each layer, and how many a token goes through."""
    assert architecture.experts is not None
    if config.get("decoder_sparse_step", 1) != 1:
        step = reprlib.repr(config["decoder_sparse_step"])
        raise InvalidSpec(f"{source}: decoder_sparse_step is {step}: only models with experts in every layer are known")
    key = "num_local_experts" if "num_local_experts" in config else "num_experts"
    there, chosen = architecture.experts
    there = _number(config, key, source, there)
    chosen = _number(config, "num_experts_per_tok", source, chosen)
    if chosen > there:
        raise InvalidSpec(f"{source}: num_experts_per_tok is {chosen}, and there are {there} experts")
    return {"num_experts": there, "experts_per_token": chosen}


@cache
def _models() -> dict[str, _Model]:
    """By hub id."""
    text = resources.files("finetune_core.planning").joinpath("models.yaml").read_bytes()
    families: dict[str, list[dict[str, Any]]] = yaml.load(text, Loader=yaml.CSafeLoader)
    models = {}
    for family, entries in families.items():
        for entry in entries:
            names = {kind: entry.pop(kind) for kind in ("base", "chat")}
            for kind, positions in names.items():
                for name, longest in positions.items():
                    shape = ModelShape.model_validate(entry | {"maxPositionEmbeddings": longest})
                    models[name] = _Model(family=family, kind=kind, shape=shape)
    return models


def _find(uri: str) -> _Model | None:
    location = parse_uri(uri)
    if not isinstance(location, HubUri) or location.kind != "model" or location.path:
        return None
    return _models().get(location.repo)


def _number(config: dict[str, Any], key: str, source: str, default: int | None = None) -> int:
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise InvalidSpec(f"{source}: {key} is missing")
    # bool is an int to Python, and true is no size.
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST[key]:
        raise InvalidSpec(f"{source}: {key} is {reprlib.repr(value)}: expected an integer from 1 to {_LARGEST[key]}")
    return value


def _flag(config: dict[str, Any], key: str, source: str, default: bool) -> bool:
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidSpec(f"{source}: {key} is {reprlib.repr(value)}: expected true or false")
    return value
