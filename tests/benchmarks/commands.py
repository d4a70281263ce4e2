"""A command step `true` beside the bare process, taken in turns so that a busy moment hits both."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from orchestration import worker
from orchestration.hosting import AttemptHost
from policy.models import Project
from tests.benchmarks import ground
from tests.benchmarks.figures import Figure, median

STEPS = 40
BARE = ["/bin/bash", "--noprofile", "--norc", "-c", "true"]


def command_steps() -> Iterator[Figure]:
    bare: list[float] = []
    for key, project in (
        ("command_folder", ground.project_in_folder()),
        ("command_worktree", ground.project_in_repository()),
    ):
        steps, beside = _in_turns(project)
        bare += beside
        yield Figure(key, (median(steps) - median(beside)) * 1000, {"whole step": median(steps) * 1000})
    yield Figure("bare_process", median(bare) * 1000)


def _in_turns(project: Project) -> tuple[list[float], list[float]]:
    run = ground.launch(ground.workflow_of(project, ground.chain(STEPS)))
    assignment = ground.begin(run)
    steps, bare = [], []
    while assignment is not None:
        started = time.perf_counter()
        subprocess.run(BARE, check=True, capture_output=True)
        begun = time.perf_counter()
        assignment = worker.perform(assignment, AttemptHost(assignment, ground.OWNER))
        steps.append(time.perf_counter() - begun)
        bare.append(begun - started)
    ground.require(run, "succeeded")
    return steps[2:], bare[2:]  # the first ones start the fork server and make the worktree
