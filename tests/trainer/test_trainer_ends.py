"""How a run ends early or badly, and what it then leaves in the output place."""

import json
import shutil
from pathlib import Path

import pytest
from trainer_jobs import METHODS, OVERFITTING, PATIENCE, QUICK, WHOLE
from trainer_model import save_tiny_model, write_rows
from trainer_steps import (
    Bench,
    Run,
    assert_fails_clearly,
    checkpoint_folder,
    complete_checkpoints,
    folder_of,
    manifest_of,
    prepare_config,
    tree,
)

from finetune_core.contract import Accuracy, Manifest, Place, TrainerConfig
from finetune_core.contract.environment import TERMINATION_BYTES

# --- early stopping and the best checkpoint ---------------------------------------------------------------------------


def evaluations(run: Run) -> dict[int, float]:
    return {line["step"]: line["eval_loss"] for line in run.metrics if "eval_loss" in line}


def test_a_run_that_overfits_stops_early_and_says_so(overfitted: Run) -> None:
    report = overfitted.report
    assert report.stopped_early
    assert report.best_step is not None
    assert report.steps == report.best_step + 2 * PATIENCE < overfitted.config.hyperparameters.total_steps
    losses = evaluations(overfitted)
    assert max(losses) == report.steps
    assert report.best_step == min((step for step in losses if step), key=lambda step: losses[step])
    assert report.eval_loss == losses[report.best_step] < losses[report.steps]


def test_the_best_weights_are_exported_not_the_last(overfitted: Run, reloaded: dict[str, dict[str, float]]) -> None:
    last = evaluations(overfitted)[overfitted.report.steps]
    measured = reloaded["overfitted"]["tuned"]
    assert measured == pytest.approx(overfitted.report.eval_loss, rel=1e-4)
    assert measured != pytest.approx(last, rel=1e-3)


def test_without_patience_a_run_that_overfits_goes_to_its_end_and_exports_the_best(
    bench: Bench, overfitted: Run, contradictions: Path, tmp_path: Path
) -> None:
    steps = overfitted.report.steps
    spec = OVERFITTING | {
        "evaluation": OVERFITTING["evaluation"] | {"earlyStoppingPatience": 0},
        "hyperparameters": OVERFITTING["hyperparameters"] | {"maxSteps": steps},
    }
    run = bench.train(bench.job(tmp_path / "output", validation=contradictions, **spec))
    assert (run.report.steps, run.report.stopped_early) == (steps, False)
    assert run.report.best_step == overfitted.report.best_step
    assert run.weights_digest == overfitted.weights_digest


def test_gains_below_min_delta_are_none(bench: Bench, tmp_path: Path) -> None:
    spec = METHODS["full"] | {
        "evaluation": {"everySteps": 2, "earlyStoppingPatience": 3, "minDelta": 100.0, "samples": {"count": 0}}
    }
    report = bench.train(bench.job(tmp_path / "output", **spec)).report
    assert (report.best_step, report.steps, report.stopped_early) == (2, 8, True)


def test_the_best_step_survives_a_damaged_checkpoint(
    bench: Bench, overfitted: Run, contradictions: Path, tmp_path: Path
) -> None:
    """As a run lies there that was killed right after its best step, whose checkpoint is then damaged."""
    best = overfitted.report.best_step
    assert best is not None
    spec = OVERFITTING | {"checkpoints": {"everySteps": 1, "keep": 100, "keepAfterSuccess": True}}
    job = bench.job(tmp_path / "output", validation=contradictions, **spec)
    config = bench.train(job).config
    (tmp_path / "output" / "manifest.json").unlink()
    for step in complete_checkpoints(config):
        if step > best:
            shutil.rmtree(checkpoint_folder(config, step))
    (checkpoint_folder(config, best) / "weights.safetensors").write_bytes(b"damaged")

    resumed = bench.train(job)
    assert resumed.report.resumed_from_step == best - 1
    assert resumed.report.best_step == best
    assert resumed.metrics == overfitted.metrics
    assert resumed.weights_digest == overfitted.weights_digest


