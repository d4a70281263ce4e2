"""Features as rows: importing them from documents, and making them by hand."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestration import features, plan_text
from orchestration.models import Document, Feature
from policy.actors import Actor
from policy.errors import Conflict, Invalid, NotAllowed, NotVisible
from policy.models import AuditRecord
from policy.models.access import Role
from tests.factories import ProjectFactory, UserFactory, member

pytestmark = pytest.mark.django_db

PRD = '---\ndoc_type: prd\nfeature_slug: search\ntitle: "PRD: Faster search"\nstatus: draft\n---\n\n# PRD\n'
PLAN = (
    "---\ndoc_type: implementation_plan\nfeature_slug: search\n---\n\n# Plan\n\n## Phase 1: Index\n\n## Phase 2: Page\n"
)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "prd.md").write_text(PRD)
    (tmp_path / "plan.md").write_text(PLAN)
    return ProjectFactory(slug="website", path=str(tmp_path))


def operator(project) -> Actor:
    return Actor.for_command(member(project, Role.OPERATOR))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_an_import_makes_features_and_documents_and_says_what_it_did(project):
    report = features.import_features(project, operator(project))

    feature = Feature.objects.get(project=project)
    assert (feature.slug, feature.title, feature.status) == ("search", "Faster search", "draft")
    assert report.created == ("search",)
    assert report.added == ("plan.md", "prd.md")
    assert list(feature.documents.values_list("path", flat=True)) == ["plan.md", "prd.md"]


def test_an_import_is_on_record_once_and_the_second_press_changes_nothing(project):
    by = operator(project)
    features.import_features(project, by)

    report = features.import_features(project, by)

    assert not report.has_changes
    assert report.unchanged == ("search",)
    (record,) = AuditRecord.objects.filter(action="features.imported")
    assert (record.actor, record.project, record.after["created"]) == (by.name, "website", ["search"])


def test_an_import_follows_a_changed_document(project):
    by = operator(project)
    features.import_features(project, by)
    Path(project.path, "prd.md").write_text(PRD.replace("status: draft", "status: approved"))

    report = features.import_features(project, by)

    assert (report.updated, report.changed) == (("search",), ("prd.md",))
    assert Feature.objects.get().status == "approved"
    assert Document.objects.get(path="prd.md").front_matter["status"] == "approved"


def test_a_document_that_is_gone_is_forgotten_and_its_feature_stays(project):
    by = operator(project)
    features.import_features(project, by)
    for name in ("prd.md", "plan.md"):
        Path(project.path, name).unlink()

    report = features.import_features(project, by)

    assert report.removed == ("plan.md", "prd.md")
    assert Feature.objects.get().documents.count() == 0


def test_a_document_that_can_not_be_read_for_now_is_kept_as_it_was(project):
    by = operator(project)
    features.import_features(project, by)
    Path(project.path, "prd.md").write_text("---\ntitle: [\n---\n")

    report = features.import_features(project, by)

    assert report.removed == ()
    assert Document.objects.filter(path="prd.md").exists()
    assert "bad YAML" in report.skipped[0].reason


def test_a_document_that_names_another_feature_moves_there(project):
    by = operator(project)
    features.import_features(project, by)
    Path(project.path, "plan.md").write_text(PLAN.replace("feature_slug: search", "feature_slug: other"))

    features.import_features(project, by)

    assert Document.objects.get(path="plan.md").feature.slug == "other"


def test_a_feature_made_by_hand_is_joined_by_its_documents(project):
    by = operator(project)
    made = features.create_feature(project, "search", title="Search", description="Told by hand.", by=by)

    report = features.import_features(project, by)

    made.refresh_from_db()
    assert report.created == ()
    assert (made.title, made.description, made.documents.count()) == ("Faster search", "Told by hand.", 2)


def test_a_folder_that_is_gone_is_told_in_words(project):
    project.path = "/nowhere/at/all"

    with pytest.raises(Invalid, match="There is no folder"):
        features.import_features(project, Actor.for_shell())


@pytest.mark.parametrize("slug", ["", "Search", "a b", "../x", "-x", "x" * 201])
def test_a_slug_that_can_not_stand_in_an_address_is_refused(project, slug):
    with pytest.raises(Invalid, match="can't name a feature"):
        features.create_feature(project, slug, title="T", by=Actor.for_shell())


def test_a_feature_is_made_once(project):
    features.create_feature(project, "new", title="New", by=Actor.for_shell())

    with pytest.raises(Conflict, match="already"):
        features.create_feature(project, "new", title="New", by=Actor.for_shell())
    assert AuditRecord.objects.filter(action="feature.created").count() == 1


def test_viewers_may_not_and_strangers_see_nothing(project):
    viewer = Actor.for_command(member(project, Role.VIEWER))
    stranger = Actor.for_command(UserFactory())

    for by, refusal in ((viewer, NotAllowed), (stranger, NotVisible)):
        with pytest.raises(refusal):
            features.import_features(project, by)
        with pytest.raises(refusal):
            features.create_feature(project, "new", title="New", by=by)
    assert not Feature.objects.exists()
    assert not AuditRecord.objects.exists()


def test_the_command_imports_and_prints_what_was_skipped(project):
    Path(project.path, "README.md").write_text("# Hello\n")

    text = run("import_features", "website")

    assert "created    search" in text
    assert "README.md: no front matter" in text


def test_the_command_imports_and_prints_json(project):
    report = json.loads(run("import_features", "website", "--json"))

    assert (report["created"], report["documents"]) == (["search"], ["plan.md", "prd.md"])


def test_the_command_makes_a_feature_on_behalf_of_a_person(project):
    member(project, Role.OPERATOR, username="ada")

    assert "new" in run("create_feature", "website", "new", "--title", "New", "--user", "ada")
    assert AuditRecord.objects.get().actor == "ada"


def test_the_command_prints_a_draft_plan_that_can_be_read_back(project):
    run("import_features", "website")

    plan = plan_text.read_plan(run("generate_plan", "website", "search", "--provider", "anthropic"))

    agents = [step for step in plan["steps"] if step["type"] == "sdk"]
    assert [step["name"] for step in agents] == ["Phase 1: Index", "Phase 2: Page"]
    assert agents[0]["context"] == ["plan.md", "prd.md"]
    assert {step["provider"] for step in agents} == {"anthropic"}


@pytest.mark.parametrize("path", ["prd.md", "{root}/prd.md"])
def test_a_plan_is_made_of_the_document_that_is_named(project, path):
    run("import_features", "website")

    text = run("generate_plan", "website", "search", "--json", "--document", path.format(root=project.path))

    assert [step["key"] for step in json.loads(text)["steps"]] == [
        "implementation",
        "implementation_check",
        "acceptance",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["import_features", "nowhere"], "no project"),
        (["import_features", "website", "--user", "nobody"], "no active person"),
        (["create_feature", "website", "Bad Slug", "--title", "T"], "can't name"),
        (["generate_plan", "website", "nowhere"], "no feature"),
        (["generate_plan", "website", "bare"], "no implementation plan"),
        (["generate_plan", "website", "bare", "--document", "../x.md"], "can't be read"),
        (["generate_plan", "website", "bare", "--document", "prd.md", "--provider", "No Provider"], "provider"),
    ],
)
def test_commands_refuse_in_a_sentence(project, arguments, sentence):
    features.create_feature(project, "bare", title="Bare", by=Actor.for_shell())

    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
