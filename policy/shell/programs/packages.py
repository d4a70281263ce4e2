"""Package managers: their test and check scripts are everyday; what installs, publishes or runs others is not."""

from __future__ import annotations

import functools
import re

from policy.shell.grammar import NotKnown, Program, parse, take
from policy.shell.programs import hostile
from policy.shell.programs.building import _NODE_TEST as NODE_TEST
from policy.shell.programs.building import PROGRAMS as RUNNERS
from policy.shell.programs.building import script_name
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_SAYS = "Runs the project's tests, checks or build."
_QUIET = frozenset(
    {
        "--silent",
        "-s",
        "-q",
        "--quiet",
        "--if-present",
        "--verbose",
        "--loglevel=error",
        "--no-audit",
        "--no-fund",
        "-r",
        "--recursive",
    }
)
_LOOKS = {
    "npm": "ls|list|outdated|view|explain|why|--version|-v|help|prefix|root|audit|fund|pkg|-h|--help|ping|search",
    "pnpm": "ls|list|outdated|why|--version|-v|help|root|licenses",
    "yarn": "list|outdated|why|--version|-v|help|info|versions",
    "bun": "--version|-v",
}
_ONLINE = frozenset({"outdated", "view", "audit", "search", "ping", "info", "fund"})
_INSTALLS = frozenset(["install", "i", "ci", "add", "in", "update", "up", "upgrade", "remove", "rm", "uninstall", "un", "link", "unlink", "rebuild", "dedupe", "prune", "dlx", "exec", "x", "create", "init", "import", "set", "setup", "global", "env", "self-update", "cache", "config", "set-script"])  # fmt: skip
_SENDS = frozenset(
    {"publish", "unpublish", "deprecate", "dist-tag", "owner", "access", "token", "login", "adduser", "logout", "stage"}
)
_STANDARD = frozenset({"test", "t", "tst", "lint", "build", "typecheck", "check"})


