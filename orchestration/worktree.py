"""A run's own worktree of its project's repository: made, photographed, compared, put back, removed.

Files are read and written through a git folder of ours beside the worktree (the *store*), which shares
the repository's objects and nothing of its configuration: no filter, hook, driver or remote that a
repository or a command names is ever run. The user's index, branch, stash and HEAD are not touched;
the run's branch is a ref that only we move.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration import fingerprints, git, removal
from orchestration.workspace import WorkspaceError, open_parts

MAX_FILE_BYTES = 50 * 1024 * 1024
HEAD_BYTES = 4096
MAX_DIFF_BYTES = 8 * 1024 * 1024
HAPPENED = {"A": "added", "D": "deleted"}
COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class RunWorktree:
    path: Path
    store: Path
    common: Path
    admin: Path
    branch: str


@dataclass(frozen=True)
class Snapshot:
    """`skipped` names what could not be held: nested repositories and files that are too large."""

    tree: str
    commit: str
    head: str
    changed: bool = True
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diff:
    patch: bytes
    files: int
    insertions: int
    deletions: int
    truncated: bool


def create_run_worktree(repository: Path, path: Path, *, base_commit: str, branch: str) -> RunWorktree:
    """Detached at the base commit, its files written without running anything the repository names."""
    if not COMMIT.fullmatch(base_commit):
        raise WorkspaceError(f"{base_commit!r} is not the full name of a commit.")
    git.run("check-ref-format", "--branch", branch, cwd=repository)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    common = _common_folder(repository)
    with locked(path.parent / f".{common.stat().st_dev}-{common.stat().st_ino}.lock"):
        # Forced, so that a registration whose folder is gone is taken over.
        git.run(
            "worktree", "add", "--force", "--quiet", "--detach", "--no-checkout", str(path), base_commit, cwd=repository
        )
    admin = Path(os.fsdecode(git.run("rev-parse", "--absolute-git-dir", cwd=path)).strip())
    worktree = RunWorktree(path, store_of(path), common, admin, branch)
    _create_store(worktree, _object_format(repository))
    _check_out(worktree, base_commit)
    return worktree


def open_run_worktree(path: Path) -> RunWorktree:
    """From what was noted when it was made; the `.git` file inside is not asked, a command may have changed it."""
    try:
        noted = json.loads((store_of(path) / "worktree.json").read_bytes())
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{str(path)!r} is not the worktree of a run any more.") from error
    return RunWorktree(path, store_of(path), Path(noted["common"]), Path(noted["admin"]), noted["branch"])


def store_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.store")


def snapshot(worktree: RunWorktree, *, message: str = "Snapshot") -> Snapshot:
    """The tree as it is now, committed on the run's branch; costs a walk when nothing has changed."""
    if not worktree.path.is_dir():
        raise WorkspaceError(f"The workspace {str(worktree.path)!r} is not there any more.")
    with locked(worktree.store / "lock"):
        last, seen = _last(worktree)
        now = fingerprints.take(worktree.path, _watched(worktree))
        if now and now == seen:
            return Snapshot(last.tree, last.commit, last.head, changed=False, skipped=last.skipped)
        taken = _take(worktree, last, message)
        _note(worktree, taken, now)
        return taken


def peek(worktree: RunWorktree) -> Snapshot:
    """The tree as it is now, without a commit; `commit` and `changed` tell of the last snapshot."""
    if not worktree.path.is_dir():
        raise WorkspaceError(f"The workspace {str(worktree.path)!r} is not there any more.")
    with locked(worktree.store / "lock"):
        last, _ = _last(worktree)
        skipped = _stage(worktree)
        tree = _git(worktree, "write-tree", "--missing-ok").decode().strip()
        head = _head(worktree)
        return Snapshot(tree, last.commit, head, changed=(tree, head) != (last.tree, last.head), skipped=skipped)


def diff(worktree: RunWorktree, before: str, after: str) -> Diff:
    """Between two trees or commits, as a patch that is cut visibly when it is too long."""
    if before == after:
        return Diff(b"", 0, 0, 0, truncated=False)
    shape = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--full-index")
    stat_lines = _git(worktree, "diff-tree", "-r", "--numstat", "-z", *shape, before, after)
    counts = re.findall(rb"(?:^|\0)(\d+|-)\t(\d+|-)\t", stat_lines)
    patch = _git(worktree, "diff-tree", "-r", "-p", *shape, before, after, limit=MAX_DIFF_BYTES + 1)
    return Diff(
        patch[:MAX_DIFF_BYTES],
        len(counts),
        sum(int(added) for added, _ in counts if added != b"-"),
        sum(int(removed) for _, removed in counts if removed != b"-"),
        truncated=len(patch) > MAX_DIFF_BYTES,
    )


