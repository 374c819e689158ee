"""What the step does now, for whoever watches."""

from finetune_core.contract import format_stage


def say(text: str) -> None:
    """Print it as a line that the operator and ``ftj run`` tell from others."""
    print(format_stage(text), flush=True)
