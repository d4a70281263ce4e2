"""The checkpoints as commits on a branch of a git remote. Only ever added to, never forced.

The commits are made in a bare repository of ours, from what the remote holds at that moment; its branch here is what
has arrived. A credential in the address travels in the environment, not in arguments that others of this machine read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from orchestration import git
from orchestration.audit_delivery.channel import Undelivered, own_folder
from policy import audit

BRANCH = "refs/heads/audit-checkpoints"
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
TELLING = ("!", "fatal:", "error:", "remote:")


@dataclass(frozen=True)
class GitRemote:
    address: str
    name: ClassVar[str] = "git-remote"

    @property
    def place(self) -> str:
        return self._target.rpartition("@")[2]

    @property
    def secrets(self) -> Mapping[str, str]:
        credentials = self._credentials
        return {"CCDASH_AUDIT_GIT_REMOTE": credentials, "password": credentials.partition(":")[2]}

    def waiting(self) -> list[Path]:
        arrived = self._tree(BRANCH) if self._has(BRANCH) else {}
        return [file for file in audit.checkpoint_files() if file.name not in arrived]

    def send(self) -> None:
        if not self._folder.is_dir():
            git.run("init", "--quiet", "--bare", str(self._folder), cwd=self._folder.parent)
        tip = self._fetched()
        commit = self._on_top_of(tip)
        if commit != tip:
            self._git("push", "--quiet", "--porcelain", self._target, f"{commit}:{BRANCH}")
        self._git("update-ref", BRANCH, commit)

    def _fetched(self) -> str:
        """The commit that the remote's branch stands at, brought here; nothing where there is no branch yet."""
        tip = self._git("ls-remote", self._target, BRANCH).partition("\t")[0]
        if tip and not self._has(f"{tip}^{{commit}}"):
            self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self._target, BRANCH)
        return tip

    def _on_top_of(self, tip: str) -> str:
        """A commit that adds what the remote lacks, or the remote's own where it lacks nothing."""
        there, ours = self._tree(tip) if tip else {}, self._blobs()
        if other := next((name for name, entry in ours.items() if there.get(name, entry) != entry), ""):
            raise Undelivered(f"The branch holds another {other}, of another log: name an empty repository.")
        if ours.keys() <= there.keys():
            return tip
        entries = "".join(f"{entry}\t{name}\0" for name, entry in {**there, **ours}.items())
        tree = self._git("mktree", "-z", stdin=entries.encode(errors="surrogateescape"))
        newest = max(name for name in ours if name.endswith(".json")).removesuffix(".json")
        parents = ("-p", tip) if tip else ()
        return self._git("commit-tree", tree, *parents, "-m", f"Checkpoint {int(newest)}")

    def _blobs(self) -> dict[str, str]:
        files = [*audit.checkpoint_files(), audit.public_key_file()]
        paths = "".join(f"{file}\n" for file in files).encode()
        hashes = self._git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths).split()
        return {file.name: f"100644 blob {found}" for file, found in zip(files, hashes, strict=True)}

    def _tree(self, commit: str) -> dict[str, str]:
        listed = self._git("ls-tree", "-z", commit).split("\0")
        return {name: entry for entry, _, name in (line.partition("\t") for line in listed if line)}

    def _has(self, name: str) -> bool:
        if not self._folder.is_dir():
            return False
        return git.ask("rev-parse", "--quiet", "--verify", name, cwd=self._folder, env=self._environment()).code == 0

    def _git(self, *arguments: str, stdin: bytes = b"") -> str:
        answer = git.ask(*arguments, cwd=self._folder, env=self._environment(), stdin=stdin)
        if answer.code == 0:
            return answer.text
        said = [line.strip() for line in (*answer.text.splitlines(), *answer.error.splitlines()) if line.strip()]
        telling = [line for line in said if line.startswith(TELLING)] or said or [f"exit code {answer.code}"]
        raise Undelivered(f"git {arguments[0]}: {telling[0]}")

    def _environment(self) -> dict[str, str]:
        more = {"http.followRedirects": "false", "transfer.fsckObjects": "true"}
        if self._credentials:
            more["http.extraHeader"] = f"Authorization: Basic {base64.b64encode(self._credentials.encode()).decode()}"
        allowed = {"GIT_ALLOW_PROTOCOL": self._protocol, "GIT_SSH_COMMAND": SSH, "GIT_DIR": str(self._folder)}
        return {**git.pins(more), **allowed}

    @property
    def _folder(self) -> Path:
        return own_folder(self)

    @property
    def _protocol(self) -> str:
        scheme, found, _ = self.address.partition("://")
        return scheme if found else "file" if self.address.startswith("/") else "ssh"

    @property
    def _credentials(self) -> str:
        parts = urlsplit(self.address)
        is_web = parts.scheme in ("https", "http")
        return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if is_web and parts.username else ""

    @property
    def _target(self) -> str:
        """The address as git is told it: of the web without its credential."""
        parts = urlsplit(self.address)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if self._credentials else self.address
