"""The training step, from top to bottom."""

import math
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from finetune_core.contract import Progress, RunReport, TrainerConfig, format_progress
from finetune_core.errors import DatasetUnavailable, Diverged, InvalidSpec, ModelUnavailable, UploadFailed, blamed_on
from finetune_storage import fetch, open_folder
from finetune_storage.output import clear, refuse_occupied
from finetune_trainer.checkpoints import Checkpoints
from finetune_trainer.export import export, finished_report
from finetune_trainer.loss import SummedLoss, mean_loss
from finetune_trainer.model import load_model, trainable_parameters
from finetune_trainer.optimizer import make_optimizer, make_schedule
from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
from finetune_trainer.rows import Order, Rows
from finetune_trainer.samples import choose_prompts, generate
from finetune_trainer.stage import say
from finetune_trainer.template import ChatEncoder, load_tokenizer


def train(config: TrainerConfig, scratch: Path) -> RunReport | None:
    """Train, export and store a model; resumes from the newest complete checkpoint of the same job and plan.

    Returns:
        The report, or None when SIGTERM asked to stop: the state is stored, and the same call goes on from there.

    Raises:
        FinetuneError: the class is the failure reason.
    """
    started = time.monotonic()
    settings = config.hyperparameters
    stop = _StopRequest()
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidSpec("gpu.type asks for a CUDA card and this machine has none: set gpu.type to cpu")

    with blamed_on(UploadFailed):
        output = open_folder(config.output)
        if refuse_occupied(output, config.job_name, config.job_uid, config.overwrite):
            return finished_report(output, config)
        clear(output)

    # --- model and data -----------------------------------------------------------------------------------------
    device = torch.device(config.device)
    accelerator = Accelerator(mixed_precision=_mixed_precision(config), cpu=config.device == "cpu")
    torch.manual_seed(settings.seed)
    say("loading the model")
    with blamed_on(ModelUnavailable):
        base = fetch(config.model, scratch / "base")
    encoder = ChatEncoder(load_tokenizer(base), settings.train_on_prompt)
    model = load_model(base, config, device)
    summed_loss = SummedLoss(model)
    with blamed_on(DatasetUnavailable):
        prepared = fetch(config.prepared, scratch / "prepared")
    rows = Rows(prepared / TRAIN_ROWS, settings.cutoff_length, settings.packing)
    held_out = Rows(prepared / VALIDATION_ROWS, settings.cutoff_length, settings.packing)
    if not len(rows):
        raise DatasetUnavailable(
            f"no row has a supervised token within the cutoff of {settings.cutoff_length}: raise cutoffLength"
        )
    if rows.truncated or rows.left_out:
        say(
            f"{rows.truncated} rows are longer than the cutoff of {settings.cutoff_length} tokens: "
            f"{rows.ended_early} end after an earlier answer, {rows.unfinished} within one; "
            f"{rows.left_out} are left out, with nothing to learn before the cutoff"
        )
    order = Order(len(rows), settings.effective_batch_size, settings.seed)
    sample_prompts = choose_prompts(config.evaluation.samples, prepared / SAMPLE_PROMPTS)
    prompts = [prompt["messages"] for prompt in sample_prompts]

    # --- optimizer and state ------------------------------------------------------------------------------------
    weights = trainable_parameters(model)
    optimizer = accelerator.prepare(make_optimizer(list(weights.values()), settings))
    schedule = make_schedule(optimizer.optimizer, settings)
    checkpoints = Checkpoints(
        open_folder(config.output.below(config.checkpoint_path)),
        scratch / "checkpoints",
        config.checkpoints.keep,
        (config.job_name, config.job_uid),
    )

    def validation_loss() -> float:
        batches = held_out.micro_batches(range(len(held_out)), settings.micro_batch_size)
        with accelerator.autocast():
            return mean_loss(summed_loss, batches, device)

    state = _State()
    resumed_from_step = None
    with blamed_on(UploadFailed):
        restored = checkpoints.newest()
    if restored is not None:
        resumed_from_step = restored.step
        say(f"resuming from step {resumed_from_step}")
        _copy_into(weights, restored.weights)
        optimizer.load_state_dict(restored.state["optimizer"])
        schedule.load_state_dict(restored.state["schedule"])
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(restored.state["scaler"])
        torch.set_rng_state(restored.state["rng"])
        if config.device == "cuda":
            torch.cuda.set_rng_state(restored.state["cuda_rng"])
        state = _State(**restored.state["run"])
        state.window_tokens = 0  # the clock of the speed starts anew
        del restored  # and with it the files it maps
    else:
        if prompts:
            say("writing sample answers before training")
            state.samples_before = generate(model, encoder, prompts, config.evaluation.samples.max_new_tokens, device)
        if len(held_out):
            say("evaluating before training")
            state.eval_loss_before = validation_loss()

    def checkpoint() -> None:
        state.window_loss = float(window_loss)
        contents = {
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if config.device == "cuda" else None,
            "run": vars(state),
        }
        with blamed_on(UploadFailed):
            checkpoints.save(state.step, weights, contents, state.best_step)

    # On the device, so that no step waits for its loss.
    window_loss = torch.tensor(state.window_loss, dtype=torch.float64, device=device)
    clock = time.monotonic() - state.seconds
    if not state.metrics and state.eval_loss_before is not None:
        state.log(_progress(config, state, order, eval_loss=state.eval_loss_before))

    # --- the loop -----------------------------------------------------------------------------------------------
    model.train()
    say("training")
    window_started, window_step = time.monotonic(), state.step
    while state.step < settings.total_steps and not state.stopped_early:
        micro_batches = list(rows.micro_batches(order.step(state.step), settings.micro_batch_size))
        supervised = sum(batch.supervised_tokens for batch in micro_batches)
        for batch in micro_batches:
            with accelerator.autocast():
                loss = summed_loss(batch.to(device))
            accelerator.backward(loss / supervised)
            window_loss += loss.detach()
            state.window_tokens += batch.tokens
        state.window_supervised += supervised
        grad_norm = accelerator.clip_grad_norm_(list(weights.values()), settings.max_grad_norm)
        learning_rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        state.step += 1
        state.supervised_tokens += supervised
        state.seconds = time.monotonic() - clock

        last = state.step == settings.total_steps
        evaluate = len(held_out) > 0 and (last or state.step % settings.evaluation_steps == 0)
        improved = False
        eval_loss = None
        if evaluate:
            eval_loss = validation_loss()
            improved = state.judge(eval_loss, config)
            state.stopped_early = state.stopped_early and not last
        if evaluate or last or state.step % settings.logging_steps == 0:
            mean = float(window_loss) / state.window_supervised
            speed = state.window_tokens / max(time.monotonic() - window_started, 1e-9)
            state.log(
                _progress(
                    config,
                    state,
                    order,
                    loss=mean,
                    eval_loss=eval_loss,
                    learning_rate=learning_rate,
                    grad_norm=float(grad_norm),
                    tokens_per_second=speed if state.step > window_step else None,
                )
            )
            window_loss.zero_()
            state.window_tokens = state.window_supervised = 0
            window_started, window_step = time.monotonic(), state.step
            for name, value in (("loss", mean), ("validation loss", eval_loss)):
                if value is not None and not math.isfinite(value):
                    raise Diverged(
                        f"the {name} is {value} at step {state.step}: "
                        f"try half the learning rate of {settings.learning_rate:g}"
                    )
            state.train_loss = mean
        finishing = last or state.stopped_early
        if improved or finishing or stop.requested or state.step % config.checkpoints.every_steps == 0:
            checkpoint()
        if stop.requested and not finishing:
            say(f"stopped at step {state.step}, the state is stored")
            return None

    # --- the result ---------------------------------------------------------------------------------------------
    if state.best_step is not None and state.best_step != state.step:
        say(f"taking the weights of step {state.best_step}, whose validation loss is the lowest")
        with blamed_on(UploadFailed):
            _copy_into(weights, checkpoints.load(state.best_step).weights)
    samples = []
    if prompts:
        say("writing sample answers after training")
        after = generate(model, encoder, prompts, config.evaluation.samples.max_new_tokens, device)
        samples = [
            prompt | {"before": before, "after": answer}
            for prompt, before, answer in zip(sample_prompts, state.samples_before, after, strict=True)
        ]
    report = RunReport(
        job_name=config.job_name,
        job_uid=config.job_uid,
        steps=state.step,
        resumed_from_step=resumed_from_step,
        stopped_early=state.stopped_early,
        best_step=state.best_step,
        train_loss=state.train_loss,
        eval_loss_before=state.eval_loss_before,
        eval_loss=state.best_eval_loss,
        supervised_tokens=state.supervised_tokens,
        seconds=round(time.monotonic() - started, 3),
        peak_memory_bytes=_peak_memory(config),
        truncated_rows=rows.truncated,
        ended_early_rows=rows.ended_early,
        unfinished_rows=rows.unfinished,
        left_out_rows=rows.left_out,
        versions=_versions(),
    )
    say("storing the result")
    report = export(
        model,
        encoder,
        config,
        report,
        state.metrics,
        samples,
        base=base,
        prepared=prepared,
        compared_on=held_out if len(held_out) else rows,
        output=output,
        local=scratch / "export",
    )
    with blamed_on(UploadFailed):
        if not config.checkpoints.keep_after_success:
            output.delete(config.checkpoint_path)
        output.delete(f".work/{config.job_uid}")
    return report


