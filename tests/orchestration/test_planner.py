"""Plans from documents: one agent step for each phase, in order, each followed by its validation."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration import headings, phases, plan_rules, plan_text, planner, repository_checks

pytestmark = pytest.mark.pure

FIXTURES = Path(__file__).parent / "documents"
SUBJECT = planner.Subject(project="demo", feature="thing", feature_title="The thing")


def plan_of(path: str, root: Path = FIXTURES, **options: Any) -> dict[str, Any]:
    plan = planner.generate_plan(root, path, subject=SUBJECT, **options)
    plan_rules.validate_plan(plan)
    return plan


def names(plan: dict[str, Any], kind: str = "sdk") -> list[str]:
    return [step["name"] for step in plan["steps"] if step["type"] == kind]


def prompts(plan: dict[str, Any]) -> list[str]:
    return [step["prompt"] for step in plan["steps"] if step["type"] == "sdk"]


def written(root: Path, body: str, path: str = "plan-v1.md") -> str:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"---\ndoc_type: implementation_plan\nfeature_slug: x\n---\n\n{body}")
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sections.md", ["Phase 1: Lamp", "Phase 2: Lens (migration)", "Phase 10: Rotation"]),
        ("subsections.md", ["Phase 0: What stands already", "Phase 1: Foundation (2 pts)", "Phase 2: Tower"]),
        ("tables/table-v1.md", ["Phase 1: Dig", "Phase 2: Build", "Phase 3: Paint"]),
        ("folders/split-v1.md", ["Phase 1: First things", "Phase 2: Second things", "Phase 3: hand-over"]),
        ("folders/split-v1/phase-1-first.md", ["Phase 1: First things"]),
        ("bold.md", ["Phase 1: Sow in spring", "Phase 2: Reap in autumn"]),
        ("plain.md", ["Implementation"]),
    ],
)
def test_each_distinct_phase_becomes_one_agent_step_in_order(path, expected):
    assert names(plan_of(path)) == expected


def test_every_agent_step_is_followed_by_its_validation_and_the_end_is_a_persons():
    steps = plan_of("sections.md")["steps"]

    for step, following in itertools.pairwise(steps):
        if step["type"] == "sdk":
            assert (following["type"], following["key"]) == ("validation", f"{step['key']}_check")
    assert steps[-1]["key"] == "acceptance"
    assert steps[-1]["type"] == "approval"


def test_checkpoints_stand_after_the_first_phase_before_risky_ones_and_after_every_third(tmp_path):
    titles = ["A", "B", "C", "D", "Data migration", "F", "G", "H"]
    path = written(tmp_path, "".join(f"## Phase {n}: {title}\n\nText.\n\n" for n, title in enumerate(titles, 1)))

    keys = [step["key"] for step in plan_of(path, tmp_path)["steps"] if step["type"] == "approval"]

    assert keys == ["before_phase_2", "before_phase_5", "before_phase_8", "acceptance"]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Phase 2: Build", ("2", "Build")),
        ("Phase 02 — Build", ("2", "Build")),
        ("phase 2 - Build", ("2", "Build")),
        ("Phase 2", ("2", "")),
        ("**Phase 2:** Build", ("2", "Build")),
        ("3.1 Phase 2 – Build", ("2", "Build")),
        ("[x] Phase 2: Build", ("2", "Build")),
        ("🚀 Phase 2: Build", ("2", "Build")),
        ("[Phase 2: Build](./phase-2.md)", ("2", "Build")),
        ("Phase 2 (3 pts)", ("2", "(3 pts)")),
        ("Phase 2 of 5: Build", ("2", "Build")),
        ("Phase II: Build", ("2", "Build")),
        ("Phase Two: Build", ("2", "Build")),
        ("Phase B: Build", ("b", "Build")),
        ("Phase 2a: Build", ("2a", "Build")),
        ("Phase 2.5: Build", ("2.5", "Build")),
        ("Implementation Phase 2: Build", ("2", "Build")),
        ("Phase 2 Deliverables", None),
        ("Phase Overview", None),
        ("Phase breakdown", None),
        ("Tests (Phases 1-6)", None),
        ("Phases 1-6", None),
        ("Phase 1-3: Build", None),
        ("Phase 1 - 3", None),
        ("Phase 1 & 2: Build", None),
        ("Phase 1, 2 and 3", None),
        ("Phase 1 → Phase 2", None),
        ("Phase 2's risks", None),
        ("Phase 2-specific notes", None),
        ("Phase I", None),
        ("Phase A note", None),
        ("Summary of Phase 2: all", None),
        ("Phased rollout", None),
    ],
)
def test_a_heading_starts_a_phase_or_only_speaks_of_one(heading, expected):
    assert phases.parse_title(headings.plain(heading)) == expected


def test_a_document_titled_after_a_phase_of_something_larger_is_no_phase_itself(tmp_path):
    path = written(tmp_path, "# Phase 4: Orchestration\n\n## Phase 1: A\n\n## Phase 2: B\n")

    assert names(plan_of(path, tmp_path)) == ["Phase 1: A", "Phase 2: B"]


def test_phases_that_are_all_top_headings_all_count(tmp_path):
    path = written(tmp_path, "# Phase 1: A\n\ntext\n\n# Phase 2: B\n\ntext\n")

    assert names(plan_of(path, tmp_path)) == ["Phase 1: A", "Phase 2: B"]


def test_a_phase_told_twice_is_one_step_with_both_texts(tmp_path):
    path = written(tmp_path, "## Phase 1: A\n\nFirst.\n\n## Notes\n\n### Phase 1: tests\n\nSecond.\n")

    (prompt,) = prompts(plan_of(path, tmp_path))

    assert "First." in prompt
    assert "Second." in prompt


def test_a_prompt_holds_its_own_phase_and_names_the_others():
    first, second, _ = prompts(plan_of("sections.md"))

    assert "Light the lamp." in first
    assert "Part of phase 1." in first
    assert "Grind the lens." not in first
    assert "- Phase 2: Lens (migration)" in first
    assert "Grind the lens." in second


def test_a_phase_file_gives_the_prompt_and_is_attached():
    first = plan_of("folders/split-v1.md")["steps"][0]

    assert "The first half." in first["prompt"]
    assert first["context"] == ["folders/split-v1/phase-1-first.md", "folders/split-v1.md"]


def test_the_text_of_a_document_stays_text():
    prompt = prompts(plan_of("sections.md"))[-1]

    assert "${{" not in prompt
    assert not [line for line in prompt.splitlines() if line.strip().startswith("!")]


def test_a_long_phase_is_cut_and_says_where_the_rest_stands(tmp_path):
    path = written(tmp_path, "## Phase 1: A\n\n" + "word " * 20_000)

    (prompt,) = prompts(plan_of(path, tmp_path))

    assert len(prompt) < planner.MAX_PHASE_TEXT + 2_000
    assert "the rest stands in plan-v1.md" in prompt


def test_many_phases_share_the_room(tmp_path):
    path = written(tmp_path, "".join(f"## Phase {n}: A\n\n{'word ' * 1_500}\n\n" for n in range(1, 121)))

    assert sum(map(len, prompts(plan_of(path, tmp_path)))) < 2 * planner.MAX_PLAN_TEXT


def test_more_phases_than_anybody_reads_are_refused_in_words(tmp_path):
    path = written(tmp_path, "".join(f"## Phase {n}: A\n\n" for n in range(1, 300)))

    with pytest.raises(planner.PlannerError, match="299 phases"):
        plan_of(path, tmp_path)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere.md", "can't be read"),
        ("../escape.md", "can't be read"),
        ("secrets.env", "no Markdown"),
        ("empty.md", "no text"),
        ("binary.md", "binary"),
    ],
)
def test_what_no_plan_can_be_made_of_is_told_in_a_sentence(tmp_path, path, sentence):
    (tmp_path / "secrets.env").write_text("KEY=1")
    (tmp_path / "empty.md").write_text("---\ntitle: x\n---\n")
    (tmp_path / "binary.md").write_bytes(b"\x00\x01")

    with pytest.raises(planner.PlannerError, match=sentence):
        plan_of(path, tmp_path)


def test_the_provider_is_the_one_asked_for_and_simulated_by_default():
    assert {step["provider"] for step in plan_of("sections.md")["steps"] if "provider" in step} == {"simulated"}
    assert plan_of("plain.md", provider="anthropic")["steps"][0]["provider"] == "anthropic"


def test_a_plan_survives_being_written_as_yaml():
    plan = plan_of("sections.md")

    text = plan_text.write_yaml(plan)

    assert plan_text.read_plan(text) == plan
    assert "prompt: |" in text


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({}, []),
        ({"package.json": json.dumps({"scripts": {"test": "vitest"}})}, ["npm test"]),
        ({"package.json": json.dumps({"scripts": {"test": "vitest"}}), "pnpm-lock.yaml": ""}, ["pnpm test"]),
        ({"package.json": json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})}, []),
        ({"package.json": "{"}, []),
        ({"package.json": "[" * 100_000}, []),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, ["python3 -m pytest -q"]),
        ({"pytest.ini": "", "uv.lock": ""}, ["uv run pytest -q"]),
        ({"setup.cfg": "[tool:pytest]\n"}, ["python3 -m pytest -q"]),
        ({"pyproject.toml": "[tool.ruff]\n"}, []),
        ({"Cargo.toml": "", "go.mod": ""}, ["cargo test", "go test ./..."]),
        ({"Makefile": "build:\n\ntest: build\n", "Cargo.toml": ""}, ["make test"]),
        ({"Makefile": "tests:\n\ntest := 3\n"}, []),
    ],
)
def test_validations_run_the_tests_that_the_repository_has(tmp_path, files, commands):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert [check["command"] for check in repository_checks.find_checks(tmp_path)] == commands


def test_a_validation_always_checks_how_its_agent_step_ended(tmp_path):
    (tmp_path / "go.mod").write_text("module x")
    path = written(tmp_path, "## Phase 1: A\n\n## Phase 1.5: B\n")

    validations = [step for step in plan_of(path, tmp_path)["steps"] if step["type"] == "validation"]

    assert [step["key"] for step in validations] == ["phase_1_check", "phase_1_5_check"]
    assert [check["kind"] for check in validations[1]["checks"]] == ["expression", "command"]
    assert "steps.phase_1_5.state" in validations[1]["checks"][0]["expression"]
