"""What crosses the pod border arrives as it was sent, and fits where it has to."""

import json
import math
from typing import get_args

import pytest
from jobs import data_of, job, plan_of, shape_of
from pydantic import ValidationError

from finetune_core.api.base import ApiModel
from finetune_core.api.findings import FINDING_CODES, Policy
from finetune_core.api.location import FileUri, S3Uri, parse_uri
from finetune_core.contract import (
    LENGTH_EDGES,
    Artifact,
    DataStatistics,
    FindingCount,
    LengthPercentiles,
    Manifest,
    ManifestFile,
    ModelShape,
    Place,
    PrepareConfig,
    PrepareReport,
    RunReport,
    TrainerConfig,
)
from finetune_core.contract.environment import TERMINATION_BYTES
from finetune_core.errors import InvalidSpec
from finetune_core.planning.shapes import _ARCHITECTURES, _LARGEST

LARGEST = 2**63 - 1
PLACE = Place(uri="s3://models/数据", credentials="/secrets/output", endpoint_url="https://s3.local", region="eu-1")
OPTIONS = job(
    "dataset.columns={instruction: question}", "dataset.task=style", "dataset.quality={empty-output: warn}",
    "dataset.validation.uri=s3://datasets/held-out.jsonl", "dataset.maxRows=100",
).spec.dataset  # fmt: skip

PREPARE_CONFIG = PrepareConfig(
    job_name="support-bot",
    job_uid="5b0f3f0a-6f0e-4e39-9a3c-0d4f7f8f5a31",
    model=Place(uri="hf://Qwen/Qwen2.5-7B-Instruct"),
    dataset=PLACE,
    dataset_options=OPTIONS,
    validation=PLACE,
    output=PLACE,
    overwrite=True,
    train_on_prompt=True,
    seed=7,
)

PREPARE_REPORT = PrepareReport(
    fingerprint="0" * 64,
    model_shape=shape_of("hf://Qwen/Qwen2.5-7B-Instruct"),
    statistics=data_of(),
    model_revision="c" * 40,
    rows=1_100,
    used_rows=1_050,
    rejected_rows=50,
    storage_bytes_per_second=10**8,
    findings=[FindingCount(code="empty-output", severity="error", policy="drop", count=50)],
)

TRAINER_CONFIG = TrainerConfig(
    job_name="support-bot",
    job_uid="5b0f3f0a-6f0e-4e39-9a3c-0d4f7f8f5a31",
    model=PREPARE_CONFIG.model,
    output=PLACE,
    export="both",
    push=Place(uri="hf://org/name", credentials="/secrets/output"),
    prepared=PREPARE_CONFIG.prepared,
    prepare_report=PREPARE_REPORT,
    plan=plan_of("method=qlora", "hyperparameters.lora.targetModules=[q_proj, v_proj]"),
    plan_fingerprint="f" * 64,
    evaluation=job("evaluation.samples.prompts=[你好]").spec.evaluation,
    checkpoints=job("checkpoints.keep=2").spec.checkpoints,
    device="cuda",
)

RUN_REPORT = RunReport(
    job_name="support-bot",
    job_uid="5b0f3f0a",
    steps=189,
    resumed_from_step=100,
    stopped_early=True,
    best_step=150,
    train_loss=0.5,
    eval_loss_before=2.5,
    eval_loss=0.75,
    supervised_tokens=10**9,
    seconds=12.5,
    peak_memory_bytes=2**34,
    truncated_rows=3,
    merged_loss_difference=-0.01,
    versions={"torch": "2.9"},
    pushed=False,
    push_problem="the hub answered 401",
    artifact=Artifact(
        uri=PLACE.uri, manifest_sha256="a" * 64, size_bytes=1, files=9, base_model="Qwen/Qwen2.5-7B-Instruct",
        method="lora", report_uri=PLACE.uri,
    ),
)  # fmt: skip

MANIFEST = Manifest(
    job_name="support-bot", job_uid="5b0f3f0a", files=[ManifestFile(path="report.html", size_bytes=1, sha256="a" * 64)]
)

SENT = [PREPARE_CONFIG, PREPARE_REPORT, TRAINER_CONFIG, RUN_REPORT, MANIFEST, plan_of(), plan_of("gpu.type=RTX-3070")]


def _name(model: ApiModel) -> str:
    return type(model).__name__


@pytest.mark.parametrize("sent", SENT, ids=_name)
@pytest.mark.parametrize("indent", [None, 2])
def test_it_arrives_as_it_was_sent(sent: ApiModel, indent: int | None) -> None:
    assert type(sent).model_validate_json(sent.to_json(indent)) == sent


def test_a_merged_model_whose_loss_is_no_number_is_reported_as_that() -> None:
    sent = RUN_REPORT.model_copy(update={"merged_loss_difference": math.nan})
    arrived = RunReport.model_validate_json(sent.to_json()).merged_loss_difference
    assert arrived is not None
    assert math.isnan(arrived)


