"""Pages and checks over 10,000 runs, 100,000 steps, 1,000,000 events. Filling takes minutes: `script/bench --large`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from django.contrib.auth.models import User
from django.test import Client

from orchestration import invariants
from orchestration.models import WorkflowRun
from policy.models import Membership
from tests.benchmarks import check_runs, ground
from tests.benchmarks.figures import Figure, repeat

RUNS = 10_000


def large_installation() -> Iterator[Figure]:
    check_runs.fill(RUNS)
    yield from _pages()
    yield Figure("check_runs", _checked())


def _pages() -> Iterator[Figure]:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(pk=ground.ada().user_id))
    run = WorkflowRun.objects.order_by("-number").select_related("project", "feature")[0]
    Membership.objects.create(project=run.project, user_id=ground.ada().user_id, role="admin")
    times = {path: _median(client, path) for path in _paths(run)}
    slowest = dict(sorted(times.items(), key=lambda item: -item[1])[:4])
    yield Figure("pages", max(times.values()), slowest)
    wide = ground.launch(ground.workflow_of(ground.project_in_folder(), ground.fan(498)))
    yield Figure("run_page", _median(client, f"/projects/{wide.project.slug}/runs/{wide.number}/"))


def _paths(run: WorkflowRun) -> list[str]:
    project = f"/projects/{run.project.slug}/"
    page = f"{project}runs/{run.number}/"
    tabs = [f"{page}?tab={tab}" for tab in ("timeline", "graph", "events", "artifacts", "plan")]
    feature = f"{project}features/{run.feature.slug}/"
    lists = ["/", "/projects/", project, f"{project}runs/", f"{project}?tab=runs", feature, f"{feature}workflows/"]
    return [*lists, page, *tabs, f"/api/execution/runs?project={run.project.slug}"]


def _median(client: Client, path: str) -> float:
    """In milliseconds; the first look is left out, for it compiles the templates."""
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return statistics.median(repeat(5, lambda: client.get(path))) * 1000


def _checked() -> float:
    started = time.perf_counter()
    with invariants.read_snapshot():
        breaches = list(invariants.check(invariants.Scope()))
    assert not breaches, breaches[:3]
    return time.perf_counter() - started