def test_a_run_without_validation_rows_exports_the_last_step(bench: Bench, tmp_path: Path) -> None:
    run = bench.train(bench.job(tmp_path / "output", validation=0.0, **QUICK))
    report = run.report
    assert (report.steps, report.best_step, report.eval_loss, report.eval_loss_before) == (2, None, None, None)
    assert report.train_loss == run.losses[-1]
    assert (run.artifact / "adapter_model.safetensors").exists()


def test_rows_cut_short_are_reported(bench: Bench, tmp_path: Path) -> None:
    hyperparameters = QUICK["hyperparameters"] | {"cutoffLength": 44}
    job = bench.job(tmp_path / "output", **QUICK | {"hyperparameters": hyperparameters})
    run = bench.train(job)
    lengths = run.config.prepare_report.statistics.lengths
    assert lengths.p50 < 44 < lengths.max
    report = run.report
    assert 0 < report.truncated_rows < run.config.prepare_report.statistics.rows
    assert report.ended_early_rows == 0  # each row has one answer
    assert report.truncated_rows >= report.unfinished_rows + report.left_out_rows > 0
    assert (
        f"{report.truncated_rows} rows are longer than the cutoff of 44 tokens: 0 end after an earlier answer, "
        f"{report.unfinished_rows} within one; {report.left_out_rows} are left out"
    ) in run.ended.stdout


def test_a_cutoff_that_leaves_nothing_to_learn_is_named(bench: Bench, tmp_path: Path) -> None:
    hyperparameters = QUICK["hyperparameters"] | {"cutoffLength": 16}
    run = bench.train(bench.job(tmp_path / "output", **QUICK | {"hyperparameters": hyperparameters}))
    assert_fails_clearly(run.ended, "DatasetUnavailable", "cutoffLength", "16")


# --- the output place -------------------------------------------------------------------------------------------------


@pytest.fixture
def occupied(tmp_path: Path) -> Path:
    """An output place with another job's finished whole model, and a file that no job wrote."""
    output = tmp_path / "output"
    (output / "model").mkdir(parents=True)
    (output / "model" / "model.safetensors").write_bytes(b"precious")
    (output / "samples.json").write_text("[]")
    (output / "notes.txt").write_text("mine")
    manifest = Manifest(job_name="somebody", job_uid="another", files=[])
    (output / "manifest.json").write_text(manifest.to_json())
    return output


@pytest.fixture
def taken_meanwhile(bench: Bench, occupied: Path, tmp_path: Path) -> TrainerConfig:
    """A job whose output place was still free when its data was prepared."""
    config = bench.trainer_config(bench.job(tmp_path / "free", **QUICK))
    return config.model_copy(update={"output": Place(uri=occupied.as_uri())})


def test_another_jobs_model_is_not_touched(bench: Bench, taken_meanwhile: TrainerConfig, occupied: Path) -> None:
    before = tree(occupied)
    ended = bench.start(taken_meanwhile).end()
    assert_fails_clearly(ended, "OutputOccupied", "'somebody'", "output.overwrite")
    assert tree(occupied) == before
    assert ended.progress == []


def test_a_manifest_of_another_program_is_not_touched(
    bench: Bench, taken_meanwhile: TrainerConfig, occupied: Path
) -> None:
    (occupied / "manifest.json").write_text('{"name": "a web app"}')
    before = tree(occupied)
    config = taken_meanwhile.model_copy(update={"overwrite": True})
    assert_fails_clearly(bench.start(config).end(), "OutputOccupied", "manifest.json")
    assert tree(occupied) == before


