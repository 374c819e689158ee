"""Packing: which rows share a micro-batch, so that there are few and all are about full."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Numbers of the rows of each group: longest first, each into the fullest group that has room for it.

    Best-fit decreasing: at most 11/9 of the fewest groups possible, and 4 (Johnson et al. 1974, SIAM J. Comput. 3,
    299-325). Rooms left are whole numbers up to the capacity: there are few, and a sorted list of them is enough.
    """
    groups: list[list[int]] = []
    with_room: defaultdict[int, list[list[int]]] = defaultdict(list)  # room left -> groups
    rooms: list[int] = []  # its keys, sorted
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        length = lengths[number]
        place = bisect_left(rooms, length)
        if place == len(rooms):
            group: list[int] = []
            groups.append(group)
            room = capacity - length
        else:
            group = with_room[rooms[place]].pop()
            room = rooms[place] - length
            if not with_room[rooms[place]]:
                del with_room[rooms.pop(place)]
        group.append(number)
        if room not in with_room:
            insort(rooms, room)
        with_room[room].append(group)
    return groups


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Numbers of the rows of each group, in as few groups as best fit needs and those about equally large.

    The smallest capacity that needs no more groups is taken: it takes less memory than full groups with a nearly empty
    last one, and no more time. A row is never longer than the capacity.
    """
    if not lengths:
        return []
    fewest = len(best_fit(lengths, capacity))
    least = max(max(lengths), -(-sum(lengths) // fewest))
    level = bisect_left(range(least, capacity), True, key=lambda size: len(best_fit(lengths, size)) <= fewest)
    return best_fit(lengths, least + level)
