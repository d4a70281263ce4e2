"""The demo: a repository, people and a workflow that anybody can run to its end without a key."""

import os
import re
import stat
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from orchestration import documents, plan_rules, planner
from orchestration.demo import making, repository
from orchestration.demo.plan import make_plan
from orchestration.engine import planning
from orchestration.models import Feature, Workflow
from policy.models import Membership, Project
from tests.factories import ProjectFactory


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    repository.build_repository(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def bash(command: str, folder: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    (scratch / "artifacts").mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "CCDASH_OUTPUT": str(scratch / "output"),
        "CCDASH_ARTIFACTS": str(scratch / "artifacts"),
        "VERSION": "1.1.0",
        "TESTS": "8",
    }
    hurried = re.sub(r"sleep \d+", ":", command)
    return subprocess.run(["bash", "-c", hurried], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_repository_is_a_clean_git_repository_with_a_remote_and_a_history(demo_folder):
    made = demo_folder / "repository"

    assert git(made, "status", "--porcelain") == ""
    assert len(git(made, "log", "--format=%s").splitlines()) == 3
    assert git(made, "rev-parse", "HEAD") == git(made, "ls-remote", "origin", "refs/heads/main").split()[0]


def test_the_repository_is_made_once(tmp_path):
    first = repository.build_repository(tmp_path)
    (first / "note.txt").write_text("mine")

    assert repository.build_repository(tmp_path) == first
    assert (first / "note.txt").read_text() == "mine"


def test_something_else_in_its_place_is_left_alone_and_told(tmp_path):
    (tmp_path / "repository").mkdir()

    with pytest.raises(repository.DemoError, match="in the way"):
        repository.build_repository(tmp_path)


def test_its_documents_make_three_features_and_plans_can_be_generated(demo_folder):
    root = demo_folder / "repository"
    found = {feature.slug: feature for feature in documents.find_documents(root).features}

    assert set(found) == {"harbour-search", "printed-tables", "storm-warnings"}
    for slug in ("storm-warnings", "harbour-search"):
        chosen = planner.choose_document(found[slug].documents)
        plan = planner.generate_plan(root, chosen.path, subject=planner.Subject("demo", slug))
        plan_rules.validate_plan(plan)
        assert [step["key"] for step in plan["steps"] if step["type"] == "sdk"] == ["phase_1", "phase_2", "phase_3"]


def test_every_command_of_the_plan_does_its_work(demo_folder, tmp_path):
    steps = {step["key"]: step for step in make_plan(project="demo", feature="storm-warnings")["steps"]}
    workspace = tmp_path / "work"
    git(demo_folder, "clone", "-q", str(demo_folder / "repository"), str(workspace))

    for key, step in steps.items():
        if step["type"] == "command":
            done = bash(step["command"], workspace, tmp_path)
            assert (key, done.returncode) == (key, 0), done.stderr
            assert done.stdout or key == "publish"

    outputs = dict(line.split("=") for line in (tmp_path / "output").read_text().splitlines())
    promised = {name for step in steps.values() for name in step.get("outputs", [])}
    assert set(outputs) == promised
    assert {file.name for file in (tmp_path / "artifacts").iterdir()} == {"index.html", "release-notes.md"}
    assert "storm warnings" in (workspace / "RELEASE_NOTES.md").read_text().lower()


@pytest.mark.parametrize(
    ("key", "file", "spoiled"),
    [
        ("lint", "README.md", "A line with a space at its end \n"),
        ("unit-tests", "data/tides.csv", "Whitby,2026,low\nDover,2026,high\n"),
        ("unit-tests", "data/harbours.csv", "Atlantis,0,0\n"),
    ],
)
def test_the_checks_fail_where_the_repository_is_wrong(demo_folder, tmp_path, key, file, spoiled):
    steps = {step["key"]: step for step in make_plan(project="demo", feature="storm-warnings")["steps"]}
    workspace = tmp_path / "work"
    git(demo_folder, "clone", "-q", str(demo_folder / "repository"), str(workspace))
    (workspace / file).write_text(spoiled)

    assert bash(steps[key]["command"], workspace, tmp_path).returncode != 0


@pytest.mark.django_db
def test_policy_asks_for_the_push_and_for_nothing_else(demo_folder):
    project = ProjectFactory(path=str(demo_folder / "repository"))
    plan = plan_rules.validate_plan(make_plan(project=project.slug, feature="storm-warnings"))

    verdicts = {step.key: step.verdict.verdict for step in planning.preview(plan, project)}

    assert verdicts.pop("publish") == "require_approval"
    assert set(verdicts.values()) == {"allow"}


@pytest.mark.django_db
def test_making_the_demo_twice_makes_it_once_and_points_to_the_passwords(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)

    first, second = StringIO(), StringIO()
    call_command("make_demo", stdout=first)
    call_command("make_demo", stdout=second)

    credentials = tmp_path / making.CREDENTIALS
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert credentials.read_text().strip() in first.getvalue()
    assert str(credentials) in second.getvalue()
    assert Feature.objects.count() == 3
    assert Workflow.objects.get().name == "Release storm warnings"
    roles = {row.user.username: row.role for row in Membership.objects.filter(project__slug="demo")}
    assert roles == {"ada": "admin", "grace": "approver", "linus": "viewer"}


@pytest.mark.django_db
def test_the_printed_passwords_open_the_door_and_differ(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)

    passwords = making.make_demo().passwords

    assert len(set(passwords.values())) == 3
    for name, password in passwords.items():
        assert authenticate(username=name, password=password).username == name


@pytest.mark.django_db
def test_a_person_who_is_there_already_keeps_the_password(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    User.objects.create_user("ada", password="her own")

    demo = making.make_demo()

    assert set(demo.passwords) == {"grace", "linus"}
    assert authenticate(username="ada", password="her own")
    assert not User.objects.get(username="ada").is_superuser


@pytest.mark.django_db
def test_a_project_of_the_same_name_is_not_touched(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    ProjectFactory(slug="demo", path="/srv/something-else")

    with pytest.raises(CommandError, match="it is not the demo"):
        call_command("make_demo")
    assert not User.objects.exists()
    assert Project.objects.get().path == "/srv/something-else"
