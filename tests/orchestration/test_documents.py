"""Finding documents: what is found, whose they are, and what a hostile repository can't do."""

import os
from pathlib import Path

import pytest

from orchestration import documents, repository_files
from orchestration.documents import find_documents

pytestmark = pytest.mark.pure


def write(root: Path, path: str, text: str | bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def document(*lines: str, body: str = "# A title\n") -> str:
    return "\n".join(["---", *lines, "---", "", body])


def slugs(root: Path) -> dict[str, str]:
    return {found.path: found.feature_slug for found in find_documents(root).documents}


def reasons(root: Path) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in find_documents(root).skipped}


def test_a_feature_gathers_its_documents_and_takes_its_name_from_the_prd(tmp_path):
    write(tmp_path, "docs/plan.md", document("doc_type: implementation_plan", "feature_slug: search", "title: Plan"))
    write(tmp_path, "docs/prd.md", document("doc_type: prd", "feature_slug: search", 'title: "PRD: Faster search"'))
    write(tmp_path, "progress.md", document("doc_type: progress", "feature_slug: search", "phase: 1", "status: done"))

    (feature,) = find_documents(tmp_path).features

    assert (feature.slug, feature.title, feature.status) == ("search", "Faster search", "")
    assert [found.doc_type for found in feature.documents] == ["prd", "implementation_plan", "progress"]


def test_a_document_tells_its_title_status_headings_and_digest(tmp_path):
    write(tmp_path, "prd.md", document("doc_type: prd", "feature_slug: x", "status: draft", body="# One\n\n## Two\n"))

    (found,) = find_documents(tmp_path).documents

    assert (found.title, found.status, len(found.digest)) == ("One", "draft", 64)
    assert [(heading.level, heading.text) for heading in found.headings] == [(1, "One"), (2, "Two")]


@pytest.mark.parametrize(
    "line", ["feature_slug: search", "feature: search", "featureSlug: Search", "feature: [search]"]
)
def test_a_feature_is_named_by_the_keys_that_repositories_use(tmp_path, line):
    write(tmp_path, "a.md", document(line))

    assert slugs(tmp_path) == {"a.md": "search"}


def test_the_key_slug_counts_in_planning_documents_only(tmp_path):
    write(tmp_path, "blog.md", document("slug: /hello"))
    write(tmp_path, "plan.md", document("type: prd", "slug: search"))

    assert slugs(tmp_path) == {"plan.md": "search"}
    assert "no planning kind" in reasons(tmp_path)["blog.md"]


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("notes/a.md", ["doc_type: report", "plan_ref: docs/search-plan-v1.md"]),
        ("docs/a.md", ["doc_type: report", "plan_ref: search-plan-v1.md"]),
        ("notes/a.md", ["doc_type: report", "prd: search"]),
        ("notes/search-v1.md", ["doc_type: report"]),
        ("progress/search/phase-1.md", ["doc_type: progress"]),
    ],
)
def test_a_document_without_a_feature_joins_the_one_it_points_to(tmp_path, path, lines):
    write(tmp_path, "docs/search-plan-v1.md", document("doc_type: implementation_plan", "feature_slug: search"))
    write(tmp_path, path, document(*lines))

    assert slugs(tmp_path)[path] == "search"


def test_a_plan_that_names_nothing_is_a_feature_by_its_file_name(tmp_path):
    write(tmp_path, "docs/plans/db-cache-v1.md", document("title: Cache"))

    (found,) = find_documents(tmp_path).documents

    assert (found.feature_slug, found.slug_source) == ("db-cache-v1", "file name")


def test_a_report_that_points_nowhere_is_left_out_and_says_so(tmp_path):
    write(tmp_path, "report.md", document("doc_type: report"))

    assert "nothing it refers to" in reasons(tmp_path)["report.md"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("# Just text\n", "no front matter"),
        ("---\ntitle: [\n---\n", "bad YAML"),
        ("---\na: b: c\n---\n", "bad YAML"),
        ("---\ntitle: x\n", "no closing line"),
        ("---\n- one\n---\n", "not a list of keys"),
        ("---\nx: !!python/object/apply:os.system [ls]\n---\n", "bad YAML"),
        ("---\nx: " + "[" * 500 + "\n---\n", "nested deeper"),
        ("---\nx: " + "y" * 70_000 + "\n---\n", "longer than"),
        (b"---\nfeature_slug: x\x00\n---\n", "binary"),
        (b"---\nfeature_slug: \xff\n---\n", "UTF-8"),
        (b"x" * (repository_files.MAX_FILE_BYTES + 1), "larger than"),
    ],
)
def test_what_cannot_be_read_is_skipped_with_a_reason(tmp_path, content, reason):
    write(tmp_path, "bad.md", content)
    write(tmp_path, "good.md", document("feature_slug: good"))

    assert reason in reasons(tmp_path)["bad.md"]
    assert slugs(tmp_path) == {"good.md": "good"}


