"""State, risk and kind as icon, word and tone: the three always come together, so colour is never alone.

Templates call the tags; the words are the models' own labels. Knows nothing of requests.
"""

import functools
from typing import NamedTuple

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestration.models import RunState, StepState
from orchestration.models.workflow import StepType
from policy.models.approvals import ApprovalState
from policy.models.rules import Risk
from workbench.templatetags.icons import icon

register = template.Library()


class Look(NamedTuple):
    tone: str  # good, warn, bad, active, hold, idle
    icon: str


UNKNOWN = Look("idle", icon="point")
LOOKS: dict[str, dict[str, Look]] = {
    "run": {
        "queued": Look("idle", icon="clock"),
        "running": Look("active", icon="loader-2"),
        "blocked": Look("warn", icon="hand-stop"),
        "paused": Look("hold", icon="player-pause"),
        "pausing": Look("hold", icon="player-pause"),
        "failed": Look("bad", icon="circle-x"),
        "succeeded": Look("good", icon="circle-check"),
        "canceling": Look("idle", icon="player-stop"),
        "canceled": Look("idle", icon="ban"),
    },
    "step": {
        "pending": Look("idle", icon="circle-dashed"),
        "awaiting_approval": Look("warn", icon="hand-stop"),
        "ready": Look("active", icon="circle-dot"),
        "running": Look("active", icon="loader-2"),
        "retry_wait": Look("warn", icon="clock"),
        "interrupted": Look("hold", icon="unlink"),
        "succeeded": Look("good", icon="circle-check"),
        "failed": Look("bad", icon="circle-x"),
        "skipped": Look("idle", icon="player-skip-forward"),
        "canceled": Look("idle", icon="ban"),
        "superseded": Look("idle", icon="replace"),
    },
    "approval": {
        "pending": Look("warn", icon="hand-stop"),
        "approved": Look("good", icon="check"),
        "rejected": Look("bad", icon="x"),
        "expired": Look("idle", icon="hourglass-off"),
        "revoked": Look("idle", icon="arrow-back-up"),
        "superseded": Look("idle", icon="replace"),
        "consumed": Look("good", icon="checks"),
    },
    "risk": {
        "low": Look("idle", icon="shield-check"),
        "medium": Look("warn", icon="shield-half"),
        "high": Look("bad", icon="alert-triangle"),
        "critical": Look("bad", icon="alert-octagon"),
    },
    "verdict": {
        "allow": Look("good", icon="circle-check"),
        "require_approval": Look("warn", icon="hand-stop"),
        "require_elevated_approval": Look("warn", icon="shield-lock"),
        "deny": Look("bad", icon="ban"),
    },
    "attempt": {
        "": Look("active", icon="loader-2"),
        "succeeded": Look("good", icon="circle-check"),
        "failed": Look("bad", icon="circle-x"),
        "canceled": Look("idle", icon="ban"),
        "interrupted": Look("hold", icon="unlink"),
        "returned": Look("idle", icon="arrow-back-up"),
        "checkpoint": Look("warn", icon="hand-stop"),
    },
    "sync": {
        "in_sync": Look("good", icon="circle-check"),
        "stale": Look("warn", icon="unlink"),
        "error": Look("bad", icon="circle-x"),
    },
    "type": {
        "command": Look("idle", icon="terminal-2"),
        "sdk": Look("idle", icon="robot"),
        "approval": Look("idle", icon="user-check"),
        "validation": Look("idle", icon="list-check"),
    },
    "check": {
        "passed": Look("good", icon="circle-check"),
        "failed": Look("bad", icon="circle-x"),
        "optional": Look("warn", icon="alert-triangle"),
    },
    "feature": {
        "draft": Look("idle", icon="pencil"),
        "planned": Look("idle", icon="circle-dashed"),
        "in_progress": Look("active", icon="circle-dot"),
        "review": Look("warn", icon="eye"),
        "completed": Look("good", icon="circle-check"),
        "done": Look("good", icon="circle-check"),
    },
}
LABELS: dict[str, dict[str, str]] = {
    "run": {**dict(RunState.choices), "canceling": "Canceling", "pausing": "Pausing"},
    "step": dict(StepState.choices),
    "approval": dict(ApprovalState.choices),
    "sync": {
        "in_sync": "In sync with the provider",
        "stale": "Out of step with the provider",
        "error": "The provider could not be asked",
    },
    "risk": {value: f"{label} risk" for value, label in Risk.choices},
    "verdict": {
        "allow": "Runs without approval",
        "require_approval": "Needs approval",
        "require_elevated_approval": "Needs elevated approval",
        "deny": "Denied by policy",
    },
    "type": dict(StepType.choices),
    "attempt": {"": "Running", "returned": "Never begun", "checkpoint": "At a checkpoint"},
    "check": {"optional": "Failed, not required"},
}


def look(noun: str, state: str) -> Look:
    """An unknown state is shown by its own name, plainly, instead of breaking the page."""
    return LOOKS[noun].get(state.replace("-", "_"), UNKNOWN)


def label(noun: str, state: str) -> str:
    named = LABELS.get(noun, {}).get(state)
    return str(named or state.replace("_", " ").replace("-", " ").capitalize() or "Unknown")


@register.simple_tag
@functools.lru_cache(maxsize=1024)
def pill(noun: str, state: str) -> SafeString:
    """Icon and word on a soft ground."""
    tone, name = look(noun, state)
    return format_html(
        '<span class="pill tone-{}" data-state="{}">{}<span>{}</span></span>',
        tone,
        state,
        icon(name),
        label(noun, state),
    )


@register.simple_tag
@functools.lru_cache(maxsize=1024)
def mark(noun: str, state: str) -> SafeString:
    """The icon alone, for dense lists; its word is there for screen readers and on hover."""
    tone, name = look(noun, state)
    words = label(noun, state)
    return format_html(
        '<span class="glyph tone-{}" data-state="{}" title="{}">{}<span class="visually-hidden">{}</span></span>',
        tone,
        state,
        words,
        icon(name),
        words,
    )


@register.simple_tag
def state_label(noun: str, state: str) -> str:
    return label(noun, state)


@register.simple_tag
def state_tone(noun: str, state: str) -> str:
    return look(noun, state).tone


@register.simple_tag
def state_icon(noun: str, state: str) -> str:
    return look(noun, state).icon