def test_overwrite_replaces_another_jobs_model_and_nothing_else(bench: Bench, occupied: Path) -> None:
    run = bench.train(bench.job(occupied, overwrite=True, **QUICK))
    manifest = manifest_of(occupied)
    assert manifest.job_uid == run.config.job_uid
    assert set(tree(occupied)) == {"notes.txt", "manifest.json"} | {file.path for file in manifest.files}
    assert (occupied / "notes.txt").read_text() == "mine"
    assert not (occupied / "model").exists()


def test_the_remains_of_an_unfinished_run_do_not_end_up_in_the_result(bench: Bench, tmp_path: Path) -> None:
    output = tmp_path / "output"
    (output / "adapter").mkdir(parents=True)
    (output / "adapter" / "old.bin").write_bytes(b"half")
    run = bench.train(bench.job(output, **QUICK))
    assert set(tree(output)) == {"manifest.json"} | {file.path for file in manifest_of(run.output).files}
    assert not (output / "adapter" / "old.bin").exists()


def test_the_same_job_asked_again_answers_the_same_without_training(bench: Bench, runs: dict[str, Run]) -> None:
    run = runs["full"]
    before = tree(run.output)
    again = bench.train_again(run.config)
    assert json.loads(again.ended.good_answer) == json.loads(run.ended.good_answer)
    assert again.ended.progress == []
    assert tree(run.output) == before


def test_an_output_that_cannot_be_written_is_named(bench: Bench, tmp_path: Path) -> None:
    config = bench.trainer_config(bench.job(tmp_path / "output", **QUICK))
    (tmp_path / "file").write_text("in the way")
    inside = Place(uri=(tmp_path / "file" / "output").as_uri())
    assert_fails_clearly(bench.start(config.model_copy(update={"output": inside})).end(), "UploadFailed", "file/output")


def test_checkpoints_that_cannot_be_listed_are_named(bench: Bench, tmp_path: Path) -> None:
    config = bench.trainer_config(bench.job(tmp_path / "output", **QUICK))
    (tmp_path / "output" / "checkpoints").write_text("in the way")
    assert_fails_clearly(bench.start(config).end(), "UploadFailed", "checkpoints")


def test_a_full_volume_ends_the_run_with_no_manifest(bench: Bench, full_volume: Path) -> None:
    """The weights and states of the whole model are more than the volume holds."""
    ended = bench.train(bench.job(full_volume / "output", **METHODS["full"])).ended
    assert_fails_clearly(ended, "UploadFailed", "no space is left")
    assert not (full_volume / "output" / "manifest.json").exists()
    assert not list(full_volume.rglob("complete.json"))


def test_the_largest_answer_fits_the_termination_message(runs: dict[str, Run]) -> None:
    """Every location as long as a job may write it."""
    report, location = runs["qlora"].report, "s3://bucket/".ljust(1024, "x")
    assert report.artifact is not None
    artifact = report.artifact.model_copy(
        update={"uri": location, "base_model": location, "report_uri": f"{location}/report.html", "size_bytes": 10**13}
    )
    largest = report.model_copy(
        update={
            "job_name": "j" * 45, "steps": 10**9, "best_step": 10**9, "resumed_from_step": 10**9, "artifact": artifact,
            "stopped_early": True, "supervised_tokens": 10**13, "peak_memory_bytes": 10**12, "truncated_rows": 10**9,
            "ended_early_rows": 10**9, "unfinished_rows": 10**9, "left_out_rows": 10**9, "gpus": 1024, "seed": 2**31,
            "gpu": "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "predicted_memory_bytes": 10**12,
            "accuracy": Accuracy(rows=64, before=1 / 3, after=2 / 3), "model_flops_utilization": 1 / 3,
            "model_revision": "a" * 40,
        }
    )  # fmt: skip
    assert len(largest.answer().encode()) <= TERMINATION_BYTES


