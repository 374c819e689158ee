"""``ftj plan``: how a job would be trained, with nothing run."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from finetune_cli.job_file import load_job
from finetune_cli.show_plan import show_all, show_plan
from finetune_core.api import FineTuneJobSpec
from finetune_core.api.location import FileUri, parse_uri
from finetune_core.contract import DataStatistics, LengthPercentiles, ModelShape
from finetune_core.errors import Infeasible, InvalidSpec
from finetune_core.planning import find_gpu, infeasible_line, plans_for_all, shape_from_config, shipped_shape
from finetune_core.planning import plan as make_plan
from finetune_core.planning.gpus import price_note

ASSUMED_ROWS = 1_000
ASSUMED_TOKENS_PER_ROW = 512


class Output(StrEnum):
    """How to print."""

    text = "text"
    json = "json"
    yaml = "yaml"


def plan(
    file: Annotated[Path, typer.Option("--file", "-f", help="The job.", show_default=False)],
    output: Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")] = Output.text,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change the job: --set gpu.type=L4")
    ] = None,
    model_config: Annotated[
        Path | None, typer.Option("--model-config", metavar="CONFIG.JSON", help="Of a model whose shape does not ship.")
    ] = None,
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Take rows and lengths from this file.")] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Assume so many rows.")] = None,
    tokens_per_row: Annotated[
        int | None, typer.Option("--tokens-per-row", min=1, help="Assume rows of so many tokens.")
    ] = None,
    all_gpus: Annotated[
        bool, typer.Option("--all-gpus", help="Plan for every card of the catalogue, the cheapest first.")
    ] = False,
) -> None:
    """Show method, settings, memory, time, cost and reasons for a job. Runs nothing and needs no network."""
    job = load_job(file, overrides or [])
    gpu = find_gpu(job.spec.gpu.type)
    shape = _shape(job.spec, model_config)
    data = _data(job.spec, dataset, rows, tokens_per_row)
    if all_gpus:
        plans = plans_for_all(job.spec, shape, data)
        if output is Output.text:
            show_all(job.metadata.name, plans, price_note())
        else:
            _print([json.loads(each.to_json()) for each in plans], output)
        if not plans[0].feasible:
            raise Infeasible(f"{job.spec.model.uri} does not fit any card of the catalogue as the job is")
        return
    answer = make_plan(job.spec, shape, data, gpu)
    if output is Output.text:
        show_plan(job.metadata.name, answer)
    else:
        _print(json.loads(answer.to_json()), output)
    if not answer.feasible:
        raise Infeasible(infeasible_line(job.spec, answer))


def _print(content: Any, output: Output) -> None:
    if output is Output.json:
        print(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), end="")


def _shape(spec: FineTuneJobSpec, config: Path | None) -> ModelShape:
    if config is None and isinstance(location := parse_uri(spec.model.uri), FileUri):
        config = Path(location.path) / "config.json"
    if config is not None:
        try:
            read = json.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidSpec(f"{config}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidSpec(f"{config}: not JSON: {error}") from error
        return shape_from_config(read, str(config))
    shape = shipped_shape(spec.model.uri)
    if shape is None:
        raise InvalidSpec(f"{spec.model.uri}: the shape of this model does not ship; give --model-config config.json")
    return shape


def _data(spec: FineTuneJobSpec, dataset: Path | None, rows: int | None, tokens_per_row: int | None) -> DataStatistics:
    """What is known of the data: counted where a file is at hand, else assumed."""
    if dataset is not None and (rows or tokens_per_row):
        raise InvalidSpec("--dataset counts rows and tokens itself: leave out --rows and --tokens-per-row")
    location = parse_uri(spec.dataset.uri)
    if dataset is None and not rows and not tokens_per_row and isinstance(location, FileUri):
        dataset = Path(location.path)
    if dataset is not None:
        from finetune_core.data import Rules, examine, read_rows

        report = examine(read_rows(dataset), Rules.of(spec.dataset))
        report.raise_if_refused()
        return report.statistics
    count, tokens = rows or ASSUMED_ROWS, tokens_per_row or ASSUMED_TOKENS_PER_ROW
    if not (rows and tokens_per_row):
        print(
            f"assuming {count:,} rows of {tokens} tokens: give --dataset FILE, or --rows and --tokens-per-row",
            file=sys.stderr,
        )
    return DataStatistics(
        rows=count,
        tokens=count * tokens,
        supervised_tokens=count * tokens // 2,
        lengths=LengthPercentiles(p50=tokens, p95=tokens, p99=tokens, max=tokens),
        supervised_max=tokens,
        exact=False,
    )
