"""The finished model and its papers into the output place, the manifest last; then to the hub, where asked for."""

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel

from finetune_core.contract import (
    DATASET_REPORT,
    MANIFEST_NAME,
    Artifact,
    Manifest,
    ManifestFile,
    Place,
    RunReport,
    TrainerConfig,
)
from finetune_core.contract.environment import TERMINATION_BYTES
from finetune_core.errors import FinetuneError, UploadFailed, blamed_on
from finetune_core.report import render_report
from finetune_storage import Folder, push
from finetune_storage.output import ADAPTER_FOLDER, MODEL_FOLDER, RUN_REPORT
from finetune_trainer.merge import merge, release_base, stored_loss
from finetune_trainer.model import DTYPES, base_model_name, trainable_parameters
from finetune_trainer.model_card import model_card
from finetune_trainer.rows import Rows
from finetune_trainer.samples import end_tokens
from finetune_trainer.stage import say
from finetune_trainer.template import ChatEncoder


def export(
    model: PreTrainedModel | PeftModel,
    weights: dict[str, torch.Tensor] | None,
    encoder: ChatEncoder,
    config: TrainerConfig,
    report: RunReport,
    metrics: list[str],
    samples: list[dict[str, Any]],
    *,
    base: Path,
    prepared: Path,
    compared_on: Rows,
    adapted_loss: float | None,
    device: torch.device,
    output: Folder,
    local: Path,
) -> RunReport:
    """Write everything to a local folder, then store it; returns the report with the artifact in it.

    The model cannot be used any more where a merged one is written: that needs its memory.

    Args:
        model: as it was trained.
        weights: those that were trained, where the model has only a part of them.
        encoder: its tokenizer and chat template.
        config: what the attempt was told.
        report: what came of it so far.
        metrics: the progress lines.
        samples: answers before and after.
        base: folder of the base model.
        prepared: folder of the prepared tokens, with what the checks found.
        compared_on: rows to compare a merged model with its adapter on.
        adapted_loss: the adapter's loss on them, where there is a merged model to compare it with.
        device: to measure that one on.
        output: where it is stored.
        local: folder of this machine, to be made.

    Raises:
        UploadFailed: something could not be stored; there is no manifest then.
    """
    _write_weights(model, weights, config, base, local)
    if adapted_loss is not None:
        merged_loss = stored_loss(local / MODEL_FOLDER, compared_on, config.hyperparameters.micro_batch_size, device)
        report = report.model_copy(update={"merged_loss_difference": merged_loss - adapted_loss})
    _write_beside(model, encoder, config, report, local)
    dataset_report = (prepared / DATASET_REPORT).read_text(encoding="utf-8")
    papers = {
        "plan.json": config.plan.to_json(indent=2),
        "trainer-config.json": config.to_json(indent=2),
        "metrics.jsonl": "\n".join(metrics) + "\n",
        "samples.json": json.dumps(samples, ensure_ascii=False, indent=2),
        DATASET_REPORT: dataset_report,
        RUN_REPORT: report.to_json(indent=2),
        "report.html": render_report(
            title=config.job_name,
            plan=config.plan,
            run=report,
            metrics=[json.loads(line) for line in metrics],
            dataset=json.loads(dataset_report),
            samples=samples,
        ),
    }
    for name, text in papers.items():
        (local / name).write_text(text, encoding="utf-8")
    with blamed_on(UploadFailed):
        files = [_upload(output, local, path) for path in _files(local)]
        manifest = Manifest(job_name=config.job_name, job_uid=config.job_uid, files=files)
        encoded = manifest.to_json(indent=2).encode()
        output.write(MANIFEST_NAME, encoded)
    report = report.model_copy(update={"artifact": _artifact(config, manifest, encoded)})
    return report if config.push is None else _pushed(report, config, config.push, local)


def finished_report(output: Folder, config: TrainerConfig) -> RunReport:
    """The report of a run that this job has finished before: asked again, it gives the same answer."""
    encoded = output.read(MANIFEST_NAME)
    report = RunReport.model_validate_json(output.read(RUN_REPORT))
    artifact = _artifact(config, Manifest.model_validate_json(encoded), encoded)
    return report.model_copy(update={"artifact": artifact})


