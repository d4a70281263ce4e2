"""The builder: forms and text are the same plan, every change is a button, and nothing that was typed is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from orchestration import plan_rules, plan_text, schema
from orchestration.demo.plan import make_plan
from orchestration.models import Workflow, WorkflowRun, WorkflowVersion
from tests.factories import member
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench.visitors import HTMX, text_of, value_of, visitor
from workbench.builder import drafts, faults, plans
from workbench.plan_templates import TEMPLATES

pytestmark = pytest.mark.django_db
EVERYTHING: dict[str, Any] = plan_text.read_plan(Path(__file__).with_name("everything.yaml").read_text())
ONE_STEP = {
    "view": "steps",
    "plan-name": "Plan",
    "steps-0-type": "command",
    "steps-0-key": "a",
    "steps-0-command": "ls",
}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def ada(team: Team) -> Client:
    return visitor(team.ada)


def new_url(team: Team, tail: str = "new/") -> str:
    return f"/projects/{team.project.slug}/features/search/workflows/{tail}"


def url(workflow: Workflow, tail: str = "") -> str:
    return f"/projects/{workflow.project.slug}/workflows/{workflow.pk}/{tail}"


def names_of(answer: HttpResponse) -> list[str]:
    return [step["name"] for step in answer.context["builder"]["steps"]]


@pytest.mark.parametrize(
    "plan",
    [
        EVERYTHING,
        make_plan(project="p", feature="f"),
        *({**plan, "project": "p", "feature": "f"} for plan in TEMPLATES.values()),
    ],
    ids=lambda plan: plan["name"],
)
def test_forms_give_back_the_plan_that_they_were_given(plan: dict[str, Any]) -> None:
    whole = plan_rules.validate_plan(plan).as_data()
    again = plans.read(plans.show(whole), project="p", feature="f")
    assert schema.validate_shape(again).as_data() == whole
    assert plan_rules.validate_plan(plan_text.read_plan(drafts.text_of(whole))).as_data() == whole
    assert plans.is_faithful(whole)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("timeout_seconds", "soon"),
        ("env", "NOT A PAIR"),
        ("retry_max_attempts", "many"),
        ("needs", "no such, keys"),
        ("cwd", "../up"),
    ],
)
def test_what_can_not_be_read_comes_back_as_it_was_typed(team: Team, ada: Client, field: str, typed: str) -> None:
    answer = ada.post(new_url(team), {**ONE_STEP, f"steps-0-{field}": typed, "do": "save"})
    assert answer.status_code == 422
    card = answer.context["builder"]["steps"][0]
    shown = {entry.name: entry for entry in [*card["fields"], *card["more"]]}
    assert shown[f"steps-0-{field}"].value.replace(",", "") == typed.replace(",", "")
    assert shown[f"steps-0-{field}"].errors
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("name", "plan-name"),
        ("budget.max_tokens", "plan-budget_max_tokens"),
        ("inputs.dry.default", "inputs-3-default"),
        ("steps[2].needs[0]", "steps-2-needs"),
        ("steps[0].retry.max_attempts", "steps-0-retry_max_attempts"),
        ("steps[0].env.X", "steps-0-env"),
        ("steps[3].checks[4].expression", "steps-3-checks-4-expression"),
        ("steps[3]", "steps-3"),
    ],
)
def test_a_fault_belongs_to_a_field(path: str, field: str) -> None:
    assert faults.field_of(drafts.of_data(EVERYTHING, project="p", feature="f"), path) == field


def test_steps_are_added_moved_copied_and_removed(team: Team, ada: Client) -> None:
    sent = {**ONE_STEP, "steps-0-name": "A", "steps-1-type": "approval", "steps-1-name": "B"}
    wishes = {
        "add:sdk": ["A", "B", ""], "up:1": ["B", "A"], "down:0": ["B", "A"], "move:1:0": ["B", "A"],
        "copy:0": ["A", "A copy", "B"], "remove:0": ["B"], "up:0": ["A", "B"], "remove:9": ["A", "B"],
        "nonsense": ["A", "B"],
    }  # fmt: skip
    for wish, expected in wishes.items():
        assert names_of(ada.post(new_url(team), {**sent, "do": wish})) == expected
    assert not Workflow.objects.exists()


def test_what_needed_a_removed_step_needs_what_that_needed() -> None:
    draft = drafts.of_data(EVERYTHING, project="p", feature="f")
    drafts.change(draft, "remove:1")
    assert [step["needs"] for step in draft.steps] == [[], ["a"], ["c"]]


def test_checks_and_inputs_are_added_and_removed(team: Team, ada: Client) -> None:
    sent = {
        "view": "steps",
        "steps-0-type": "validation",
        "steps-0-checks-0-kind": "file",
        "steps-0-checks-0-path": "x",
    }
    added = ada.post(new_url(team), {**sent, "do": "check_add:0:junit"}).context["builder"]["steps"][0]["checks"]
    assert [check["kind"] for check in added] == ["file", "junit"]
    removed = ada.post(new_url(team), {**sent, "do": "check_remove:0:0"}).context["builder"]["steps"][0]["checks"]
    assert removed == []
    assert len(ada.post(new_url(team), {**sent, "do": "input_add"}).context["builder"]["inputs"]) == 1
    given = {**sent, "inputs-0-name": "v", "inputs-0-type": "string"}
    assert ada.post(new_url(team), {**given, "do": "input_remove:0"}).context["builder"]["inputs"] == []


def test_two_inputs_of_one_name_are_both_kept() -> None:
    texts = {"inputs-0-name": "v", "inputs-0-type": "number", "inputs-1-name": "v", "inputs-1-type": "boolean"}
    kept = plans.read(texts, project="p", feature="f")["inputs"]
    assert {name: spec["type"] for name, spec in kept.items()} == {"v": "number", "v_2": "boolean"}


def test_text_and_steps_stay_in_step(team: Team, ada: Client) -> None:
    text = ada.post(new_url(team), {**ONE_STEP, "do": "text"}).context["builder"]["text"]
    assert plan_text.read_plan(text)["steps"] == [{"type": "command", "key": "a", "command": "ls"}]
    back = ada.post(new_url(team), {"view": "text", "text": text.replace("ls", "ls -l"), "do": "steps"})
    assert back.context["builder"]["view"] == "steps"
    assert "ls -l" in back.content.decode()


@pytest.mark.parametrize(
    "text", ["name: [", "steps:\n- type: strange\n", "name: x\nextra: 1\nsteps: []\n", "- a list", "null"]
)
def test_text_that_the_steps_can_not_show_stays_text(team: Team, ada: Client, text: str) -> None:
    answer = ada.post(new_url(team), {"view": "text", "text": text, "do": "steps"})
    assert answer.context["builder"]["view"] == "text"
    assert answer.context["builder"]["text"] == text
    assert answer.context["result"]["problems"] or answer.context["builder"]["draft_note"]


def test_a_long_plan_is_edited_as_text(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, " >> ".join(f"s{number}" for number in range(drafts.MOST_STEPS_AS_FORMS + 1)))
    answer = ada.get(url(workflow))
    assert answer.context["builder"]["view"] == "text"
    assert "edited as text" in text_of(answer)


def test_typing_is_checked_without_storing(team: Team, ada: Client) -> None:
    risky = {**ONE_STEP, "steps-0-name": "Clean", "steps-0-command": "rm -rf build"}
    answer = ada.post(new_url(team, "check/"), risky, headers=HTMX)
    assert "Valid" in text_of(answer)
    assert "Clean approvers" in text_of(answer)
    assert 'hx-swap-oob="true"' in answer.content.decode()
    assert "asks for a decision" in text_of(answer)
    wrong = ada.post(new_url(team, "check/"), {**ONE_STEP, "steps-0-needs": "ghost"}, headers=HTMX)
    assert "There is no step with the key 'ghost'." in text_of(wrong)
    assert 'href="#id_steps-0-needs"' in wrong.content.decode()
    assert not Workflow.objects.exists()


def test_a_gate_that_nobody_could_release_is_told_before_the_launch(team: Team, ada: Client) -> None:
    lonely = {**ONE_STEP, "steps-1-type": "approval", "steps-1-name": "Gate", "steps-1-approvers": "role:admin"}
    assert "Nobody could release “Gate”" in text_of(ada.post(new_url(team, "check/"), lonely, headers=HTMX))


def test_saving_stores_version_one_and_leads_to_it(team: Team, ada: Client) -> None:
    answer = ada.post(new_url(team), {**ONE_STEP, "do": "save"})
    workflow = Workflow.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, url(workflow))
    assert workflow.versions.get().plan["steps"][0]["command"] == "ls"


def test_saving_twice_makes_one_workflow(team: Team, ada: Client) -> None:
    sent = {**ONE_STEP, "do": "save", "form_key": value_of(ada.get(new_url(team)), "form_key")}
    assert ada.post(new_url(team), sent)["Location"] == ada.post(new_url(team), sent)["Location"]
    assert Workflow.objects.count() == 1


def test_an_edit_is_the_next_version_and_no_edit_is_none(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a")
    sent = {**plans.show(workflow.versions.get().plan), "view": "steps", "do": "save", "base": "1"}
    ada.post(url(workflow), sent)
    assert workflow.versions.count() == 1
    ada.post(url(workflow), {**sent, "steps-0-command": "false"})
    assert workflow.versions.count() == 2


def test_an_edit_of_an_old_version_is_not_laid_over_a_newer_one_unseen(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a")
    texts = {**plans.show(workflow.versions.get().plan), "view": "steps", "do": "save", "base": "1"}
    visitor(member(team.project, "operator", username="barbara")).post(
        url(workflow), {**texts, "steps-0-command": "hers"}
    )
    answer = ada.post(url(workflow), {**texts, "steps-0-command": "mine"})
    assert answer.status_code == 409
    assert "barbara saved version 2 meanwhile" in text_of(answer)
    assert "mine" in answer.content.decode()
    assert (
        ada.post(url(workflow), {**texts, "steps-0-command": "mine", "base": value_of(answer, "base")}).status_code
        == 303
    )
    assert workflow.versions.count() == 3


def test_text_of_another_project_is_refused_here(team: Team, ada: Client) -> None:
    text = "name: X\nproject: elsewhere\nsteps:\n- {type: command, command: ls}\n"
    answer = ada.post(new_url(team), {"view": "text", "text": text, "do": "save"})
    assert answer.status_code == 422
    assert f"This workflow belongs to '{team.project.slug}'" in text_of(answer)


def test_an_import_moves_the_plan_here_and_stores_nothing(team: Team, ada: Client) -> None:
    file = SimpleUploadedFile("plan.yaml", drafts.text_of(make_plan(project="other", feature="thing")).encode())
    answer = ada.post(new_url(team, "import/"), {"file": file})
    assert "Release storm warnings" in text_of(answer)
    assert answer.context["result"]["valid"]
    assert not Workflow.objects.exists()
    assert ada.post(new_url(team, "import/"), {}).status_code == 422


def test_an_export_reads_back_as_the_same_plan(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a >> b, c")
    answer = ada.get(url(workflow, "versions/1/plan.yaml"))
    assert answer["Content-Disposition"] == 'attachment; filename="search-v1.yaml"'
    again = plan_rules.validate_plan(plan_text.read_plan(answer.content))
    assert again.as_data() == workflow.versions.get().plan


def test_versions_are_listed_with_what_changed(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a")
    texts = {**plans.show(workflow.versions.get().plan), "view": "steps", "do": "save"}
    ada.post(url(workflow), {**texts, "steps-0-command": "make all"})
    listed = ada.get(url(workflow, "versions/"))
    assert [row["number"] for row in listed.context["versions"]] == [2, 1]
    lines = ada.get(url(workflow, "versions/1/2/")).context["diff"]["diff"]["files"][0]["lines"]
    assert [line["text"].strip("+- ") for line in lines if line["kind"] != "same"][-2:] == [
        "command: 'true'",
        "command: make all",
    ]
    assert ada.get(url(workflow, "versions/1/9/")).status_code == 404


def test_a_launch_asks_for_the_inputs_and_says_what_does_not_fit(team: Team, ada: Client) -> None:
    inputs = {
        "version": {"type": "string", "required": True},
        "count": {"type": "number", "default": 2},
        "dry": {"type": "boolean"},
    }
    workflow = runs.make_workflow(team, "a", inputs=inputs)
    assert "version" in text_of(ada.get(url(workflow, "launch/")))
    wrong = ada.post(url(workflow, "launch/"), {"input-count": "many", "input-dry": "true"})
    assert wrong.status_code == 422
    assert "The input 'version' is needed." in text_of(wrong)
    assert "must be a number" in text_of(wrong)
    assert 'value="many"' in wrong.content.decode()
    answer = ada.post(url(workflow, "launch/"), {"input-version": "1.0", "input-count": "3", "input-dry": "false"})
    assert answer["Location"] == f"/projects/{team.project.slug}/runs/1/"
    assert WorkflowRun.objects.get().inputs == {"version": "1.0", "count": 3, "dry": False}


def test_launching_twice_starts_one_run(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a")
    sent = {"form_key": value_of(ada.get(url(workflow, "launch/")), "form_key"), "version": "1"}
    for _ in range(2):
        assert ada.post(url(workflow, "launch/"), sent).status_code == 303
    assert WorkflowRun.objects.count() == 1


def test_the_version_that_was_shown_is_the_one_that_runs(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "a")
    shown = value_of(ada.get(url(workflow, "launch/")), "version")
    ada.post(
        url(workflow),
        {**plans.show(workflow.versions.get().plan), "view": "steps", "do": "save", "steps-0-command": "new"},
    )
    ada.post(url(workflow, "launch/"), {"version": shown})
    assert WorkflowRun.objects.get().version.number == 1


def test_a_launch_that_could_never_end_is_refused_in_its_dialog(team: Team, ada: Client) -> None:
    workflow = runs.make_workflow(team, "gate", {"gate": {"type": "approval", "approvers": ["role:admin"]}})
    answer = ada.post(url(workflow, "launch/"), {}, headers=HTMX)
    assert answer.status_code == 409
    assert "could never be released" in text_of(answer)
    assert not re.search("<html", answer.content.decode())


def test_who_only_looks_reads_the_plan_and_stores_nothing(team: Team) -> None:
    workflow, linus = runs.make_workflow(team, "a"), visitor(team.linus)
    page = linus.get(url(workflow))
    assert page.status_code == 200
    assert "Launch version" not in text_of(page)
    texts = {**plans.show(workflow.versions.get().plan), "view": "steps", "do": "save", "steps-0-command": "evil"}
    assert linus.post(url(workflow), texts).status_code == 403
    assert linus.post(new_url(team), {**ONE_STEP, "do": "save"}).status_code == 403
    assert linus.post(url(workflow, "launch/"), {}).status_code == 403
    assert (WorkflowVersion.objects.count(), WorkflowRun.objects.count()) == (1, 0)


@pytest.mark.parametrize("tail", ["", "launch/", "versions/", "versions/1/1/", "versions/1/plan.yaml"])
def test_strangers_and_wrong_projects_find_no_workflow(team: Team, ada: Client, tail: str) -> None:
    workflow = runs.make_workflow(team, "a")
    assert visitor().get(url(workflow, tail)).status_code == 404
    other = runs.make_team(Path(team.project.path) / "other", slug="other")
    member_of_both = visitor(member(other.project, "admin", username="both"))
    assert member_of_both.get(url(workflow, tail).replace(team.project.slug, "other")).status_code == 404


def test_more_steps_cost_no_more_statements(team: Team, ada: Client, django_assert_max_num_queries: Any) -> None:
    ada.get(new_url(team))
    for size in (2, 30):
        workflow = runs.make_workflow(team, " >> ".join(f"s{number}" for number in range(size)))
        for tail in ("", "launch/", "versions/"):
            with django_assert_max_num_queries(20):
                ada.get(url(workflow, tail))


# what an agent is given


AGENT = {
    "view": "steps", "plan-name": "Plan", "steps-0-type": "sdk", "steps-0-key": "a", "steps-0-prompt": "Look.",
    "steps-0-provider": "openai",
}  # fmt: skip


def agent_in(answer: HttpResponse) -> dict[str, Any]:
    """The step as the text view would have it."""
    return dict(plan_text.read_plan(answer.context["builder"]["text"])["steps"][0])  # type: ignore[call-overload, index]


def test_tools_and_documents_are_ticked_kept_in_order_and_added_to(team: Team, ada: Client) -> None:
    sent = {
        **AGENT, "do": "text", "steps-0-tools": "write_file\r\nlist_files\r\nread_file",
        "steps-0-tools+read_file": "on", "steps-0-tools+write_file": "on", "steps-0-tools+run_command": "on",
        "steps-0-context+docs/b+c.md": "on", "steps-0-context-more": "docs/a.md\r\n\r\ndocs/b+c.md",
    }  # fmt: skip
    step = agent_in(ada.post(new_url(team), sent))
    assert step["tools"] == ["write_file", "read_file", "run_command"]
    assert step["context"] == ["docs/b+c.md", "docs/a.md"]
    assert "tools" not in agent_in(ada.post(new_url(team), {**AGENT, "do": "text", "steps-0-tools": "read_file"}))


def test_the_picker_offers_the_features_documents_and_says_what_is_cut(team: Team, ada: Client) -> None:
    for name, words in (("long.md", 40_000), ("short.md", 10)):
        Path(team.project.path, name).write_text("# Title\n" + "word " * words)
        team.feature.documents.create(path=name, title=name.title(), digest="d", size=words * 5)
    sent = {**AGENT, "steps-0-context+long.md": "on", "steps-0-context+gone.md": "on"}
    page = ada.post(new_url(team), {**sent, "do": "check"})
    text = text_of(page)
    assert "long.md Long.Md, about 57,143 tokens" in text
    assert "of 30.0k tokens" in text
    assert "long.md was cut in line 2 of 2" in text
    assert "gone.md could not be attached: No such file or directory." in text
    live = ada.post(new_url(team, "check/"), sent)
    assert 'id="builder-agent-0" hx-swap-oob="true"' in live.content.decode()


def test_an_agents_step_says_how_its_provider_stands(team: Team, ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    text = text_of(ada.post(new_url(team), {**AGENT, "do": "check"}))
    assert "No API key is set for openai." in text
    assert "taken up after a restart" in text
    text = text_of(ada.post(new_url(team), {**AGENT, "do": "check", "steps-0-provider": "simulated"}))
    assert "Simulated (no model is asked)" in text
