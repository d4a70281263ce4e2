"""Interpreters: code given to them is code nobody judged, except modules that are known runners."""

from __future__ import annotations

import functools
import re

from policy.shell import marks
from policy.shell.grammar import Program, Used, examine, take_operands
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import python_tools
from policy.shell.programs.checks import SAYS as _SAYS
from policy.shell.record import Record, each_place
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_HARMLESS_FLAGS = frozenset({"-B", "-u", "-I", "-E", "-s", "-S", "-bb", "-b", "-Wd", "-q"})
_MODULES: dict[str, Program] = {
    "unittest": Program(
        "-v -q -f -b -c -k:data -s:target -p:data -t:target --verbose --quiet --failfast --buffer --locals",
        "name*",
        "check",
        _SAYS,
        runs=True,
    ),
    "compileall": Program("-q -f -j:num -x:data -l", "target*", "check", _SAYS, found=True),
    "py_compile": Program("-q", "target*", "check", _SAYS, found=True),
    "json.tool": Program(
        "--sort-keys --indent=num --compact --no-ensure-ascii --json-lines --tab",
        "read",
        "read",
        "Reads inside the workspace.",
    ),
    "tokenize": Program("-e", "read", "read", "Reads inside the workspace."),
    "ast": Program("", "read", "read", "Reads inside the workspace."),
    "tabnanny": Program("-v -q", "list*", "read", "Reads inside the workspace."),
    "build": Program(
        "-s -w -n -v -o:write --sdist --wheel --no-isolation --outdir=write --skip-dependency-check -x",
        "target*",
        "check",
        _SAYS,
        runs=True,
    ),
    "doctest": Program("-v -f -o:word", "~[\\w-][\\w./-]*\\.(md|rst|txt)*", "check", _SAYS, runs=True),
    "zipfile": Program("-l:read -t:read --list=read --test=read", "", "read", "Lists an archive inside the workspace."),
    "tarfile": Program(
        "-l:read -t:read --list=read --test=read -v", "", "read", "Lists an archive inside the workspace."
    ),
    **{
        name: Program("", "", "compute", "Prints what Python was built with.")
        for name in ("platform", "sysconfig", "site")
    },
}
# Modules that go by another name on the command line.
_NAMED_OTHERWISE = {
    "sphinx": "sphinx-build",
    "pyproject_build": "pyproject-build",
    "yamllint": "yamllint",
    "mkdocs": "mkdocs",
    "importlinter": "lint-imports",
    "pre_commit": "pre-commit",
    "pdoc": "pdoc",
    "sqlfluff": "sqlfluff",
    "reuse": "reuse",
    "nose2": "nose2",
    "twine": "twine",
}
_RUNNERS = frozenset({*python_tools.PROGRAMS, *python_tools.SPECIAL, *python_tools.SUBCOMMANDS, "pip"})  # fmt: skip


def _only_asks(used: Used, record: Record, scope: Scope) -> None:
    take_operands("name*", used.operands, record, scope)
    if not used.has("--check", "--plan", "--dry-run", "-n"):
        raise NotKnown("it changes what it is run on")


