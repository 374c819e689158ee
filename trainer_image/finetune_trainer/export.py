"""The finished model and its papers into the output place, the manifest last."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune_core.contract import (
    DATASET_REPORT,
    MANIFEST_NAME,
    Artifact,
    Manifest,
    ManifestFile,
    RunReport,
    TrainerConfig,
)
from finetune_core.errors import UploadFailed, blamed_on
from finetune_core.report import render_report
from finetune_storage import Folder
from finetune_storage.output import ADAPTER_FOLDER, MODEL_FOLDER, RUN_REPORT
from finetune_trainer.model import DTYPES, base_model_name


def export(
    model: PreTrainedModel | PeftModel,
    weights: dict[str, torch.Tensor] | None,
    tokenizer: PreTrainedTokenizerBase,
    config: TrainerConfig,
    report: RunReport,
    metrics: list[str],
    samples: list[dict[str, Any]],
    prepared: Path,
    output: Folder,
    local: Path,
) -> RunReport:
    """Write everything to a local folder, then store it; returns the report with the artifact in it.

    ``weights`` are those of the model, where it has only a part of them.

    Raises:
        UploadFailed: something could not be stored; there is no manifest then.
    """
    _write_model(model, weights, tokenizer, config, local)
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
    return report.model_copy(update={"artifact": _artifact(config, manifest, encoded)})


def finished_report(output: Folder, config: TrainerConfig) -> RunReport:
    """The report of a run that this job has finished before: asked again, it gives the same answer."""
    encoded = output.read(MANIFEST_NAME)
    report = RunReport.model_validate_json(output.read(RUN_REPORT))
    artifact = _artifact(config, Manifest.model_validate_json(encoded), encoded)
    return report.model_copy(update={"artifact": artifact})


def _write_model(
    model: PreTrainedModel | PeftModel,
    weights: dict[str, torch.Tensor] | None,
    tokenizer: PreTrainedTokenizerBase,
    config: TrainerConfig,
    local: Path,
) -> None:
    folder = local / (MODEL_FOLDER if config.method == "full" else ADAPTER_FOLDER)
    folder.mkdir(parents=True)
    if config.method == "full" and config.hyperparameters.precision != "fp32":
        dtype = DTYPES[config.hyperparameters.precision]
        if weights is None:
            model.to(dtype)
        else:
            weights = {name: value.to(dtype) for name, value in weights.items()}
    model.save_pretrained(folder, state_dict=weights)
    tokenizer.save_pretrained(folder)


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
