"""In which order the nodes of two columns stand, so that few arrows cross."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import fmean
from typing import TypeVar

Left = TypeVar("Left", bound=Hashable)
Right = TypeVar("Right", bound=Hashable)
Node = TypeVar("Node", bound=Hashable)

SWEEPS = 8


def untangled(pairs: Sequence[tuple[Left, Right]]) -> tuple[list[Left], list[Right]]:
    """Both columns by the barycentre rule (Sugiyama, Tagawa, Toda 1981), a few sweeps of it.

    Each sweep puts every node of one column at the mean place of those it is joined to. Ties keep
    the order of the pairs, so the same graph gives the same picture.
    """
    lefts = list(dict.fromkeys(left for left, _ in pairs))
    rights = list(dict.fromkeys(right for _, right in pairs))
    of_left: dict[Left, list[Right]] = defaultdict(list)
    of_right: dict[Right, list[Left]] = defaultdict(list)
    for left, right in pairs:
        of_left[left].append(right)
        of_right[right].append(left)
    for _ in range(SWEEPS):
        left_places = _places(lefts)
        rights.sort(key=lambda right: fmean(left_places[left] for left in of_right[right]))
        right_places = _places(rights)
        lefts.sort(key=lambda left: fmean(right_places[right] for right in of_left[left]))
    return lefts, rights


def _places(nodes: Sequence[Node]) -> dict[Node, float]:
    """Each node's place between 0 and 1, so that columns of different lengths compare."""
    return {node: (place + 0.5) / len(nodes) for place, node in enumerate(nodes)}
