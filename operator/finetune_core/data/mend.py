"""What can be mended in a row without asking its author."""

from typing import Any

from finetune_core.data.checks.text import without_control_characters


def mend(value: Any) -> Any:
    """The value with its texts free of characters that nobody sees; the same object where there are none."""
    if isinstance(value, str):
        return without_control_characters(value)
    if isinstance(value, list):
        mended = [mend(item) for item in value]
        return mended if any(new is not old for new, old in zip(mended, value, strict=True)) else value
    if isinstance(value, dict):
        fields = {name: mend(item) for name, item in value.items()}
        return fields if any(fields[name] is not value[name] for name in value) else value
    return value