def test_aliases_that_unfold_to_billions_are_refused(tmp_path):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    write(tmp_path, "bomb.md", document("feature_slug: x", *levels))

    assert "more than" in reasons(tmp_path)["bomb.md"]


def test_values_come_back_as_json_would_hold_them(tmp_path):
    write(
        tmp_path,
        "a.md",
        document("feature_slug: x", "day: 2026-02-30", "none: .nan", "big: 99999999999999999999", '1: "\\0"'),
    )

    (found,) = find_documents(tmp_path).documents

    assert found.front_matter["day"] == "2026-02-30"
    assert found.front_matter["none"] == "nan"
    assert found.front_matter["big"] == "99999999999999999999"
    assert found.front_matter["1"] == "\ufffd"


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    write(tmp_path, "a.md", b"\xef\xbb\xbf" + document("feature_slug: x", body="# T").replace("\n", "\r\n").encode())

    (found,) = find_documents(tmp_path).documents

    assert (found.feature_slug, found.title) == ("x", "T")


def test_links_are_never_followed(tmp_path):
    outside = write(tmp_path, "outside/secret.md", document("feature_slug: secret"))
    root = tmp_path / "root"
    write(root, "inside.md", document("feature_slug: inside"))
    (root / "file.md").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "loop").symlink_to(root)

    assert slugs(root) == {"inside.md": "inside"}
    assert reasons(root)["file.md"] == "a symbolic link"


@pytest.mark.parametrize("path", ["../outside.md", "/etc/hostname", "folder/a.md", ".git/config", "a\0b", ""])
def test_a_file_is_only_read_below_the_root(tmp_path, path):
    write(tmp_path, "elsewhere/a.md", "secret")
    write(tmp_path, "outside.md", "secret")
    write(tmp_path, "root/.git/config", "secret")
    (tmp_path / "root/folder").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(repository_files.FileError):
        repository_files.read_bytes(tmp_path / "root", path)


def test_a_named_pipe_does_not_hold_the_search_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")

    assert reasons(tmp_path)["pipe.md"] == "not a regular file"


@pytest.mark.parametrize("folder", [".git", "node_modules", ".venv", "dist"])
def test_folders_of_tools_are_passed_by(tmp_path, folder):
    write(tmp_path, f"{folder}/a.md", document("feature_slug: x"))

    assert find_documents(tmp_path).documents == ()


def test_another_repository_inside_is_passed_by_and_named(tmp_path):
    write(tmp_path, "worktrees/one/.git", "gitdir: elsewhere")
    write(tmp_path, "worktrees/one/a.md", document("feature_slug: x"))

    assert find_documents(tmp_path).documents == ()
    assert reasons(tmp_path) == {"worktrees/one": "another git repository"}


def test_hidden_folders_of_planning_tools_are_searched(tmp_path):
    write(tmp_path, ".claude/progress/x/phase-1.md", document("feature_slug: x"))

    assert slugs(tmp_path) == {".claude/progress/x/phase-1.md": "x"}


def test_the_search_ends_somewhere_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(repository_files, "MAX_FILES", 2)
    for number in range(4):
        write(tmp_path, f"{number}.md", document("feature_slug: x"))

    found = find_documents(tmp_path)

    assert len(found.documents) == 2
    assert not found.complete
    assert "stopped after" in found.skipped[0].reason


def test_a_folder_deeper_than_the_search_goes_makes_it_incomplete(tmp_path):
    write(tmp_path, "/".join(["d"] * 25) + "/a.md", document("feature_slug: x"))

    assert not find_documents(tmp_path).complete


def test_names_that_no_database_could_hold_are_skipped(tmp_path):
    write(tmp_path, "line\nbreak.md", document("feature_slug: x"))

    assert find_documents(tmp_path).documents == ()
    assert list(reasons(tmp_path).values()) == ["a name that can't be stored"]


def test_a_missing_folder_is_an_error_in_words(tmp_path):
    with pytest.raises(repository_files.FileError, match="There is no folder"):
        documents.find_documents(tmp_path / "nowhere")
