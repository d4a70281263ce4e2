"""Managers of a project's environment that start its programs: pip, poetry, uv, bundle, composer and their like.

What they start is judged as if it stood alone; what they install or publish is named.
"""

from __future__ import annotations

import re

from policy.shell.grammar import Program, examine, parse
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import python_tools, ruby_php_tools
from policy.shell.programs.checks import SAYS, runs
from policy.shell.programs.names import tests_or_builds
from policy.shell.record import each_place
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

PYTHON = frozenset({"pip", "pip3", *python_tools.PROGRAMS, *python_tools.SPECIAL, *python_tools.SUBCOMMANDS, "python", "python3", "make", "mkdocs", "sphinx-build", "yamllint", "sqlfluff", "ansible-lint", "cfn-lint", "doc8", "rstcheck", "pdoc", "mdformat", "bats", "reuse", "gitlint", "djlint"})  # fmt: skip
RUBY = frozenset({*ruby_php_tools.PROGRAMS, "rake", "rails", "jekyll", "asciidoctor", "htmlproofer"})
PHP = frozenset({*ruby_php_tools.PROGRAMS})
# Beside the code of a project in Ruby or PHP, started through its manager.
BINSTUBS = (RUBY - {"m", "jekyll", "churn"}) | {"phpunit", "pest"}


