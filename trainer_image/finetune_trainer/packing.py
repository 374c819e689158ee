"""Packing: which rows share a sequence, so that little of a forward pass is padding."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Numbers of the rows of each sequence: longest first, each into the fullest sequence that has room for it.

    Best-fit decreasing: at most 11/9 of the fewest sequences possible, and 4 (Johnson et al. 1974, SIAM J. Comput. 3,
    299-325). Rooms left are whole numbers up to the capacity: there are few, and a sorted list of them is enough.
    """
    sequences: list[list[int]] = []
    with_room: defaultdict[int, list[list[int]]] = defaultdict(list)  # room left -> sequences
    rooms: list[int] = []  # its keys, sorted
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        length = lengths[number]
        place = bisect_left(rooms, length)
        if place == len(rooms):
            sequence: list[int] = []
            sequences.append(sequence)
            room = capacity - length
        else:
            sequence = with_room[rooms[place]].pop()
            room = rooms[place] - length
            if not with_room[rooms[place]]:
                del with_room[rooms.pop(place)]
        sequence.append(number)
        if room not in with_room:
            insort(rooms, room)
        with_room[room].append(sequence)
    return sequences


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Numbers of the rows of each sequence, in as few sequences as best fit needs and those about equally long.

    Of a step's 16 rows the last sequence would else be nearly empty, and padded to the others: the smallest capacity
    that needs no more sequences is taken. A row is never longer than the capacity.
    """
    if not lengths:
        return []
    fewest = len(best_fit(lengths, capacity))
    least = max(max(lengths), -(-sum(lengths) // fewest))
    level = bisect_left(range(least, capacity), True, key=lambda size: len(best_fit(lengths, size)) <= fewest)
    return best_fit(lengths, least + level)
