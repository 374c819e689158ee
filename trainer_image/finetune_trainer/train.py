"""The training step, from top to bottom."""

import signal
import time
from pathlib import Path
from typing import Any

import torch

from finetune_core.contract import RunReport, TrainerConfig
from finetune_core.errors import InvalidSpec, UploadFailed, blamed_on
from finetune_storage import Folder, open_folder
from finetune_storage.output import clear, refuse_occupied
from finetune_trainer.export import finished_report
from finetune_trainer.group import Group
from finetune_trainer.result import store_result
from finetune_trainer.stage import say
from finetune_trainer.training import Training


def train(config: TrainerConfig, scratch: Path) -> RunReport | None:
    """Train, export and store a model; resumes from the newest complete checkpoint of the same job and plan.

    Where several processes train together, each calls this; they all give the same answer.

    Returns:
        The report, or None when SIGTERM asked to stop: the state is stored, and the same call goes on from there.

    Raises:
        FinetuneError: the class is the failure reason.
    """
    started = time.monotonic()
    stop = _StopRequest()
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidSpec("gpu.type asks for a CUDA card and this machine has none: set gpu.type to cpu")
    group = Group.join(torch.device(config.device))
    output = open_folder(config.output)
    finished = group.on_leader(lambda: _finished_before(output, config))
    if finished is not None:
        return finished

    training = Training(config, scratch, group)
    training.resume_or_begin()
    if not training.run(until=lambda: stop.requested):
        say(f"stopped at step {training.state.step}, the state is stored")
        return None
    report = store_result(training, output, started)
    group.leave()
    return report


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


class _StopRequest:
    """SIGTERM, remembered until the step is done."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: Any) -> None:
        self.requested = True