def pip(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    name = words[0].text if words else None
    if name in ("install", "uninstall", "download", "wheel", "config", "cache"):
        walk.record.say("install", f"Installs or removes software with pip {name}.")
    elif name in ("list", "show", "freeze", "check", "--version", "-V", "inspect", "debug", "help"):
        flags = "-v --format=word --outdated -o --local -l --user --not-required -f --files --verbose --disable-pip-version-check --exclude=word --all --exclude-editable -q --strict --tree"
        used = parse(Program(flags), words[1:], walk.record, scope)
        for word in used.operands:
            take("name", word, walk.record, scope)
        online = used.has("--outdated", "-o")
        walk.record.say("network" if online else "read", "Asks the registry." if online else "Lists packages.")
    else:
        raise NotKnown("it is not a subcommand known to be harmless")


_LOOKS = {
    "poetry": "check|show|version|--version|about|list|help|env info|env list|self show|lock --check",
    "uv": "tree|--version|version|help|pip list|pip freeze|pip show|pip check|pip tree|lock --check|lock --locked|python list|python find|self version",
    "pdm": "list|info|show|--version|lock --check",
    "hatch": "version|status|env show|project metadata|dep show requirements|dep show table|--version",
    "pipenv": "graph|verify|--version|--venv|--where|--py|requirements",
    "rye": "list|show|--version|version",
}
_BEFORE_RUN = "-q --quiet -v -n --no-ansi --ansi --no-interaction --color=word"
_RUN = "--frozen --locked --no-project --no-sync --offline --isolated --no-dev --dev --all-extras --all-groups --all-packages --group=word --extra=word --only-group=word --no-group=word --package=word -p:~(python|pypy|cpython)?@?\\d[\\d.]*t? --python=~(python|pypy|cpython)?@?\\d[\\d.]*t? -q --quiet -v --exact --no-progress -s --module -m"  # fmt: skip


def managed(manager: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """poetry run, uv run, pdm run, hatch run: a program inside the project's environment."""
    queue = parse(Program(_BEFORE_RUN + " --version", first_flags=True), words, walk.record, scope).operands or words
    line = " ".join(word.text or "?" for word in queue)
    name = queue[0].text if queue else None
    if any(line == known or line.startswith(known + " -") for known in _LOOKS[manager].split("|")):
        examine(Program("--tree --all --json --depth=num --format=word --latest=false --strict --frozen --locked --quiet -q --lock --check --outdated=false --all-groups --short -s", "word*"), queue[1:], walk.record, scope)  # fmt: skip
        walk.record.say("read", "Lists packages.")
    elif name == "run":
        _run(manager, walk, queue[1:], scope, text)
    elif name == "publish":
        walk.record.say("publish", "Publishes a package.")
    elif name == "build":
        walk.record.ran_code = True
        examine(runs("-f:word --format=word --wheel --sdist -t:word -o:write --out-dir=write --output=write --all-packages --package=word --no-build-isolation -q --clean", ""), queue[1:], walk.record, scope)  # fmt: skip
    elif manager in ("hatch", "rye") and name in ("test", "fmt", "lint", "check"):
        _own_checks(name, walk, queue[1:], scope)
    else:
        walk.record.say("install", "Changes installed packages.")
        raise NotKnown("it is not a subcommand known to be harmless")


def _own_checks(name: str, walk: Walk, words: list[Word], scope: Scope) -> None:
    if name == "fmt" and not {"--check", "-l"} & {word.text for word in words}:
        raise NotKnown("it rewrites files where it isn't told to only check")
    flags = "--check -l --linter --cover -c -a --all --parallel -p -r --randomize -q -v --quiet --verbose -py:word --python=word -x -k:data --pyproject=target --cover-quiet --show -s"
    examine(runs(flags), [word for word in words if word.text != "--"], walk.record, scope)


def _run(manager: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    rest = parse(Program(_RUN, first_flags=True), words, walk.record, scope)
    queue = [word for word in rest.operands if word.text != "--"] if rest.operands[:1] else []
    name = queue[0].text or "" if queue else ""
    if rest.has("-m", "--module"):
        walk.classify(walk, [Word(("python",), "python"), Word(("-m",), "-m"), *queue], [], scope, text)
    elif name in PYTHON or re.fullmatch(r"(\.venv/bin/)?python3?(\.\d+)?", name):
        walk.classify(walk, queue, [], scope, text)
    elif manager in ("pdm", "hatch", "rye", "pipenv") and tests_or_builds(walk.record, name.rpartition(":")[2]):
        examine(runs("-v -q -x -k:data --cov[=target]"), queue[1:], walk.record, scope)
    else:
        raise NotKnown("it starts a program of its own")


def bundle(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    name = words[0].text if words else None
    if name == "exec" and len(words) > 1 and words[1].text in RUBY:
        walk.classify(walk, words[1:], [], scope, text)
    elif name in ("check", "list", "--version", "-v", "show", "info", "platform", "licenses"):
        examine(Program("--dry-run --name-only --paths --path --version -v", "name*"), words[1:], walk.record, scope)
        walk.record.say("read", "Lists packages.")
    elif name == "exec":
        raise NotKnown("it starts a program of its own")
    else:
        raise NotKnown("it is not a subcommand known to be harmless")


_COMPOSER_LOOKS = frozenset({"validate", "show", "info", "check-platform-reqs", "licenses", "depends", "why", "prohibits", "why-not", "status", "--version", "-V", "list", "about", "suggests"})  # fmt: skip
_COMPOSER = "--strict --no-check-publish --no-check-lock --no-check-all --no-check-version --with-dependencies --no-interaction -n -q --quiet -v -vv -vvv --ansi --no-ansi --no-dev --direct -D --tree -t --format=word -f:word --installed -i --locked --no-plugins --no-scripts --all -l --list --name-only -N --timeout=num --dev --no-cache -p --platform"


def composer(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [word for word in words if word.text not in ("-n", "-q", "--no-interaction", "--quiet", "--no-ansi", "--ansi", "-v")]  # fmt: skip
    name = queue[0].text if queue else None
    if name in _COMPOSER_LOOKS:
        examine(Program(_COMPOSER, "name*"), queue[1:], walk.record, scope)
        walk.record.say("read", "Lists packages.")
    elif name in ("run", "run-script"):
        used = parse(Program(_COMPOSER, found=True), queue[1:], walk.record, scope)
        _script(walk, used.operands or [Word(("help",), "")], scope)
    elif name == "exec" and len(queue) > 1:
        _vendored(walk, [word for word in queue[1:] if word.text not in ("--", "-v")], scope, text)
    elif name in PHP or tests_or_builds(walk.record, name or "?"):
        _script(walk, queue, scope)
    else:
        raise NotKnown("it is not a subcommand known to be harmless")


def _vendored(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    if not words or words[0].text not in PHP:
        raise NotKnown("it starts a program of its own")
    walk.classify(walk, words, [], scope, text)


def _script(walk: Walk, words: list[Word], scope: Scope) -> None:
    name = words[0].text or "?"
    if name not in PHP and not tests_or_builds(walk.record, name):
        raise NotKnown(f"the script {name[:60]} may do anything")
    program = ruby_php_tools.PROGRAMS["phpunit"]
    examine(program, [word for word in words[1:] if word.text != "--"], walk.record, scope)


_PHP_SETTINGS = re.compile(
    r"-d(memory_limit=-?\d*[MGK]?|xdebug\.mode=\w+|zend\.assertions=-?\d|pcov\.enabled=1|error_reporting=\w+|display_errors=\w+)"
)
_ARTISAN = r"route:list|about|--version|-V|list|env|model:show|schedule:list|event:list|test"
_CONSOLE = r"lint:\w+|debug:(router|container|autowiring|event-dispatcher|translation|config|twig)|doctrine:schema:validate|about|list|--version|router:match"


def php(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """What composer has put beside the project's code, and the framework's own tests and lists."""
    queue = list(words)
    while queue and (_PHP_SETTINGS.fullmatch(queue[0].text or "") or queue[0].text == "-d"):
        setting = queue.pop(0)
        if setting.text == "-d" and not (queue and _PHP_SETTINGS.fullmatch("-d" + (queue.pop(0).text or ""))):
            raise NotKnown("it changes how PHP works")
    first = queue[0].text or "" if queue else ""
    vendored = re.fullmatch(r"(\./)?(vendor/bin|bin)/([\w-]+)", first)
    if first in ("--version", "-v", "-V", "-m", "--ini") and len(queue) == 1:
        walk.record.say("compute", "Prints a version or help.")
    elif first in ("-l", "--syntax-check") and len(queue) == 2:
        if any(place.where not in ("inside", "stream") for place in each_place(queue[1], scope)):
            raise NotKnown("it looks outside the workspace")
        walk.record.say("check", SAYS)
    elif vendored and vendored[3] in PHP and scope.cwds == ("",):
        walk.classify(walk, [Word((vendored[3],), vendored[3]), *queue[1:]], [], scope, text)
    elif first in ("artisan", "bin/console") and len(queue) > 1 and None not in scope.cwds:
        _framework(first, walk, queue[1:], scope)
    else:
        _as_code(walk, queue, scope, text)


def _framework(program: str, walk: Walk, words: list[Word], scope: Scope) -> None:
    name = words[0].text or ""
    if program == "artisan" and name == "test":
        examine(ruby_php_tools.PROGRAMS["phpunit"], words[1:], walk.record, scope)
    elif re.fullmatch(_ARTISAN if program == "artisan" else _CONSOLE, name):
        flags = "--json --path=data --name=data --method=data --format=word --except-vendor --only-vendor -v --env=dev|test -e:dev|test --no-interaction -n --skip-sync --parse-tags --domain=data --compact"
        examine(runs(flags), words[1:], walk.record, scope)
    else:
        walk.record.say("code", f"Runs the project's command {name[:60]}.")


def _as_code(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    from policy.shell.programs import interpreters

    interpreters.code(walk, words, scope, text)


def _manager(name: str) -> Judge:
    def judge(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
        managed(name, walk, words, scope, text)

    return judge


SPECIAL: dict[str, Judge] = {
    "pip": pip,
    "pip3": pip,
    **{name: _manager(name) for name in _LOOKS},
    "bundle": bundle,
    "bundler": bundle,
    "composer": composer,
    "php": php,
}
