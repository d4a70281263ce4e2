"""Package managers: their test and check scripts are everyday; what installs, publishes or runs others is not."""

from __future__ import annotations

import functools
import re

from policy.shell.grammar import Program, examine, parse
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import hostile
from policy.shell.programs.checks import SAYS, runs
from policy.shell.programs.names import tests_or_builds
from policy.shell.programs.toolchains import SUBCOMMANDS
from policy.shell.programs.toolchains import subcommand as toolchain
from policy.shell.programs.web_tools import BINARIES, NODE_TEST
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

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
        "--color",
        "--no-color",
        "--ws",
        "--workspaces",
        "--include-workspace-root",
        "--parallel",
        "--stream",
        "--no-bail",
        "--sequential",
        "--aggregate-output",
        "--frozen-lockfile",
        "--offline",
        "--prefer-offline",
        "--foreground-scripts",
        "--ignore-scripts",
        "-T",
        "-B",
        "--top-level",
    }
)
_LOOKS = {
    "npm": "ls|list|outdated|view|explain|why|--version|-v|help|prefix|root|audit|fund|pkg|-h|--help|ping|search",
    "pnpm": "ls|list|outdated|why|--version|-v|help|root|licenses",
    "yarn": "list|outdated|why|--version|-v|help|info|versions",
    "bun": "--version|-v|--help|pm",
}
_ONLINE = frozenset({"outdated", "view", "audit", "search", "ping", "info", "fund"})
_INSTALLS = frozenset(["install", "i", "ci", "add", "in", "update", "up", "upgrade", "remove", "rm", "uninstall", "un", "link", "unlink", "rebuild", "dedupe", "prune", "dlx", "exec", "x", "create", "init", "import", "set", "setup", "global", "env", "self-update", "cache", "config", "set-script"])  # fmt: skip
_SENDS = frozenset(
    {"publish", "unpublish", "deprecate", "dist-tag", "owner", "access", "token", "login", "adduser", "logout", "stage"}
)
# Versions alone are printed; a package that is only tried out is built and stays here.
_HARMLESS = (["version"], ["pack", "--dry-run"], ["pack", "--dry-run", "--json"])
_STANDARD = frozenset({"test", "t", "tst", "lint", "build", "typecheck", "check"})


