"""``ftj lint``: check a dataset, say what to do about it, and write the clean part of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from finetune_core.api.job import FormatChoice, Task


def lint(
    data: Annotated[Path, typer.Argument(help="The dataset: JSON, JSONL, CSV or Parquet.", show_default=False)],
    format: Annotated[FormatChoice, typer.Option(help="Format of the rows.")] = "auto",
    task: Annotated[Task | None, typer.Option(help="Task, to judge how much data is enough.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="URI", help="The model, to count with its tokenizer and chat template: hf://, s3:// or file://."
        ),
    ] = None,
    cutoff_length: Annotated[int, typer.Option(min=16, help="Longest row, in tokens.")] = 2048,
    validation: Annotated[Path | None, typer.Option(help="Validation set, whose rows must not be in DATA.")] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="How to report.")] = "text",
    fix: Annotated[
        Path | None,
        typer.Option(
            help="Write the good rows here, without characters that nobody sees, and the others to NAME.refused.jsonl."
        ),
    ] = None,
) -> None:
    """Check a dataset before training on it.

    Tokens are estimated without --tokenizer, and exact with it.

    Ends with 0 where the dataset can be trained on, 2 where it cannot be read and 4 where an enforced check failed.
    """
    # The checks' patterns take half a second to compile, which other commands need not wait for.
    from finetune_cli.check_dataset import check_dataset

    check_dataset(data, format, task, tokenizer, cutoff_length, validation, output, fix)
