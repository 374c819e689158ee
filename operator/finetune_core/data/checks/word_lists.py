"""Lists of words that lie beside the checks."""

from importlib import resources


def listed(name: str) -> list[str]:
    """The words of one of them."""
    return resources.files("finetune_core.data.checks").joinpath(name).read_text("utf-8").split()
