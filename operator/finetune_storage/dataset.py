"""A dataset on this machine: its files, and how one that comes from elsewhere is received."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finetune_core.contract.environment import DATASET_LIMIT_VARIABLE, DEFAULT_DATASET_LIMIT_BYTES
from finetune_core.errors import InvalidSpec, StorageError
from finetune_storage.choice import choose
from finetune_storage.folder import Entry
from finetune_storage.local import existing, os_errors

_READ_BYTES = 2**20


@dataclass(frozen=True)
class DataFile:
    """One file of a dataset, on this machine."""

    path: Path
    sha256: str
    """In hexadecimal."""


@dataclass(frozen=True)
class Data:
    """A dataset that was fetched."""

    source: str
    """Where it came from, as people may see it: the hub's commit is in it, a signature is not."""
    files: tuple[DataFile, ...]
    """At least one; in this order they are one set of rows."""


class Receiver:
    """A file being written: counted and hashed on its way, and stopped where it passes the limit."""

    def __init__(self, file: BinaryIO, source: str) -> None:
        self._file = file
        self._source = source
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        """Append the next bytes.

        Raises:
            StorageError: there are more than may come.
        """
        self.size_bytes += len(data)
        refuse_oversize(self.size_bytes, self._source, so_far=True)
        self._digest.update(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        """Of what was written, in hexadecimal."""
        return self._digest.hexdigest()


def local_dataset(path: Path, root: Path | None, split: str) -> Data:
    """A file of this machine, or the data of a folder, where they lie.

    Raises:
        NotFound: nothing lies there, or no data.
        StorageError: it is no file, leads out of ``root``, or could not be read.
    """
    names = [""]
    if existing(path, root).is_dir():
        names = [entry.path for entry in choose(_entries(path), split, str(path))]
    return Data(str(path), measured((path / name for name in names), str(path), root))


def measured(paths: Iterable[Path], source: str, root: Path | None = None) -> tuple[DataFile, ...]:
    """The files with their digests; each is read once, and no further than the limit.

    Raises:
        StorageError: together they pass the limit, one is no file or leads out of ``root``, or could not be read.
    """
    paths = [_regular(existing(path, root)) for path in paths]
    with os_errors(paths[0]):
        refuse_oversize(sum(path.stat().st_size for path in paths), source)
    return tuple(_measured(path, source) for path in paths)


def _entries(folder: Path) -> Iterator[Entry]:
    """Every name below the folder that is no folder; links to folders are not followed."""
    with os_errors(folder):
        for where, _, names in os.walk(folder):
            for name in names:
                yield Entry(Path(where, name).relative_to(folder).as_posix(), 0)


def _regular(path: Path) -> Path:
    with os_errors(path):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        raise StorageError(f"{path} is {kind}, where a file is needed: name a file")
    return path


def _measured(path: Path, source: str) -> DataFile:
    digest, size_bytes = hashlib.sha256(), 0
    with os_errors(path), path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            size_bytes += len(data)
            refuse_oversize(size_bytes, source, so_far=True)  # it may be growing
            digest.update(data)
    return DataFile(path, digest.hexdigest())


def refuse_oversize(size_bytes: int, source: str, *, so_far: bool = False) -> None:
    """Refuse a dataset that is larger than may be fetched.

    Args:
        size_bytes: its size, or what came of it ``so_far``.
        source: for the message.

    Raises:
        StorageError: it is larger.
        InvalidSpec: the limit that was set is no number.
    """
    limit = _limit_bytes()
    if size_bytes > limit:
        raise StorageError(
            f"{source} has {'more than ' if so_far else ''}{limit if so_far else size_bytes:,} bytes, and the limit is "
            f"{limit:,}: train on a part of it, or raise {DATASET_LIMIT_VARIABLE} (in a cluster the operator's "
            "settings.maxDatasetBytes)"
        )


def _limit_bytes() -> int:
    text = os.environ.get(DATASET_LIMIT_VARIABLE) or str(DEFAULT_DATASET_LIMIT_BYTES)
    if not text.isdecimal():
        raise InvalidSpec(f"{DATASET_LIMIT_VARIABLE}={text!r} is no number of bytes: write digits alone")
    return int(text)
