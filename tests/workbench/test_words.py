"""What states, times and amounts look like on a page."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template

from orchestration.models import RunState, StepState
from policy.models.approvals import ApprovalState
from policy.models.rules import Risk
from workbench.templatetags import amounts, badges, icons, times

STATES = (
    [("run", state) for state in RunState.values]
    + [("step", state) for state in StepState.values]
    + [("approval", state) for state in ApprovalState.values]
    + [("risk", risk) for risk in Risk.values]
)
STATIC = Path(settings.BASE_DIR) / "static"
TEMPLATES = Path(settings.BASE_DIR) / "templates"


@pytest.mark.parametrize(("noun", "state"), STATES)
def test_every_state_has_an_icon_a_tone_and_a_word_of_its_own(noun, state):
    assert badges.look(noun, state) is not badges.UNKNOWN
    others = [badges.label(noun, other) for kind, other in STATES if kind == noun and other != state]
    assert badges.label(noun, state) not in others


@pytest.mark.parametrize("state", ["blocked", "paused", "failed", "canceled", "queued", "running"])
def test_only_a_run_that_succeeded_is_green(state):
    assert badges.look("run", "succeeded").tone == "good"
    assert badges.look("run", state).tone != "good"


def test_an_unknown_state_is_shown_by_its_name_instead_of_breaking_the_page():
    assert "Gone fishing" in badges.pill("run", "gone_fishing")


def test_a_state_that_came_from_outside_is_escaped():
    assert "<script>" not in badges.pill("feature", "<script>")


def test_every_icon_a_template_or_badge_names_is_in_the_sprite():
    drawn = set(re.findall(r'id="([a-z0-9-]+)"', (STATIC / icons.SPRITE).read_text()))
    in_templates = {
        name for page in TEMPLATES.rglob("*.html") for name in re.findall(r'{% icon "([a-z0-9-]+)"', page.read_text())
    }
    in_badges = {look.icon for looks in badges.LOOKS.values() for look in looks.values()}
    assert in_templates | in_badges | {badges.UNKNOWN.icon} <= drawn


def test_no_template_writes_a_script_or_a_style_into_the_page():
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\|\s*safe\b|{% autoescape off", re.IGNORECASE
    )
    assert [str(page) for page in TEMPLATES.rglob("*.html") if inline.search(page.read_text())] == []


def test_no_page_asks_another_host():
    sources = [*TEMPLATES.rglob("*.html"), *(STATIC / "css").glob("*.css"), *(STATIC / "js").glob("*.js")]
    assert [str(source) for source in sources if re.search(r"https?://(?!www\.w3\.org)", source.read_text())] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.042, "42 ms"),
        (0.42, "0.42 s"),
        (3.21, "3.2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(seconds, words):
    assert times.duration(seconds) == words


def test_a_relative_time_carries_the_exact_one(time_machine):
    time_machine.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
    shown = times.ago(datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(minutes=3))
    assert "3 min ago" in shown
    assert "1 Mar 2026, 11:57:00 UTC" in shown


def test_a_time_to_come_is_not_called_past(time_machine):
    time_machine.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
    assert "in 3 h" in times.ago(datetime(2026, 3, 1, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("usd", "words"),
    [(None, "cost unknown"), (0, "$0.00"), (Decimal("0.0042"), "$0.0042"), (Decimal("1234.5"), "$1,234.50")],
)
def test_an_unknown_cost_is_never_nought(usd, words):
    assert amounts.cost(usd) == words


def test_output_is_shown_as_text_whatever_it_holds():
    shown = Template('{% include "workbench/_log_lines.html" %}').render(
        Context({"page_url": "?a=1", "block": {"lines": [{"number": 1, "stream": "stdout", "text": "<b>&"}]}})
    )
    assert "&lt;b&gt;&amp;" in shown
