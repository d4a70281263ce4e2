"""Text that somebody else wrote does nothing: not as HTML, not in a terminal, not in a spreadsheet, not to the eye."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as product

from orchestration.artifacts import ArtifactStore
from orchestration.engine import finishing
from orchestration.executors.base import Outcome
from orchestration.models import Artifact, WorkflowRun
from policy import audit
from policy.actors import Actor
from policy.models import Project
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.workbench import pages
from tests.workbench.pages import signed_in
from workbench.untrusted import plainly

pytestmark = pytest.mark.django_db
HTML = "\"'><script>alert(1)</script><img src=x onerror=alert(2)><a href=\"javascript:alert(3)\">x</a>{{ 7|add:'7' }}"
TERMINAL = "\x1b[2J\x1b]8;;javascript:alert(4)\x07press\x1b]8;;\x07"
EYE = "safe\u202eevil\u200b\u2066\U000e0041"
EVIL = f"{HTML} {TERMINAL} {EYE}"
SHORT = f"{HTML[:60]} \u202e"


class Tags(HTMLParser):
    """What a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not (given.get("src") or "").startswith(("/static/", "/admin/jsi18n/")):
            self.acts.append("script")
        for name, value in given.items():
            if name.startswith(("on", "hx-on")):
                self.acts.append(name)
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith("java"):
                self.acts.append(f"{name}={value}")


@pytest.fixture
def run(tmp_path: Path, settings: Any) -> WorkflowRun:
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    (tmp_path / "work").mkdir()
    team = runs.make_team(tmp_path / "work", name=SHORT)
    team.feature.title = SHORT
    team.feature.save()
    steps: dict[str, dict[str, Any]] = {
        "a": {"name": HTML[:120], "outputs": ["said"]},
        "g": {"type": "approval", "instructions": HTML, "name": SHORT},
    }
    made = runs.launch(team, "a >> g", steps, name=SHORT)
    assignment = runs.start(made)
    assert assignment is not None
    pages.say(made, "a", EVIL)
    kept = ArtifactStore(Path(product.ARTIFACTS_DIR)).put(EVIL.encode())
    artifact = {
        "name": EVIL, "kind": "file", "path": EVIL, "media_type": "text/html", "sha256": kept.sha256,
        "size": kept.size, "commit": "", "lineage": {},
    }  # fmt: skip
    outcome = Outcome("succeeded", exit_code=0, outputs={"said": EVIL}, error=EVIL)
    finishing.finish_attempt(
        assignment, outcome, owner=runs.OWNER, left=finishing.Left(artifacts=[artifact]), start_next=False
    )
    audit.append("drill", actor=Actor.system(SHORT), reason=EVIL, after={EVIL: EVIL})
    made.refresh_from_db()
    return made


def addresses(run: WorkflowRun) -> list[str]:
    project, base = f"/projects/{run.project.slug}/", pages.url(run)
    of_run = [f"{base}?step={key}&panel={panel}" for key in "ag" for panel in ("log", "io", "artifacts", "approval")]
    of_run += [base, pages.url(run, "report/"), pages.url(run, f"artifacts/{Artifact.objects.get().pk}/")]
    of_project = [project + tab for tab in ("", "runs/", "members/", "rules/", "features/search/")]
    lists = ("policy/approval", "policy/auditrecord", "orchestration/workflowrun", "orchestration/feature",
             "orchestration/event", "orchestration/workflow", "orchestration/steprun", "policy/project")  # fmt: skip
    admin = [f"/admin/{name}/" for name in lists]
    admin += [f"/admin/orchestration/workflowrun/{run.pk}/change/"]
    admin += [f"/admin/policy/auditrecord/{record}/change/" for record in _records()]
    return [*of_run, *of_project, *admin, "/", "/projects/", "/approvals/", "/approvals/?view=all"]


def _records() -> list[int]:
    from policy.models import AuditRecord

    return list(AuditRecord.objects.order_by("-pk").values_list("pk", flat=True)[:3])


def test_no_page_acts_on_what_somebody_wrote(run: WorkflowRun) -> None:
    browser = signed_in(UserFactory(is_staff=True, is_superuser=True))
    acting = {}
    for address in addresses(run):
        answer = browser.get(address)
        assert answer.status_code == 200, address
        text = answer.content.decode()
        tags = Tags()
        tags.feed(text)
        if tags.acts or "<script>alert" in text or "<img src=x" in text or ">77<" in text:
            acting[address] = tags.acts
    assert acting == {}


def test_the_report_in_every_form_does_nothing(run: WorkflowRun) -> None:
    browser = signed_in(UserFactory(is_superuser=True))
    for form in ("md", "json"):
        answer = browser.get(pages.url(run, f"report.{form}"))
        text = (b"".join(answer) if answer.streaming else answer.content).decode()
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "\x1b" not in text
        # What reads JSON is a program, and gets what was there.
        assert form == "json" or not [one for one in ("\u202e", "\u200b", "<script>") if one in text]


def test_exports_hold_no_formula_and_no_page(run: WorkflowRun) -> None:
    Project.objects.update(name="=cmd|' /C calc'!A0")
    audit.append("=1+1", actor=Actor.system("@SUM(A1)"), reason="＝1+1")
    browser = signed_in(UserFactory(is_staff=True, is_superuser=True))
    for name in ("auditrecord", "approval", "decision"):
        answer = browser.get(f"/admin/policy/{name}/export/csv/")
        assert answer["Content-Disposition"].startswith("attachment")
        cells = b"".join(answer).decode().replace('""', "").split('","')
        assert not [cell for cell in cells if cell.strip('"\n').startswith(("=", "+", "-1", "@", "＝"))]


def test_downloads_are_never_pages(run: WorkflowRun) -> None:
    browser = signed_in(UserFactory(is_superuser=True))
    artifact = Artifact.objects.get()
    for address in (f"/api/execution/artifacts/{artifact.pk}/content", pages.url(run, "steps/a/log/raw/")):
        answer = browser.get(address)
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert not answer["Content-Type"].startswith("text/html")
        assert "\n" not in answer["Content-Disposition"]


def test_what_the_eye_does_not_see_is_spelled_out_where_people_judge(run: WorkflowRun) -> None:
    browser = signed_in(UserFactory(is_superuser=True))
    preview = browser.get(pages.url(run, f"artifacts/{Artifact.objects.get().pk}/")).content.decode()
    pre = preview[preview.index("<pre") :]
    assert "⟨U+202E⟩" in pre
    assert "\u202e" not in pre[: pre.index("</pre>")]
    assert plainly(EYE) == "safe⟨U+202E⟩evil⟨U+200B⟩⟨U+2066⟩⟨U+E0041⟩"
    assert plainly("tab\tline\r\nend") == "tab\tline\nend"
