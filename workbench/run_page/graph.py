"""The plan as a drawing: laid out once, coloured by the states of the run."""

from __future__ import annotations

from typing import Any

from workbench.drawing import drawing_of
from workbench.run_page.steps import state_word
from workbench.run_page.view import RunView

Data = dict[str, Any]
# Up to this width a drawing is made smaller where its place is narrow; wider ones are scrolled.
FITTING = 640


def graph(view: RunView) -> Data:
    """For `_graph.html`."""
    rows = view.rows
    drawn = drawing_of(
        view.plan.keys,
        tuple(tuple(needed) for needed in view.plan.graph.needs),
        names={row["key"]: view.name(row["key"]) for row in rows},
        states={row["key"]: (row["state"], state_word(row)) for row in rows},
        urls={row["key"]: view.step_url(row["key"]) for row in rows},
    )
    fits = drawn.get("width", 0) <= FITTING
    return {**drawn, "fits": fits, "list_url": view.address(order="state"), "chosen": view.asked.get("step", "")}
