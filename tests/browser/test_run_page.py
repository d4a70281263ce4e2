"""The run page in a browser: what follows by the socket equals what a reload shows, and people can act on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, WebSocket, expect

from orchestration.engine import controlling
from orchestration.hosting import AttemptHost
from orchestration.models import WorkflowRun
from tests.live import Server
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from workbench.consumers import RunConsumer

SignIn = Callable[[BrowserContext, User], None]
PARTS = ("run-identity", "state-line", "action", "steps", "view", "panel", "run-footer", "live-cursor")
# What a reload would show, without what only the clock or the mouse made.
SETTLED = """parts => parts.map(id => {
  const part = document.getElementById(id);
  if (!part) return null;
  const copy = part.cloneNode(true);
  copy.querySelectorAll('time').forEach(time => { time.textContent = ''; });
  const made = ['data-new', 'data-painted', 'style'];
  copy.querySelectorAll('*').forEach(one => made.forEach(name => one.removeAttribute(name)));
  copy.querySelectorAll('[name=csrfmiddlewaretoken]').forEach(one => one.remove());
  copy.querySelectorAll('[class=""]').forEach(one => one.removeAttribute('class'));
  return copy.outerHTML.replace(/>\\s+/g, '>').replace(/\\s+</g, '<').replace(/\\s+/g, ' ');
})"""

FROM_THE_END = "e => e.scrollHeight - e.scrollTop - e.clientHeight"
# Up, again and again, as a reader does it while the log is still being drawn.
SCROLLED_TO = """title => {
  document.querySelector('[data-log-scroll]').scrollTop = 0;
  return [...document.querySelectorAll('[data-log-fold]')].some(button => button.textContent.includes(title));
}"""


@pytest.fixture
def team(live_site: Server, tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def at(live_site: Server, run: WorkflowRun, rest: str = "") -> str:
    return f"{live_site.url}{pages.url(run)}{rest}"


def wait_for_live(page: Page) -> None:
    expect(page.locator("[data-live-word]")).to_have_text("Live")


def wait_for(page: Page, run: WorkflowRun) -> None:
    run.refresh_from_db()
    expect(page.locator("#live-cursor")).to_have_attribute("data-sequence", str(run.last_sequence_no))


def parts_of(page: Page) -> dict[str, str | None]:
    return dict(zip(PARTS, page.evaluate(SETTLED, list(PARTS)), strict=True))


@pytest.mark.parametrize(
    "query", ["?tab=events", "?tab=graph", "?tab=events&order=state", "?tab=plan&step=ship&panel=policy"]
)
def test_the_page_after_the_events_equals_the_page_after_a_reload(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, query: str
) -> None:
    run = runs.launch(team, "build >> lint, test >> gate >> ship", {"gate": {"type": "approval"}})
    sign_in(context, team.grace)
    page = context.new_page()
    page.goto(at(live_site, run, query))
    wait_for_live(page)
    runs.settle(run)
    wait_for(page, run)
    expect(page.locator("#state-line")).to_contain_text("You can decide it.")
    page.wait_for_timeout(1800)
    followed = parts_of(page)
    page.reload()
    wait_for_live(page)
    reloaded = parts_of(page)
    for name in PARTS:
        assert followed[name] == reloaded[name], name


def test_the_panel_of_an_agent_stays_a_panel_when_the_agent_is_done(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "a", {"a": {"type": "sdk", "provider": "simulated", "prompt": "Do it."}})
    assignment = runs.start(run, "a")
    assert assignment is not None
    AttemptHost(assignment, runs.OWNER).emit("agent.turn.started", {"turn": 1})
    sign_in(context, team.linus)
    page = context.new_page()
    page.goto(at(live_site, run, "?step=a&panel=agent"))
    wait_for_live(page)
    with page.expect_response(lambda answer: "panel=agent" in answer.url):
        runs.finish(assignment)
    page.wait_for_timeout(4500)  # twice as long as the panel's own clock
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator("#panel")).to_contain_text("1 turn")


def test_two_people_follow_one_run_and_see_the_same_history(
    new_context: Callable[..., BrowserContext], live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build >> gate >> ship", {"gate": {"type": "approval"}})
    seen = []
    for person in (team.grace, team.ada):
        context = new_context()
        sign_in(context, person)
        page = context.new_page()
        page.goto(at(live_site, run, "?tab=events"))
        wait_for_live(page)
        seen.append(page)
    runs.settle(run)
    runs.decide(team, run, "gate")
    runs.settle(run)
    for page in seen:
        wait_for(page, run)
        expect(page.locator("#state-line")).to_contain_text("Succeeded")
        numbers = page.locator("#events > .event .number").all_inner_texts()
        assert numbers == [str(number) for number in range(run.last_sequence_no, 0, -1)]


def test_a_plan_of_many_steps_is_followed_in_long_messages(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    many = ", ".join(f"a-step-with-a-long-name-{number}" for number in range(25))
    run = runs.launch(team, f"build >> {many} >> gate", {"gate": {"type": "approval"}})
    sign_in(context, team.grace)
    page = context.new_page()
    lengths: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: lengths.append(len(text)))

    page.on("websocket", listen)
    page.goto(at(live_site, run))
    wait_for_live(page)
    runs.settle(run)
    wait_for(page, run)
    expect(page.locator("#state-line")).to_contain_text("You can decide it.")
    assert max(lengths) > 16 * 1024


def test_a_socket_that_broke_is_told_to_come_again_and_misses_nothing(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.launch(team, "build >> gate", {"gate": {"type": "approval"}})
    sign_in(context, team.grace)
    page = context.new_page()
    says, broken = RunConsumer._send_text, []

    async def break_once(consumer: RunConsumer, html: str) -> None:
        if not broken:
            broken.append(html)
            raise OSError("This wire is broken.")
        await says(consumer, html)

    monkeypatch.setattr(RunConsumer, "_send_text", break_once)
    page.goto(at(live_site, run))
    wait_for_live(page)
    runs.settle(run)
    wait_for(page, run)
    assert broken
    expect(page.locator("#state-line")).to_contain_text("You can decide it.")


def test_nothing_is_missed_or_doubled_when_the_connection_comes_back(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build >> gate", {"gate": {"type": "approval"}})
    sign_in(context, team.linus)
    page = context.new_page()
    page.goto(at(live_site, run, "?tab=events"))
    wait_for_live(page)
    page.keyboard.press("l")
    expect(page.locator("[data-live-word]")).to_have_text("Paused")
    runs.settle(run)
    page.wait_for_timeout(500)
    assert page.locator("#live-cursor").get_attribute("data-sequence") != str(run.last_sequence_no)
    page.keyboard.press("l")
    wait_for(page, run)
    numbers = page.locator("#events > .event .number").all_inner_texts()
    assert numbers == [str(number) for number in range(run.last_sequence_no, 0, -1)]


def test_a_log_is_followed_until_the_reader_scrolls(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build >> ship")
    runs.start(run, "build")
    pages.say(run, "build", "".join(f"line {n}\n" for n in range(1, 301)))
    sign_in(context, team.linus)
    page = context.new_page()
    page.goto(at(live_site, run, "?step=build"))
    wait_for_live(page)
    pages.say(run, "build", "\x1b[31mred\x1b[0m and plain\n")
    expect(page.locator("#L301")).to_contain_text("red and plain")
    expect(page.locator("#L301 .ansi-red-fg")).to_have_text("red")
    scroll = page.locator("[data-log-scroll]")
    assert scroll.evaluate(FROM_THE_END) < 20
    scroll.evaluate("e => { e.scrollTop = 200; }")
    page.wait_for_timeout(200)
    pages.say(run, "build", "later\n")
    expect(page.locator("[data-log-follow]")).to_be_visible()
    assert scroll.evaluate("e => e.scrollTop") == 200
    page.locator("[data-log-follow]").click()
    expect(page.locator("[data-log-follow]")).to_be_hidden()
    page.wait_for_timeout(200)
    assert scroll.evaluate(FROM_THE_END) < 20


def test_a_line_of_the_log_can_be_sent_to_a_colleague_and_searched_for(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build >> ship")
    runs.start(run, "build")
    pages.say(run, "build", "".join(f"line {n}\n" for n in range(1, 3001)))
    sign_in(context, team.linus)
    page = context.new_page()
    page.goto(at(live_site, run, "?step=build&panel=log&line=1200"))
    expect(page.locator("#L1200.chosen")).to_be_in_viewport()
    page.locator("[data-search]").fill("line 77")
    page.keyboard.press("Enter")
    expect(page.locator("#log-found")).to_contain_text("11 lines")
    page.locator("[data-hit='77']").click()
    expect(page.locator("#L77.chosen")).to_be_in_viewport()
    page.locator("[data-log-scroll]").press("End")
    expect(page.locator("#L3000")).to_be_in_viewport()
    page.locator("[data-log-scroll]").press("Home")
    expect(page.locator("#L1.chosen")).to_be_in_viewport()


def test_groups_of_a_log_fold_and_open_for_a_line_that_was_sent(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build >> ship")
    assignment = runs.start(run, "build")
    assert assignment is not None
    told = ["before", "::group::Install", *(f"package {n}" for n in range(700)), "::endgroup::", "between"]
    pages.say(run, "build", "\n".join([*told, "::group::Open end", "inside", "last"]) + "\n")
    runs.finish(assignment)
    sign_in(context, team.linus)
    page = context.new_page()
    page.goto(at(live_site, run, "?step=build&panel=log"))
    expect(page.get_by_role("button", name="Open end")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#L704")).to_have_text(re.compile("between"))
    page.wait_for_function(SCROLLED_TO, arg="Install")
    fold = page.get_by_role("button", name="Install")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(fold).to_have_attribute("data-count", "700 lines")
    expect(page.locator("#L300")).to_be_hidden()
    fold.click()
    expect(page.locator("#L3")).to_be_visible()
    page.goto(at(live_site, run, "?step=build&panel=log&line=300"))
    expect(page.locator("#L300.chosen")).to_be_in_viewport()


def test_a_person_decides_on_the_page(context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team) -> None:
    run = pages.blocked(team)
    sign_in(context, team.grace)
    page = context.new_page()
    page.goto(at(live_site, run))
    wait_for_live(page)
    page.keyboard.press("a")
    page.keyboard.type("The build is green.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#flash")).to_contain_text("gate is approved by you")
    assert runs.states(run)["gate"] == "succeeded"


def test_what_is_being_typed_survives_what_the_socket_brings(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.launch(team, "build, gate >> ship", {"gate": {"type": "approval"}})
    sign_in(context, team.grace)
    page = context.new_page()
    page.goto(at(live_site, run))
    wait_for_live(page)
    page.locator("#decision textarea").fill("I am still writ")
    runs.settle(run)
    wait_for(page, run)
    expect(page.locator("#decision textarea")).to_have_value("I am still writ")


def test_an_action_opens_its_sheet_and_is_done_in_place(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = runs.settle(runs.launch(team, "build >> ship"), {"build": runs.BROKEN})
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(at(live_site, run))
    wait_for_live(page)
    page.locator("#diagnosis").get_by_role("link", name="Retry").click()
    sheet = page.locator("#sheet")
    expect(sheet).to_contain_text("Runs again")
    sheet.get_by_label("Reason").fill("The disk was full.")
    sheet.get_by_role("button", name="Retry").click()
    expect(sheet).to_be_hidden()
    expect(page.locator("#flash")).to_contain_text("build is tried again.")
    expect(page.locator("#step-build")).to_have_attribute("data-state", "ready")


def test_a_sheet_that_is_no_longer_true_says_so_and_changes_nothing(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, console: object
) -> None:
    console.allow("409")  # type: ignore[attr-defined]
    run = runs.settle(runs.launch(team, "build, lint >> ship"), {"build": runs.BROKEN, "lint": runs.BROKEN})
    sign_in(context, team.ada)
    page = context.new_page()
    page.goto(at(live_site, run))
    wait_for_live(page)
    page.locator("#diagnosis").get_by_role("link", name="Retry").click()
    sheet = page.locator("#sheet")
    sheet.get_by_label("Reason").fill("Again.")
    controlling.skip_step(run.pk, "lint", reason="Not now.", by=team.actor("ada"))
    sheet.get_by_role("button", name="Retry").click()
    expect(sheet).to_contain_text("has changed since you looked")
    assert runs.states(run)["build"] == "failed"


@pytest.mark.parametrize(
    "query", ["", "?tab=graph&step=build", "?tab=events&step=gate", "?tab=plan&step=build&panel=io"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team, problems: Callable[[Page], list[str]],
    query: str, scheme: str,
) -> None:  # fmt: skip
    run = pages.blocked(team, quorum=2)
    sign_in(context, team.grace)
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(at(live_site, run, query))
    wait_for_live(page)
    assert problems(page) == []


def test_everything_works_without_scripts(
    new_context: Callable[..., BrowserContext], live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = pages.blocked(team)
    context = new_context(java_script_enabled=False)
    sign_in(context, team.grace)
    page = context.new_page()
    page.goto(at(live_site, run))
    page.get_by_role("navigation", name="Steps").get_by_role("link", name="build").click()
    expect(page.locator("#panel")).to_contain_text("build")
    page.get_by_role("region", name="Run").get_by_role("link", name="Events").click()
    expect(page.locator("#events")).to_contain_text("launched the run")
    page.locator("#decision textarea").fill("Looked.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#state-line")).to_contain_text("Running")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_label("Reason").fill("Enough.")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#state-line")).to_contain_text("Cancel")


def test_on_a_phone_the_decision_comes_first_and_nothing_is_cut_off(
    context: BrowserContext, live_site: Server, sign_in: SignIn, team: Team
) -> None:
    run = pages.blocked(team)
    sign_in(context, team.grace)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(at(live_site, run, "?step=build"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    decide = page.get_by_role("button", name="Approve").bounding_box()
    panel = page.locator("#panel").bounding_box()
    assert decide is not None
    assert panel is not None
    assert decide["y"] < panel["y"]
