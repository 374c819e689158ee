"""gzip and zstd, unpacked while they are read."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Any, Protocol

from finetune_core.data.reading.chunks import CHUNK_BYTES, stream
from finetune_core.data.reading.limits import refuse_bomb
from finetune_core.errors import DatasetUnavailable, first_line

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpacked(file: "BufferedReader[Any]", name: str) -> "BufferedReader[Any]":
    """What is in the archive; the file itself where it is none. ``name`` is for messages.

    Raises:
        DatasetUnavailable: now, when a library is missing; while reading, when the archive is damaged, cut off or a
            bomb.
    """
    head = file.peek()
    if head.startswith(_GZIP):
        return stream(_unpack(gzip.GzipFile(fileobj=file), "gzip", name, file.tell))
    if head.startswith(_ZSTD):
        return stream(_unpack(_open_zstd(file, name), "zstd", name, file.tell))
    return file


def _open_zstd(file: "BufferedReader[Any]", name: str) -> _Readable:
    # Python has zstd of its own from 3.14 on; pyarrow, which Parquet needs anyway, has it on all.
    try:
        import pyarrow
    except ImportError as error:
        raise DatasetUnavailable(
            f"{name}: is zstd-compressed: pip install 'finetune-operator[trainer]' to read it, or decompress it first"
        ) from error
    opened: _Readable = pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd")
    return opened


def _unpack(archive: _Readable, kind: str, name: str, packed: Callable[[], int]) -> Iterator[bytes]:
    size = 0
    try:
        while chunk := archive.read(CHUNK_BYTES):
            size += len(chunk)
            refuse_bomb(size, packed(), name)
            yield chunk
    except (EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        if isinstance(error, EOFError) or "Truncated" in str(error):  # gzip's word, and pyarrow's
            raise DatasetUnavailable(f"{name}: its {kind} data ends too early: was it cut off?") from error
        raise DatasetUnavailable(f"{name}: its {kind} data is damaged: {first_line(error)}") from error