_MANAGE: dict[str, Program] = {
    "test": Program("-v:num --settings=~[\\w.]*(settings|test|ci)[\\w.]* -n --no-migrations --nomigrations --with-coverage --timing --verbosity=num --parallel[=word] --failfast --keepdb --noinput --no-input -k:data --tag=word --exclude-tag=word --shuffle[=num] --reverse --timing --buffer --debug-mode", "name*", "check", _SAYS, runs=True),
    "check": Program("--settings=~[\\w.]*(settings|test|ci|prod|local|dev)[\\w.]* -v:num --list-tags --deploy --fail-level=word --database=word --tag=word", "name*", "check", _SAYS, runs=True),
    "showmigrations": Program("-v:num --settings=~[\\w.]*(settings|test|ci)[\\w.]* -l -p --list --plan --database=word", "name*", "check", _SAYS, runs=True),
    "help": Program("--commands", "word", "check", _SAYS, runs=True),
    "version": Program("", "", "check", _SAYS, runs=True),
    "migrate": Program("--check --plan -v:num --database=word --noinput", "name*", "check", _SAYS, runs=True, check=_only_asks),
    "validate_templates": Program("--ignore-app=word -v:num", "", "check", _SAYS, runs=True),
    "findstatic": Program("--first -v:num", "data*", "check", _SAYS, runs=True),
    "show_urls": Program("--format=word -f:word", "", "check", _SAYS, runs=True),
    "spectacular": Program("--validate --fail-on-warn --file=write --format=word --color", "", "check", _SAYS, runs=True),
    "collectstatic": Program("--dry-run -n --noinput --no-input -v:num -l", "", "check", _SAYS, runs=True, check=_only_asks),
    "lint": Program("", "name*", "check", _SAYS, runs=True),
    "sqlmigrate": Program("--backwards", "word word", "check", _SAYS, runs=True),
    "diffsettings": Program("", "", "environment_read", "Prints settings that may hold secrets."),
}  # fmt: skip
_CODE_FLAGS = re.compile(r"-[a-zA-Z]*[cepE].*|--(eval|print|command|require|import|loader)(=.*)?|-")


_PYTHON_SETTINGS = re.compile(
    r"-W(error|ignore|default|always|once|d|e)(::\w+)?|-X|dev|utf8|importtime|faulthandler|-X(dev|utf8)"
)


