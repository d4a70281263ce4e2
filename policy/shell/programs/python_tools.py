"""Python's test runners, linters, type checkers and formatters in check mode.

Options that point them at settings, plugins or folders of the line's own choice are left out on purpose; the usual
names of a project's settings are known.
"""

from __future__ import annotations

import dataclasses

from policy.shell.grammar import Program, Used, examine, take_operands
from policy.shell.kinds import NotKnown
from policy.shell.programs.checks import PATH, SAYS, only_checks, runs
from policy.shell.programs.names import environments
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word


def _module(used: Used, record: Record, scope: Scope) -> None:
    if not used.has("-m"):
        raise NotKnown("it runs a file")
    take_operands("target*", used.operands, record, scope)


_SETTINGS = r"~(pytest\.ini|pyproject\.toml|setup\.cfg|tox\.ini)"
PYTEST = runs(
    r"""-q -v -x -s -l -k:data -m:data -n:word -r:tag -W:~(error|ignore|default|always|once|module)(:[^:]*(:((pytest|django\.utils\.deprecation)\.)?\w*)?)? -p:~no:\w+|xdist|pytest_cov|pytest_django|pytest_asyncio|pytest_mock|pytester|randomly
    --quiet --verbose --exitfirst --capture=word --showlocals --tb=word --maxfail=num --lf --last-failed --ff --failed-first --nf --new-first --sw --stepwise --durations=num --durations-min=num
    --co --collect-only --cov[=target] --cov-report=report --cov-fail-under=num --cov-branch --cov-append --no-cov --junitxml=write --junit-xml=write --color=word --no-header --no-summary --ignore=target --ignore-glob=data
    --deselect=target --strict-markers --strict-config --strict --timeout=num --timeout-method=word --reruns=num --reruns-delay=num --disable-warnings --disable-pytest-warnings --import-mode=word --doctest-modules --asyncio-mode=word
    --dist=word --numprocesses=word --maxprocesses=num --reuse-db --create-db --nomigrations --no-migrations --hypothesis-profile=word --hypothesis-seed=num --hypothesis-show-statistics --randomly-seed=word --setup-show --fixtures --markers
    --version --help -h --full-trace --log-level=word --log-cli-level=word --show-capture=word --benchmark-only --benchmark-skip --benchmark-disable --verbosity=num --runslow --forked --cache-show[=data] --cache-clear --headed --browser=word
    --ds=word --dc=word --lfnf=word --stepwise-skip --sw-skip --setup-only --setup-plan --splits=num --group=num --html=write --self-contained-html --json-report --json-report-file=write --report-log=write --alluredir=write --mypy --ruff --black --flake8 --isort
    --disable-socket --instafail --picked --testmon --count=num --repeat=num --cov-context=word --cov-config=~\.coveragerc|pyproject\.toml|setup\.cfg|tox\.ini --no-cov-on-fail --doctest-glob=data --doctest-continue-on-failure --doctest-ignore-import-errors --log-file=write --log-file-level=word
    --log-cli-format=data --log-format=data --rootdir=~\. --cache-show[=data] --fail-on-template-vars --fail-slow=num --snapshot-details --snapshot-warn-unused --record-mode=none --vcr-record=none --benchmark-autosave --benchmark-json=write --benchmark-min-rounds=num --tap-stream --order-dependencies
    --run-slow --slow --integration --runintegration --run-integration --e2e --unit --max-worker-restart=num --tests-per-worker=word --workers=word --session-timeout=num --show-fixtures --fixtures-per-test --trace-config --exitfirst --no-showlocals --force-short-summary --xfail-tb --video=word --screenshot=word --tracing=word
    -c:"""
    + _SETTINGS
    + " --config-file="
    + _SETTINGS
    + r" -o:~(log_cli|log_cli_level|log_level|asyncio_mode|xfail_strict|console_output_style|junit_family|junit_suite_name|timeout|faulthandler_timeout)=\w* --override-ini=~(log_cli|log_cli_level|log_level|asyncio_mode|xfail_strict|console_output_style|junit_family|timeout)=\w*"
)
_MYPY = """--strict --ignore-missing-imports --no-incremental --show-error-codes --pretty --no-error-summary --follow-imports=word --python-version=word --platform=tag --warn-unused-ignores --warn-return-any
    --disallow-untyped-defs --check-untyped-defs --namespace-packages --explicit-package-bases --no-color-output --color-output -p:word -m:word -v --version --exclude=data --show-column-numbers --no-implicit-optional --txt-report=write
    --html-report=write --junit-xml=write --no-namespace-packages --show-traceback --scripts-are-modules --allow-untyped-defs --disable-error-code=word --enable-error-code=word --any-exprs-report=write"""