def _write_weights(
    model: PreTrainedModel | PeftModel,
    weights: dict[str, torch.Tensor] | None,
    config: TrainerConfig,
    base: Path,
    local: Path,
) -> None:
    """Adapter, whole model, or both, in the compute precision; what is merged is the adapter as it was trained."""
    dtype = DTYPES[config.hyperparameters.precision]
    if isinstance(model, PeftModel):
        adapter = weights or trainable_parameters(model)
        if config.leaves_adapter:
            rounded = {name: value.detach().to(dtype) for name, value in adapter.items()}
            model.save_pretrained(local / ADAPTER_FOLDER, state_dict=rounded)
        if config.merges:
            release_base(model)
            merge(model, adapter, base, local / MODEL_FOLDER, dtype)
    else:
        if weights is None:
            model.to(dtype)
        else:
            weights = {name: value.to(dtype) for name, value in weights.items()}
        model.save_pretrained(local / MODEL_FOLDER, state_dict=weights)


def _write_beside(
    model: PreTrainedModel | PeftModel, encoder: ChatEncoder, config: TrainerConfig, report: RunReport, local: Path
) -> None:
    """All that it takes to use the weights, and to know what they are."""
    generation = _generation_config(model, encoder)
    for kind in [ADAPTER_FOLDER] * config.leaves_adapter + [MODEL_FOLDER] * config.leaves_model:
        generation.save_pretrained(local / kind)
        encoder.tokenizer.save_pretrained(local / kind)
        (local / kind / "README.md").write_text(model_card(config, report, kind), encoding="utf-8")


def _generation_config(model: PreTrainedModel | PeftModel, encoder: ChatEncoder) -> GenerationConfig:
    """The base's own, and that an answer ends where this chat template ends it: a base without one never learned to."""
    generation: GenerationConfig = copy.deepcopy(model.generation_config)
    known = generation.eos_token_id
    known = known if isinstance(known, list) else [] if known is None else [known]
    generation.eos_token_id = sorted({*known, *end_tokens(encoder)})
    generation._from_model_config = False
    try:
        generation.validate(strict=True)
    except ValueError:
        # Some published ones set a temperature and no sampling, which is refused when it is saved with any change.
        generation.do_sample = True
    return generation


def _pushed(report: RunReport, config: TrainerConfig, repository: Place, local: Path) -> RunReport:
    """Push the result, and say in the report whether it is there.

    The model is stored and complete by now: a hub that does not answer makes no failed job of that, and no new
    attempt would make it answer. What went wrong is told, and anyone can push the folder by hand.
    """
    folders = [local / kind for kind in (MODEL_FOLDER, ADAPTER_FOLDER) if (local / kind).is_dir()]
    # The repository's name loads the first; an adapter beside a whole model has its own folder.
    there = {folder.name if place else "": folder for place, folder in enumerate(folders)}
    say(f"pushing to {repository.uri}")
    try:
        say(f"pushed: {push(repository, there, f'{config.job_name}: {config.method} fine-tuning')}")
    except FinetuneError as error:
        say(f"not pushed: {error}")
        return not_pushed(report, str(error))
    return report.model_copy(update={"pushed": True})


def not_pushed(report: RunReport, problem: str) -> RunReport:
    """The report with as much of the problem as fits the termination message that the report travels in."""
    told = report.model_copy(update={"pushed": False, "push_problem": problem})
    while problem and len(told.answer().encode()) > TERMINATION_BYTES:
        problem = problem[:-1]
        told = told.model_copy(update={"push_problem": problem})
    return told


def _files(local: Path) -> Iterator[Path]:
    yield from sorted(path for path in local.rglob("*") if path.is_file())


def _upload(output: Folder, local: Path, path: Path) -> ManifestFile:
    name = path.relative_to(local).as_posix()
    stored = output.upload(path, name)
    return ManifestFile(path=name, size_bytes=stored.size_bytes, sha256=stored.sha256)


def _artifact(config: TrainerConfig, manifest: Manifest, encoded: bytes) -> Artifact:
    return Artifact(
        uri=config.output.uri,
        manifest_sha256=hashlib.sha256(encoded).hexdigest(),
        size_bytes=sum(file.size_bytes for file in manifest.files),
        files=len(manifest.files),
        base_model=base_model_name(config.model.uri),
        method=config.method,
        report_uri=config.output.below("report.html").uri,
    )
