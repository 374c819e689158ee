"""Folders of this machine, and what its operating system says when it refuses."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from uuid import uuid4

from finetune_core.contract import ManifestFile
from finetune_core.errors import NotFound, StorageError
from finetune_storage.folder import Entry, checked_path, refuse_large

PARTIAL_SUFFIX = ".finetune-part"
"""Ends the name of what is still being written; never listed, never taken for finished."""

_COPY_BYTES = 2**20


class LocalFolder:
    """A folder of this machine. Symbolic links that lead out of it are not followed."""

    def __init__(self, uri: str, root: Path) -> None:
        self.uri = uri
        self._root = root

    def list(self) -> Iterator[Entry]:
        """Every file below the folder; what is still being written is left out."""
        with os_errors(self._root):
            for folder, _, names in os.walk(self._root, onerror=_raise_unless_missing):
                for file in (Path(folder, name) for name in names if not name.endswith(PARTIAL_SUFFIX)):
                    if file.is_file() and self._contains(file):
                        yield Entry(file.relative_to(self._root).as_posix(), file.stat().st_size)

    def read(self, path: str) -> bytes:
        """A small file's content."""
        file = self._locate(path, follow=True)
        with os_errors(file):
            refuse_large(file.stat().st_size, str(file))
            return file.read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Store ``data`` as a file."""
        with replacing(self._locate(path)) as file:
            file.write(data)

    def upload(self, local: Path, path: str) -> ManifestFile:
        """Copy the local file here."""
        size_bytes, sha256 = _copy(local, self._locate(path))
        return ManifestFile(path=path, size_bytes=size_bytes, sha256=sha256)

    def download(self, path: str, local: Path) -> None:
        """Copy the stored file to ``local``."""
        _copy(self._locate(path, follow=True), local)

    def delete(self, prefix: str) -> None:
        """Remove a file, or a folder with all that it holds, and the folders that this leaves empty."""
        with os_errors(self._root):
            if prefix:
                _remove(self._locate(prefix))
                left = [self._root / parent for parent in PurePosixPath(prefix).parents[:-1]]
            else:
                for child in self._root.iterdir() if self._root.is_dir() else ():
                    _remove(child)
                left = [self._root]
        with suppress(OSError):  # the first that is not empty ends it
            for folder in left:
                folder.rmdir()

    def _locate(self, path: str, *, follow: bool = False) -> Path:
        """The path below the root; ``follow``: the file itself will be opened, not only its name replaced."""
        target = self._root / checked_path(path, str(self._root))
        if not self._contains(target if follow else target.parent):
            raise StorageError(f"{target} leads out of {self._root} by a symbolic link: replace the link by a copy")
        return target

    def _contains(self, path: Path) -> bool:
        return _inside(path, self._root)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a local file, in hexadecimal.

    Raises:
        NotFound: there is no such file.
        StorageError: it could not be read.
    """
    with os_errors(file), file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def existing(path: Path, root: Path | None = None) -> Path:
    """Give the path back if something lies there, and not outside of ``root``.

    Raises:
        NotFound: nothing does.
        StorageError: a link leads out of ``root``, or we may not look.
    """
    with os_errors(path):
        path.stat()
    if root is not None and not _inside(path, root):
        raise StorageError(f"{path} leads out of {root} by a symbolic link: replace the link by a copy")
    return path


def _inside(path: Path, root: Path) -> bool:
    # realpath, because Path.resolve raises RuntimeError on a link that leads to itself
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``target`` when the block ends well, and vanishes when it does not.

    Raises:
        StorageError: the operating system refuses.
    """
    partial = _partial_name(target)
    with os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave the name without the content
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def replacing_tree(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``target`` when the block ends well, and vanishes when it does not.

    Raises:
        StorageError: the operating system refuses.
    """
    partial = _partial_name(target)
    with os_errors(target):
        partial.mkdir(parents=True)
        try:
            yield partial
            _remove(target)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error for people; ``path`` is named where it names none."""
    try:
        yield
    except OSError as error:
        raise _explained(error, str(error.filename or path)) from error


def _explained(error: OSError, path: str) -> StorageError:
    said = os.strerror(error.errno) if error.errno else type(error).__name__
    match error.errno:
        case errno.ENOENT:
            return NotFound(f"nothing lies at {path}: check the path")
        case errno.ELOOP:
            return StorageError(f"{path} is a symbolic link that leads to itself: replace it by a copy of the file")
        case errno.ENOSPC | errno.EDQUOT:
            return StorageError(f"no space is left for {path} ({said}): free some, or choose a larger volume")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return StorageError(f"{path} is closed to us ({said}): allow user {os.geteuid()} to read and write there")
    return StorageError(f"{path} could not be read or written ({said}): check the path and the volume")


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _copy(source: Path, target: Path) -> tuple[int, str]:
    """Copy one file; its size in bytes and its SHA-256, from the one time that it is read."""
    digest, size_bytes = hashlib.sha256(), 0
    with os_errors(source), source.open("rb") as original, replacing(target) as copy:
        while data := original.read(_COPY_BYTES):
            digest.update(data)
            size_bytes += copy.write(data)
    return size_bytes, digest.hexdigest()


def _partial_name(target: Path) -> Path:
    return target.with_name(f".{uuid4().hex}{PARTIAL_SUFFIX}")


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
