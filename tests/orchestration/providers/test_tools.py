"""The agent's tools on their own: what they do, and what nobody gets them to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.tools import TOOLS, Place, ToolFailure
from tests.orchestration.fakes import FakeHost, make_context

pytestmark = pytest.mark.pure


@pytest.fixture
def place(tmp_path: Path) -> Place:
    context = make_context(tmp_path, definition={"type": "sdk"})
    spool = tmp_path / "call"
    spool.mkdir()
    return Place(context, FakeHost(), spool, lambda: "diff --git a/x b/x\n", lambda: 60.0)


def use(name: str, place: Place, /, **arguments: Any) -> str:
    return TOOLS[name].run(arguments, place).text


def refusal(name: str, place: Place, /, **arguments: Any) -> str:
    with pytest.raises(ToolFailure) as failure:
        TOOLS[name].run(arguments, place)
    return str(failure.value)


def test_a_file_is_written_read_edited_and_listed(place: Place) -> None:
    use("write_file", place, path="src/a.py", content="one\ntwo\nthree\n")
    assert use("read_file", place, path="src/a.py", first_line=2, lines=1).startswith("two\n")
    use("edit_file", place, path="src/a.py", old="two", new="TWO")
    assert (place.workspace / "src/a.py").read_text() == "one\nTWO\nthree\n"
    assert use("list_files", place, recursive=True) == "src/\nsrc/a.py"
    assert use("list_files", place, path="src") == "src/a.py"
    assert use("list_files", place, recursive=True, pattern="*.md") == "(nothing there)"


def test_a_replaced_file_keeps_its_mode(place: Place) -> None:
    script = place.workspace / "run.sh"
    script.write_text("old")
    script.chmod(0o755)
    use("write_file", place, path="run.sh", content="new")
    assert script.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/passwd",
        "a/../../outside",
        "link/secret",
        "leak",
        ".git/config",
        "sub/.GIT/hooks/x",
        "a\0b",
        "",
        ".",
    ],
)
@pytest.mark.parametrize("tool", ["read_file", "write_file", "edit_file"])
def test_no_path_leads_out_of_the_workspace_or_into_git(place: Place, tool: str, path: str) -> None:
    outside = place.workspace.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (place.workspace / "link").symlink_to(outside)
    (place.workspace / "leak").symlink_to(outside / "secret")
    (place.workspace / ".git").mkdir()
    (place.workspace / ".git/config").write_text("secret")
    arguments = {"read_file": {}, "write_file": {"content": "x"}, "edit_file": {"old": "secret", "new": "x"}}[tool]
    assert "secret" not in refusal(tool, place, path=path, **arguments).replace("link/secret", "")
    assert (outside / "secret").read_text() == "secret"
    assert (place.workspace / ".git/config").read_text() == "secret"


def test_links_that_stay_inside_are_followed_and_others_are_not_shown(place: Place) -> None:
    (place.workspace / "real.txt").write_text("inside")
    (place.workspace / "alias.txt").symlink_to("real.txt")
    (place.workspace / "away").symlink_to("/etc")
    assert use("read_file", place, path="alias.txt") == "inside"
    assert use("list_files", place, recursive=True) == "real.txt"


def test_absolute_paths_into_the_workspace_are_understood(place: Place) -> None:
    (place.workspace / "a.txt").write_text("inside")
    assert use("read_file", place, path=str(place.workspace / "a.txt")) == "inside"


def test_a_pipe_and_a_folder_are_no_files(place: Place) -> None:
    os.mkfifo(place.workspace / "pipe")
    (place.workspace / "folder").mkdir()
    assert "not a plain file" in refusal("read_file", place, path="pipe")
    assert refusal("read_file", place, path="folder")
    assert "can't be replaced" in refusal("write_file", place, path="pipe", content="x")


def test_a_file_that_is_too_large_is_refused(place: Place) -> None:
    with (place.workspace / "big").open("wb") as file:
        file.truncate(3 * 1024 * 1024)
    assert "larger than" in refusal("read_file", place, path="big")


@pytest.mark.parametrize(("text", "words"), [("nothing here", "was not found"), ("old old", "stands 2 times")])
def test_an_edit_must_be_exact(place: Place, text: str, words: str) -> None:
    (place.workspace / "a.txt").write_text(text)
    assert words in refusal("edit_file", place, path="a.txt", old="old", new="new")
    assert (place.workspace / "a.txt").read_text() == text


def test_every_place_is_edited_when_asked_for(place: Place) -> None:
    (place.workspace / "a.txt").write_text("old old")
    use("edit_file", place, path="a.txt", old="old", new="new", all=True)
    assert (place.workspace / "a.txt").read_text() == "new new"


def test_a_file_that_is_no_text_is_not_edited(place: Place) -> None:
    (place.workspace / "a.bin").write_bytes(b"\xff\xfeold")
    assert "not a text file" in refusal("edit_file", place, path="a.bin", old="old", new="new")


def test_files_are_searched_by_text_and_by_expression(place: Place) -> None:
    use("write_file", place, path="src/a.py", content="def one():\n    pass\n")
    use("write_file", place, path="b.txt", content="def two\n")
    (place.workspace / ".git").mkdir()
    (place.workspace / ".git/x").write_text("def three")
    found = use("search_files", place, pattern="def ")
    assert sorted(found.splitlines()) == ["b.txt:1:def two", "src/a.py:1:def one():"]
    assert use("search_files", place, pattern="^def [a-z]+\\(", regex=True, path="src") == "src/a.py:1:def one():"
    assert use("search_files", place, pattern="nowhere") == "(no match)"
    assert use("search_files", place, pattern="DEF", ignore_case=True, files="*.txt") == "b.txt:1:def two"


def test_a_pattern_that_is_an_option_or_nonsense_is_only_a_pattern(place: Place) -> None:
    use("write_file", place, path="a.txt", content="-r here\n")
    assert use("search_files", place, pattern="-r") == "a.txt:1:-r here"
    assert "not a valid regular expression" in refusal("search_files", place, pattern="(", regex=True)


def test_a_search_of_a_flood_is_cut_and_says_so(place: Place) -> None:
    use("write_file", place, path="a.txt", content="match\n" * 200_000)
    lines = use("search_files", place, pattern="match").splitlines()
    assert len(lines) == 501
    assert "more matches" in lines[-1]


def test_a_search_passes_over_files_that_usually_hold_secrets(place: Place) -> None:
    for path in (".env", "conf/prod.env", "server.pem", ".aws/credentials", ".ssh/config", "a.txt"):
        use("write_file", place, path=path, content="password\n")
    assert use("search_files", place, pattern="password") == "a.txt:1:password"
    assert use("search_files", place, pattern="password", files="*.pem") == "(no match)"


def test_a_search_does_not_leave_the_workspace(place: Place) -> None:
    outside = place.workspace.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (place.workspace / "link").symlink_to(outside)
    assert use("search_files", place, pattern="secret") == "(no match)"
    assert refusal("search_files", place, pattern="secret", path="link")


def test_a_command_sees_neither_the_server_nor_its_keys(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-server-key-000")
    assert "sk-server-key-000" not in use(
        "run_command", place, command="env; cat /proc/self/environ 2>/dev/null || true"
    )


def test_a_command_that_takes_too_long_is_ended(place: Place) -> None:
    assert use("run_command", place, command="sleep 60", timeout_seconds=1).startswith("timed out after 1 seconds")


def test_long_output_keeps_both_ends(place: Place) -> None:
    said = use("run_command", place, command="echo first; seq 1 20000; echo last")
    assert "\nfirst\n" in said
    assert said.endswith("last\n")
    assert "bytes left out" in said


def test_artifacts_are_kept_under_plain_names(place: Place) -> None:
    use("write_artifact", place, name="report.md", content="# Fine")
    assert (place.context.artifacts_dir / "report.md").read_text() == "# Fine"
    for name in ("../x", "a/b", ".hidden", "", "a\nb"):
        assert "plain file name" in refusal("write_artifact", place, name=name, content="x")


def test_the_diff_so_far_is_shown(place: Place) -> None:
    assert use("show_diff", place).startswith("diff --git")
