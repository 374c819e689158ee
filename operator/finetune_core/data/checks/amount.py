"""Is there enough of it?"""

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.sufficiency import judge


def too_few_samples(context: Context) -> SetCheck:
    """Fewer usable rows than the task needs at least."""

    def check(used_rows: int) -> str | None:
        amount = judge(used_rows, context.task)
        if amount.verdict != "too-few":
            return None
        task = "an unnamed task" if amount.task == "unknown" else amount.task
        return f"{used_rows:,} usable rows; {task} needs {amount.least:,} at least, better {amount.recommended:,}"

    return SetCheck(check)


TOO_FEW_SAMPLES = Check(
    code="too-few-samples",
    policy="warn",
    message="there are too few rows",
    fix="collect more, starting with 50-100 core rows for a pilot; for about 30, try few-shot prompting or retrieval",
    dataset=too_few_samples,
)
