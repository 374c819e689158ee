"""The work queue: keys of jobs that should be looked at, each at most once, and later where that was asked for."""

import asyncio
import heapq
import time
from itertools import count

from finetune_operator.records import Key

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0


class Closed(Exception):
    """The queue hands out nothing more."""


class Queue:
    """De-duplicating, delaying, rate-limiting.

    A key is handed to one worker at a time. Added while it is worked on, it comes again afterwards; added several
    times, it comes once; a key that failed waits, each time twice as long.
    """

    def __init__(self) -> None:
        self._ready: dict[Key, float] = {}
        """Keys to hand out, first in first out, with the moment they became ready."""
        self._later: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        """The moment for which a key in ``_later`` counts; other entries there are out of date."""
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self._order = count()

    def __len__(self) -> int:
        return len(self._ready) + len(self._working)

    def add(self, key: Key) -> None:
        """Have a key looked at as soon as a worker is free."""
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._ready:
            self._ready[key] = time.monotonic()
            self._changed.set()

    def add_later(self, key: Key, seconds: float) -> None:
        """Have a key looked at in so many seconds, unless it is sooner anyway."""
        if seconds <= 0:
            self.add(key)
            return
        due = time.monotonic() + seconds
        if key in self._ready or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, next(self._order), key))
        self._changed.set()

    async def get(self) -> tuple[Key, float]:
        """The next key, once there is one, and the seconds it was ready for. ``done`` or ``failed`` must follow.

        Raises:
            Closed: the queue was closed.
        """
        while not self._closed:
            wait = self._promote()
            if self._ready:
                key, since = next(iter(self._ready.items()))
                del self._ready[key]
                self._working.add(key)
                return key, time.monotonic() - since
            self._changed.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                pass
        raise Closed

    def close(self) -> None:
        """Hand out nothing more; what is worked on may still be finished."""
        self._closed = True
        self._changed.set()

    def done(self, key: Key) -> None:
        """The key was dealt with."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key, at_least: float = 0.0) -> float:
        """The key could not be dealt with; it comes again after the seconds returned, ``at_least`` so many."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        wait = max(at_least, min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10)))
        self._again.discard(key)  # news of it must not get around the wait
        self._release(key)
        self.add_later(key, wait)
        return wait

    def _release(self, key: Key) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _promote(self) -> float | None:
        """Make ready what is due; seconds until the next is, None where nothing waits."""
        now = time.monotonic()
        while self._later:
            due, _, key = self._later[0]
            if self._due.get(key) != due:
                heapq.heappop(self._later)
            elif due <= now:
                heapq.heappop(self._later)
                self.add(key)
            else:
                return due - now
        return None
