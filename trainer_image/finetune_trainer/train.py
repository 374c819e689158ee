"""The training step, from top to bottom."""

import math
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from finetune_core.contract import Progress, RunReport, TrainerConfig
from finetune_core.errors import DatasetUnavailable, Diverged, InvalidSpec, ModelUnavailable, UploadFailed, blamed_on
from finetune_storage import Folder, fetch, open_folder, revision_of
from finetune_storage.output import clear, refuse_occupied
from finetune_trainer.checkpoints import Checkpoints
from finetune_trainer.export import export, finished_report
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss, mean_loss
from finetune_trainer.mapped import map_model
from finetune_trainer.measures import perplexity, utilization
from finetune_trainer.merge import sample_loss
from finetune_trainer.model import DTYPES, load_model, trainable_parameters
from finetune_trainer.optimizer import make_optimizer, make_schedule
from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
from finetune_trainer.rows import Order, Rows
from finetune_trainer.samples import choose_graded, choose_samples, generate, graded
from finetune_trainer.sharding import like, load_optimizer_state, shard, whole
from finetune_trainer.stage import say, say_fetched
from finetune_trainer.state import State
from finetune_trainer.template import ChatEncoder, load_tokenizer


def train(config: TrainerConfig, scratch: Path) -> RunReport | None:
    """Train, export and store a model; resumes from the newest complete checkpoint of the same job and plan.

    Where several processes train together, each calls this; they all give the same answer.

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
    group = Group.join(torch.device(config.device))
    device = torch.device(config.device, group.local_rank) if config.device == "cuda" else torch.device("cpu")

    output = open_folder(config.output)
    finished = group.on_leader(lambda: _finished_before(output, config))
    if finished is not None:
        return finished

    # --- model and data -----------------------------------------------------------------------------------------
    accelerator = Accelerator(mixed_precision=_mixed_precision(config), cpu=config.device == "cpu")
    torch.manual_seed(settings.seed)
    say("fetching the model")
    with blamed_on(ModelUnavailable):
        base = group.on_each_node(lambda: fetch(config.model, scratch / "base", tell=say_fetched))
    say("loading the model")
    encoder = ChatEncoder(load_tokenizer(base), settings.train_on_prompt)
    sharded = settings.sharding == "full"
    if sharded:
        loaded, values = map_model(base, config)
        model = WithLoss(loaded)
        shard(model, values, group, device, DTYPES[settings.precision])
    else:
        loaded = load_model(base, config, device)
        model = WithLoss(loaded)
    with blamed_on(DatasetUnavailable):
        prepared = group.on_each_node(lambda: fetch(config.prepared, scratch / "prepared"))
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
    samples = choose_samples(config.evaluation.samples, prepared / SAMPLE_PROMPTS)
    labelled = choose_graded(config.task, prepared / SAMPLE_PROMPTS, encoder)

    # --- optimizer and state ------------------------------------------------------------------------------------
    weights = trainable_parameters(loaded)
    optimizer = accelerator.prepare(make_optimizer(list(weights.values()), settings))
    schedule = make_schedule(optimizer.optimizer, settings)
    checkpoints = Checkpoints(
        open_folder(config.output.below(config.checkpoint_path)),
        scratch / "checkpoints",
        config.checkpoints.keep,
        (config.job_name, config.job_uid),
    )

    def validation_loss() -> float:
        batches = held_out.micro_batches(range(len(held_out)), settings.micro_batch_size, group)
        with accelerator.autocast():
            return mean_loss(model, batches, device, group)

    state = State()
    # Sum of the losses since the last progress line, of this process; on the device, so that no step waits for it.
    window_loss = torch.zeros((), dtype=torch.float64, device=device)
    resumed_from_step = None
    with blamed_on(UploadFailed):
        restored = group.on_each_node(checkpoints.newest)
    if restored is not None:
        resumed_from_step = restored.step
        say(f"resuming from step {resumed_from_step}")
        _copy_into(weights, restored.weights())
        saved = restored.state()
        load_optimizer_state(optimizer.optimizer, saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(saved["scaler"])
        window_loss += _go_on(saved["processes"], settings.seed, group)
        state = State(**saved["run"])
        state.window_tokens = 0  # the clock of the speed starts anew
        del saved  # and with it the files it maps
        group.gather(None)
        if group.local_rank == 0:
            restored.remove()
    else:
        if group.size > 1:  # each draws its own dropout
            torch.manual_seed(settings.seed * 1_000_003 + group.rank)
        if samples or labelled:
            say("writing sample answers before training")
            state.answers_before = generate(model, encoder, [*samples, *labelled], device)
        if len(held_out):
            say("evaluating before training")
            state.eval_loss_before = validation_loss()

    def checkpoint() -> None:
        contents = {
            "optimizer": whole(optimizer.state_dict(), keep=group.leads) if sharded else optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
            "processes": group.gather(_of_this_process(config, window_loss)),
            "run": vars(state),
        }
        values = whole(weights, keep=group.leads)
        if group.leads:
            with blamed_on(UploadFailed):
                checkpoints.save(state.step, values, contents, state.best_step)

    clock = time.monotonic() - state.seconds
    if not state.metrics and state.eval_loss_before is not None:
        state.log(_progress(config, state, order, eval_loss=state.eval_loss_before), speak=group.leads)

    # --- the loop -----------------------------------------------------------------------------------------------
    model.train()
    say("training")
    window_started, window_step = time.monotonic(), state.step
    saved_at = time.monotonic()
    while state.step < settings.total_steps and not state.stopped_early:
        micro_batches = rows.micro_batches(order.step(state.step), settings.micro_batch_size, group)
        supervised = group.total(sum(batch.supervised_tokens for batch in micro_batches))
        for batch in micro_batches:
            with accelerator.autocast():
                loss = model(batch.to(device))
            accelerator.backward(loss / supervised)
            window_loss += loss.detach()
            state.window_tokens += batch.tokens
        if not sharded:
            group.sum_gradients(weights.values())
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
        logs = evaluate or last or state.step % settings.logging_steps == 0
        if logs and config.device == "cuda":
            torch.cuda.synchronize(device)  # so that evaluating is not counted as training
        trained_until = time.monotonic()
        if evaluate:
            eval_loss = validation_loss()
            improved = state.judge(eval_loss, config.evaluation)
            state.stopped_early = state.stopped_early and not last
        if logs:
            mean = float(group.sum(window_loss)) / state.window_supervised
            tokens = group.total(state.window_tokens)
            elapsed = max(trained_until - window_started, 1e-9)
            state.tokens += tokens
            state.training_seconds += elapsed
            state.log(
                _progress(
                    config,
                    state,
                    order,
                    loss=mean,
                    eval_loss=eval_loss,
                    learning_rate=learning_rate,
                    grad_norm=float(whole(grad_norm)),
                    tokens_per_second=tokens / elapsed if state.step > window_step else None,
                ),
                speak=group.leads,
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
        long_ago = group.leads and time.monotonic() - saved_at >= config.checkpoints.every_seconds
        stopping, due = group.any(stop.requested, long_ago)
        if improved or finishing or stopping or due or state.step % config.checkpoints.every_steps == 0:
            checkpoint()
            saved_at = time.monotonic()
        if stopping and not finishing:
            with blamed_on(UploadFailed):
                checkpoints.wait()
            say(f"stopped at step {state.step}, the state is stored")
            return None

    # --- the result ---------------------------------------------------------------------------------------------
    with blamed_on(UploadFailed):
        checkpoints.wait()
    if state.best_step is not None and state.best_step != state.step:
        say(f"taking the weights of step {state.best_step}, whose validation loss is the lowest")
        best_step = state.best_step
        with blamed_on(UploadFailed):
            _copy_into(weights, group.on_each_node(lambda: checkpoints.fetch(best_step)).weights())
    answers: list[str] = []
    if samples or labelled:
        say("writing sample answers after training")
        answers = generate(model, encoder, [*samples, *labelled], device)
    told = [
        {"messages": prompt.messages, "reference": prompt.reference, "before": before, "after": after}
        for prompt, before, after in zip(samples, state.answers_before, answers, strict=False)
    ]
    speed = state.tokens / state.training_seconds if state.training_seconds else None
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
        perplexity_before=perplexity(state.eval_loss_before),
        perplexity=perplexity(state.best_eval_loss),
        accuracy=graded(labelled, state.answers_before[len(samples) :], answers[len(samples) :]),
        supervised_tokens=state.supervised_tokens,
        seconds=round(time.monotonic() - started, 3),
        gpu=torch.cuda.get_device_name(device) if config.device == "cuda" else None,
        gpus=group.size,
        tokens_per_second=speed,
        model_flops_utilization=utilization(config, speed),
        peak_memory_bytes=_peak_memory(config),
        predicted_memory_bytes=config.plan.memory.peak_bytes if config.plan.memory else None,
        model_revision=revision_of(config.model, base),
        data_fingerprint=config.prepare_report.fingerprint,
        seed=settings.seed,
        truncated_rows=rows.truncated,
        ended_early_rows=rows.ended_early,
        unfinished_rows=rows.unfinished,
        left_out_rows=rows.left_out,
        versions=_versions(),
    )
    compared_on = held_out if len(held_out) else rows
    adapted_loss = None
    if config.merges:
        say("comparing the merged model with its adapter")
        with accelerator.autocast():
            adapted_loss = sample_loss(model, compared_on, settings.micro_batch_size, device, group)
    trained = whole(loaded.state_dict() if config.method == "full" else weights, keep=group.leads) if sharded else None

    def store() -> RunReport:
        say("storing the result")
        stored = export(
            loaded,
            trained,
            encoder,
            config,
            report,
            state.metrics,
            told,
            base=base,
            prepared=prepared,
            compared_on=compared_on,
            adapted_loss=adapted_loss,
            device=device,
            output=output,
            local=scratch / "export",
        )
        with blamed_on(UploadFailed):
            if not config.checkpoints.keep_after_success:
                output.delete(config.checkpoint_path)
            output.delete(f".work/{config.job_uid}")
        return stored

    answer = group.on_leader(store)
    group.leave()
    return answer


def _finished_before(output: Folder, config: TrainerConfig) -> RunReport | None:
    """The report of this job where its model is there already; otherwise the place is made ready.

    Raises:
        OutputOccupied: another job's model is there.
    """
    with blamed_on(UploadFailed):
        if refuse_occupied(output, config.job_name, config.job_uid, config.overwrite):
            return finished_report(output, config)
        clear(output)
    return None


def _progress(config: TrainerConfig, state: State, order: Order, **measured: float | None) -> Progress:
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
            parameter.copy_(like(values[name], parameter))


def _of_this_process(config: TrainerConfig, window_loss: torch.Tensor) -> dict[str, Any]:
    """What each process has of its own: the generators that dropout draws from, and the losses not yet logged."""
    cuda = torch.cuda.get_rng_state() if config.device == "cuda" else None
    return {"rng": torch.get_rng_state(), "cuda_rng": cuda, "window_loss": float(window_loss)}


def _go_on(saved: list[dict[str, Any]], seed: int, group: Group) -> float:
    """Take up what this process had; the losses not yet logged. Where there were others, dropout begins anew."""
    if len(saved) != group.size:
        torch.manual_seed(seed * 1_000_003 + group.rank)
        return sum(process["window_loss"] for process in saved) if group.leads else 0.0
    mine = saved[group.rank]
    torch.set_rng_state(mine["rng"])
    if mine["cuda_rng"] is not None:
        torch.cuda.set_rng_state(mine["cuda_rng"])
    return float(mine["window_loss"])


def _peak_memory(config: TrainerConfig) -> int:
    """Bytes: of the card as its allocator reserved them, or of this process."""
    if config.device == "cuda":
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("finetune-operator", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "torch-optimi")
    return {name: version(name) for name in names} | {"python": sys.version.split()[0]}
