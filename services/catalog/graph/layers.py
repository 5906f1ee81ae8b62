"""Where the nodes of a directed graph stand in a picture from left to right; pure geometry.

The layered way of drawing (Sugiyama, Tagawa, Toda 1981): cycles are opened, every node gets the
layer behind its farthest predecessor, arrows over several layers get a bend in each, the order in
the layers is untangled, and nodes move as close to their neighbours' height as the order allows.
The same graph always gives the same picture.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

SWEEPS = 12

Arrow = tuple[int, int]
"""From a node to another one."""
Neighbours = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Slots are nodes, and from the number of nodes on bends.

    `layers` hold the slots from left to right and from top to bottom, `middles` each one's height.
    `ways` hold, for each arrow, its slots from left to right; `backwards` are the arrows that go
    from right to left.
    """

    layers: Sequence[Sequence[int]]
    middles: Mapping[int, float]
    ways: Sequence[Sequence[int]]
    backwards: frozenset[int]


def laid_out(nodes: int, arrows: Sequence[Arrow], *, heights: tuple[float, float]) -> Layout:
    """Place nodes 0 to `nodes` - 1; `heights` are those of a node and of a bend.

    Cycles open where the order of the nodes goes backwards. No arrow leads from a node to itself.
    """
    backwards = _backwards(nodes, arrows)
    forward = [
        (target, source) if number in backwards else (source, target)
        for number, (source, target) in enumerate(arrows)
    ]
    layer_of = _layers(nodes, forward)
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=0) + 1)]
    for node, layer in enumerate(layer_of):
        layers[layer].append(node)
    ways, bends = [], nodes
    for source, target in forward:
        way = [source]
        for layer in range(layer_of[source] + 1, layer_of[target]):
            layers[layer].append(bends)
            way.append(bends)
            bends += 1
        ways.append([*way, target])
    before, behind = _neighbours(ways)
    layers = _untangled(layers, before, behind)
    node_px, bend_px = heights
    middles = _middles(layers, before, behind, lambda slot: node_px if slot < nodes else bend_px)
    return Layout(layers, middles, ways, backwards)


def _backwards(nodes: int, arrows: Sequence[Arrow]) -> frozenset[int]:
    """The arrows that close a cycle, by a walk in depth."""
    leaving: dict[int, list[int]] = defaultdict(list)
    for number, (source, _) in enumerate(arrows):
        leaving[source].append(number)
    closing: set[int] = set()
    open_: set[int] = set()
    done: set[int] = set()
    for start in range(nodes):
        if start in done:
            continue
        stack = [(start, iter(leaving[start]))]
        open_.add(start)
        while stack:
            node, left = stack[-1]
            number = next(left, -1)
            if number < 0:
                stack.pop()
                open_.discard(node)
                done.add(node)
                continue
            target = arrows[number][1]
            if target in open_:
                closing.add(number)
            elif target not in done:
                open_.add(target)
                stack.append((target, iter(leaving[target])))
    return frozenset(closing)


def _layers(nodes: int, arrows: Sequence[Arrow]) -> list[int]:
    """The longest way to each node; where none leads, one less than the nearest behind it."""
    behind: dict[int, list[int]] = defaultdict(list)
    missing = [0] * nodes
    for source, target in arrows:
        behind[source].append(target)
        missing[target] += 1
    layers = [0] * nodes
    starts = [node for node in range(nodes) if not missing[node]]
    ready = list(starts)
    while ready:
        node = ready.pop()
        for target in behind[node]:
            layers[target] = max(layers[target], layers[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for node in starts:
        if behind[node]:
            layers[node] = min(layers[target] for target in behind[node]) - 1
    return layers


def _neighbours(ways: Iterable[Sequence[int]]) -> tuple[Neighbours, Neighbours]:
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for way in ways:
        for left, right in pairwise(way):
            behind[left].append(right)
            before[right].append(left)
    return before, behind


def _untangled(layers: list[list[int]], before: Neighbours, behind: Neighbours) -> list[list[int]]:
    """The best of some sweeps of the barycentre rule, by the number of crossings."""
    best, fewest = layers, _crossings(layers, behind)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forth = sweep % 2 == 0
        layers = [list(layer) for layer in layers]
        order = range(1, len(layers)) if forth else range(len(layers) - 2, -1, -1)
        for place in order:
            beside = layers[place - 1 if forth else place + 1]
            places = {slot: number / len(beside) for number, slot in enumerate(beside)}
            own = {slot: number / len(layers[place]) for number, slot in enumerate(layers[place])}
            near = before if forth else behind
            middle = {
                slot: fmean(places[other] for other in others) if (others := near.get(slot)) else at
                for slot, at in own.items()
            }
            layers[place].sort(key=middle.__getitem__)
        crossings = _crossings(layers, behind)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: Sequence[Sequence[int]], behind: Neighbours) -> int:
    crossings = 0
    for layer, beside in pairwise(layers):
        places = {slot: number for number, slot in enumerate(beside)}
        seen: list[int] = []
        for slot in layer:
            ends = sorted(places[other] for other in behind.get(slot, ()))
            crossings += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossings


def _middles(
    layers: Sequence[Sequence[int]],
    before: Neighbours,
    behind: Neighbours,
    height: Callable[[int], float],
) -> dict[int, float]:
    """Heights of the middles, the topmost slot beginning at 0."""
    middles: dict[int, float] = {}
    for layer in layers:
        top = 0.0
        for slot in layer:
            middles[slot] = top + height(slot) / 2
            top += height(slot)
    for sweep in range(SWEEPS + 1):
        forth = sweep % 2 == 0
        for layer in layers if forth else reversed(layers):
            targets = []
            for slot in layer:
                near = before.get(slot, ()) if forth else behind.get(slot, ())
                if sweep == SWEEPS:
                    near = [*before.get(slot, ()), *behind.get(slot, ())]
                targets.append(fmean(middles[other] for other in near) if near else middles[slot])
            middles |= zip(layer, _spread(targets, [height(slot) for slot in layer]), strict=True)
    top = min((middles[slot] - height(slot) / 2 for slot in middles), default=0.0)
    return {slot: middle - top for slot, middle in middles.items()}


def _spread(targets: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The middles closest to the targets that keep the order and do not overlap.

    Least squares by pooling adjacent violators (Ayer et al. 1955) of what is left of each middle
    without the heights above it.
    """
    offsets, top = [], 0.0
    for height in heights:
        offsets.append(top + height / 2)
        top += height
    pools: list[tuple[float, int]] = []
    for middle, offset in zip(targets, offsets, strict=True):
        mean, count = middle - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean = (mean * count + other * others) / (count + others)
            count += others
        pools.append((mean, count))
    starts = [mean for mean, count in pools for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]
