"""How much of a download has come, for whoever waits."""

import time
from collections.abc import Callable
from threading import Lock

TELL_SECONDS = 10.0

Tell = Callable[[int, int], None]
"""Takes how many bytes have come, and how many there are."""


class Meter:
    """Counts bytes that come in several threads, and tells of them every ``TELL_SECONDS`` while they come."""

    def __init__(self, total_bytes: int, tell: Tell | None) -> None:
        self._total_bytes = total_bytes
        self._tell = tell
        self._come_bytes = 0
        self._last = time.monotonic()
        self._counting = Lock()

    def add(self, size_bytes: int) -> None:
        """Count more bytes; less than none where some have to come again."""
        with self._counting:
            self._come_bytes += size_bytes
            now = time.monotonic()
            if self._tell is not None and now - self._last >= TELL_SECONDS:
                self._last = now
                self._tell(self._come_bytes, self._total_bytes)