def python(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = list(words)
    while queue and (queue[0].text in _HARMLESS_FLAGS or _PYTHON_SETTINGS.fullmatch(queue[0].text or "")):
        queue.pop(0)
    first = queue[0].text if queue else None
    if first in ("--version", "-V", "-VV", "--help", "-h"):
        walk.record.say("compute", "Prints a version or help.")
    elif first == "-m" and len(queue) > 1 and queue[1].text is not None:
        _module(walk, queue[1].text, queue[2:], scope, text)
    elif first == "-c" and len(queue) == 2 and _only_prints(queue[1].text or ""):
        walk.record.say("check", "Prints a version.")
    elif first and _MANAGE_FILE.fullmatch(first) and len(queue) > 1 and None not in scope.cwds:
        _manage(walk, queue[1], queue[2:], scope)
    elif first in ("setup.py", "./setup.py") and None not in scope.cwds:
        examine(_SETUP, queue[1:], walk.record, scope)
    else:
        code(walk, queue, scope, text)


# As `python -m build` would have it; what installs or uploads isn't here.
_SETUP = Program(
    "-q -v -i --quiet --verbose --inplace -j:num",
    "=test|check|build|build_ext|build_py|sdist|bdist_wheel ~test|check|build|build_ext|build_py|sdist|bdist_wheel*",
    "check",
    _SAYS,
    runs=True,
)
_MANAGE_FILE = re.compile(r"(\./)?([A-Za-z][\w-]*/){0,2}manage\.py")
_PRINTS = re.compile(
    r"import sys; ?print\(sys\.(version(_info(\[:?\d?\])?)?|platform|maxsize|byteorder)\)|import platform; ?print\(platform\.(python_version|machine|system|platform)\(\)\)"
    r"|import (?!antigravity)([A-Za-z_]\w*); ?print\(\5\.(__version__|VERSION|version)\)"
)


def _only_prints(text: str) -> bool:
    """A version, and nothing else."""
    return _PRINTS.fullmatch(text.strip()) is not None


def manage(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """./manage.py: Python reads it all the same."""
    python(walk, [Word(("manage.py",), "manage.py"), *words], scope, text)


def _module(walk: Walk, name: str, words: list[Word], scope: Scope, text: str) -> None:
    program = _NAMED_OTHERWISE.get(name, name if name in _RUNNERS else "")
    if program:
        walk.classify(walk, [Word((program,), program), *words], [], scope, text)
    elif name == "django" and words and words[0].text in ("test", "check", "version", "--version"):
        _manage(walk, words[0], words[1:], scope)
    elif name in _MODULES:
        examine(_MODULES[name], words, walk.record, scope)
    elif name in ("http.server", "smtpd", "xmlrpc.server", "ftplib", "telnetlib", "webbrowser"):
        walk.record.say("network", f"Talks to the network with Python's {name}.")
    else:
        walk.record.say("code", f"Runs the Python module {marks.shown(name)[:60]}.")


def _manage(walk: Walk, word: Word, words: list[Word], scope: Scope) -> None:
    name = (word.text or "").replace("--version", "version")
    if name in _MANAGE and (name not in ("migrate", "collectstatic") or _asks(words)):
        examine(_MANAGE[name], words, walk.record, scope)
    elif name == "makemigrations" and {"--check", "--dry-run"} & {word.text for word in words}:
        examine(
            Program(
                "--check --dry-run -v:num --noinput --settings=~[\\w.]*(settings|test|ci)[\\w.]*",
                "name*",
                "check",
                _SAYS,
                runs=True,
            ),
            words,
            walk.record,
            scope,
        )
    elif name in ("flush", "sqlflush", "reset_db", "dbshell", "migrate", "loaddata"):
        walk.record.say("database", f"Changes a database with manage.py {name}.")
    else:
        walk.record.say("code", f"Runs the project's command {marks.shown(name)[:60]}.")


def _asks(words: list[Word]) -> bool:
    return bool({"--check", "--plan", "--dry-run", "-n"} & {word.text for word in words})


def code(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Code on the line, from a file, or from its input."""
    record = walk.record
    if walk.feed == "network":
        record.say("remote_code", "Runs what it got from the network.")
    for word in words:
        _from_the_network(walk, word)
        _names_harm(walk, word)
    given = [word for word in words if any(_CODE_FLAGS.fullmatch(value) for value in word.values)]
    files = [word for word in words if word not in given and not any(value[:1] == "-" for value in word.values)]
    if given or not files:
        record.say("code", "Runs code that is given on the line or on its input.")
        return
    for place in each_place(files[0], scope):
        record.say("code", f"Runs a file that nobody has looked at: {place.path}.")
        if place.credentials:
            record.say("credentials", f"Names credentials outside the workspace: {place.path}.")
    record.ran_code = True


def _from_the_network(walk: Walk, word: Word) -> None:
    if re.search(r"[<$`]\(?.*\b(curl|wget|fetch)\b", word.raw) and any(
        mark in word.values[0] for mark in (marks.PIPE, marks.ANY, marks.MANY)
    ):
        walk.record.say("remote_code", "Runs what it got from the network.")


_HARM = (
    (r"rmtree|unlinkSync|rmSync|rm\s+-rf|os\.(remove|unlink)|shutil\.move|File\.delete|FileUtils\.rm|unlink\b", "delete", "deletes files"),
    (r"socket|urllib|requests\.|http\.client|https?://|fetch\(|net\.connect|IO::Socket|TCPSocket|curl|wget", "network", "talks to the network"),
    (r"/etc/shadow|\.ssh/|id_rsa|\.aws/|/proc/\S+/environ|\.netrc|\.kube/", "credentials", "names credentials outside the workspace"),
    (r"os\.environ|process\.env|ENV\[|%ENV|getenv", "environment_read", "reads environment variables that may hold secrets"),
    (r"/dev/tcp|pty\.spawn|dup2\(", "reverse_shell", "opens a shell to the network"),
    (r"\.git/(hooks|config)", "persistence", "writes where git runs code from"),
    (r"os\.setuid|sudo\b", "privilege", "raises privileges"),
    (r"os\.kill|process\.kill|killall|pkill", "process", "signals processes"),
    (r"os\.fork\(\).*while|while.*os\.fork\(\)", "exhaustion", "exhausts the machine"),
)  # fmt: skip


def _names_harm(walk: Walk, word: Word) -> None:
    """Words in the code that tell what it is about: they only ever make it stricter."""
    for pattern, kind, what in _HARM:
        if re.search(pattern, word.values[0]):
            walk.record.say(kind, f"Runs code that {what}.")


_NODE_VALUE = r"process\.(version|versions\.\w+|platform|arch)|require\((['\"])\./(package|lerna|tsconfig|composer)\.json\2\)(\.[A-Za-z_]\w*)+"
_NODE_PRINTS = re.compile(rf"{_NODE_VALUE}|console\.log\(({_NODE_VALUE.replace('2', '7')})\);?")


def node(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    first = words[0].text if words else None
    if first in ("--version", "-v", "--help", "-h") and len(words) == 1:
        walk.record.say("compute", "Prints a version or help.")
    elif (
        first in ("-p", "-e", "-pe", "--print", "--eval")
        and len(words) == 2
        and _NODE_PRINTS.fullmatch(words[1].text or "")
    ):
        walk.record.say("check", "Prints a version.")
    elif first in ("--check", "-c") and len(words) == 2:
        take("target", words[1], walk.record, scope)
        walk.record.say("check", _SAYS)
    elif first == "--test":
        examine(
            Program(
                "--test --test-reporter=spec|tap|dot|junit|lcov --test-reporter-destination=write --test-concurrency=num --test-name-pattern=data --experimental-test-coverage --test-only --test-timeout=num --experimental-strip-types --test-force-exit --enable-source-maps --no-warnings --test-shard=data --test-skip-pattern=data --experimental-test-module-mocks",
                "target*",
                "check",
                _SAYS,
                runs=True,
            ),
            words,
            walk.record,
            scope,
        )
    else:
        code(walk, words, scope, text)


def program_of(text: str) -> str:
    return text.split(maxsplit=1)[0]


_RUBY_TEST = re.compile(r"(\./)?(test|spec)/([\w-]+/)*(test_\w+|\w+_(test|spec))\.rb")


def _ruby_test(words: list[Word]) -> bool:
    """`ruby -Itest test/user_test.rb`: one file of the project's tests."""
    *flags, last = [word.text or "?" for word in words] or ["?"]
    return bool(_RUBY_TEST.fullmatch(last)) and all(
        re.fullmatch(r"-I(\.|lib|test|spec)(:(lib|test|spec))*|-w|-W\d?", flag) for flag in flags
    )


def other(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    first = words[0].text if words else None
    if first in ("--version", "-v", "-version", "-V", "--help") and len(words) == 1:
        walk.record.say("compute", "Prints a version or help.")
    elif program_of(text) == "ruby" and first in ("-c", "-wc", "-cw"):
        examine(Program("", "target*", "check", _SAYS, found=True), words[1:], walk.record, scope)
    elif program_of(text) == "ruby" and _ruby_test(words):
        take("target", words[-1], walk.record, scope)
        walk.record.say("check", _SAYS)
    else:
        code(walk, words, scope, text)


def source(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Everything after it runs in a shell that the file may have changed."""
    target = words[0].text if words else None
    if (
        target
        in (
            ".venv/bin/activate",
            "venv/bin/activate",
            "./.venv/bin/activate",
            "./venv/bin/activate",
            "env/bin/activate",
        )
        and len(words) == 1
        and scope.cwds == ("",)
    ):
        walk.record.say("check", "Enters the project's virtual environment.")
        return
    code(walk, words, scope, text)
    if not words:
        raise NotKnown("it lacks a file")


SPECIAL: dict[str, Judge] = {
    **dict.fromkeys(("python", "python3", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python2", "pypy3"), python),
    "./manage.py": manage,
    **dict.fromkeys(("node", "nodejs"), node),
    **dict.fromkeys(("perl", "ruby", "lua", "tclsh", "Rscript", "R", "julia", "java", "groovy", "scala", "elixir", "erl", "ghci", "runghc", "osascript", "pwsh", "powershell", "irb", "ts-node", "tsx", "swipl", "guile", "racket", "sbcl", "dc", "ipython", "jupyter"), functools.partial(other)),
    "source": source,
    ".": source,
}  # fmt: skip