_RUFF_CHECK = r"""-q -v -s --quiet --verbose --silent --no-fix --select=word --ignore=word --extend-select=word --extend-ignore=word --statistics --output-format=tag --no-cache --show-files --show-settings --exit-zero --preview --no-preview --diff
    --target-version=word --line-length=num --exclude=data --extend-exclude=data --force-exclude --per-file-ignores=data --respect-gitignore --show-fixes --exit-non-zero-on-fix --output-file=write -o:write --isolated --color=word
    --config=~(\.?ruff|pyproject)\.toml --unfixable=word --no-respect-gitignore --extension=word --ignore-noqa --max-violations=num"""

PROGRAMS: dict[str, Program] = {
    "pytest": PYTEST,
    "py.test": PYTEST,
    "mypy": runs(r"--config-file=~mypy\.ini|\.mypy\.ini|pyproject\.toml|setup\.cfg|tox\.ini --no-site-packages --sqlite-cache --no-sqlite-cache --disallow-any-generics --no-strict-optional --strict-optional --warn-unreachable --warn-redundant-casts --no-warn-no-return --implicit-reexport --no-implicit-reexport --hide-error-codes --show-absolute-path --error-summary --exclude-gitignore --allow-redefinition " + _MYPY),
    "pyright": runs(r"-p:~\.|pyrightconfig\.json|pyproject\.toml --project=~\.|pyrightconfig\.json|pyproject\.toml --verifytypes=word --ignoreexternal --outputjson --stats --verbose --warnings --pythonversion=word --pythonplatform=word --level=word --version --skipunannotated --threads=num"),
    "basedpyright": runs(r"-p:~\.|pyproject\.toml --outputjson --outputjson --stats --verbose --warnings --level=word --version"),
    "pyre": runs("", "check"),
    "flake8": runs(r"--config=~\.flake8|setup\.cfg|tox\.ini --max-doc-length=num --extend-exclude=data --docstring-convention=word --indent-size=num --no-show-source -q -v -j:num --max-line-length=num --max-complexity=num --ignore=word --select=word --extend-ignore=word --extend-select=word --exclude=data --count --statistics --show-source --format=tag --per-file-ignores=data --exit-zero --version --benchmark --color=word --isolated --filename=data --doctests"),
    "pycodestyle": runs("--max-line-length=num --ignore=word --select=word --exclude=data --statistics --count --show-source"),
    "pydocstyle": runs(r"--config=~setup\.cfg|pyproject\.toml|tox\.ini --add-ignore=word --add-select=word -e --convention=word --select=word --ignore=word --count --match=data -s -v"),
    "pyflakes": runs("--version"),
    "pylint": runs(r"--rcfile=~\.pylintrc|pylintrc|pyproject\.toml|setup\.cfg --disable-all --good-names=data --ignore-paths=data --max-args=num -s:word -v --load-plugins=~(pylint_\w+|pylint\.extensions\.\w+)(,(pylint_\w+|pylint\.extensions\.\w+))* -E -j:num -d:word -e:word -r:tag -f:text|json|json2|colorized|parseable|github --errors-only --jobs=num --disable=word --enable=word --output-format=text|json|json2|colorized|parseable|github --reports=word --score=word --fail-under=num --fail-on=word --recursive=word --ignore=word --max-line-length=num --persistent=word --version --exit-zero --py-version=word --ignore-patterns=data --msg-template=data --verbose"),
    "black": only_checks(r"--config=~pyproject\.toml --target-version=word --extend-exclude=data --required-version=word --skip-magic-trailing-comma -C --check --diff -q -v -l:num -t:tag -S --quiet --verbose --line-length=num --target-version=word --color --no-color --fast --safe --exclude=data --extend-exclude=data --include=data --skip-string-normalization --version --workers=num -W:num --preview --force-exclude=data", "--check", "--diff", "--version"),
    "isort": only_checks(r"--settings-file=~pyproject\.toml|setup\.cfg|\.isort\.cfg --src=target --multi-line=num -m:num --trailing-comma -j:num --jobs=num -p:word --check-only --df --known-local-folder=word --settings-path=~\. --check --check-only -c --diff -q -v --profile=tag --quiet --verbose --line-length=num -l:num --skip=data --skip-glob=data --version --version-number --atomic --show-files --gitignore --filter-files", "--check", "--check-only", "-c", "--version", "--diff"),
    "autopep8": only_checks("--diff -r -d --exit-code --max-line-length=num --recursive", "--diff", "-d"),
    "yapf": only_checks("-d -r --diff --recursive -q --quiet", "-d", "--diff", "-q", "--quiet"),
    "bandit": runs(r"-c:~pyproject\.toml|bandit\.ya?ml|\.bandit\.ya?ml|\.bandit -ll -lll -iii -ii -b:read --configfile=~pyproject\.toml|bandit\.ya?ml --ini=~\.bandit|tox\.ini|setup\.cfg -o:write --output=write --baseline=read -r -q -l -i -v -f:tag -x:data -s:word -t:tag --recursive --quiet --format=tag --severity-level=word --confidence-level=word --exclude=data --skip=word --exit-zero -n:num"),
    "vulture": runs(r"--config=~pyproject\.toml --ignore-decorators=data --min-confidence=num --exclude=data --sort-by-size --ignore-names=data -v --verbose"),
    "radon": runs("-na -nd -s -O:write -i:data -a -s -nc -nb -j -n:word -e:data -i:data --min=word --average --show-complexity --total-average", "cc|mi|raw|hal target*"),
    "xenon": runs("--max-absolute=word --max-modules=word --max-average=word -a:word -m:word -b:tag"),
    "interrogate": runs(r"-c:~pyproject\.toml -I -M -n -P -s -e:data --ignore-init-method --ignore-init-module --ignore-module -vv -v -q -i -m -p -f:num --fail-under=num --verbose[=num] --quiet"),
    "codespell": runs(r"--check-filenames --check-hidden -H -f --toml=~pyproject\.toml --config=~setup\.cfg|\.codespellrc --ignore-words=read -I:read --uri-ignore-words-list=data --exclude-file=read -x:read -q:num -L:data -S:data --skip=data --ignore-words-list=data --count --quiet-level=num"),
    "lint-imports": runs(r"--config=~\.importlinter|setup\.cfg|pyproject\.toml --contract=word --verbose --no-cache --show-timings"),
    "djlint": only_checks(r"--configuration=~pyproject\.toml --check --lint --quiet --profile=tag --extension=word --ignore=word", "--check", "--lint"),
    "pre-commit": runs(r"-c:~\.pre-commit-config\.ya?ml --config=~\.pre-commit-config\.ya?ml -s:word -o:tag --source=word --origin=word -a -v --all-files --files=target --verbose --show-diff-on-failure --from-ref=word --to-ref=word --hook-stage=word --color=word", "run plain*"),
    "refurb": runs("--quiet --ignore=word --enable=word --python-version=word"),
    "pyupgrade": only_checks("--version", "--version"),
    "vermin": runs("-q -t:tag --target=tag --no-tips --violations --backport=word --eval-annotations --no-parse-comments"),
    "deptry": runs("--ignore=word --extend-exclude=data --exclude=data --known-first-party=word --json-output=write -o:write"),
    "pyroma": runs("--min=num -n:num"),
    "check-manifest": runs("-v --verbose --ignore=data"),
    "docformatter": only_checks("-c --check --diff -r --recursive --wrap-summaries=num --wrap-descriptions=num", "-c", "--check"),
    "blacken-docs": only_checks("--check", "--check"),
    "ssort": only_checks("--check --diff", "--check"),
    "pytype": runs(r"-j:word -k --keep-going --config=~setup\.cfg|pyproject\.toml|pytype\.cfg -d:word --disable=word -V:word"),
    "ty": runs("--python-version=word --output-format=tag --exit-zero --error-on-warning -q -v", "check target*"),
    "pyrefly": runs("--python-version=word --output-format=tag", "check target*"),
    "behave": runs("--tags=data -t:data --format=tag -f:tag --no-capture --stop --junit --junit-directory=write -k --no-color --dry-run --name=data -n:data"),
    "robot": runs("--outputdir=write -d:write --include=data -i:data --exclude=data -e:data --name=data --test=data -t:data --suite=data -s:data --loglevel=word -L:word --variable=data -v:data --dryrun --xunit=write -x:write"),
    "green": runs("-v -vv -q -p:data -r --run-coverage --processes=num"),
    "nose2": runs("-v -s:target -t:target --with-coverage -F"),
    "stestr": runs("--concurrency=num --serial --slowest", "run|last|list data*"),
    "lizard": runs("-C:num -L:num -a:num -l:word -w -x:data -T:tag -i:num"),
    "complexipy": runs("-mx:num -q"),
    "slotscheck": runs("-v -m:word --verbose"),
    "validate-pyproject": runs(),
    "pyproject-build": runs("-s -w -n -o:write --sdist --wheel --no-isolation --outdir=write"),
    "cython-lint": runs("--max-line-length=num --ignore=word"),
    "nbqa": runs("--nbqa-diff", "flake8|mypy|pylint target*"),
}  # fmt: skip

