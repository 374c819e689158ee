"""A job to what its steps are told."""

from typing import Any

import pytest
from jobs import card, data_of, job, plan_of, shape_of

from finetune_core.api import FineTuneJob, Location
from finetune_core.contract import Place, PrepareReport
from finetune_core.contract.build import Role, prepare_config, trainer_config

UID = "5b0f3f0a-6f0e-4e39-9a3c-0d4f7f8f5a31"
REPORT = PrepareReport(
    fingerprint="0" * 64,
    model_shape=shape_of("hf://Qwen/Qwen2.5-7B-Instruct"),
    statistics=data_of(),
    rows=1_000,
    used_rows=1_000,
    rejected_rows=0,
    findings=[],
)


def by_role(location: Location, role: Role) -> Place:
    """A place that tells what it was asked for as."""
    return Place(uri=location.uri, credentials=f"/secrets/{role}")


def fingerprint(*changes: str, told: FineTuneJob | None = None, report: PrepareReport = REPORT) -> str:
    changed = told or job(*changes)
    prepared = prepare_config("support-bot", UID, changed.spec, by_role)
    return trainer_config(prepared, changed.spec, report, plan_of(*changes), "cuda").plan_fingerprint


def test_each_location_is_resolved_in_its_role() -> None:
    spec = job("dataset.validation.uri=s3://datasets/held-out.jsonl", "output.overwrite=true").spec
    config = prepare_config("support-bot", UID, spec, by_role)
    assert (config.job_name, config.job_uid, config.overwrite) == ("support-bot", UID, True)
    assert config.model == Place(uri=spec.model.uri, credentials="/secrets/model")
    assert config.dataset == Place(uri=spec.dataset.uri, credentials="/secrets/dataset")
    assert config.validation == Place(uri="s3://datasets/held-out.jsonl", credentials="/secrets/validation")
    assert config.output == Place(uri=spec.output.uri, credentials="/secrets/output")


def test_a_share_of_the_rows_is_no_place() -> None:
    assert prepare_config("support-bot", UID, job("dataset.validation.fraction=0.2").spec, by_role).validation is None


@pytest.mark.parametrize(("change", "wanted"), [("seed=7", {"seed": 7}), ("trainOnPrompt=on", {"train_on_prompt": 1})])
def test_what_the_tokens_depend_on_is_told(change: str, wanted: dict[str, Any]) -> None:
    config = prepare_config("support-bot", UID, job(f"hyperparameters.{change}").spec, by_role)
    assert config.model_dump(include=set(wanted)) == wanted


def test_the_trainer_is_told_what_prepare_was_and_the_plan() -> None:
    spec = job("output.overwrite=true", "checkpoints.keep=2", "evaluation.minDelta=0.5").spec
    prepared = prepare_config("support-bot", UID, spec, by_role)
    config = trainer_config(prepared, spec, REPORT, plan_of(), "cpu")
    for name in ("job_name", "job_uid", "model", "output", "overwrite", "prepared"):
        assert getattr(config, name) == getattr(prepared, name)
    assert (config.plan, config.prepare_report, config.device) == (plan_of(), REPORT, "cpu")
    assert (config.evaluation, config.checkpoints) == (spec.evaluation, spec.checkpoints)


def test_the_trainer_takes_the_commit_that_was_prepared_for() -> None:
    report = REPORT.model_copy(update={"model_revision": "c" * 40})
    spec = job("model.uri=hf://org/name@main").spec
    config = trainer_config(prepare_config("support-bot", UID, spec, by_role), spec, report, plan_of(), "cpu")
    assert config.model == Place(uri=f"hf://org/name@{'c' * 40}", credentials="/secrets/model")


def test_what_is_left_and_where_it_is_pushed_is_told() -> None:
    spec = job("output.export=both", "output.push=hf://org/name").spec
    config = trainer_config(prepare_config("support-bot", UID, spec, by_role), spec, REPORT, plan_of(), "cpu")
    assert (config.export, config.push) == ("both", Place(uri="hf://org/name", credentials="/secrets/output"))
    spec = job().spec
    config = trainer_config(prepare_config("support-bot", UID, spec, by_role), spec, REPORT, plan_of(), "cpu")
    assert (config.export, config.push) == ("adapter", None)


@pytest.mark.parametrize(
    ("method", "export", "folders"),
    [
        ("lora", "adapter", (True, False)),
        ("lora", "merged", (False, True)),
        ("qlora", "both", (True, True)),
        ("full", "merged", (False, True)),
    ],
)
def test_what_a_run_leaves(method: str, export: str, folders: tuple[bool, bool]) -> None:
    spec = job(f"output.export={export}").spec
    plan = plan_of(f"method={method}", "gpu.type=H200")
    config = trainer_config(prepare_config("support-bot", UID, spec, by_role), spec, REPORT, plan, "cuda")
    assert (config.leaves_adapter, config.leaves_model) == folders


class TestFingerprint:
    @pytest.mark.parametrize(
        "change",
        [
            "hyperparameters.microBatchSize=2",
            "hyperparameters.gradientAccumulationSteps=16",
            "hyperparameters.activationCheckpointing=true",
            "hyperparameters.packing=true",
            "checkpoints.keep=1",
            "output.export=merged",
            "output.push=hf://org/name",
            "gpu.perNode=2",
            "gpu.nodes=4",
        ],
    )
    def test_stays_where_the_same_is_learned_another_way(self, change: str) -> None:
        assert fingerprint(change) == fingerprint()

    def test_stays_where_the_model_is_divided(self) -> None:
        spec = job("gpu.nodes=2", "method=lora").spec
        prepared = prepare_config("support-bot", UID, spec, by_role)
        small, large = (plan_of("gpu.nodes=2", "method=lora", gpu=card(gib)) for gib in (14.9, 40))
        assert small.hyperparameters is not None
        assert large.hyperparameters is not None
        assert (small.hyperparameters.sharding, large.hyperparameters.sharding) == ("full", "none")
        divided, whole = (trainer_config(prepared, spec, REPORT, plan, "cuda") for plan in (small, large))
        assert divided.plan_fingerprint == whole.plan_fingerprint

    @pytest.mark.parametrize(
        "change",
        [
            "method=qlora",
            "hyperparameters.effectiveBatchSize=32",
            "hyperparameters.cutoffLength=256",
            "hyperparameters.learningRate=2e-5",
            "hyperparameters.seed=1",
            "hyperparameters.lora.rank=4",
            "evaluation.minDelta=0.1",
        ],
    )
    def test_is_another_where_something_else_is_learned(self, change: str) -> None:
        assert fingerprint(change) != fingerprint()

    def test_is_another_for_other_tokens(self) -> None:
        assert fingerprint(report=REPORT.model_copy(update={"fingerprint": "1" * 64})) != fingerprint()

    def test_is_another_for_another_commit_of_the_model(self) -> None:
        commits = (REPORT.model_copy(update={"model_revision": commit}) for commit in (None, "c" * 40, "d" * 40))
        assert len({fingerprint(report=report) for report in commits}) == 3