def node(name: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [word for word in words if word.text not in _QUIET]
    first = queue[0].text if queue else None
    if first is None:
        _bare(name, walk, words)
        return
    if first in ("-w", "--workspace", "--prefix", "-C", "--filter", "--cwd") or first.startswith("--"):
        queue, first = _placed(name, walk, queue, scope)
    _harm(walk.record, name, first)
    if first in ("run", "run-script", "rum") and name != "deno":
        _script(walk, queue[1:], scope)
    elif first in _STANDARD and not (name == "bun" and first == "build"):
        _script(walk, [Word(("test" if first in ("t", "tst") else first,), first), *queue[1:]], scope)
    elif first in _LOOKS[name].split("|"):
        _look(walk, queue, scope)
    elif name in ("yarn", "pnpm") and first in RUNNERS:
        walk.classify(walk, queue, [], scope, text)
    elif name in ("yarn", "pnpm", "bun") and script_name(walk.record, first):
        _script(walk, queue, scope)
    elif name in ("pnpm", "npm") and first == "exec" and _runner(queue[1:]):
        walk.classify(walk, _runner(queue[1:]), [], scope, text)
    elif first == "exec" or (first not in _INSTALLS and first not in _SENDS):
        raise NotKnown(f"{first[:60]} is not a subcommand known to be harmless")


def _runner(words: list[Word]) -> list[Word]:
    rest = [word for word in words if word.text not in ("--", "--no", "--no-install")]
    return rest if rest and rest[0].text in RUNNERS else []


def _bare(name: str, walk: Walk, words: list[Word]) -> None:
    if words and any(word.text is None for word in words):
        raise NotKnown("its subcommand is computed")
    walk.record.say(
        "install" if name == "yarn" else "compute",
        "Installs what the project names." if name == "yarn" else "Prints help.",
    )


def _placed(name: str, walk: Walk, queue: list[Word], scope: Scope) -> tuple[list[Word], str]:
    """A package of the workspace, before the subcommand."""
    option, _, value = (queue[0].text or "").partition("=")
    if option in ("--version", "--help"):
        return queue, option
    if option not in ("-w", "--workspace", "--filter", "--prefix", "-C", "--cwd"):
        raise NotKnown(f"{option[:60]} is not an option known to be harmless")
    words = queue[1:] if value else queue[2:]
    folder = Word((value,), value) if value else queue[1] if len(queue) > 1 else None
    if folder is None or not words or words[0].text is None:
        raise NotKnown(f"{option} lacks its value")
    take("target", folder, walk.record, scope)
    return words, words[0].text


def _harm(record: Record, name: str, first: str) -> None:
    if first in _SENDS:
        record.say("publish", f"Publishes or signs in with {name}.")
    elif first in _INSTALLS:
        kind = "code" if first in ("exec", "x", "dlx", "create", "init") else "install"
        if kind == "install" or first in ("dlx", "create", "init", "x"):
            record.say("install", f"Installs software with {name} {first}.")


def _script(walk: Walk, words: list[Word], scope: Scope) -> None:
    queue = [word for word in words if word.text not in _QUIET]
    if not queue:
        walk.record.say("read", "Lists the project's scripts.")
        return
    name = queue[0].text
    if name is None or not script_name(walk.record, name) or re.search(r"watch|dev|start|serve", name):
        raise NotKnown(f"the script {queue[0].raw[:60]} may do anything")
    arguments = [word for word in queue[1:] if word.text != "--"]
    used = parse(Program(NODE_TEST + " -w:name --workspace=name --workspaces -ws"), arguments, walk.record, scope)
    for word in used.operands:
        take("target", word, walk.record, scope)
    walk.record.ran_code = True
    walk.record.say("check", _SAYS)


def _look(walk: Walk, queue: list[Word], scope: Scope) -> None:
    flags = "--depth=num --json --all --long --prod --dev --production --parseable -g --global --omit=word -r --recursive --audit-level=word --pattern=data --non-interactive"
    used = parse(Program(flags), queue[1:] if not (queue[0].text or "").startswith("-") else [], walk.record, scope)
    for word in used.operands:
        take("name", word, walk.record, scope)
    if queue[0].text in ("audit",) and any(word.text == "fix" for word in used.operands):
        walk.record.say("install", "Changes installed packages.")
    if queue[0].text == "pkg" and any(word.text in ("set", "delete", "fix") for word in used.operands):
        raise NotKnown("it changes the package file")
    walk.record.say(
        "network" if queue[0].text in _ONLINE else "read",
        "Asks the registry." if queue[0].text in _ONLINE else "Lists packages.",
    )


def npx(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Only what the project keeps beside its code: everything else would be fetched."""
    rest = _runner(words)
    if not rest:
        walk.record.say("install", "Fetches and runs a package.")
        _note_package(walk, words, scope)
        raise NotKnown("it may fetch and run any package")
    walk.classify(walk, rest, [], scope, text)


def _note_package(walk: Walk, words: list[Word], scope: Scope) -> None:
    """`npx @vendor/name@1` runs name."""
    for at, word in enumerate(words):
        if word.text and not word.text.startswith("-"):
            hostile.note(walk, word.text.lstrip("@").rsplit("/", 1)[-1].partition("@")[0], words[at + 1 :], scope)
            return


def pip(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    name = words[0].text if words else None
    if name in ("install", "uninstall", "download", "wheel", "config", "cache"):
        walk.record.say("install", f"Installs or removes software with pip {name}.")
    elif name in ("list", "show", "freeze", "check", "--version", "-V", "inspect", "debug"):
        flags = "-v --format=word --outdated -o --local -l --user --not-required -f --files --verbose --disable-pip-version-check --exclude=word --all"
        used = parse(Program(flags), words[1:], walk.record, scope)
        for word in used.operands:
            take("name", word, walk.record, scope)
        online = used.has("--outdated", "-o")
        walk.record.say("network" if online else "read", "Asks the registry." if online else "Lists packages.")
    else:
        raise NotKnown("it is not a subcommand known to be harmless")


def run_by_manager(kinds: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """poetry run, uv run, pdm run, hatch run: the runner inside the project's environment."""
    queue = [word for word in words if word.text not in ("-q", "--quiet", "-v", "--no-ansi", "-n")]
    name = queue[0].text if queue else None
    if name == "run":
        rest = [word for word in queue[1:] if word.text not in ("--", "--frozen", "--locked", "--no-sync", "--offline")]
        if not rest or (rest[0].text or "") not in (*RUNNERS, "python", "python3", "ruff", "coverage", "make"):
            raise NotKnown("it starts a program of its own")
        walk.classify(walk, rest, [], scope, text)
    elif name in ("check", "show", "version", "--version", "env", "tree", "help", "about", "list") and len(queue) == 1:
        walk.record.say("read", "Lists packages.")
    elif name == "publish":
        walk.record.say("publish", "Publishes a package.")
    elif name in ("build",):
        walk.record.ran_code = True
        take_all(Program("-f:word --format=word --wheel --sdist -t:word"), queue[1:], walk, scope)
    else:
        walk.record.say("install", "Changes installed packages.")
        raise NotKnown("it is not a subcommand known to be harmless")


def take_all(program: Program, words: list[Word], walk: Walk, scope: Scope) -> None:
    if parse(program, words, walk.record, scope).operands:
        raise NotKnown("it has operands that are not known")
    walk.record.say("check", _SAYS)


SPECIAL: dict[str, Judge] = {
    **{name: functools.partial(node, name) for name in ("npm", "pnpm", "yarn")},
    "npx": npx,
    "pip": pip,
    "pip3": pip,
    **{name: functools.partial(run_by_manager, "") for name in ("poetry", "uv", "pdm", "hatch", "pipenv", "rye")},
}