@dataclass
class _State:
    """What a run carries from step to step, besides weights and optimizer; stored in every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    train_loss: float = math.nan
    supervised_tokens: int = 0
    window_loss: float = 0.0
    window_tokens: int = 0
    window_supervised: int = 0
    eval_loss_before: float | None = None
    best_step: int | None = None
    best_eval_loss: float | None = None
    evaluations_without_gain: int = 0
    stopped_early: bool = False
    samples_before: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    """The progress lines so far, as JSON."""

    def judge(self, eval_loss: float, config: TrainerConfig) -> bool:
        """Note a validation loss; whether it is the best so far. Decides early stopping."""
        evaluation = config.evaluation
        if self.best_eval_loss is None or eval_loss < self.best_eval_loss - evaluation.min_delta:
            self.best_step, self.best_eval_loss, self.evaluations_without_gain = self.step, eval_loss, 0
            return True
        self.evaluations_without_gain += 1
        patience = evaluation.early_stopping_patience
        self.stopped_early = 0 < patience <= self.evaluations_without_gain
        return False

    def log(self, progress: Progress) -> None:
        """One progress line, on standard output and in the metrics."""
        self.metrics.append(progress.to_json())
        print(format_progress(progress), flush=True)


def _progress(config: TrainerConfig, state: _State, order: Order, **measured: float | None) -> Progress:
    return Progress(
        step=state.step,
        total_steps=config.hyperparameters.total_steps,
        epoch=round(state.step / order.steps_per_epoch, 4),
        time=time.time(),
        peak_memory_bytes=_peak_memory(config),
        **measured,
    )


class _StopRequest:
    """SIGTERM, remembered until the step is done."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: Any) -> None:
        self.requested = True


def _mixed_precision(config: TrainerConfig) -> str:
    """Autocast for adapters and fp32 masters; pure bf16 weights and fp32 compute as they are."""
    settings = config.hyperparameters
    return "no" if settings.precision == "fp32" or settings.master_weights == "none" else settings.precision


def _copy_into(weights: dict[str, torch.nn.Parameter], values: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(values[name])


def _peak_memory(config: TrainerConfig) -> int:
    """Bytes: of the card as its allocator reserved them, or of this process."""
    if config.device == "cuda":
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("finetune-operator", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "torch-optimi")
    return {name: version(name) for name in names} | {"python": sys.version.split()[0]}
