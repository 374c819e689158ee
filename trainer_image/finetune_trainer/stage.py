"""What the step does now, for whoever watches."""

import os

from finetune_core.contract import format_stage


def say(text: str) -> None:
    """Print it as a line that the operator and ``ftj run`` tell from others; one of several processes speaks."""
    if os.environ.get("RANK", "0") == "0":
        print(format_stage(text), flush=True)


def say_fetched(come_bytes: int, total_bytes: int) -> None:
    """How far the download of a model is."""
    say(f"fetching the model: {come_bytes / 1e9:.1f} of {total_bytes / 1e9:.1f} GB")
