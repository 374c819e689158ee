"""``ftj run``: prepare, plan, train, as local processes; no cluster."""

import hashlib
import uuid
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import typer
from rich.console import Console

from finetune_cli.exit_codes import INTERRUPTED
from finetune_cli.job_file import load_job, place_of
from finetune_cli.show_plan import show_plan
from finetune_cli.show_run import RunDisplay, show_summary
from finetune_cli.steps import Interrupted, require_trainer, run_step
from finetune_core.api import FineTuneJob
from finetune_core.contract import PrepareReport, RunReport
from finetune_core.contract.build import prepare_config, trainer_config
from finetune_core.errors import Infeasible, InvalidSpec
from finetune_core.planning import find_gpu, infeasible_line
from finetune_core.planning import plan as make_plan
from finetune_storage import open_folder
from finetune_storage.output import ADAPTER_FOLDER, MODEL_FOLDER, RUN_REPORT, clear, refuse_occupied

UID_NAMESPACE = uuid.UUID("5b0f3f0a-6f0e-4e39-9a3c-0d4f7f8f5a31")


def run(
    file: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="The job.", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change the job: --set gpu.type=cpu")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Put the result into this folder.")] = None,
) -> None:
    """Fine-tune on this machine: check the data, plan, train, and store model and report.

    Interrupted, the same command goes on from the newest checkpoint.
    """
    console = Console(stderr=True)
    job = load_job(file, overrides or [])
    if output is not None:
        job = _with_output(job, output)
    gpu = find_gpu(job.spec.gpu.type)
    if job.spec.gpu.nodes > 1:
        raise InvalidSpec(f"gpu.nodes is {job.spec.gpu.nodes}, and this is one machine: add --set gpu.nodes=1")
    config = prepare_config(job.metadata.name, job_uid(job), job.spec, lambda location, role: place_of(location))
    require_trainer("training on this machine")
    result = open_folder(config.output)
    manifest = refuse_occupied(result, config.job_name, config.job_uid, config.overwrite)
    if manifest is not None:
        if not config.overwrite:
            console.print(f"{job.metadata.name} has finished before; output.overwrite=true would train it again")
            there = {stored.path.partition("/")[0] for stored in manifest.files}
            report_before = RunReport.model_validate_json(result.read(RUN_REPORT))
            show_summary(report_before, config.output, sorted(there & {ADAPTER_FOLDER, MODEL_FOLDER}), console)
            return
        clear(result)

    try:
        with RunDisplay(job.metadata.name, console) as display:
            report = PrepareReport.model_validate_json(run_step("prepare", config, display))
        planned = make_plan(job.spec, report.model_shape, report.statistics, gpu)
        show_plan(job.metadata.name, planned, console)
        if not planned.feasible:
            raise Infeasible(infeasible_line(job.spec, planned))
        with RunDisplay(job.metadata.name, console) as display:
            device: Literal["cpu", "cuda"] = "cpu" if gpu.is_cpu else "cuda"
            told = trainer_config(config, job.spec, report, planned, device)
            answer = run_step("train", told, display)
    except Interrupted as interrupted:
        console.print(f"ftj: {interrupted}; the same command goes on from there", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    folders = [ADAPTER_FOLDER] * told.leaves_adapter + [MODEL_FOLDER] * told.leaves_model
    show_summary(RunReport.model_validate_json(answer), config.output, folders, console)


def _with_output(job: FineTuneJob, folder: Path) -> FineTuneJob:
    elsewhere = {"uri": f"file://{quote(str(folder.resolve()))}", "endpoint_url": None, "region": None}
    if job.spec.output.push is None:
        elsewhere["secret_name"] = None
    output = job.spec.output.model_copy(update=elsewhere)
    return job.model_copy(update={"spec": job.spec.model_copy(update={"output": output})})


def job_uid(job: FineTuneJob) -> str:
    """A UID that stays the same as long as the job does, so that the same file finds its own checkpoints again."""
    spec = job.spec.model_dump(mode="json")
    spec["output"].pop("overwrite")
    digest = hashlib.sha256(repr(sorted(spec.items())).encode()).hexdigest()
    return str(uuid.uuid5(UID_NAMESPACE, f"{job.metadata.name}/{digest}"))
