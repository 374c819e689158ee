"""The policy floors: the table that every practitioner knows, as a rule on a card's usable memory."""

from finetune_core.api.job import Method

METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
"""In the order that ``auto`` tries them."""

FLOORS: dict[Method, tuple[float, int]] = {
    # bytes a parameter, and bytes besides
    "full": (10, 0),
    "lora": (2, 6_000_000_000),
    "qlora": (0.75, 5_000_000_000),
}
"""For a 7B model: full from 80 GB, LoRA from 24 GB, QLoRA from 12 GB (the course, section 2.3)."""


def floor_bytes(method: Method, parameters: int) -> int:
    """Least usable memory, in bytes, at which ``auto`` considers a method for a model of so many parameters."""
    per_parameter, besides = FLOORS[method]
    return int(per_parameter * parameters + besides)
