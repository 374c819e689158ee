"""What came of a training: the report of it, and the model in its place."""

import time

import torch

from finetune_core.contract import RunReport
from finetune_core.errors import UploadFailed, blamed_on
from finetune_storage import Folder, revision_of
from finetune_trainer.export import export
from finetune_trainer.measures import peak_memory, perplexity, utilization, versions
from finetune_trainer.merge import sample_loss
from finetune_trainer.samples import graded
from finetune_trainer.sharding import whole
from finetune_trainer.stage import say
from finetune_trainer.training import Training


def store_result(training: Training, output: Folder, started: float) -> RunReport:
    """Report on the best weights, and store them.

    Every process has to call it; one of them stores, and all give its answer.

    Args:
        training: at its end.
        output: where the model goes.
        started: when the step began, by the monotonic clock.

    Raises:
        UploadFailed: the result cannot be stored.
    """
    config, group = training.config, training.group
    training.take_best()
    answers = training.answers("after")
    report = _report(training, answers, started)
    compared_on = training.held_out if len(training.held_out) else training.rows
    adapted_loss = None
    if config.merges:
        say("comparing the merged model with its adapter")
        with training.accelerator.autocast():
            size = training.settings.micro_batch_size
            adapted_loss = sample_loss(training.model, compared_on, size, training.device, group)
    trained = None
    if training.sharded:
        trained = training.loaded.state_dict() if config.method == "full" else training.weights
        trained = whole(trained, keep=group.leads)
    before_and_after = zip(training.samples, training.state.answers_before, answers, strict=False)
    samples = [
        {"messages": prompt.messages, "reference": prompt.reference, "before": before, "after": after}
        for prompt, before, after in before_and_after
    ]

    def store() -> RunReport:
        say("storing the result")
        stored = export(
            training.loaded,
            trained,
            training.encoder,
            config,
            report,
            training.state.metrics,
            samples,
            base=training.base,
            prepared=training.prepared,
            compared_on=compared_on,
            adapted_loss=adapted_loss,
            device=training.device,
            output=output,
            local=training.scratch / "export",
        )
        with blamed_on(UploadFailed):
            if not config.checkpoints.keep_after_success:
                output.delete(config.checkpoint_path)
            output.delete(f".work/{config.job_uid}")
        return stored

    return group.on_leader(store)


def _report(training: Training, answers: list[str], started: float) -> RunReport:
    config, state, rows, device = training.config, training.state, training.rows, training.device
    labelled = slice(len(training.samples), None)
    speed = state.tokens / state.training_seconds if state.training_seconds else None
    return RunReport(
        job_name=config.job_name,
        job_uid=config.job_uid,
        steps=state.step,
        resumed_from_step=training.resumed_from_step,
        stopped_early=state.stopped_early,
        best_step=state.best_step,
        train_loss=state.train_loss,
        eval_loss_before=state.eval_loss_before,
        eval_loss=state.best_eval_loss,
        perplexity_before=perplexity(state.eval_loss_before),
        perplexity=perplexity(state.best_eval_loss),
        accuracy=graded(training.labelled, state.answers_before[labelled], answers[labelled]),
        supervised_tokens=state.supervised_tokens,
        seconds=round(time.monotonic() - started, 3),
        gpu=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        gpus=training.group.size,
        tokens_per_second=speed,
        model_flops_utilization=utilization(config, speed),
        peak_memory_bytes=peak_memory(device),
        predicted_memory_bytes=config.plan.memory.peak_bytes if config.plan.memory else None,
        model_revision=revision_of(config.model, training.base),
        data_fingerprint=config.prepare_report.fingerprint,
        seed=training.settings.seed,
        truncated_rows=rows.truncated,
        ended_early_rows=rows.ended_early,
        unfinished_rows=rows.unfinished,
        left_out_rows=rows.left_out,
        versions=versions(),
    )
