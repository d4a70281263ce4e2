"""What must be true of every run, proven from rows alone, in one read-only snapshot.

`checking.check` reads runs in batches; `facts` is what a run's checks are given; each other module is a theme and
only looks: facts in, breaches out. Nothing here repairs, and nothing that decides a run asks here.
Numbers are those of the list in docs/operations.md.
"""

from orchestration.invariants.breach import Breach
from orchestration.invariants.checking import Scope, check
from orchestration.invariants.snapshot import read_snapshot

__all__ = ["Breach", "Scope", "check", "read_snapshot"]
