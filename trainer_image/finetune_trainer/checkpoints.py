"""Checkpoints: everything a run needs to go on bit for bit, complete or not there at all.

A checkpoint is a folder ``step-00000100`` whose ``complete.json`` is written last and lists every file with its
SHA-256. One without it, or with a file that differs, is passed over for the one before.

A checkpoint is written to the local disk at once and uploaded in the background, while training goes on.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from finetune_core.contract import Manifest, ManifestFile
from finetune_core.errors import NotFound, StorageError
from finetune_storage import Folder, sha256_of

COMPLETE = "complete.json"
WEIGHTS = "weights.safetensors"
STATE = "state.pt"
_NAME = re.compile(r"step-(\d{8})/")


@dataclass(frozen=True)
class Fetched:
    """A checkpoint in a local folder, every byte of it verified."""

    step: int
    folder: Path

    def weights(self) -> dict[str, torch.Tensor]:
        """What is trained, by name; mapped, as the state is: it need not fit into the machine's memory."""
        return load_file(self.folder / WEIGHTS)

    def state(self) -> dict[str, Any]:
        """What else a run needs to go on."""
        state: dict[str, Any] = torch.load(self.folder / STATE, map_location="cpu", weights_only=True, mmap=True)
        return state

    def remove(self) -> None:
        """Free the disk; what is mapped stays."""
        shutil.rmtree(self.folder)


class Checkpoints:
    """The checkpoints of one job and plan, in the job's output place."""

    def __init__(self, folder: Folder, scratch: Path, keep: int, owner: tuple[str, str]) -> None:
        self._folder = folder
        self._scratch = scratch
        self._keep = keep
        self._owner = owner
        """Job name and UID."""
        self._damaged: set[int] = set()
        """Steps whose checkpoint could not be read: passed over until it is written again."""
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._under_way: Future[None] | None = None

    def save(self, step: int, weights: dict[str, torch.Tensor], state: dict[str, Any], best: int | None) -> None:
        """Write a checkpoint and begin to upload it, once the one before is stored.

        Raises:
            StorageError: the one before could not be stored.
        """
        self.wait()
        local = self._scratch / _name(step)
        local.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in weights.items()}, local / WEIGHTS)
        torch.save(state, local / STATE)
        self._under_way = self._uploads.submit(self._upload, step, local, best)

    def wait(self) -> None:
        """Until the last checkpoint is stored.

        Raises:
            StorageError: it could not be.
        """
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _upload(self, step: int, local: Path, best: int | None) -> None:
        """Store it, then remove the oldest beyond ``keep``; the best one stays."""
        if step in self._complete_steps():
            shutil.rmtree(local)
            return
        name = _name(step)
        self._folder.delete(name)
        files = []
        for file in (WEIGHTS, STATE):
            stored = self._folder.upload(local / file, f"{name}/{file}")
            files.append(ManifestFile(path=file, size_bytes=stored.size_bytes, sha256=stored.sha256))
        shutil.rmtree(local)
        job_name, job_uid = self._owner
        complete = Manifest(job_name=job_name, job_uid=job_uid, files=files)
        self._folder.write(f"{name}/{COMPLETE}", complete.to_json(indent=2).encode())
        self._damaged.discard(step)
        self._prune(best)

    def newest(self) -> Fetched | None:
        """Fetch the newest checkpoint that is complete and whole; damaged ones are named on standard error."""
        self.wait()
        for step in sorted(self._complete_steps(), reverse=True):
            try:
                return self.fetch(step)
            except (StorageError, ValidationError) as error:
                print(f"checkpoint of step {step} is damaged, trying the one before: {error}", file=sys.stderr)
                self._damaged.add(step)
        return None

    def fetch(self, step: int) -> Fetched:
        """Fetch a certain checkpoint.

        Raises:
            StorageError: it is not complete, another job's, or a file of it is not what was written.
        """
        self.wait()
        name = _name(step)
        complete = Manifest.model_validate_json(self._folder.read(f"{name}/{COMPLETE}"))
        if complete.job_uid != self._owner[1]:
            raise StorageError(f"{name} belongs to another job ({complete.job_name})")
        local = self._scratch / name
        local.mkdir(parents=True, exist_ok=True)
        for file in complete.files:
            self._folder.download(f"{name}/{file.path}", local / Path(file.path).name)
            if sha256_of(local / Path(file.path).name) != file.sha256:
                raise StorageError(f"{name}/{file.path} is not what was written: its SHA-256 differs")
        return Fetched(step, local)

    def _complete_steps(self) -> set[int]:
        complete = {int(match[1]) for path in self._paths() if (match := _NAME.match(path)) and path.endswith(COMPLETE)}
        return complete - self._damaged

    def _paths(self) -> Iterator[str]:
        try:
            for entry in self._folder.list():
                yield entry.path
        except NotFound:
            return

    def _prune(self, best: int | None) -> None:
        steps = sorted(self._complete_steps())
        for step in steps[: -self._keep]:
            if step != best:
                # The mark goes first: a half-removed checkpoint must not look complete.
                self._folder.delete(f"{_name(step)}/{COMPLETE}")
                self._folder.delete(_name(step))


def _name(step: int) -> str:
    return f"step-{step:08d}"
