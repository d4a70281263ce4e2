"""Home, project, feature and account in a browser: accessible, fitting, quiet; a run started once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from orchestration.models import WorkflowRun
from tests.browser.conftest import Console
from tests.factories import member
from tests.live import Server
from tests.orchestration import runs
from tests.orchestration.runs import Team

SignIn = Callable[[BrowserContext, User], None]
Problems = Callable[[Page], list[str]]
FEATURE = "features/search/"
PAGES = (
    "/", "/projects/", "/account/", "{project}", "{project}runs/", "{project}members/", "{project}secrets/",
    "{project}rules/", "{project}rules/trial/",
    "{project}health/", "{project}features/search/", "{project}features/search/?kind=agent",
    "{project}features/search/workflows/",
)  # fmt: skip


@pytest.fixture
def team(live_site: Server, tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def page(context: BrowserContext, sign_in: SignIn, team: Team) -> Page:
    sign_in(context, member(team.project, "admin", username="barbara"))
    return context.new_page()


def at(site: Server, team: Team, path: str) -> str:
    return site.url + path.format(project=f"/projects/{team.project.slug}/")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_pages_are_accessible_and_fit(
    page: Page, live_site: Server, team: Team, problems: Problems, scheme: str, width: int
) -> None:
    runs.settle(runs.launch(team, "build"))
    runs.launch(team, "gate", {"gate": {"type": "approval"}}, name="A very long name of a plan " * 5)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    for path in PAGES:
        page.goto(at(live_site, team, path))
        assert (path, problems(page)) == (path, [])
        assert (path, page.evaluate("document.documentElement.scrollWidth") <= width) == (path, True)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_rule_is_tried_by_keyboard_and_the_answer_fits(
    page: Page, live_site: Server, team: Team, problems: Problems, scheme: str, width: int
) -> None:
    runs.settle(runs.launch(team, "build >> a-step-with-quite-a-long-name"))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(at(live_site, team, "{project}rules/trial/"))
    page.get_by_label("Name").fill("no-build")
    page.get_by_label("Sentence").fill("Nobody builds here.")
    page.get_by_label("Condition", exact=True).fill("step.type == 'command'")
    page.get_by_label("Try it on this command").fill("ls")
    page.get_by_role("button", name="Try it").press("Enter")
    expect(page.locator("#trial")).to_contain_text("2 of 2 steps would have another verdict")
    assert problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_policy_speaks_while_one_types_and_a_double_press_runs_once(page: Page, live_site: Server, team: Team) -> None:
    page.goto(at(live_site, team, "{project}features/search/"))
    page.get_by_label("Command").press_sequentially("rm -rf build")
    expect(page.locator("#verdict")).to_contain_text("Needs approval")
    page.get_by_label("Command").fill("ls")
    expect(page.locator("#verdict")).to_contain_text("Runs without approval")
    page.get_by_role("button", name="Run", exact=True).dblclick()
    expect(page).to_have_url(at(live_site, team, "{project}runs/1/?step=run"))
    expect(page.locator("#panel")).to_contain_text("Log")
    assert WorkflowRun.objects.count() == 1


def test_back_and_again_is_another_run(page: Page, live_site: Server, team: Team) -> None:
    page.goto(at(live_site, team, "{project}features/search/"))
    for number in (1, 2):
        page.get_by_label("Command").fill("ls")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page).to_have_url(at(live_site, team, "{project}runs/" + f"{number}/?step=run"))
        page.go_back()
    assert WorkflowRun.objects.count() == 2


def test_a_workflow_is_launched_from_its_dialog(page: Page, live_site: Server, team: Team, console: Console) -> None:
    console.allow("status of 422")  # the browser tells of every answer that is no success
    runs.make_workflow(team, "a", inputs={"version": {"type": "string", "required": True}})
    page.goto(at(live_site, team, "{project}features/search/workflows/"))
    page.get_by_role("link", name="Launch", exact=True).click()
    dialog = page.locator("#sheet")
    dialog.get_by_role("button", name="Launch").click()
    expect(dialog).to_contain_text("The input 'version' is needed.")
    dialog.get_by_label("version").fill("1.0")
    dialog.get_by_role("button", name="Launch").click()
    expect(page).to_have_url(at(live_site, team, "{project}runs/1/"))


def test_without_scripts_everything_still_works(
    new_context: Callable[..., BrowserContext], live_site: Server, sign_in: SignIn, team: Team
) -> None:
    context = new_context(java_script_enabled=False)
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(at(live_site, team, "{project}features/search/workflows/new/"))
    page.locator("#id_plan-name").fill("By hand")
    page.get_by_role("button", name="Command", exact=True).click()
    page.locator("#id_steps-0-command").fill("ls")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("By hand")
    page.get_by_role("link", name="Launch version 1").click()
    page.get_by_role("button", name="Launch").click()
    expect(page).to_have_url(at(live_site, team, "{project}runs/1/"))


def test_removing_somebody_is_asked_about_first(page: Page, live_site: Server, team: Team) -> None:
    page.goto(at(live_site, team, "{project}members/"))
    page.get_by_role("row", name=team.linus.username).get_by_role("button", name="Remove").click()
    expect(page.locator("#confirm")).to_contain_text(f"Remove {team.linus.username}?")
    page.locator("#confirm").get_by_role("button", name="Remove").click()
    expect(page.locator("#flash")).to_contain_text("no longer a member")
    assert not team.project.memberships.filter(user=team.linus).exists()
