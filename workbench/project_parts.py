"""What the tabs of a project's page show, read for one project. Knows nothing of forms or answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from orchestration import boundary, provider_settings, repositories
from orchestration.features import ImportReport
from orchestration.models import Document, Feature, RunState, WorkflowRun
from orchestration.providers import PROVIDERS
from orchestration.reading import finding
from policy.actors import Actor
from policy.models import Approval, EnvProfile, Membership, Project, Secret
from policy.models.access import Role
from policy.models.approvals import ApprovalKind
from policy.models.rules import Rule as RuleRow
from policy.models.rules import Verdicts
from policy.rules import load_rules
from policy.ruleset import Rule
from workbench.run_rows import display_state, run_rows
from workbench.templatetags.badges import label

RUNS_ON_A_PAGE = 50
STRICTEST_FIRST = tuple(reversed(Verdicts.values))
COLUMNS = {"draft": 0, "planned": 1, "in_progress": 2, "review": 3, "completed": 9}
SAME = {
    "": "draft", "idea": "draft", "proposed": "draft", "todo": "planned", "ready": "planned", "approved": "planned",
    "accepted": "planned",
    "active": "in_progress", "in-progress": "in_progress", "started": "in_progress", "wip": "in_progress",
    "in-review": "review", "in_review": "review", "done": "completed", "complete": "completed", "shipped": "completed",
    "implemented": "completed", "released": "completed",
}  # fmt: skip


def column_of(status: str) -> str:
    """Authors write a status as they like; words that mean the same stand in one column."""
    plain = status.strip().lower().replace(" ", "_")
    return SAME.get(plain, SAME.get(plain.replace("_", "-"), plain))


def board(project: Project) -> dict[str, Any]:
    columns: dict[str, list[dict[str, Any]]] = {}
    for feature in _features(project):
        columns.setdefault(column_of(feature.status), []).append(_card(project, feature))
    ranked = sorted(columns, key=lambda state: (COLUMNS.get(state, 8), state))
    return {
        "columns": [{"state": state, "label": label("feature", state), "features": columns[state]} for state in ranked]
    }


def _features(project: Project) -> Any:
    documents = Document.objects.filter(feature=OuterRef("pk")).order_by().values("feature").annotate(n=Count("pk"))
    last = WorkflowRun.objects.filter(project=project, feature=OuterRef("pk")).order_by("-created_at")
    return Feature.objects.filter(project=project).annotate(
        document_count=Coalesce(Subquery(documents.values("n"), output_field=IntegerField()), 0),
        last_number=Subquery(last.values("number")[:1]),
        last_state=Subquery(last.values("state")[:1]),
        last_control=Subquery(last.values("control")[:1]),
        last_at=Subquery(last.values("created_at")[:1]),
    )


def _card(project: Project, feature: Any) -> dict[str, Any]:
    last = None
    if feature.last_number:
        state = display_state(feature.last_state, feature.last_control)
        last = {"number": feature.last_number, "display_state": state, "created_at": feature.last_at}
    return {
        "title": feature.title,
        "url": reverse("feature", args=[project.slug, feature.slug]),
        "documents": feature.document_count,
        "last_run": last,
    }


def run_history(by: Actor, project: Project, asked: Mapping[str, str]) -> dict[str, Any]:
    """Newest first; a page ends with a number to go on from, which stays right while new runs come."""
    state, feature, before = asked.get("state", ""), asked.get("feature", ""), asked.get("before", "")
    runs = finding.visible_runs(by).filter(project=project).order_by("-number")
    runs = runs.filter(state=state) if state in RunState.values else runs
    runs = runs.filter(feature__slug=feature) if feature else runs
    runs = runs.filter(number__lt=int(before[:9])) if before[:9].isdecimal() else runs
    found = list(runs[: RUNS_ON_A_PAGE + 1])
    shown, url = found[:RUNS_ON_A_PAGE], reverse("project-runs", args=[project.slug])
    more = f"{url}?state={state}&feature={feature}&before={shown[-1].number}" if len(found) > len(shown) else ""
    slugs = Feature.objects.filter(project=project).order_by("title").values_list("slug", "title")
    return {
        "runs": run_rows(shown, place="feature"),
        "next_url": more,
        "previous_url": f"{url}?state={state}&feature={feature}" if before else "",
        "run_filters": {
            "action": url,
            "hidden": {},
            "states": [{"value": v, "label": words, "selected": v == state} for v, words in RunState.choices],
            "features": [{"value": slug, "label": title, "selected": slug == feature} for slug, title in slugs],
        },
    }


def members(project: Project, by: Actor) -> dict[str, Any]:
    held = Membership.objects.filter(project=project).select_related("user").order_by("user__username")
    return {
        "members": [
            {
                "id": row.user_id,
                "name": row.user.get_username(),
                "role": row.role,
                "role_label": Role(row.role).label,
                "since": row.created_at,
                "is_you": row.user_id == by.user_id,
                "is_active": row.user.is_active,
                "removal_url": reverse("member-removal", args=[project.slug, row.user_id]),
            }
            for row in held
        ],
        "roles": Role.choices,
        "members_url": reverse("project-members", args=[project.slug]),
    }


def secrets(project: Project) -> dict[str, Any]:
    rows = Secret.objects.filter(project=project).defer("ciphertext").select_related("updated_by").order_by("name")
    return {
        "secrets": [
            {
                "name": row.name,
                "updated_at": row.updated_at,
                "updated_by": row.updated_by.get_username() if row.updated_by else "",
                "removal_url": reverse("secret-removal", args=[project.slug, row.name]),
            }
            for row in rows
        ],
        "secrets_url": reverse("project-secrets", args=[project.slug]),
    }


def environments(project: Project) -> dict[str, Any]:
    return {
        "profiles": [
            {
                "name": row.name,
                "env": row.env.items(),
                "secrets": row.secrets,
                "updated_at": row.updated_at,
                "updated_by": row.updated_by.get_username() if row.updated_by else "",
                "edit_url": f"{reverse('project-environments', args=[project.slug])}?profile={row.name}#profile-form",
                "removal_url": reverse("environment-removal", args=[project.slug, row.name]),
            }
            for row in EnvProfile.objects.filter(project=project).select_related("updated_by")
        ],
        "environments_url": reverse("project-environments", args=[project.slug]),
    }


def profile_now(project: Project, name: str) -> dict[str, str]:
    """For the form: what a profile holds, as people type it."""
    found = EnvProfile.objects.filter(project=project, name=name).first()
    if found is None:
        return {}
    env = "\n".join(f"{variable}={value}" for variable, value in found.env.items())
    return {"name": found.name, "env": env, "secrets": " ".join(found.secrets)}


def providers(project: Project) -> dict[str, Any]:
    return {"providers": [_provider(project, name) for name in PROVIDERS]}


def _provider(project: Project, name: str) -> dict[str, Any]:
    found = provider_settings.health(project, name)
    note = "Plays a scripted agent, so that everything can be tried with no key." if found.simulated else found.base_url
    words = ("streaming", "cancel", "resume", "artifacts")
    is_set = not found.simulated
    return {
        "name": name,
        "label": found.label,
        "configured": found.configured,
        "simulated": found.simulated,
        "note": " · ".join(part for part in (note, found.key and f"Key {found.key}.", *found.problems) if part),
        "capabilities": [word for word in words if getattr(found.capabilities, word)],
        "url": reverse("project-provider", args=[project.slug, name]) if is_set else "",
        "removal_url": reverse("provider-removal", args=[project.slug, name]) if found.source == "project" else "",
        "test_url": reverse("provider-test", args=[project.slug, name]) if is_set else "",
    }


def rules(project: Project, by: Actor) -> dict[str, Any]:
    rows = RuleRow.objects.filter(Q(project=project) | Q(project=None), current=True, enabled=True)
    scopes = {row.name: "this project" if row.project_id else "all projects" for row in rows}
    held = load_rules(project)
    ours = [rule for rule in held.rules if rule.name in scopes]
    shipped = [rule for rule in held.rules if rule.name not in scopes]
    groups = [_rule_group("Written here", ours, scopes, is_open=True)]
    groups += [
        _rule_group(label("verdict", verdict), [rule for rule in shipped if rule.verdict == verdict], scopes)
        for verdict in STRICTEST_FIRST
    ]
    return {
        "rule_groups": [group for group in groups if group["rules"]],
        "rules_version": held.version,
        "manage_url": reverse("admin:policy_rule_changelist") if by.is_superuser else "",
        "trial_url": reverse("rule-trial", args=[project.slug]),
    }


def _rule_group(words: str, found: list[Rule], scopes: Mapping[str, str], *, is_open: bool = False) -> dict[str, Any]:
    return {
        "label": words,
        "is_open": is_open,
        "rules": [
            {
                "name": rule.name,
                "description": rule.description,
                "condition": "" if rule.condition in ("", "true") else rule.condition,
                "verdict": rule.verdict,
                "scope": scopes.get(rule.name, "ships with CCDash"),
            }
            for rule in found
        ],
    }


def health(project: Project) -> dict[str, Any]:
    facts = repositories.inspect_repository(Path(project.path))
    documents = Document.objects.filter(feature__project=project).count()
    return {
        "health": [
            *_repository(facts),
            _documents(documents),
            _sandbox(project),
            _limits(project),
            _overrides(project),
        ],
        "sandbox_required": project.sandbox_required,
        "boundary_url": reverse("project-boundary", args=[project.slug]),
    }


def _repository(facts: repositories.RepositoryFacts) -> list[dict[str, str]]:
    if facts.problem:
        return [_item("Repository", "failed", facts.problem)]
    if facts.note:
        return [_item("Repository", "optional", facts.note)]
    where = f"branch {facts.branch}" if facts.branch else "no branch checked out"
    items = [
        _item(
            "Repository", "passed", f"A git repository, {where}, at {facts.head[:10]}. Each run gets its own worktree."
        )
    ]
    if facts.dirty:
        told = "1 file differs" if facts.dirty == 1 else f"{facts.dirty} files differ"
        items.append(
            _item(
                "Working tree",
                "optional",
                f"{told} from the last commit; runs start from the commit and don't see that.",
            )
        )
    elif facts.kind == "worktree":
        items.append(_item("Working tree", "passed", "Nothing differs from the last commit."))
    return items


def _documents(count: int) -> dict[str, str]:
    if not count:
        return _item("Documents", "optional", "None read yet. Read them on the Features tab.")
    return _item("Documents", "passed", f"{count} planning document{'s' * (count != 1)} read.")


def _sandbox(project: Project) -> dict[str, str]:
    found = boundary.found(project, here=True)
    why = "This project requires it." if project.sandbox_required else ""
    if found == "missing":
        told = "Code has to run in bubblewrap, and it does not work on this machine, so steps with code are refused."
        mend = "Install bubblewrap and allow user namespaces."
        return _item("Sandbox", "failed", f"{told} {why} {mend}".replace("  ", " "))
    told = f"Code runs in {boundary.WORDS[found]}. {why}".strip()
    return _item("Sandbox", "passed" if found == "bubblewrap" else "optional", told)


def _limits(project: Project) -> dict[str, str]:
    told = f"At most {project.max_active_runs} runs and {project.max_running_steps} steps at the same time."
    return _item("Limits", "passed", told)


def _overrides(project: Project) -> dict[str, str]:
    """An exception that becomes a habit should be seen by whoever looks here."""
    since = timezone.now() - timedelta(days=7)
    of_denials = Approval.objects.filter(project=project, kind=ApprovalKind.OVERRIDE, facts__has_key="override")
    used = of_denials.filter(consumed_at__gte=since).count()
    if not used:
        return _item("Overrides", "passed", "No denied step was run against the rules in the last 7 days.")
    told = "1 denied step was" if used == 1 else f"{used} denied steps were"
    return _item("Overrides", "optional", f"{told} run against the rules in the last 7 days.")


def _item(name: str, state: str, message: str) -> dict[str, str]:
    return {"label": name, "state": state, "message": message}


def import_sentence(report: ImportReport) -> str:
    """What an import found, in one line."""
    told = f"Read {len(report.documents)} document{'s' * (len(report.documents) != 1)}"
    changes = [
        f"{len(names)} {words}"
        for names, words in (
            (report.created, "new features"),
            (report.updated, "features changed"),
            (report.removed, "documents gone"),
        )
        if names
    ]
    unreadable = sum(skipped.unreadable for skipped in report.skipped)
    more = f" {unreadable} could not be read." if unreadable else ""
    return f"{told}: {', '.join(changes) if changes else 'nothing has changed'}.{more}"
