"""The tool that searches files: grep as a child, so that a hostile pattern costs seconds and not the worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import paths
from .base import Place, Tool, ToolFailure, ToolOutput, parameters, text

SECONDS = 20
MAX_MATCHES = 500
MAX_BYTES = 200_000
# A search of everything must not read what reading by name would have to be allowed first.
SECRET_FILES = (
    *(
        ".env",
        ".env.*",
        "*.env",
        ".envrc",
        "*.pem",
        "*.key",
        "*.p12",
        "*.pfx",
        "*.jks",
        "*.keystore",
        "*.kdbx",
        "*.ppk",
    ),
    *(
        "*.tfstate",
        "*.tfvars",
        "id_rsa*",
        "id_dsa*",
        "id_ecdsa*",
        "id_ed25519*",
        ".netrc",
        ".npmrc",
        ".pypirc",
        ".pgpass",
    ),
    *(".git-credentials", ".htpasswd", "*credentials*", "secret", "secrets", "secrets.*", "*token.txt", "*token.json"),
)
SECRET_FOLDERS = (".git", ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker")


def search_files(arguments: Mapping[str, Any], place: Place) -> ToolOutput:
    path, pattern = arguments.get("path", "."), arguments["pattern"]
    try:
        names = paths.components(place.workspace, path)
        with paths.folder(place.workspace, names) as descriptor:
            found, cut = _grep(descriptor, place.workspace.joinpath(*names), arguments)
    except (OSError, paths.PathRefused) as error:
        raise ToolFailure(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from None
    prefix = "/".join(names) + "/" if names else ""
    lines = [prefix + line.removeprefix("./") for line in found[:MAX_MATCHES]]
    told = f"{len(lines)} lines match {pattern[:80]}"
    if cut or len(found) > MAX_MATCHES:
        lines.append("[… more matches; narrow the pattern or the path …]")
    return ToolOutput("\n".join(lines) or "(no match)", summary=told)


def _grep(descriptor: int, real: Path, arguments: Mapping[str, Any]) -> tuple[list[str], bool]:
    kind = "-E" if arguments.get("regex") else "-F"
    case = ["-i"] if arguments.get("ignore_case") else []
    only = [f"--include={arguments['files']}"] if arguments.get("files") else []
    argv = ["grep", "-rnI", kind, *case, *only, *_left_out(), "-D", "skip", "-e", arguments["pattern"], "."]
    here = f"/proc/self/fd/{descriptor}" if sys.platform == "linux" else str(real)
    env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    child = subprocess.Popen(
        argv, cwd=here, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        pass_fds=(descriptor,),
    )  # fmt: skip
    return _answer(child)


def _left_out() -> list[str]:
    return [*(f"--exclude={name}" for name in SECRET_FILES), *(f"--exclude-dir={name}" for name in SECRET_FOLDERS)]


def _answer(child: subprocess.Popen[bytes]) -> tuple[list[str], bool]:
    """At most MAX_BYTES of the child's output within SECONDS; whatever it does, it is gone afterwards."""
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    end = _deadline(child)
    with child.stdout as pipe:
        data = pipe.read(MAX_BYTES + 1)
    end.cancel()
    cut = len(data) > MAX_BYTES
    if cut:
        child.kill()
    code = child.wait()
    if code > 1:
        raise ToolFailure("the pattern is not a valid regular expression")
    if code < 0 and not cut:
        raise ToolFailure(f"the search took longer than {SECONDS} seconds")
    lines = data[:MAX_BYTES].decode("utf-8", "replace").splitlines()
    return [line[:400] for line in (lines[:-1] if cut else lines)], cut


def _deadline(child: subprocess.Popen[bytes]) -> Any:
    from threading import Timer

    timer = Timer(SECONDS, child.kill)
    timer.daemon = True
    timer.start()
    return timer


SEARCH_FILES = Tool(
    "search_files",
    "Search the text files of the workspace, except those that usually hold secrets; matches as path:line:text.",
    parameters(
        {"pattern": text("Text to find, or an extended regular expression with regex: true.", 1000)},
        {
            "path": text("Folder to search, relative to the workspace."),
            "regex": {"type": "boolean"},
            "ignore_case": {"type": "boolean"},
            "files": text("Wildcards for file names, such as *.py", 200),
        },
    ),
    search_files,
)
