"""Two plans side by side, as the builder's text has them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from workbench.builder import drafts

KINDS = {"+": "added", "-": "removed", "@": "hunk"}


def diff_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """For `_diff.html`; without files where nothing differs."""
    old, new = (drafts.text_of(plan).splitlines() for plan in (before, after))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    shown = [{"kind": KINDS.get(line[:1], "same"), "text": line} for line in lines]
    added, removed = (sum(line["kind"] == kind for line in shown) for kind in ("added", "removed"))
    file = {"path": "the plan", "additions": added, "deletions": removed, "open": True, "lines": shown}
    return {"files": [file] if shown else [], "additions": added, "deletions": removed}
