"""How fast the output store takes what is sent to it: the plan gives a train pod time to store its state by that."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from finetune_core.errors import StorageError
from finetune_storage import Folder
from finetune_trainer.stage import say

MIB = 2**20

PROBE_BYTES = (16 * MIB, 64 * MIB)
"""Sent where the tokens are too few to tell: one part of an S3 transfer (s3.py); and where that is through too soon,
four of them side by side, which is how a checkpoint goes. A slow store is never sent more than the first."""

ENOUGH_SECONDS = 1.0
"""A file takes four requests, of some ten milliseconds each: of a second they are a few per cent."""

PROBE = "speed-probe.bin"


def upload_all(folder: Folder, files: Iterable[Path]) -> tuple[int, float]:
    """Store the files under their own names; how many bytes, and how many seconds it took."""
    started = time.monotonic()
    size_bytes = sum(folder.upload(file, file.name).size_bytes for file in files)
    return size_bytes, time.monotonic() - started


def bytes_per_second(folder: Folder, uploaded: tuple[int, float], scratch: Path) -> int | None:
    """The speed of what was stored, or of random bytes where that is too little; None where the store refuses those.

    The random bytes are gone afterwards. The job does not need them, so nothing that happens to them fails it.

    Args:
        folder: where both are stored.
        uploaded: bytes and seconds of what was stored.
        scratch: folder of this machine for the random bytes.
    """
    size_bytes, seconds = uploaded
    probe = scratch / PROBE
    try:
        for wanted in PROBE_BYTES:
            if size_bytes < wanted and (size_bytes < PROBE_BYTES[0] or seconds < ENOUGH_SECONDS):
                probe.write_bytes(os.urandom(wanted))
                size_bytes, seconds = upload_all(folder, [probe])
    except (StorageError, OSError) as error:
        say(f"how fast the store is could not be measured: {error}")
        return None
    finally:
        probe.unlink(missing_ok=True)
        with suppress(StorageError):
            folder.delete(PROBE)
    return round(size_bytes / seconds)
