"""From a commit to what a person sees: a browser on a run's page, an observer in it, one clock for both."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from orchestration import events, worker
from orchestration.hosting import AttemptHost
from orchestration.models import WorkflowRun
from tests import chromium
from tests.benchmarks import ground
from tests.benchmarks.figures import Figure, percentile
from tests.browser.conftest import SWITCHES
from tests.live import Server

STEPS = 40
OBSERVER = """() => {
  window.seen = {};
  const look = () => {
    const found = document.querySelector("#state-line").textContent.match(/(\\d+) of \\d+ steps/);
    if (found && !(found[1] in window.seen)) window.seen[found[1]] = performance.timeOrigin + performance.now();
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
  look();
}"""


def event_to_page() -> Iterator[Figure]:
    project = ground.project_in_folder()
    run = ground.launch(ground.workflow_of(project, ground.chain(STEPS)))
    assignment = ground.begin(run)
    server = Server()
    server.start()
    with ground.no_op_steps(), _page(server, f"/projects/{project.slug}/runs/{run.number}/") as page:
        page.evaluate(OBSERVER)
        page.wait_for_timeout(2000)
        told = _finish_all(run, assignment, page)
        page.wait_for_timeout(1500)
        seen = page.evaluate("() => window.seen")
    # Two that came together are shown together, so the later number tells of both.
    shown = sorted((int(count), at) for count, at in seen.items())
    waits = [min(at for count, at in shown if count >= number) - at_commit for number, at_commit in told.items()]
    yield Figure("follow_p50", percentile(waits, 50))
    yield Figure("follow_p95", percentile(waits, 95))


def _finish_all(run: WorkflowRun, assignment: Any, page: Any) -> dict[int, float]:
    """The moment of each step's commit, by how many steps are done then."""
    rung: list[float] = []
    events.on_news(lambda run_id: rung.append(time.time() * 1000) if uuid.UUID(run_id) == run.pk else None)
    told: dict[int, float] = {}
    dice = random.Random(1)
    while assignment is not None and len(told) < STEPS - 1:
        assignment = worker.perform(assignment, AttemptHost(assignment, ground.OWNER))
        told[len(told) + 1] = rung[-1]
        page.wait_for_timeout(dice.randrange(150, 500))
    return told


@contextmanager
def _page(server: Server, path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    client = Client()
    client.force_login(User.objects.get(username="ada"))
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": server.url}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=SWITCHES)
        context = browser.new_context()
        context.add_cookies([cookie])
        page = context.new_page()
        page.goto(server.url + path)
        yield page
        browser.close()