def node(name: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [word for word in words if word.text not in _QUIET]
    queue = _placed(name, walk, queue, scope)
    first = queue[0].text if queue else None
    if first is None:
        _bare(name, walk, queue or words)
        return
    if name == "npm" and [word.text for word in queue] in _HARMLESS:
        walk.record.say("check", SAYS)
        walk.record.ran_code = True
        return
    if [word.text for word in queue] != ["dedupe", "--check"]:
        _harm(walk.record, name, first)
    if first in ("run", "run-script", "rum", "task"):
        _script(walk, _filtered(walk, queue[1:], scope), scope)
    elif first in _STANDARD and not (name == "bun" and first in ("build", "test")):
        _script(walk, [Word(("test" if first in ("t", "tst") else first,), first), *queue[1:]], scope)
    elif first in _LOOKS[name].split("|"):
        _look(walk, queue, scope)
    elif name != "npm" and first in BINARIES:
        walk.classify(walk, queue, [], scope, text)
    elif name != "npm" and not (name == "bun" and first == "build") and tests_or_builds(walk.record, first):
        _script(walk, queue, scope)
    elif name == "yarn" and [word.text for word in queue] == ["dedupe", "--check"]:
        walk.record.say("check", SAYS)
    elif name != "bun" and first == "exec" and _runner(queue[1:]):
        walk.classify(walk, _runner(queue[1:]), [], scope, text)
    else:
        raise NotKnown(f"{first[:60]} is not a subcommand known to be harmless")


def bun(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """`bun test` is a runner of its own; `bun run NAME` runs a script, or a file where a file has that name."""
    if words and words[0].text == "test":
        flags = "--bail[=num] --timeout=num --coverage -t:data --only --todo --coverage-reporter=word --rerun-each=num --reporter=word"
        examine(runs(flags), words[1:], walk.record, scope)
        return
    node("bun", walk, words, scope, text)


def deno(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    if words and words[0].text == "task":
        _script(walk, words[1:], scope)
        return
    toolchain(SUBCOMMANDS["deno"], walk, words, scope, text)


# Packages whose program goes by another name.
_SCOPED = {
    "@biomejs/biome": "biome",
    "@redocly/cli": "redocly",
    "@stoplight/spectral-cli": "spectral",
    "@commitlint/cli": "commitlint",
    "@11ty/eleventy": "eleventy",
    "@angular/cli": "ng",
    "@playwright/test": "playwright",
    "@arethetypeswrong/cli": "attw",
}
# Linters of texts and interfaces that come as packages too.
_RUN_BY_NPX = BINARIES | {"markdownlint", "markdownlint-cli2", "spectral", "redocly", "ajv", "swagger-cli", "mmdc"}


def _runner(words: list[Word]) -> list[Word]:
    """What a package manager runs from beside the project's code, where it is known to be there for that."""
    rest = [word for word in words if word.text not in ("--", "--no", "--no-install", "--offline")]
    if rest and rest[0].text in _SCOPED:
        rest[0] = Word((_SCOPED[rest[0].text],), rest[0].raw)
    return rest if rest and rest[0].text in _RUN_BY_NPX else []


def _bare(name: str, walk: Walk, words: list[Word]) -> None:
    if words and any(word.text is None for word in words):
        raise NotKnown("its subcommand is computed")
    walk.record.say(
        "install" if name == "yarn" else "compute",
        "Installs what the project names." if name == "yarn" else "Prints help.",
    )


# Packages of the workspace by name, folder or pattern; `...` stands for what depends on them.
_FILTER = re.compile(
    r"!?(\.\.\.)?\^?(\{)?(\./)?@?[\w*-][\w.*-]*(/[\w*-][\w.*-]*)*(\})?(\^?\.\.\.)?|(\.\.\.)?\[[\w./-]+\]|\."
)
_PLACING = ("-w", "--workspace", "--filter", "-F", "--prefix", "-C", "--cwd", "--dir", "--filter-prod", "-W")
_FOLDERS = ("--prefix", "-C", "--cwd", "--dir")
_SPREAD = "-A -p -t -v -i -R --all --parallel --topological --topological-dev --verbose --interlaced --recursive --include=data --exclude=data --jobs=word -j:word --from=data --since[=word] --no-private -W --worktree"


def _placed(name: str, walk: Walk, words: list[Word], scope: Scope) -> list[Word]:
    """What stands before the subcommand: the package or folder it is for."""
    queue = list(words)
    while queue and (queue[0].text or "").partition("=")[0] in _PLACING:
        option, _, value = (queue.pop(0).text or "").partition("=")
        if not value and not queue:
            raise NotKnown(f"{option} lacks its value")
        _place(option, Word((value,), value) if value else queue.pop(0), walk, scope)
    first = queue[0].text if queue else None
    if name == "yarn" and first == "workspace" and len(queue) > 2:
        _place("--filter", queue[1], walk, scope)
        return queue[2:]
    if name == "yarn" and first == "workspaces" and len(queue) > 1:
        return _spread(walk, queue[1:], scope)
    if name == "pnpm" and first in ("recursive", "multi", "m"):
        return queue[1:]
    if first and first.startswith("-") and first not in ("--version", "--help", "-v", "-h"):
        raise NotKnown(f"{first[:60]} is not an option known to be harmless")
    return queue


def _place(option: str, value: Word, walk: Walk, scope: Scope) -> None:
    if option in _FOLDERS:
        take("target", value, walk.record, scope)
    elif not _FILTER.fullmatch(value.text or "") or ".." in (value.text or "").split("/"):
        raise NotKnown(f"{value.raw} is not a package of the workspace")


def _spread(walk: Walk, words: list[Word], scope: Scope) -> list[Word]:
    """yarn workspaces run test; yarn workspaces foreach -A run test."""
    if words[0].text == "run":
        return words
    if words[0].text != "foreach":
        raise NotKnown(f"{words[0].raw} is not a subcommand known to be harmless")
    used = parse(Program(_SPREAD, first_flags=True), words[1:], walk.record, scope)
    if not used.operands or used.operands[0].text != "run":
        raise NotKnown("it starts a program of its own")
    return used.operands


def _harm(record: Record, name: str, first: str) -> None:
    if first in _SENDS:
        record.say("publish", f"Publishes or signs in with {name}.")
    elif first in _INSTALLS:
        kind = "code" if first in ("exec", "x", "dlx", "create", "init") else "install"
        if kind == "install" or first in ("dlx", "create", "init", "x"):
            record.say("install", f"Installs software with {name} {first}.")


def _script(walk: Walk, words: list[Word], scope: Scope) -> None:
    queue = [word for word in words if word.text not in _QUIET and word.text != "-l"]
    if not queue:
        walk.record.say("read", "Lists the project's scripts.")
        return
    name = queue[0].text
    if name in BINARIES and not tests_or_builds(walk.record, name):
        walk.classify(walk, queue, [], scope, name)
        return
    if name is None or not tests_or_builds(walk.record, name):
        raise NotKnown(f"the script {queue[0].raw[:60]} may do anything")
    arguments = [word for word in queue[1:] if word.text != "--"]
    flags = (
        NODE_TEST
        + " -w:name --workspace=name --workspaces -ws --noEmit --check --format=json|stylish|compact|unix|junit|github --ext=word --mode=word --prod --configuration=word --if-present --headless"
    )
    examine(Program(flags, "target*", "check", SAYS, runs=True, found=True), arguments, walk.record, scope)


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


def _filtered(walk: Walk, words: list[Word], scope: Scope) -> list[Word]:
    """pnpm run --filter web test: what stands before the subcommand may stand behind it."""
    return _placed("pnpm", walk, words, scope) if words and (words[0].text or "").startswith(_PLACING) else words


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


SPECIAL: dict[str, Judge] = {
    **{name: functools.partial(node, name) for name in ("npm", "pnpm", "yarn")},
    "bun": bun,
    "deno": deno,
    "npx": npx,
    "bunx": npx,
}