SUBCOMMANDS: dict[str, dict[str, Program]] = {
    "ruff": {
        "check": runs(_RUFF_CHECK),
        "format": only_checks(r"--check --diff -q -v --quiet --verbose --line-length=num --target-version=word --exclude=data --no-cache --preview --force-exclude --config=~(\.?ruff|pyproject)\.toml --output-format=tag --extend-exclude=data --isolated", "--check", "--diff"),
        "rule": runs("--all --output-format=tag", "word"),
        **dict.fromkeys(("linter", "--version", "version"), runs()),
    },
    "coverage": {
        "run": Program(r"-m:pytest|unittest|tests -a -p -q -v -x --branch --source=word --omit=data --include=data --append --parallel-mode --rcfile=~\.coveragerc|pyproject\.toml|setup\.cfg|tox\.ini --data-file=write --concurrency=word --timid", "target*", "check", SAYS, runs=True, check=_module),
        "report": runs(r"-m -i --show-missing --skip-covered --skip-empty --fail-under=num --omit=data --include=data --sort=word --precision=num --format=tag --rcfile=~\.coveragerc|pyproject\.toml|setup\.cfg|tox\.ini"),
        "html": runs("-q -i -d:write --directory=write --skip-covered --skip-empty --show-contexts --title=data --omit=data --include=data"),
        "xml": runs("-q -i -o:write --omit=data --include=data --fail-under=num"),
        "json": runs("-q -o:write --pretty-print --fail-under=num"),
        "lcov": runs("-q -o:write"),
        "combine": runs("-q --keep -a"),
        "debug": runs("", "config|sys|data"),
        **dict.fromkeys(("--version", "help"), runs()),
    },
}  # fmt: skip
_TOX = "-q -qq -v -vv -vvv -r -l -a -e:data -f:data -m:data -p[=word] --parallel[=word] --recreate --listenvs --notest --skip-missing-interpreters[=word] --version --skip-pkg-install --develop --colored=word --result-json=write --no-recreate-pkg --no-list-dependencies -n --workdir?".replace(
    " --workdir?", ""
)
_NOX = "-s:data -l -r -R -e:data -k:data -t:data -p:word -v --session=data --sessions=data --list --reuse-existing-virtualenvs --no-install --stop-on-first-error --tags=data --version --error-on-missing-interpreters --error-on-external-run --python=word --pythons=word --no-venv --force-color --non-interactive --report=write"


