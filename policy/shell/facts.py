"""What a command line does, as data.

The reader of lines writes these; rules decide over them. A class names one thing a command does; every class is
in CLASSES, so a rule, a page and a test can list them. Classes say what happens, never whether it may.
"""

from __future__ import annotations

from dataclasses import dataclass

CLASSES: dict[str, str] = {
    # Everyday
    "compute": "Prints, tests or waits; touches no file",
    "read": "Reads inside the workspace",
    "scratch": "Writes to the step's outputs, artifacts or temporary folder",
    "write": "Writes inside the workspace",
    "check": "Runs the project's tests, checks or build",
    "commit": "Stages or commits on the run's own branch",
    # People look first
    "unknown": "Not understood well enough to be allowed",
    "code": "Runs code that was not looked at",
    "delete": "Deletes inside the workspace",
    "protected_write": "Changes settings that tools act upon",
    "secret_read": "Reads a file that usually holds secrets",
    "environment_read": "Prints environment variables that may hold secrets",
    "secret_variable": "Uses a variable that by its name holds a secret",
    "environment": "Changes how later programs are found or behave",
    "read_outside": "Reads outside the workspace",
    "write_outside": "Writes outside the workspace",
    "network": "Talks to the network",
    "install": "Installs software",
    "push": "Pushes to a remote repository",
    "tree": "Moves branches or the working tree",
    "permission": "Changes permissions or owners",
    "process": "Signals processes",
    # People look twice
    "history": "Rewrites history or discards recorded work",
    "publish": "Publishes a package, image or release",
    "deploy": "Deploys or changes infrastructure",
    "container": "Controls containers or virtual machines",
    "remote": "Works on another machine",
    "database": "Changes a database directly",
    "delete_outside": "Deletes outside the workspace",
    # Nothing a workspace run needs
    "invalid": "Not a valid bash line",
    "hidden": "Holds characters that hide what it does",
    "oversized": "Too long to be looked at",
    "destroy": "Destroys a system, home or the whole workspace",
    "device": "Writes to devices or file systems",
    "privilege": "Raises privileges",
    "credentials": "Reads credentials outside the workspace",
    "exfiltration": "Reads secrets and talks to the network",
    "remote_code": "Runs code straight from the network",
    "persistence": "Leaves code behind that others will run",
    "system_write": "Writes to system or home settings",
    "foreign_process": "Ends processes that are not its own",
    "exhaustion": "Exhausts the machine",
    "audit": "Turns off recording or removes its traces",
    "agent": "Starts another agent past this one's gates",
    "reverse_shell": "Opens a shell to the network",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the line does, and a sentence about it for people."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """One simple command, with what is known of its words. A word that isn't known shows as it was written."""

    program: str
    subcommand: str = ""
    flags: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class LineFacts:
    commands: tuple[CommandFacts, ...]
    findings: tuple[Finding, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(finding.kind for finding in self.findings)

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(command.program for command in self.commands))
