"""What a person should know before the job runs."""

from collections.abc import Iterator

from finetune_core.api.job import Dataset, Method, ValidationFraction
from finetune_core.api.plan import Estimate, ResolvedHyperparameters
from finetune_core.contract import DataStatistics
from finetune_core.planning.estimate import in_words
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.hyperparameters import truncated_rows
from finetune_core.sufficiency import advice, judge

FULL_WANTS_ROWS = 1_000
"""Full fine-tuning overfits easily (the course, section 2.1); below so many rows LoRA is the better choice."""

FEW_STEPS = 20

SLOW_SECONDS = 24 * 3600
"""A day is longer than people wait for a first result."""

LEAST_COMPUTE_CAPABILITY = (7, 5)
"""PyTorch's builds for CUDA 13 leave out Volta and older (CUDA 13 release notes)."""


def warnings(
    method: Method,
    resolved: ResolvedHyperparameters,
    expected: Estimate,
    dataset: Dataset,
    data: DataStatistics,
    gpu: Gpu,
) -> Iterator[tuple[str, str]]:
    """Code and text of every warning about a feasible plan."""
    set_aside = data.validation_rows if isinstance(dataset.validation, ValidationFraction) else 0
    rows = data.rows + set_aside
    amount = judge(rows, dataset.task)
    if amount.verdict == "too-few" and dataset.quality.get("too-few-samples") != "ignore":
        task = "a task that is not named" if dataset.task is None else f"task {dataset.task}"
        yield (
            "too-few-samples",
            f"{rows:,} rows are few: {task} needs {amount.least:,} at least, better {amount.recommended:,}; "
            f"{advice(rows, dataset.task)}",
        )
    if method == "full" and data.rows < FULL_WANTS_ROWS:
        yield (
            "full-on-few-rows",
            f"full fine-tuning on {data.rows:,} rows overfits easily: consider method lora until there are "
            f"{FULL_WANTS_ROWS:,}",
        )
    if resolved.total_steps < FEW_STEPS:
        yield (
            "few-steps",
            f"{resolved.total_steps} optimizer steps are few to learn from: more rows, more epochs or a smaller "
            "effectiveBatchSize would help",
        )
    if truncated := truncated_rows(data, resolved.cutoff_length):
        yield (
            "truncated-rows",
            f"about {truncated:,} of {data.rows:,} rows are longer than the cutoff of {resolved.cutoff_length} tokens "
            "and lose their end",
        )
    if expected.seconds > SLOW_SECONDS:
        yield (
            "slow-training",
            f"training takes about {in_words(expected.seconds)}: a faster GPU, several of them, fewer epochs or a "
            "pilot with dataset.maxRows would be done sooner (ftj plan --all-gpus compares the cards)",
        )
    if gpu.compute_capability and gpu.compute_capability < LEAST_COMPUTE_CAPABILITY:
        yield (
            "gpu-not-in-torch-build",
            f"{gpu.name} has compute capability {'.'.join(map(str, gpu.compute_capability))}, which PyTorch's builds "
            "for CUDA 13 leave out: use an image with a build for CUDA 12",
        )
    if not data.exact:
        yield "data-assumed", "row lengths are estimated: prepare counts them with the model's own tokenizer"