def restore(worktree: RunWorktree, commit: str, *, head: str = "") -> Snapshot:
    """Make the files as they were; what is ignored stays. With `head`, the worktree's HEAD goes back, too."""
    with locked(worktree.store / "lock"):
        _stage(worktree)
        _git(worktree, "read-tree", "--reset", "-u", commit)
        if head:
            _own(worktree, "update-ref", "--no-deref", "HEAD", head)
        tree = _git(worktree, "rev-parse", f"{commit}^{{tree}}").decode().strip()
        restored = Snapshot(tree, commit, _head(worktree))
        _git(worktree, "update-ref", f"refs/heads/{worktree.branch}", commit, folder=worktree.common)
        _note(worktree, restored, fingerprints.take(worktree.path, _watched(worktree)))
        return restored


def head_of(worktree: RunWorktree) -> str:
    return _head(worktree)


def changes(worktree: RunWorktree, before: str, after: str, *, limit: int) -> tuple[list[dict[str, str]], int]:
    """Which files differ between two trees, as path and what happened: the first ones, and how many there are."""
    told = _git(worktree, "diff-tree", "-r", "--name-status", "-z", "--no-renames", before, after)
    words = [os.fsdecode(word) for word in told.split(b"\0") if word]
    pairs = list(zip(words[1::2], words[::2], strict=True))
    listed = [{"path": path, "change": HAPPENED.get(letter, "changed")} for path, letter in pairs[:limit]]
    return listed, len(pairs)


def is_whole(path: Path) -> bool:
    """Whether folder, store and registration are all there, and the folder knows its repository."""
    try:
        worktree = open_run_worktree(path)
    except WorkspaceError:
        return False
    return (path / ".git").is_file() and worktree.admin.is_dir()


def clear_away(path: Path) -> None:
    """What is left where a worktree is not whole any more; another can then be made in its place."""
    for folder in (path, store_of(path)):
        removal.remove(folder)


def remove_worktree(worktree: RunWorktree) -> None:
    """The branch stays, for people to review and merge."""
    for folder in (worktree.path, worktree.store):
        removal.remove(folder)
    if worktree.admin.parent == worktree.common / "worktrees":
        removal.remove(worktree.admin)


# the store


def _create_store(worktree: RunWorktree, object_format: str) -> None:
    worktree.store.mkdir(mode=0o700, parents=True)
    for name in ("objects", "refs"):
        (worktree.store / name).mkdir()
    (worktree.store / "HEAD").write_text("ref: refs/heads/none\n")
    (worktree.store / "config").write_text(store_config(worktree.common, object_format))
    noted = {"common": str(worktree.common), "admin": str(worktree.admin), "branch": worktree.branch}
    (worktree.store / "worktree.json").write_text(json.dumps(noted))


def store_config(common: Path, object_format: str) -> str:
    lines = ["[core]", "\tbare = false", "\tlogAllRefUpdates = false", "\trepositoryFormatVersion = 1"]
    lines.append(f"\texcludesFile = {json.dumps(str(common / 'info' / 'exclude'))}")
    if sys.platform == "darwin":
        lines += ["\tignoreCase = true", "\tprecomposeUnicode = true"]
    return "\n".join([*lines, "[extensions]", f"\tobjectFormat = {object_format}", ""])


def _check_out(worktree: RunWorktree, commit: str) -> None:
    _git(worktree, "read-tree", "--reset", "-u", commit)
    # The same files and times: the worktree's own index starts out clean instead of empty.
    shutil.copyfile(worktree.store / "index", worktree.admin / "index")
    _git(worktree, "update-ref", f"refs/heads/{worktree.branch}", commit, folder=worktree.common)
    tree = _git(worktree, "rev-parse", f"{commit}^{{tree}}").decode().strip()
    fingerprints.settle(worktree.path, _watched(worktree))
    _note(worktree, Snapshot(tree, commit, commit), fingerprints.take(worktree.path, _watched(worktree)))


def _take(worktree: RunWorktree, last: Snapshot, message: str) -> Snapshot:
    skipped = _stage(worktree)
    tree = _git(worktree, "write-tree", "--missing-ok").decode().strip()
    head = _committed(worktree, last)
    if (tree, head) == (last.tree, last.head):
        return Snapshot(tree, last.commit, head, changed=False, skipped=skipped)
    parents = [last.commit, *([head] if head and head != last.head else [])]
    words = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
    commit = _git(worktree, "commit-tree", tree, *words, "-m", message).decode().strip()
    _git(worktree, "update-ref", f"refs/heads/{worktree.branch}", commit, folder=worktree.common)
    return Snapshot(tree, commit, head, changed=True, skipped=skipped)


