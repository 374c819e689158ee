"""What an output place can do, and which client serves which scheme."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finetune_core.api.location import FileUri, HubUri, S3Uri, parse_uri
from finetune_core.contract import ManifestFile, Place
from finetune_core.errors import InvalidSpec, StorageError

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


def fetch(place: Place, into: Path, weights: bool = True) -> Path:
    """Make what lies at ``place`` a local path, to be read and not changed.

    ``file://`` gives the path itself. ``s3://`` gives a file, or a folder with all that lies below the prefix, under
    ``into``, in place of what an earlier fetch left there. ``hf://`` gives a path in the hub's own cache: the folder of
    a model, or one file of a dataset.

    Args:
        place: where it lies.
        into: folder of this machine for what has to be copied.
        weights: without them, a model's configuration and tokenizer alone are downloaded.

    Raises:
        InvalidSpec: the place names something that cannot be fetched.
        NotFound: nothing lies there.
        StorageError: it could not be read, or there is no room for it.
    """
    match parse_uri(place.uri):
        case FileUri(path):
            from finetune_storage import local

            return local.existing(Path(path))
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.fetch(place, location, into, weights)
        case HubUri() as repository:
            from finetune_storage import hub

            return hub.fetch(place, repository, weights)


def open_folder(place: Place) -> Folder:
    """Open an output place. Nothing is read or written yet, so it need not exist.

    Raises:
        InvalidSpec: the place can only be read.
        StorageError: its credentials, endpoint or region cannot be used.
    """
    match parse_uri(place.uri):
        case FileUri(path):
            from finetune_storage import local

            return local.LocalFolder(place.uri, Path(path))
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.S3Folder(place, location)
        case HubUri():
            raise InvalidSpec(f"{place.uri} can only be read: write an output as s3://bucket/prefix or file:///path")


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
