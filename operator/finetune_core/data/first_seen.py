"""Where each of many keys was seen first, in little memory."""

import numpy as np
from numpy.typing import NDArray

_LEAST_SLOTS = 1 << 12
_FULL = 0.6
"""Share of the slots in use from which the table doubles; fuller, a search takes many probes."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: spreads keys over the slots (Knuth, The Art of Computer Programming 3, 6.4)."""


class FirstSeen:
    """A hash table from 64-bit keys to the first row that had them, for many rows at a time.

    It takes 12 bytes a slot, where a dictionary of Python integers takes about 100 a key.
    """

    def __init__(self) -> None:
        self._keys = np.zeros(_LEAST_SLOTS, np.uint64)
        self._rows = np.zeros(_LEAST_SLOTS, np.uint32)  # 0: the slot is free
        self._used = 0

    def put(self, keys: NDArray[np.uint64], rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The first row of each key; a key that is new is remembered.

        Args:
            keys: any shape.
            rows: of the same shape: the numbers of their rows, from 1, in ascending order.
        """
        # Multiplied by an odd number keys stay different, and their highest bits depend on all bits.
        mixed, first, inverse = np.unique(keys.ravel() * _MIX, return_index=True, return_inverse=True)
        while self._used + len(mixed) > _FULL * len(self._keys):
            self._grow()
        found = self._put(mixed, rows.ravel()[first])
        return found[inverse].reshape(keys.shape)

    def _put(self, keys: NDArray[np.uint64], rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """For mixed keys that differ: open addressing, all keys probing at once.

        A slot is a key's highest bits, so that sorted keys go through the table from one end to the other.
        """
        found = rows.copy()
        size = len(self._keys)
        slots = (keys >> np.uint64(64 - (size.bit_length() - 1))).astype(np.intp)
        waiting = np.arange(len(keys))
        while len(waiting):
            at = slots[waiting]
            free = self._rows[at] == 0
            # Where several want one free slot, the last one has it, and the others see that they have not.
            self._keys[at[free]] = keys[waiting[free]]
            same = self._keys[at] == keys[waiting]
            won, known = free & same, ~free & same
            self._rows[at[won]] = rows[waiting[won]]
            self._used += int(won.sum())
            found[waiting[known]] = self._rows[at[known]]
            waiting = waiting[~same]
            slots[waiting] = (slots[waiting] + 1) % size
        return found

    def _grow(self) -> None:
        used = self._rows != 0
        keys, rows = self._keys[used], self._rows[used]
        self._keys = np.zeros(2 * len(self._keys), np.uint64)
        self._rows = np.zeros(len(self._keys), np.uint32)
        self._used = 0
        self._put(keys, rows)
