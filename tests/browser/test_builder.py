"""The builder in a browser: faults while one types, moving by buttons and by dragging, text and back, one save."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from orchestration.models import Workflow
from tests.live import Server
from tests.orchestration import runs
from tests.orchestration.runs import Team

SignIn = Callable[[BrowserContext, User], None]
Problems = Callable[[Page], list[str]]


@pytest.fixture
def team(live_site: Server, tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def builder(context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team) -> Page:
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(f"{live_site.url}/projects/{team.project.slug}/features/search/workflows/new/")
    return page


def add(page: Page, kind: str, name: str) -> None:
    number = page.locator("[data-step-card]").count()
    page.get_by_role("button", name=kind, exact=True).last.click()
    page.locator(f"#id_steps-{number}-name").fill(name)


def names(page: Page) -> list[str]:
    return page.locator("[data-card-title]").all_inner_texts()


def test_a_plan_is_built_step_by_step_and_saved_once(builder: Page, team: Team) -> None:
    builder.locator("#id_plan-name").fill("Release")
    add(builder, "Command", "Build")
    result = builder.locator("#plan-result")
    expect(result).to_contain_text("1 fault")
    expect(builder.locator("#id_steps-0-command")).to_have_attribute("aria-invalid", "true")
    builder.locator("#id_steps-0-command").fill("rm -rf build")
    expect(result).to_contain_text("Valid")
    expect(result).to_contain_text("Deletes inside the workspace")
    expect(builder.locator("#id_steps-0-command")).not_to_have_attribute("aria-invalid", "true")
    expect(builder.locator("#plan-graph")).to_contain_text("asks for a decision")
    builder.get_by_role("button", name="Save").dblclick()
    expect(builder.locator("#flash")).to_contain_text("Saved.")
    expect(builder.locator("h1")).to_have_text("Release")
    assert Workflow.objects.filter(project=team.project).count() == 1


def test_steps_move_by_button_and_by_dragging_and_stay_open(builder: Page) -> None:
    add(builder, "Command", "One")
    add(builder, "Approval", "Two")
    builder.get_by_role("button", name="Move step 2 up").click()
    expect(builder.locator("[data-card-title]")).to_have_text(["Two", "One"])
    expect(builder.locator("#id_steps-0-instructions")).to_be_visible()
    builder.locator("#builder-step-1 [data-grip]").drag_to(builder.locator("#builder-step-0 [data-grip]"))
    expect(builder.locator("[data-card-title]")).to_have_text(["One", "Two"])


def test_text_goes_back_to_steps_with_what_was_typed(builder: Page) -> None:
    builder.locator("#id_plan-name").fill("Plan")
    add(builder, "Command", "Look")
    builder.locator("#id_steps-0-command").fill("ls")
    builder.get_by_role("button", name="Text", exact=True).click()
    text = builder.locator("#plan-text")
    expect(text).to_have_value("name: Plan\n" + text.input_value().split("\n", 1)[1])
    text.fill(text.input_value().replace("command: ls", "command: ls -l"))
    builder.get_by_role("button", name="Steps", exact=True).click()
    expect(builder.locator("#id_steps-0-command")).to_have_value("ls -l")


def test_broken_text_stays_where_it_is_and_says_why(builder: Page) -> None:
    builder.get_by_role("button", name="Text", exact=True).click()
    builder.locator("#plan-text").fill("name: [")
    builder.get_by_role("button", name="Steps", exact=True).click()
    expect(builder.locator("#plan-result")).to_contain_text("This is not YAML")
    expect(builder.locator("#plan-text")).to_have_value("name: [")


def test_leaving_with_something_unsaved_is_asked_about(builder: Page, live_site: Server) -> None:
    builder.locator("#id_plan-name").press_sequentially("Half a plan")
    asked: list[str] = []
    builder.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    builder.goto(live_site.url)
    assert asked == ["beforeunload"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_builder_is_accessible_and_fits(builder: Page, problems: Problems, scheme: str, width: int) -> None:
    builder.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    builder.set_viewport_size({"width": width, "height": 900})
    for kind in ("Command", "Agent", "Approval", "Checks"):
        builder.get_by_role("button", name=kind, exact=True).last.click()
        expect(builder.locator("[data-step-card]").last).to_be_visible()
    assert problems(builder) == []
    assert builder.evaluate("document.documentElement.scrollWidth") <= width
