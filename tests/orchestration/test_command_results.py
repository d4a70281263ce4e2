"""What a command leaves: outputs that it sets, files that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.executors import executor_for
from orchestration.executors.base import ExecutionLimits, Outcome
from tests.orchestration.fakes import FakeHost, make_context

pytestmark = pytest.mark.pure

COMMAND = executor_for("command")
QUICK = ExecutionLimits(grace_seconds=0.5)


def execute(folder: Path, line: str, **changes: Any) -> tuple[Outcome, FakeHost]:
    host = FakeHost()
    return COMMAND.execute(make_context(folder, line, **changes), host), host


def cancel(host: FakeHost) -> None:
    host.order = "cancel"


# outputs


def outputs_of(folder: Path, text: bytes, promised: list[str] | None = None) -> Outcome:
    (folder / "text").write_bytes(text)
    line = f"cat {folder}/text > $CCDASH_OUTPUT"
    return execute(folder, line, definition={"outputs": promised or []})[0]


def test_outputs_are_names_and_values(tmp_path: Path) -> None:
    text = "version=1.2=3\n\nempty=\nnotes<<END\nline one\n\na=b\nEND\nversion=2\nwindows=yes\r\nü_is=no".encode()

    outcome = outputs_of(tmp_path, text.replace("ü_is=no".encode(), b"last=1"))

    assert outcome.outputs == {"version": "2", "empty": "", "notes": "line one\n\na=b", "windows": "yes", "last": "1"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"no sign", "Line 1"),
        (b"a=1\n9x=2", "Line 2"),
        (b"a b=1", "Line 1"),
        (b"notes<<END\nnever", "has no end"),
        (b"a=\x1b[31m", "control characters"),
        (b"a=\xff\xfe", "not UTF-8"),
        (b"a=" + b"x" * 65_537, "larger than 65536"),
        (b"a=1\n" * 300_000, "larger than 1048576"),
        (b"".join(b"n%d=1\n" % number for number in range(300)), "300 outputs"),
    ],
)
def test_outputs_that_can_not_be_used_fail_the_step_with_a_sentence(tmp_path: Path, text: bytes, sentence: str) -> None:
    outcome = outputs_of(tmp_path, text)

    assert (outcome.kind, outcome.reason) == ("failed", "outputs")
    assert sentence in outcome.error


def test_a_promised_output_must_be_set(tmp_path: Path) -> None:
    outcome = outputs_of(tmp_path, b"a=1", promised=["a", "b"])

    assert (outcome.kind, outcome.reason) == ("failed", "outputs")
    assert "'b'" in outcome.error


@pytest.mark.parametrize("trick", ["ln -sf /etc/hostname", "mkfifo", "mkdir"])
def test_an_output_file_that_was_replaced_is_not_trusted(tmp_path: Path, trick: str) -> None:
    outcome, _ = execute(tmp_path, f"rm $CCDASH_OUTPUT; {trick} $CCDASH_OUTPUT")

    assert (outcome.kind, outcome.reason) == ("failed", "outputs")


# artifacts


def artifacts_of(folder: Path, line: str, *patterns: str, **changes: Any) -> Outcome:
    wanted = [{"name": "wanted", "path": pattern, "kind": "report"} for pattern in patterns]
    return execute(folder, line, definition={"artifacts": wanted}, **changes)[0]


def test_declared_globs_and_the_artifacts_folder_are_kept_as_private_copies(tmp_path: Path) -> None:
    line = (
        "mkdir -p dist/deep other; echo 1 > dist/a.whl; echo 22 > dist/deep/b.whl; "
        "echo x > other/c.whl; echo x > dist/d.txt;"
        "mkdir $CCDASH_ARTIFACTS/sub; echo note > $CCDASH_ARTIFACTS/sub/note.md"
    )
    outcome = artifacts_of(tmp_path, line, "dist/**/*.whl")

    found = [(item.name, item.relative_path, item.kind, item.size) for item in outcome.artifacts]
    assert found == [
        ("wanted", "dist/a.whl", "report", 2),
        ("wanted", "dist/deep/b.whl", "report", 3),
        ("sub/note.md", "sub/note.md", "file", 5),
    ]
    assert [item.path.read_text() for item in outcome.artifacts] == ["1\n", "22\n", "note\n"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt"]),
        ("**/*.txt", ["a.txt", "in/b.txt", "in/deep/c.txt"]),
        ("in/*", ["in/b.txt", "in/deep/c.txt", "in/x.md"]),
        ("in/**", ["in/b.txt", "in/deep/c.txt", "in/x.md"]),
        ("in", ["in/b.txt", "in/deep/c.txt", "in/x.md"]),
        ("./in/x.md", ["in/x.md"]),
        ("in/?.[mt]*", ["in/b.txt", "in/x.md"]),
    ],
)
def test_globs_mean_what_a_shell_means(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    line = "mkdir -p in/deep .git; touch a.txt in/b.txt in/deep/c.txt in/x.md .git/d.txt"

    assert [item.relative_path for item in artifacts_of(tmp_path, line, pattern).artifacts] == expected


@pytest.mark.parametrize(
    ("line", "pattern", "sentence"),
    [
        ("true", "dist/*.whl", "nothing matches"),
        ("true", "../*", "leads out"),
        ("true", "/etc/hostname", "leads out"),
        ("ln -s /etc/hostname out", "out", "leads out"),
        ("ln -s /etc out", "out/hostname", "out"),
        ("ln -s /nowhere out", "out", "out"),
        ("mkfifo pipe", "pipe", "no regular file"),
        ("ln -s /etc/hostname $CCDASH_ARTIFACTS/x; touch a", "a", "leads out"),
        ("truncate -s 40G huge", "huge", "larger than"),
        ("touch f{1..40}", "f*", "more than 30"),
    ],
)
def test_what_can_not_be_kept_as_promised_fails_the_step(
    tmp_path: Path, line: str, pattern: str, sentence: str
) -> None:
    limits = ExecutionLimits(max_artifact_bytes=100_000, max_artifact_files=30)

    outcome = artifacts_of(tmp_path, line, pattern, limits=limits)

    assert (outcome.kind, outcome.reason, outcome.exit_code) == ("failed", "artifact", 0)
    assert sentence in outcome.error


def test_a_link_that_stays_inside_is_an_artifact_like_another(tmp_path: Path) -> None:
    outcome = artifacts_of(tmp_path, "echo x > real; ln -s real latest", "latest")

    assert [(item.relative_path, item.path.read_text()) for item in outcome.artifacts] == [("latest", "x\n")]


def test_a_failed_command_keeps_what_it_left(tmp_path: Path) -> None:
    outcome = artifacts_of(tmp_path, "echo why > report.xml; exit 1", "report.xml", "missing")

    assert (outcome.kind, outcome.reason) == ("failed", "exit")
    assert [item.relative_path for item in outcome.artifacts] == ["report.xml"]