@pytest.mark.parametrize("sent", SENT, ids=_name)
def test_its_json_is_camel_case_without_empty_fields(sent: ApiModel) -> None:
    def keys(value: object) -> list[str]:
        if not isinstance(value, dict):
            return [key for item in value for key in keys(item)] if isinstance(value, list) else []
        assert None not in value.values()
        # Below these stand names of a person's or a library's own.
        ours = [below for name, below in value.items() if name not in {"columns", "quality", "versions"}]
        return [*value, *keys(ours)]

    assert [key for key in keys(json.loads(sent.to_json())) if "_" in key] == []


@pytest.mark.parametrize(
    "kind", [PrepareConfig, PrepareReport, TrainerConfig, RunReport, Manifest], ids=lambda kind: str(kind.__name__)
)
def test_another_version_is_refused(kind: type[ApiModel]) -> None:
    sent = next(model for model in SENT if type(model) is kind)
    changed = json.loads(sent.to_json()) | {"version": 2}
    with pytest.raises(ValidationError, match="version"):
        kind.model_validate_json(json.dumps(changed))


@pytest.mark.parametrize("model_type", _ARCHITECTURES)
def test_the_largest_prepare_report_fits_a_termination_message(model_type: str) -> None:
    largest = max(_LARGEST.values())
    fields = {name: largest for name, field in ModelShape.model_fields.items() if field.annotation is int}
    longest_policy = max(get_args(Policy), key=len)
    report = PrepareReport(
        fingerprint="f" * 64,
        model_shape=ModelShape.model_validate(
            fields | {"model_type": model_type, "tied_embeddings": False, "qkv_bias": False, "qk_norm": False},
            by_name=True,
        ),
        model_revision="f" * 40,
        statistics=DataStatistics(
            rows=LARGEST,
            validation_rows=LARGEST,
            tokens=LARGEST,
            supervised_tokens=LARGEST,
            lengths=LengthPercentiles(p50=LARGEST, p95=LARGEST, p99=LARGEST, max=LARGEST),
            supervised_max=LARGEST,
            histogram=[LARGEST] * (len(LENGTH_EDGES) + 1),
            exact=False,
        ),
        rows=LARGEST,
        used_rows=LARGEST,
        rejected_rows=LARGEST,
        storage_bytes_per_second=LARGEST,
        findings=[
            FindingCount(code=code, severity="warning", policy=longest_policy, count=LARGEST) for code in FINDING_CODES
        ],
    )
    assert len(report.to_json().encode()) < TERMINATION_BYTES


class TestPlace:
    @pytest.mark.parametrize(
        ("uri", "below"),
        [
            ("s3://models/a", S3Uri("models", "a/.work/uid/prepared")),
            ("s3://models/a/", S3Uri("models", "a/.work/uid/prepared")),
            ("s3://models", S3Uri("models", ".work/uid/prepared")),
            ("file:///out%20put", FileUri("/out put/.work/uid/prepared")),
        ],
    )
    def test_below_it_lies_another_with_the_same_credentials(self, uri: str, below: S3Uri | FileUri) -> None:
        place = PLACE.model_copy(update={"uri": uri}).below(".work", "uid", "prepared")
        assert parse_uri(place.uri) == below
        assert (place.credentials, place.endpoint_url, place.region) == ("/secrets/output", "https://s3.local", "eu-1")

    @pytest.mark.parametrize("named", ["", "@main", "@v1.0", f"@{'c' * 40}"])
    def test_a_model_of_the_hub_at_its_commit(self, named: str) -> None:
        place = Place(uri=f"hf://org/name{named}", credentials="/secrets/model")
        assert place.at("c" * 40) == Place(uri=f"hf://org/name@{'c' * 40}", credentials="/secrets/model")

    @pytest.mark.parametrize("uri", ["s3://models/a@b", "file:///models/a@b", "hf://org/name@main"])
    def test_a_model_of_no_known_commit_stays_as_it_is(self, uri: str) -> None:
        assert Place(uri=uri).at(None) == Place(uri=uri)


def test_checkpoints_of_another_job_or_plan_lie_elsewhere() -> None:
    assert TRAINER_CONFIG.checkpoint_path == "checkpoints/5b0f3f0a-ffffffff"
    for other in ({"job_uid": "0" * 32}, {"plan_fingerprint": "0" * 64}):
        assert TRAINER_CONFIG.model_copy(update=other).checkpoint_path != TRAINER_CONFIG.checkpoint_path


def test_the_trainer_refuses_an_infeasible_plan() -> None:
    config = TRAINER_CONFIG.model_copy(update={"plan": plan_of("gpu.type=RTX-3070")})
    for read in (lambda: config.method, lambda: config.hyperparameters):
        with pytest.raises(InvalidSpec, match="infeasible plan"):
            read()
