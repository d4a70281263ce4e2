"""One command under a supervisor, started or taken up again: where it stands, and its end.

Shared by the steps that run commands. What an end means for a step is theirs to say.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration import spawner
from orchestration.executors import environment, sandbox
from orchestration.executors.base import Host, Outcome, StepContext
from orchestration.executors.following import Follower, end_by_force
from orchestration.spool import CommandSpec, Exit, Spool
from orchestration.workspace import Workspace, WorkspaceError

GONE = "The command was begun, and its supervisor went without leaving a result; what it did is not known."
ELSEWHERE = "The command was begun on the machine {host!r}, and what became of it can't be seen from here."
UNCLAIMED = "The supervisor ended before it began the command."


class CannotStart(Exception):
    """Nothing was begun."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Supervised:
    """A command line in one spool folder; `base_offset` is where its output begins in the attempt's."""

    context: StepContext
    host: Host
    spool: Spool
    line: str
    cwd: str = ""
    timeout_seconds: float | None = None
    base_offset: int = 0

    def start(self) -> Exit | Outcome:
        try:
            handle = self._launch()
        except CannotStart as problem:
            return Outcome("failed", reason=problem.reason, error=str(problem))
        except OSError as error:
            return self._not_stored(error)
        self.host.save_handle(asdict(handle))
        return self._follow(asdict(handle), UNCLAIMED)

    def take_up(self) -> Exit | Outcome:
        """Adopt its end, follow it on, prove that it was never begun, or say that nobody knows."""
        end = self.spool.read_exit(self.context.token)
        if end is None and self._was_never_begun():
            return Outcome("never_started")
        handle = {**(self.context.handle or {}), **(self.spool.claimed() or {})}
        where = handle.get("host", spawner.host_name())
        if end is None and where != spawner.host_name():
            return Outcome("interrupted", error=ELSEWHERE.format(host=where), effect_unknown=True)
        return self._follow(handle, GONE)

    def _was_never_begun(self) -> bool:
        """Whoever wins the claim decides; a supervisor that comes later finds it taken and goes."""
        try:
            self.spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self.spool.claim("void") or (self.spool.claimed() or {}).get("by") == "void"
        except OSError:
            return False

    def _follow(self, handle: Mapping[str, Any], lost: str) -> Exit | Outcome:
        context = self.context
        self.spool.prepare()
        follower = Follower(
            self.spool,
            context.token,
            self.host,
            grace_seconds=context.limits.grace_seconds,
            base_offset=self.base_offset,
        )
        end = follower.follow(handle)
        if end is not None:
            return end
        if self._was_never_begun() or (lost == UNCLAIMED and not self.spool.is_claimed()):
            return Outcome("failed", reason="storage", error=UNCLAIMED)
        gone = end_by_force(self.spool, handle)
        kind = "canceled" if follower.asked_at is not None else "interrupted"
        return Outcome(kind, error=GONE, effect_unknown=True, group_empty=gone)

    def _launch(self) -> spawner.Handle:
        self.spool.prepare()
        try:
            return spawner.launch(self._spec(), self.spool.folder)
        except spawner.SpawnError as error:
            self.spool.claim("void")
            raise CannotStart("start", str(error)) from error

    def _spec(self) -> CommandSpec:
        context, limits = self.context, self.context.limits
        cwd = self._cwd()
        env = environment.build(context, self.spool.outputs_file)
        return CommandSpec(
            argv=self._argv(env, cwd),
            env=env,
            root=str(context.workspace.resolve()),
            cwd=cwd,
            token=context.token,
            timeout_seconds=self.timeout_seconds,
            grace_seconds=limits.grace_seconds,
            max_output_bytes=limits.max_output_bytes,
            nofile=limits.nofile,
            file_bytes=limits.file_bytes,
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            sandboxed=context.sandbox == "bubblewrap",
        )

    def _cwd(self) -> str:
        try:
            return Workspace(self.context.workspace).folder(self.cwd or ".")
        except WorkspaceError as error:
            raise CannotStart("workspace", str(error)) from error

    def _argv(self, env: dict[str, str], cwd: str) -> list[str]:
        bash = shutil.which("bash", path=environment.fixed_path())
        if bash is None:
            raise CannotStart("start", "There is no bash on this machine; commands can't be run.")
        argv = [bash, "--noprofile", "--norc", "-c", self.line]
        folders = environment.writable_folders(env, self.context)
        return argv if self.context.sandbox == "none" else self._sandboxed(argv, folders, Path(env["TMPDIR"]), cwd)

    def _sandboxed(self, argv: list[str], folders: list[Path], tmp: Path, cwd: str) -> list[str]:
        """Where the sandbox that was promised is not there, nothing runs."""
        context = self.context
        if context.sandbox != "bubblewrap" or not sandbox.detect():
            raise CannotStart("sandbox", f"The sandbox {context.sandbox!r} does not work on this machine.")
        root = context.workspace.resolve()
        ground = sandbox.Ground(
            workspace=root,
            cwd=root / cwd,
            tmp=tmp,
            writable=(*folders, self.spool.folder / "io"),
            hidden=context.hidden_paths,
            git_folder=context.git_folder,
            git_admin=context.git_admin,
            network=bool(context.definition.get("network")),
        )
        return sandbox.wrap(argv, ground)

    def _not_stored(self, error: OSError) -> Outcome:
        sentence = f"The command was not begun: its spool can't be written ({error.strerror})."
        return Outcome("failed", reason="storage", error=sentence)