# What follows -- may become a command of its own, so only what pytest would take and paths by their look.
_HANDED_ON = dataclasses.replace(PYTEST, operands=f"~{PATH}*")


def tox(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [
        word
        for at, word in enumerate(words)
        if not (at and words[at - 1].text == "-p" and word.text in ("auto", "all"))
    ]
    at = next((at for at, word in enumerate(queue) if word.text == "--"), len(queue))
    examine(_HANDED_ON, queue[at + 1 :], walk.record, scope)
    used = examine(runs(_TOX, "run|p|run-parallel|l|list|r|config"), queue[:at], walk.record, scope)
    for word in used.flags.get("-e", []):
        if word is not None:
            environments(walk.record, word)


def nox(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """`nox -s a b`: every word after it is a session too, up to `--`, where its own arguments begin."""
    used = examine(runs(_NOX, "plain*"), words, walk.record, scope)
    chosen = [word for name in ("-s", "-e", "--session", "--sessions") for word in used.flags.get(name, [])]
    if used.operands and not chosen:
        raise NotKnown("it hands words on to its sessions")
    for word in [*chosen, *used.operands]:
        if word is not None:
            _session(walk.record, word)


def _session(record: Record, word: Word) -> None:
    name = Word(((word.text or "?").partition("(")[0],), word.raw)
    environments(record, name)


SPECIAL: dict[str, Judge] = {"tox": tox, "nox": nox}
