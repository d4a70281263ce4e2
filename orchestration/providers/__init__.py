"""The registry of agent providers: a new one is one file and one line here. Importing this costs no SDK."""

from __future__ import annotations

from .base import Provider
from .simulated import SimulatedProvider

PROVIDERS: dict[str, type[Provider]] = {
    "simulated": SimulatedProvider,
}
