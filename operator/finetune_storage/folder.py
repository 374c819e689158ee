"""What an output place can do, and what every client must refuse."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finetune_core.contract import ManifestFile
from finetune_core.errors import StorageError

WEIGHTS_SUFFIX = ".safetensors"

READ_LIMIT_BYTES = 64 * 2**20
"""``Folder.read`` is for manifests, reports and states; more than this in memory is a mistake or an attack."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One stored file."""

    path: str
    """Relative to the folder, with ``/`` between the parts."""
    size_bytes: int


class Folder(Protocol):
    """An output place. Every path is relative to it, with ``/`` between the parts and no ``..``.

    A file appears whole or not at all. Every method raises StorageError where the place refuses or does not answer.
    """

    @property
    def uri(self) -> str:
        """The place's URI."""

    def list(self) -> Iterator[Entry]:
        """Every file below the folder, in no promised order; none where the folder does not exist."""

    def read(self, path: str) -> bytes:
        """A small file's content (64 MiB at most).

        Raises:
            NotFound: there is no such file.
        """

    def write(self, path: str, data: bytes) -> None:
        """Store ``data`` as a file; a file of that name is replaced."""

    def upload(self, local: Path, path: str) -> ManifestFile:
        """Store the local file, and tell the size and SHA-256 of the bytes that were sent.

        Raises:
            NotFound: there is no such local file.
        """

    def download(self, path: str, local: Path) -> None:
        """Make the stored file a local one; folders above it are made.

        Raises:
            NotFound: there is no such stored file.
        """

    def delete(self, prefix: str) -> None:
        """Remove the file of that name and everything below the folder of that name; ``""``: everything.

        It is no error when nothing is there.
        """


def checked_path(path: str, where: str) -> str:
    """Give ``path`` back if it stays below the folder ``where``.

    Raises:
        StorageError: it is absolute, or has an empty part, ``.``, ``..`` or a character that no file name should have.
    """
    if _CONTROL.search(path) or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise StorageError(
            f"{path!r} is no path below {where}: rename it, without '..', '//', a leading '/' or control characters"
        )
    return path


def refuse_large(size_bytes: int, what: str) -> None:
    """Refuse to read more than ``READ_LIMIT_BYTES`` into memory.

    Raises:
        StorageError: it is larger.
    """
    if size_bytes > READ_LIMIT_BYTES:
        raise StorageError(
            f"{what} has {size_bytes} bytes, more than the {READ_LIMIT_BYTES} that are read at once: "
            "it is not a file that we wrote, remove it"
        )
