"""A plan as a drawing: steps and arrows placed once for each shape. The run page and the builder colour it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pygraphviz

Data = dict[str, Any]
MOST_STEPS = 300
WIDTH, HEIGHT = 176, 46
LONGEST_NAME = 20
# Graphviz keeps its state in globals: one layout at a time.
_drawing = threading.Lock()


@dataclass(frozen=True)
class Layout:
    width: int
    height: int
    places: dict[str, tuple[float, float]]  # key -> left, top
    edges: tuple[tuple[str, str, str, str], ...]  # source, target, path, arrow head


def drawing_of(
    keys: tuple[str, ...],
    needs: tuple[tuple[int, ...], ...],
    *,
    names: Mapping[str, str],
    states: Mapping[str, tuple[str, str]],
    urls: Mapping[str, str],
) -> Data:
    """For `_graph.html`: `states` are how a node looks and its word."""
    if len(keys) > MOST_STEPS:
        return {"nodes": [], "too_large": len(keys)}
    drawn = lay_out(keys, needs)
    nodes = [
        {**place(drawn, key, names[key]), "state": states[key][0], "state_word": states[key][1], "url": urls[key]}
        for key in keys
    ]
    return {"width": drawn.width, "height": drawn.height, "nodes": nodes, "edges": edges(drawn)}


def place(drawn: Layout, key: str, name: str) -> Data:
    x, y = drawn.places[key]
    return {
        "key": key,
        "name": name,
        "short_name": name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…",
        "x": f"{x:.1f}",
        "y": f"{y:.1f}",
        "width": WIDTH,
        "height": HEIGHT,
        "inner_width": WIDTH - 2,
        "inner_height": HEIGHT - 2,
    }


def edges(drawn: Layout) -> list[Data]:
    return [{"source": s, "target": t, "path": path, "arrow": arrow} for s, t, path, arrow in drawn.edges]


@functools.lru_cache(maxsize=256)
def lay_out(keys: tuple[str, ...], needs: tuple[tuple[int, ...], ...]) -> Layout:
    with _drawing:
        drawing = pygraphviz.AGraph(directed=True, rankdir="TB", nodesep="0.35", ranksep="0.5")
        box = {
            "shape": "box",
            "label": "",
            "fixedsize": "true",
            "width": f"{WIDTH / 72:.4f}",
            "height": f"{HEIGHT / 72:.4f}",
        }
        # By number: a key is foreign text to Graphviz' own language.
        for place in range(len(keys)):
            drawing.add_node(place, **box)
        for place, needed in enumerate(needs):
            for other in needed:
                drawing.add_edge(other, place, arrowsize="0.7")
        try:
            drawing.layout("dot")
            return _read(drawing, keys)
        finally:
            drawing.close()


def _read(drawing: Any, keys: tuple[str, ...]) -> Layout:
    _, _, right, top = (float(part) for part in drawing.graph_attr["bb"].split(","))
    places = {}
    for node in drawing.nodes():
        x, y = (float(part) for part in node.attr["pos"].split(","))
        places[keys[int(node)]] = (x - WIDTH / 2, top - y - HEIGHT / 2)
    edges = tuple((keys[int(edge[0])], keys[int(edge[1])], *_curve(edge.attr["pos"], top)) for edge in drawing.edges())
    return Layout(round(right) + 2, round(top) + 2, places, edges)


def _curve(position: str, top: float) -> tuple[str, str]:
    """Graphviz writes `e,x,y` for the tip of the arrow, then the points of a Bézier curve."""
    tip: tuple[float, float] | None = None
    points = []
    for part in position.replace("\\\n", "").split():
        if part.startswith("s,"):
            continue
        x, y = (float(number) for number in part.removeprefix("e,").split(",")[:2])
        if part.startswith("e,"):
            tip = (x, top - y)
        else:
            points.append((x, top - y))
    first, rest = points[0], points[1:]
    path = f"M{first[0]:.1f} {first[1]:.1f}C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in rest)
    return path, _arrow(points[-1], tip or points[-1])


def _arrow(base: tuple[float, float], tip: tuple[float, float]) -> str:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    side = (-dy / length * 3.5, dx / length * 3.5)
    corners = ((base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1]), tip)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "Z"