# --- what cannot be trained -------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_as_diverged(bench: Bench, tmp_path: Path) -> None:
    """Learning rate and weight decay of 1 set the embeddings of absent tokens to zero, which this model divides by."""
    model = save_tiny_model(tmp_path / "model", rms_norm_eps=0.0)
    hyperparameters = {
        "learningRate": 1.0, "weightDecay": 1.0, "warmupRatio": 0.0, "effectiveBatchSize": 1, "maxSteps": 10,
        "loggingSteps": 1,
    }  # fmt: skip
    evaluation = {"everySteps": 100, "earlyStoppingPatience": 0, "samples": {"count": 0}}
    job = bench.job(
        tmp_path / "output", model=model, method="full", hyperparameters=hyperparameters, evaluation=evaluation
    )
    ended = bench.train(job).ended
    assert_fails_clearly(ended, "Diverged", "nan", "half the learning rate of 1")
    losses = [line.loss for line in ended.progress if line.loss is not None]
    assert all(loss == loss for loss in losses[:-1])
    assert losses[-1] != losses[-1]  # it was logged before it ended the run
    assert len(losses) < 10
    assert not (tmp_path / "output" / "manifest.json").exists()


def test_a_card_that_is_not_there_is_named_before_anything_is_touched(bench: Bench, occupied: Path) -> None:
    job = bench.job(occupied, overwrite=True, gpu={"type": "A10"}, **QUICK)
    config = bench.trainer_config(job)
    assert config.device == "cuda"
    before = tree(occupied)
    assert_fails_clearly(bench.start(config).end(), "InvalidSpec", "gpu.type", "CUDA", "set gpu.type to cpu")
    assert tree(occupied) == before


def test_a_model_without_weights_is_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", "*.safetensors")
    ended = bench.train(bench.job(tmp_path / "output", model=model, **QUICK)).ended
    assert_fails_clearly(ended, "ModelUnavailable", "model")


def test_damaged_weights_are_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model")
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    ended = bench.train(bench.job(tmp_path / "output", model=model, **QUICK)).ended
    assert_fails_clearly(ended, "ModelUnavailable", str(model))


def test_weights_that_lack_a_part_are_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", config={"num_hidden_layers": 3})
    ended = bench.train(bench.job(tmp_path / "output", model=model, **QUICK)).ended
    assert_fails_clearly(ended, "ModelUnavailable", "layers.2")


def test_weights_of_another_shape_are_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", config={"intermediate_size": 96})
    ended = bench.train(bench.job(tmp_path / "output", model=model, **QUICK)).ended
    assert_fails_clearly(ended, "ModelUnavailable", "mlp.down_proj")


def test_prepared_rows_that_are_gone_are_named(bench: Bench, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", **QUICK)
    config = bench.trainer_config(job)
    shutil.rmtree(folder_of(prepare_config(job).prepared.uri))
    assert_fails_clearly(bench.start(config).end(), "DatasetUnavailable", "prepared")


def test_a_classification_job_says_how_many_labels_are_right(bench: Bench, tmp_path: Path) -> None:
    """The colour that the question names; the validation rows ask of things that the training rows have not."""
    rows = [
        {"instruction": f"What colour is the {colour} {thing}?", "output": colour}
        for thing in ("lamp", "table", "chair", "door", "car", "hat", "cup", "book", "bag", "shoe")
        for colour in ("red", "blue")
    ]
    run = bench.train(
        bench.job(
            tmp_path / "output",
            data=write_rows(tmp_path / "train.jsonl", rows[4:]),
            validation=write_rows(tmp_path / "validation.jsonl", rows[:4]),
            dataset={"task": "classification"},
            method="full",
            hyperparameters=WHOLE | {"maxSteps": 60, "learningRate": 0.01},
            evaluation={"earlyStoppingPatience": 0, "samples": {"count": 1}},
        )
    )
    accuracy = run.report.accuracy
    assert accuracy is not None
    assert (accuracy.rows, accuracy.before, accuracy.after) == (4, 0.0, 1.0)
    assert len(json.loads((run.output / "samples.json").read_text())) == 1
    assert "right labels of 4" in (run.output / "report.html").read_text()
