"""What is trained and with what; how it begins or goes on; its steps, measurements and checkpoints."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from finetune_core.contract import Progress, TrainerConfig
from finetune_core.errors import DatasetUnavailable, Diverged, ModelUnavailable, UploadFailed, blamed_on
from finetune_storage import fetch, open_folder
from finetune_trainer.checkpoints import Checkpoints, Fetched
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss, mean_loss
from finetune_trainer.mapped import map_model
from finetune_trainer.measures import peak_memory
from finetune_trainer.model import DTYPES, load_model, trainable_parameters
from finetune_trainer.optimizer import make_optimizer, make_schedule
from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
from finetune_trainer.rows import Order, Rows
from finetune_trainer.samples import choose_graded, choose_samples, generate
from finetune_trainer.sharding import like, load_optimizer_state, shard, whole
from finetune_trainer.stage import say, say_fetched
from finetune_trainer.state import State
from finetune_trainer.template import ChatEncoder, load_tokenizer


class Training:
    """One process' part in the training of a model, from its loading to its last step."""

    def __init__(self, config: TrainerConfig, scratch: Path, group: Group) -> None:
        """Fetch and load everything.

        Args:
            config: what to train, and how.
            scratch: folder of this machine for what is fetched and for checkpoints on their way.
            group: the processes that train together.

        Raises:
            ModelUnavailable: the model cannot be fetched or loaded.
            DatasetUnavailable: the prepared rows cannot be fetched, or nothing in them can be learnt.
        """
        self.config, self.scratch, self.group = config, scratch, group
        self.settings = settings = config.hyperparameters
        self.sharded = settings.sharding == "full"
        self.device = torch.device("cuda", group.local_rank) if config.device == "cuda" else torch.device("cpu")
        self.accelerator = Accelerator(mixed_precision=_mixed_precision(config), cpu=config.device == "cpu")
        torch.manual_seed(settings.seed)

        say("fetching the model")
        with blamed_on(ModelUnavailable):
            self.base = group.on_each_node(lambda: fetch(config.model, scratch / "base", tell=say_fetched))
        say("loading the model")
        self.encoder = ChatEncoder(load_tokenizer(self.base), settings.train_on_prompt)
        self.loaded, self.model = self._load_model()

        with blamed_on(DatasetUnavailable):
            self.prepared = group.on_each_node(lambda: fetch(config.prepared, scratch / "prepared"))
        self.rows = Rows(self.prepared / TRAIN_ROWS, settings.cutoff_length, settings.packing)
        self.held_out = Rows(self.prepared / VALIDATION_ROWS, settings.cutoff_length, settings.packing)
        _tell_of_cut_rows(self.rows, settings.cutoff_length)
        self.order = Order(len(self.rows), settings.effective_batch_size, settings.seed)
        self.samples = choose_samples(config.evaluation.samples, self.prepared / SAMPLE_PROMPTS)
        self.labelled = choose_graded(config.task, self.prepared / SAMPLE_PROMPTS, self.encoder)

        self.weights = trainable_parameters(self.loaded)
        self.optimizer = self.accelerator.prepare(make_optimizer(list(self.weights.values()), settings))
        self.schedule = make_schedule(self.optimizer.optimizer, settings)
        self.checkpoints = Checkpoints(
            open_folder(config.output.below(config.checkpoint_path)),
            scratch / "checkpoints",
            config.checkpoints.keep,
            (config.job_name, config.job_uid),
        )
        self.state = State()
        self.resumed_from_step: int | None = None
        # Sum of the losses since the last progress line, of this process; on the device, so that no step waits for it.
        self._window_loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self._window_started, self._window_step = time.monotonic(), 0

    def _load_model(self) -> tuple[PreTrainedModel | PeftModel, WithLoss]:
        if not self.sharded:
            loaded = load_model(self.base, self.config, self.device)
            return loaded, WithLoss(loaded)
        loaded, values = map_model(self.base, self.config)
        model = WithLoss(loaded)
        shard(model, values, self.group, self.device, DTYPES[self.settings.precision])
        return loaded, model

    # --- its beginning ------------------------------------------------------------------------------------------

    def resume_or_begin(self) -> None:
        """Go on from the newest complete checkpoint; where there is none, look at the model as it is."""
        with blamed_on(UploadFailed):
            restored = self.group.on_each_node(self.checkpoints.newest)
        if restored is not None:
            self._resume(restored)
        else:
            self._begin()

    def _resume(self, restored: Fetched) -> None:
        self.resumed_from_step = restored.step
        say(f"resuming from step {restored.step}")
        self._take(restored)
        saved = restored.state()
        load_optimizer_state(self.optimizer.optimizer, saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        self._go_on(saved["processes"])
        self.state = State(**saved["run"])
        self.state.window_tokens = 0  # the clock of the speed starts anew
        del saved  # and with it the files it maps
        self.group.gather(None)
        if self.group.local_rank == 0:
            restored.remove()

    def _begin(self) -> None:
        if self.group.size > 1:
            self._draw_own_dropout()
        self.state.answers_before = self.answers("before")
        if len(self.held_out):
            say("evaluating before training")
            self.state.eval_loss_before = self.validation_loss()
            self._log(eval_loss=self.state.eval_loss_before)

    def _draw_own_dropout(self) -> None:
        """Each process another."""
        torch.manual_seed(self.settings.seed * 1_000_003 + self.group.rank)

    # --- its steps ----------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool]) -> bool:
        """Train to the end, or until somebody wants it to stop; whether it is the end.

        What there is by then is stored.

        Raises:
            Diverged: a loss is no number any more.
            UploadFailed: a checkpoint cannot be stored.
        """
        state, settings, checkpoints = self.state, self.settings, self.config.checkpoints
        self.model.train()
        say("training")
        began = time.monotonic() - state.seconds
        self._window_started, self._window_step = time.monotonic(), state.step
        saved_at = time.monotonic()
        finishing = stopping = False
        while state.step < settings.total_steps and not state.stopped_early and not stopping:
            done = self._step()
            state.seconds = time.monotonic() - began
            improved = self._measure(done)
            finishing = self._is_last or state.stopped_early
            long_ago = self.group.leads and time.monotonic() - saved_at >= checkpoints.every_seconds
            stopping, due = self.group.any(until(), long_ago)
            if improved or finishing or stopping or due or state.step % checkpoints.every_steps == 0:
                self._checkpoint()
                saved_at = time.monotonic()
        with blamed_on(UploadFailed):
            self.checkpoints.wait()
        return finishing or not stopping

    @property
    def _is_last(self) -> bool:
        return self.state.step == self.settings.total_steps

    def _step(self) -> "_Done":
        """One step of the optimizer, by all processes."""
        state, settings = self.state, self.settings
        micro_batches = self.rows.micro_batches(self.order.step(state.step), settings.micro_batch_size, self.group)
        supervised = self.group.total(sum(batch.supervised_tokens for batch in micro_batches))
        for batch in micro_batches:
            with self.accelerator.autocast():
                loss = self.model(batch.to(self.device))
            self.accelerator.backward(loss / supervised)
            self._window_loss += loss.detach()
            state.window_tokens += batch.tokens
        weights = list(self.weights.values())
        if not self.sharded:
            self.group.sum_gradients(weights)
        grad_norm = self.accelerator.clip_grad_norm_(weights, settings.max_grad_norm)
        learning_rate = self.schedule.get_last_lr()[0]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        state.step += 1
        state.supervised_tokens += supervised
        state.window_supervised += supervised
        return _Done(learning_rate, grad_norm)

    def _measure(self, done: "_Done") -> bool:
        """Evaluate and log, where it is time; whether the validation loss is the best so far."""
        state, settings = self.state, self.settings
        evaluate = len(self.held_out) > 0 and (self._is_last or state.step % settings.evaluation_steps == 0)
        if not (evaluate or self._is_last or state.step % settings.logging_steps == 0):
            return False
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # so that evaluating is not counted as training
        trained_until = time.monotonic()
        improved, eval_loss = False, None
        if evaluate:
            eval_loss = self.validation_loss()
            improved = state.judge(eval_loss, self.config.evaluation)
            state.stopped_early = state.stopped_early and not self._is_last
        self._close_window(done, eval_loss, max(trained_until - self._window_started, 1e-9))
        return improved

    def _close_window(self, done: "_Done", eval_loss: float | None, seconds: float) -> None:
        """The progress line of the steps since the one before, which took so many seconds."""
        state, group = self.state, self.group
        mean = float(group.sum(self._window_loss)) / state.window_supervised
        tokens = group.total(state.window_tokens)
        state.tokens += tokens
        state.training_seconds += seconds
        self._log(
            loss=mean,
            eval_loss=eval_loss,
            learning_rate=done.learning_rate,
            grad_norm=float(whole(done.grad_norm)),
            tokens_per_second=tokens / seconds if state.step > self._window_step else None,
        )
        self._window_loss.zero_()
        state.window_tokens = state.window_supervised = 0
        self._window_started, self._window_step = time.monotonic(), state.step
        for name, value in (("loss", mean), ("validation loss", eval_loss)):
            if value is not None and not math.isfinite(value):
                raise Diverged(
                    f"the {name} is {value} at step {state.step}: "
                    f"try half the learning rate of {self.settings.learning_rate:g}"
                )
        state.train_loss = mean

    def _log(self, **measured: float | None) -> None:
        progress = Progress(
            step=self.state.step,
            total_steps=self.settings.total_steps,
            epoch=round(self.state.step / self.order.steps_per_epoch, 4),
            time=time.time(),
            peak_memory_bytes=peak_memory(self.device),
            **measured,
        )
        self.state.log(progress, speak=self.group.leads)

    # --- what is asked of the model -----------------------------------------------------------------------------

    def validation_loss(self) -> float:
        """Mean over the supervised tokens that are held out."""
        batches = self.held_out.micro_batches(range(len(self.held_out)), self.settings.micro_batch_size, self.group)
        with self.accelerator.autocast():
            return mean_loss(self.model, batches, self.device, self.group)

    def answers(self, when: str) -> list[str]:
        """To the sample prompts and, after them, to the labelled ones."""
        prompts = [*self.samples, *self.labelled]
        if not prompts:
            return []
        say(f"writing sample answers {when} training")
        return generate(self.model, self.encoder, prompts, self.device)

    # --- checkpoints --------------------------------------------------------------------------------------------

    def take_best(self) -> None:
        """Put the weights of the lowest validation loss back, where a later step is not as good."""
        best_step = self.state.best_step
        if best_step is None or best_step == self.state.step:
            return
        say(f"taking the weights of step {best_step}, whose validation loss is the lowest")
        with blamed_on(UploadFailed):
            self._take(self.group.on_each_node(lambda: self.checkpoints.fetch(best_step)))

    def _take(self, checkpoint: Fetched) -> None:
        values = checkpoint.weights()
        with torch.no_grad():
            for name, parameter in self.weights.items():
                parameter.copy_(like(values[name], parameter))

    def _checkpoint(self) -> None:
        optimizer = self.optimizer.state_dict()
        contents = {
            "optimizer": whole(optimizer, keep=self.group.leads) if self.sharded else optimizer,
            "schedule": self.schedule.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else None,
            "processes": self.group.gather(self._own()),
            "run": vars(self.state),
        }
        values = whole(self.weights, keep=self.group.leads)
        if self.group.leads:
            with blamed_on(UploadFailed):
                self.checkpoints.save(self.state.step, values, contents, self.state.best_step)

    def _own(self) -> dict[str, Any]:
        """What each process has of its own: the generators that dropout draws from, and the losses not yet logged."""
        cuda = torch.cuda.get_rng_state() if self.device.type == "cuda" else None
        return {"rng": torch.get_rng_state(), "cuda_rng": cuda, "window_loss": float(self._window_loss)}

    def _go_on(self, saved: list[dict[str, Any]]) -> None:
        """Take up what this process had. Where there were others, dropout begins anew."""
        if len(saved) != self.group.size:
            self._draw_own_dropout()
            self._window_loss += sum(process["window_loss"] for process in saved) if self.group.leads else 0.0
            return
        mine = saved[self.group.rank]
        torch.set_rng_state(mine["rng"])
        if mine["cuda_rng"] is not None:
            torch.cuda.set_rng_state(mine["cuda_rng"])
        self._window_loss += mine["window_loss"]


class _Done(NamedTuple):
    """What a step was done with."""

    learning_rate: float
    grad_norm: Tensor


def _mixed_precision(config: TrainerConfig) -> str:
    """Autocast for adapters and fp32 masters; pure bf16 weights and fp32 compute as they are."""
    settings = config.hyperparameters
    return "no" if settings.precision == "fp32" or settings.master_weights == "none" else settings.precision


def _tell_of_cut_rows(rows: Rows, cutoff: int) -> None:
    if not len(rows):
        raise DatasetUnavailable(f"no row has a supervised token within the cutoff of {cutoff}: raise cutoffLength")
    if rows.truncated or rows.left_out:
        say(
            f"{rows.truncated} rows are longer than the cutoff of {cutoff} tokens: "
            f"{rows.ended_early} end after an earlier answer, {rows.unfinished} within one; "
            f"{rows.left_out} are left out, with nothing to learn before the cutoff"
        )
