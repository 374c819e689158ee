"""A job to what its steps are told: the same for ``ftj run`` and for the operator."""

import hashlib
from collections.abc import Callable
from typing import Literal

from finetune_core.api.job import FineTuneJobSpec
from finetune_core.api.location import Location
from finetune_core.api.plan import Plan
from finetune_core.contract.place import Place
from finetune_core.contract.prepare import PrepareConfig, PrepareReport
from finetune_core.contract.train import TrainerConfig

Role = Literal["model", "dataset", "validation", "output"]
"""What a location is for: in a cluster each role's Secret is mounted apart from the others'."""

PlaceOf = Callable[[Location, Role], Place]

HOW_NOT_WHAT = {"micro_batch_size", "gradient_accumulation_steps", "activation_checkpointing", "packing", "sharding"}
"""Settings that change what a step costs and not what it learns: its rows, as many as the effective batch, stay."""


def prepare_config(name: str, uid: str, spec: FineTuneJobSpec, place_of: PlaceOf) -> PrepareConfig:
    """What the prepare step of a job is told."""
    dataset = spec.dataset
    held_out = dataset.validation
    return PrepareConfig(
        job_name=name,
        job_uid=uid,
        model=place_of(spec.model, "model"),
        dataset=place_of(dataset, "dataset"),
        dataset_options=dataset,
        validation=place_of(held_out, "validation") if isinstance(held_out, Location) else None,
        output=place_of(spec.output, "output"),
        overwrite=spec.output.overwrite,
        train_on_prompt=spec.hyperparameters.train_on_prompt,
        seed=spec.hyperparameters.seed or 0,
    )


def trainer_config(
    prepared: PrepareConfig, spec: FineTuneJobSpec, report: PrepareReport, plan: Plan, device: Literal["cuda", "cpu"]
) -> TrainerConfig:
    """What an attempt to train is told, once the job is prepared and planned."""
    return TrainerConfig(
        job_name=prepared.job_name,
        job_uid=prepared.job_uid,
        model=prepared.model.at(report.model_revision),
        output=prepared.output,
        overwrite=prepared.overwrite,
        export=spec.output.export or "adapter",
        push=Place(uri=spec.output.push, credentials=prepared.output.credentials) if spec.output.push else None,
        prepared=prepared.prepared,
        prepare_report=report,
        plan=plan,
        plan_fingerprint=_fingerprint(spec, report, plan),
        task=spec.dataset.task,
        evaluation=spec.evaluation,
        checkpoints=spec.checkpoints,
        device=device,
    )


def _fingerprint(spec: FineTuneJobSpec, report: PrepareReport, plan: Plan) -> str:
    """SHA-256 over all that decides what is learned: who has the same may go on from the other's checkpoints.

    Not over how: after an out-of-memory the next attempt takes a smaller micro-batch, and resumes.
    """
    learned = plan.hyperparameters and plan.hyperparameters.model_dump_json(exclude=HOW_NOT_WHAT)
    base = f"{report.fingerprint}{report.model_revision or ''}"
    decisive = f"{plan.method} {learned} {spec.evaluation.model_dump_json()} {base}"
    return hashlib.sha256(decisive.encode()).hexdigest()
