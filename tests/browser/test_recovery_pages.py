"""Replanning, changed files and profiles in a browser: by keyboard and on a phone, with nothing that axe minds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from policy import profiles
from policy.actors import Actor
from tests.factories import member
from tests.live import Server
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import make_repository
from tests.orchestration.runs import Team
from tests.orchestration.worktree_runs import drifted
from tests.workbench import pages

SignIn = Callable[[BrowserContext, User], None]
Problems = Callable[[Page], list[str]]
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture
def team(live_site: Server, tmp_path: Path, settings: Settings) -> Team:
    for name in ("WORKTREES_DIR", "SPOOL_DIR", "ARTIFACTS_DIR"):
        setattr(settings, name, tmp_path / name.lower())
    return runs.make_team(make_repository(tmp_path / "repository"))


def fits_a_phone(page: Page) -> bool:
    page.set_viewport_size({"width": 390, "height": 844})
    return int(page.evaluate(WIDTH)) <= 390


def test_a_replan_is_looked_at_and_then_done(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, problems: Problems
) -> None:
    run = runs.settle(runs.launch(team, "x >> gate >> last", {"gate": {"type": "approval"}}))
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(f"{live_site.url}{pages.url(run, 'replan/')}")
    text = page.locator("[name=steps]")
    text.fill(text.input_value().replace("'true'", "ls -l"))
    page.locator("[name=reason]").fill("Look at it.")
    page.get_by_role("button", name="Show what changes").press("Enter")
    expect(page.locator("#replan-preview .added")).to_contain_text(["command: ls -l"])
    assert problems(page) == []
    page.get_by_role("button", name="Replan", exact=True).dblclick()
    expect(page.locator("#flash")).to_contain_text("The run has a new plan.")
    run.refresh_from_db()
    assert run.version.number == 2


def test_changed_files_are_told_and_restored(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, problems: Problems
) -> None:
    run, _ = drifted(team)
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(f"{live_site.url}{pages.url(run)}")
    expect(page.locator("#diagnosis")).to_contain_text("a.txt")
    assert problems(page) == []
    page.get_by_role("link", name="Restore the files").click()
    expect(page.locator("[name=restore_workspace]")).to_be_checked()
    page.locator("dialog [name=reason]").fill("Put it back.")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator("#diagnosis")).to_have_count(0)
    assert runs.step_of(run, "b").state == "ready"
    assert fits_a_phone(page)


def test_an_approver_sees_the_change_on_a_phone(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, problems: Problems
) -> None:
    run, _ = drifted(team)
    sign_in(context, team.grace)
    page = context.new_page()
    page.goto(f"{live_site.url}{pages.url(run)}")
    assert fits_a_phone(page)
    expect(page.locator("#decision")).to_contain_text("+two")
    assert problems(page) == []


def test_profiles_are_edited_by_an_admin(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, problems: Problems
) -> None:
    profiles.set_profile(team.project, "ci", env={"CI": "1"}, secrets=["NPM_TOKEN"], by=Actor.for_shell())
    sign_in(context, member(team.project, "admin"))
    page = context.new_page()
    page.goto(f"{live_site.url}/projects/{team.project.slug}/environments/")
    page.get_by_role("link", name="Edit").click()
    page.locator("[name=env]").fill("CI=2\nTZ=UTC")
    page.get_by_role("button", name="Store").click()
    expect(page.locator(".rows")).to_contain_text("TZ=UTC")
    assert problems(page) == []
    assert fits_a_phone(page)
