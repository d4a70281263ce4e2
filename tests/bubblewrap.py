"""Finds a bubblewrap that works, and gets one where the machine allows it."""

from orchestration.executors.sandbox import Detection
from tests.servers import Unavailable, install_with_apt


def find() -> str:
    """The path of a bubblewrap that works: the system's, else one installed now."""
    found = Detection()() or (install_with_apt("bubblewrap") and Detection()())
    if not found:
        raise Unavailable(
            "bubblewrap does not work here: `apt-get install bubblewrap`, and user namespaces must be allowed."
        )
    return str(found)