def _committed(worktree: RunWorktree, last: Snapshot) -> str:
    """HEAD, if it names a commit: a command may have written anything there, and what it committed a moment ago in a
    sandbox may not be home yet."""
    head = _head(worktree)
    if head in ("", last.head):
        return head
    asked = git.ask("cat-file", "commit", head, cwd=worktree.common, env={"GIT_DIR": str(worktree.common)})
    return head if asked.code == 0 else last.head


def _stage(worktree: RunWorktree) -> tuple[str, ...]:
    """Bring the store's index to what is on the disk. Nested repositories are left alone: git would ask them."""
    listed = _git(worktree, "ls-files", "-z", "-t", "-s", "-o", "--exclude-standard")
    entries = [entry for entry in listed.split(b"\0") if entry]
    gitlinks = [entry.split(b"\t", 1)[1] for entry in entries if entry.split(b" ", 2)[1] == b"160000"]
    others = [entry[2:] for entry in entries if entry.startswith(b"? ")]
    nested = [path.rstrip(b"/") for path in others if path.endswith(b"/")]
    heavy = [path for path in others if _is_heavy(worktree.path / os.fsdecode(path))]
    left_out = [*gitlinks, *nested, *heavy]
    paths = b"\0".join([b":(top)", *(b":(exclude,top,literal)" + path for path in left_out)])
    _git(worktree, "add", "-A", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=paths)
    return tuple(os.fsdecode(path) for path in (*nested, *heavy))


def _is_heavy(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > MAX_FILE_BYTES


def _git(
    worktree: RunWorktree,
    *arguments: str,
    stdin: bytes = b"",
    folder: Path | None = None,
    limit: int = git.OUTPUT_BYTES,
) -> bytes:
    """Through the store, or for refs alone through the repository's own folder."""
    env = {
        "GIT_DIR": str(folder or worktree.store),
        "GIT_WORK_TREE": str(worktree.path),
        "GIT_INDEX_FILE": str(worktree.store / "index"),
        "GIT_OBJECT_DIRECTORY": str(worktree.common / "objects"),
        "GIT_AUTHOR_NAME": git.AUTHOR,
        "GIT_AUTHOR_EMAIL": git.MAIL,
        "GIT_COMMITTER_NAME": git.AUTHOR,
        "GIT_COMMITTER_EMAIL": git.MAIL,
    }
    return git.run(*arguments, cwd=worktree.path, env=env, stdin=stdin, limit=limit)


def _own(worktree: RunWorktree, *arguments: str) -> bytes:
    return git.run(*arguments, cwd=worktree.common, env={"GIT_DIR": str(worktree.admin)})


def _head(worktree: RunWorktree) -> str:
    """Usually a commit in a file; a command may have put the worktree on a branch."""
    said = head_text(worktree.admin)
    if COMMIT.fullmatch(said):
        return said
    answer = git.ask(
        "rev-parse", "--verify", "--quiet", "HEAD", cwd=worktree.common, env={"GIT_DIR": str(worktree.admin)}
    )
    return answer.text if answer.code == 0 else ""


def head_text(admin: Path) -> str:
    """What the worktree's HEAD says. A command can write there: a pipe or a device in its place is not read."""
    try:
        with os.fdopen(open_parts(admin, ["HEAD"]), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(HEAD_BYTES).decode(errors="replace").strip()
    except OSError as error:
        raise WorkspaceError("The repository no longer knows the run's worktree.") from error
    raise WorkspaceError("The HEAD of the run's worktree was replaced by something that is no file.")


def _watched(worktree: RunWorktree) -> list[Path]:
    """What moves when a command commits or changes branch."""
    return [worktree.admin / name for name in ("HEAD", "index", "logs/HEAD")]


def _last(worktree: RunWorktree) -> tuple[Snapshot, str]:
    try:
        noted: dict[str, Any] = json.loads((worktree.store / "last.json").read_bytes())
    except (OSError, ValueError) as error:
        raise WorkspaceError("What was known about the run's worktree can't be read.") from error
    seen = noted.pop("fingerprint")
    return Snapshot(**{**noted, "skipped": tuple(noted["skipped"])}), seen


def _note(worktree: RunWorktree, taken: Snapshot, seen: str) -> None:
    part = worktree.store / "last.part"
    part.write_text(json.dumps({**asdict(taken), "fingerprint": seen}))
    part.rename(worktree.store / "last.json")


def _common_folder(repository: Path) -> Path:
    said = git.run("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=repository)
    return Path(os.fsdecode(said).rstrip("\n"))


def _object_format(repository: Path) -> str:
    return git.run("rev-parse", "--show-object-format", cwd=repository).decode().strip()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes of this machine."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
