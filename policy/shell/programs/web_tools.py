"""JavaScript's and TypeScript's test runners, linters, type checkers, bundlers and task runners.

Options that point them at settings, plugins or folders of the line's own choice are left out on purpose; the usual
names of a project's settings are known.
"""

from __future__ import annotations

import functools

from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown
from policy.shell.programs.checks import PATH, only_checks, runs
from policy.shell.programs.names import tests_or_builds
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

NODE_TEST = """--coverage[=word] --ci --silent --verbose --runInBand -i --watch=false --watchAll=false --run --passWithNoTests --bail[=num] -b --maxWorkers=word -w:word --testNamePattern=data -t:data --testPathPattern=data --colors
    --no-coverage --forceExit --detectOpenHandles --json --outputFile=write --reporters=default|jest-junit|github-actions|summary --reporter=dot|default|verbose|json|junit|tap|spec|list|line|github|html|blob|tap-flat|hanging-process|github-actions|junit,json --findRelatedTests --onlyChanged -o --listTests --shard=word --no-cache --changedSince=word --no-watch
    --single-run --browsers=ChromeHeadless --max-warnings=num --quiet --no-color --logHeapUsage --retries=num --workers=num --project=word --grep=data -g:data --run-in-band --updateSnapshot=false --no-file-parallelism --noStackTrace --exit --timeout=num --headed=false"""

PROGRAMS: dict[str, Program] = {
    "eslint": runs(r"-c:~\.eslintrc[\w.-]*|eslint\.config\.[cm]?[jt]s --config=~\.eslintrc[\w.-]*|eslint\.config\.[cm]?[jt]s --cache-strategy=word --ignore-path=~\.(eslint|git)ignore --report-unused-disable-directives-severity=word --no-error-on-unmatched-pattern --stats --concurrency=word --print-config=target --exit-on-fatal-error --env=tag --no-ignore --flag=word --ext=word --max-warnings=num --quiet --no-color --color --format=json|stylish|compact|unix|html|junit -f:json|stylish|compact|unix|html|junit -o:write --output-file=write --cache --no-cache --report-unused-disable-directives --fix-dry-run --no-error-on-unmatched-pattern --ignore-pattern=data --no-inline-config --debug --version -v --no-warn-ignored --pass-on-no-patterns"),
    "prettier": only_checks(r"--config=~\.prettierrc[\w.-]*|prettier\.config\.[cm]?js --ignore-path=~\.(prettier|git)ignore --cache-strategy=word --use-tabs --end-of-line=word --parser=tag --find-config-path=target --check -c --list-different -l --log-level=word --loglevel=word --ignore-unknown -u --no-color --single-quote --no-semi --tab-width=num --print-width=num --trailing-comma=word --cache --no-error-on-unmatched-pattern --version --no-editorconfig --no-config", "--check", "-c", "--list-different", "-l", "--version"),
    "stylelint": runs(r"--config=~\.stylelintrc[\w.-]*|stylelint\.config\.[cm]?js --ignore-path=~\.(stylelint|git)ignore --report-needless-disables -q --cache-strategy=word --quiet --color --no-color --max-warnings=num --formatter=string|json|verbose|compact|tap|unix -f:string|json|verbose|compact|tap|unix --cache --allow-empty-input"),
    "tslint": runs("-t:tag --format=tag"),
    "standard": runs("--verbose --env=tag"),
    "xo": runs("--quiet"),
    "biome": runs(r"--config-path=~\. --files-ignore-unknown=word --formatter-enabled=word --linter-enabled=word --organize-imports-enabled=word --only=word --skip=word --no-colors --max-diagnostics=word --diagnostic-level=word --error-on-warnings --no-errors-on-unmatched --colors=word --verbose --reporter=tag --changed --staged --since=word", "check|lint|ci target*"),
    "oxlint": runs(r"-c:~\.oxlintrc\.json --type-aware --import-plugin --react-plugin --deny=word --allow=word --warn=word --threads=num --silent --deny-warnings --quiet --format=tag -f:tag -D:word -A:word -W:word --max-warnings=num"),
    "tsc": runs("--moduleResolution=word --module=word -m:word --target=tag -t:tag --jsx=word --lib=word --esModuleInterop --allowJs --checkJs --noImplicitAny --sourceMap --declarationMap --removeComments --composite --noUnusedLocals --noUnusedParameters --strictNullChecks --resolveJsonModule --types=word --rootDir=target --baseUrl=target --preserveWatchOutput --listEmittedFiles --noUncheckedIndexedAccess --isolatedModules --allowSyntheticDefaultImports --experimentalDecorators --locale=word --all --help -h --noEmit --pretty[=true|false] --skipLibCheck --strict --incremental[=true|false] --listFiles --version -v --noErrorTruncation --diagnostics --extendedDiagnostics -p:target --project=target --build -b --force --dry --traceResolution --explainFiles --emitDeclarationOnly --outDir=write --declaration --showConfig --verbose"),
    "vue-tsc": runs("--composite --pretty --declaration --emitDeclarationOnly --outDir=write --noEmit --build -b -p:target --skipLibCheck --force"),
    "svelte-check": runs("--workspace=target --ignore=data --no-tsconfig --compiler-warnings=data --incremental --threshold=word --output=tag --fail-on-warnings --tsconfig=target"),
    "mocha": runs(r"--config=~\.mocharc\.(c?js|json|ya?ml) -r:~ts-node/register|tsx|esm|source-map-support/register|@babel/register --require=~ts-node/register|tsx|esm|source-map-support/register|@babel/register --slow=num -s:num --retries=num --extension=word --color --colors -c --full-trace --allow-uncaught --inline-diffs --sort -S --ignore=data --timeout=num -j:num -p -g:data -f:data -t:num -b -R:dot|spec|json|tap|list|min|nyan|xunit --grep=data --fgrep=data --timeout=num --bail --reporter=dot|spec|json|tap|list|min|nyan|xunit --exit --recursive --parallel --jobs=num --forbid-only --forbid-pending --check-leaks --no-color --full-trace"),
    "ava": runs("--color --no-color -v --verbose --fail-fast --serial -T:tag -m:data --match=data --timeout=word --tap -s -c:num"),
    "tap": runs("-R:tag --no-coverage -j:num --bail", f"~{PATH}*"),
    "karma": runs("--single-run --browsers=ChromeHeadless --no-auto-watch", "start"),
    "cypress": runs(r"--config-file=~cypress[\w.-]*\.config\.[jt]s --component --e2e --reporter=spec|dot|junit|mochawesome -b:chrome|electron|firefox -s:target -q --config=~video=false|screenshotOnRunFailure=false --project=target --headless --browser=chrome|electron|firefox --spec=target --quiet", "run|verify"),
    "next": runs("--no-lint --turbo --turbopack --debug --profile --experimental-app-only --file=target --quiet --strict --max-warnings=num --dir=target -d:target", "=build|lint"),
    "jest": runs(NODE_TEST + r" --config=~jest[\w.-]*\.config\.[cm]?[jt]s(on)?|jest[\w-]*\.json|package\.json -c:~jest[\w.-]*\.config\.[cm]?[jt]s(on)? --selectProjects=word --ignoreProjects=word --collectCoverageFrom=data --coverageReporters=tag --coverageDirectory=write --testTimeout=num --errorOnDeprecated --expand --no-watchman --noCache --lastCommit --testPathPatterns=data --testPathIgnorePatterns=data --showConfig --debug --openHandlesTimeout=num --workerIdleMemoryLimit=word --detectLeaks --randomize --seed=num --useStderr -f --onlyFailures -i --env=node|jsdom --color --maxConcurrency=num --coverageProvider=v8|babel"),
    "vitest": runs(NODE_TEST + r" --config=~vite(st)?[\w.-]*\.config\.[cm]?[jt]s -c:~vite(st)?[\w.-]*\.config\.[cm]?[jt]s --pool=tag --environment=node|jsdom|happy-dom|edge-runtime --dom --globals --coverage.enabled[=word] --coverage.provider=v8|istanbul --coverage.reporter=word --typecheck[=word] --typecheck.only --isolate=tag --no-isolate --changed[=word] --exclude=data --dir=target --hideSkippedTests --no-threads --threads=tag --testTimeout=num --hookTimeout=num --sequence.shuffle --allowOnly --logHeapUsage --browser.headless[=word] --clearScreen=false --pass-with-no-tests --minWorkers=num", f"~(run|related|list|bench|{PATH})*"),
    "playwright": runs(NODE_TEST + r" --config=~playwright[\w.-]*\.config\.[cm]?[jt]s -c:~playwright[\w.-]*\.config\.[cm]?[jt]s --forbid-only --fully-parallel --max-failures=num -x --trace=word --grep-invert=data --pass-with-no-tests --repeat-each=num -j:word --global-timeout=num --last-failed --only-changed[=word] --output=built --list", "=test target*"),
    "vite": runs(r"--mode=word -m:word --minify[=word] --sourcemap[=word] --logLevel=word -l:word --outDir=built --base=data --emptyOutDir=false --ssr[=target] --manifest --debug --clearScreen=false --config=~vite[\w.-]*\.config\.[cm]?[jt]s -c:~vite[\w.-]*\.config\.[cm]?[jt]s", "=build target*"),
    "webpack": runs(r"--mode=production|development|none --progress[=word] --json[=write] --stats[=word] --config=~webpack[\w.-]*\.[cm]?[jt]s -c:~webpack[\w.-]*\.[cm]?[jt]s --devtool=word -d:word --no-devtool --fail-on-warnings --no-color --color --target=tag -t:tag --node-env=word --bail --no-watch -o:built --output-path=built --env=~(production|development|prod|dev|test)(=true)?", "build"),
    "rollup": runs(r"-c --config -o:write --file=write -d:write --dir=write -f:tag --format=tag -m --sourcemap[=word] --silent --failAfterWarnings --environment=word --external=data -n:word --name=word --bundleConfigAsCjs --configPlugin=typescript", r"~(\./)?rollup[\w.-]*\.config[\w.-]*\.[cm]?[jt]s"),
    "esbuild": runs(r"--bundle --minify --minify-whitespace --sourcemap[=word] --outfile=write --outdir=write --format=tag --platform=tag --target=tag --splitting --metafile=write --log-level=word --tree-shaking=word --jsx=word --jsx-factory=word --packages=word --keep-names --legal-comments=word --charset=word --analyze --color=word --tsconfig=target --allow-overwrite? --entry-names=data".replace(" --allow-overwrite?", "")),
    "parcel": runs(r"--no-source-maps --no-cache --dist-dir=built --public-url=data --log-level=word --no-optimize --target=tag --detailed-report[=num]", "=build target*"),
    "tsup": runs(r"--format=tag --dts --minify --sourcemap --target=tag -d:built --out-dir=built --silent --treeshake --splitting"),
    "tsdown": runs(r"--format=tag --dts --minify --sourcemap -d:write --out-dir=write"),
    "unbuild": runs(r"--minify --sourcemap"),
    "microbundle": runs(r"--format=tag -f:tag --no-compress --no-sourcemap --target=tag", "=build target*"),
    "swc": runs(r"-d:write --out-dir=write -o:write --out-file=write -s --source-maps[=word] --strip-leading-paths -q"),
    "babel": runs(r"-d:write --out-dir=write -o:write --out-file=write -s --source-maps[=word] -x:word --extensions=word --copy-files --ignore=data --verbose --quiet --no-comments --minified"),
    "sass": runs(r"--style=tag -s:word --no-source-map --source-map --quiet -q --no-charset --color --embed-sources", f"~{PATH} write"),
    "lessc": runs(r"--source-map --lint --silent -s --strict-imports", "target write"),
    "postcss": runs(r"-o:write --output=write -d:write --dir=write --verbose --no-map -m --map --env=tag --base=target"),
    "tailwindcss": runs(r"-i:target --input=target -o:write --output=write --minify -m --content=data -c:~tailwind\.config\.[cm]?[jt]s --config=~tailwind\.config\.[cm]?[jt]s", "build"),
    "astro": runs(r"--silent --verbose --minimumSeverity=word --minimumFailingSeverity=word", "=check|build"),
    "svelte-kit": runs("", "=sync"),
    **dict.fromkeys(("nuxt", "nuxi"), runs(r"--prerender --dotenv? --logLevel=word".replace(" --dotenv?", ""), "=build|generate|typecheck|prepare|analyze|info")),
    "remix": runs(r"--sourcemap --mode=word", "=vite:build|build|routes"),
    "react-router": runs(r"--sourcemapClient --mode=word", "=build|typegen|routes"),
    "gatsby": runs(r"--prefix-paths --verbose --no-color --log-pages", "=build|info"),
    "react-scripts": runs(NODE_TEST, "test|build target*"),
    "vue-cli-service": runs(NODE_TEST + r" --mode=word --no-fix --dest=built --report --modern", "=build|test:unit|lint target*"),
    "docusaurus": runs(r"--out-dir=built --no-minify --locale=word", "build"),
    "vitepress": runs(r"--outDir=built --base=data", "=build target*"),
    "storybook": runs(r"-o:built --output-dir=built -c:~(\./)?\.storybook --quiet --test --webpack-stats-json[=write] --disable-telemetry --docs", "=build"),
    "build-storybook": runs(r"-o:built --output-dir=built -c:~(\./)?\.storybook --quiet --test"),
    "eleventy": runs(r"--quiet --dryrun --input=target --output=write --incremental"),
    "typedoc": runs(r"--out=built --tsconfig=target --entryPointStrategy=word --entryPoints=target --json=write --name=data --logLevel=word --excludePrivate --treatWarningsAsErrors --skipErrorChecking --readme=target --options=~typedoc\.json --validation.invalidLink --emit=word"),
    "jsdoc": runs(r"-r -d:write --destination=write -c:~\.?jsdoc(\.conf)?\.json --configure=~\.?jsdoc(\.conf)?\.json -R:target --readme=target --verbose --pedantic -p --private -P:target"),
    "documentation": runs(r"-f:tag --format=tag -o:write --shallow --github", "build|lint target*"),
    "api-extractor": runs(r"--verbose -c:~(config/)?api-extractor\.json", "=run"),
    "size-limit": runs(r"--json --silent"), "bundlesize": runs(), "attw": runs("--pack[=target] -P --profile=tag --entrypoints=data -f:tag --format=tag --ignore-rules=word"),
    "publint": runs(r"--strict --level=word"),
    "knip": runs(r"--production --strict --include=word --exclude=word --no-progress --reporter=compact|json|symbols|markdown --no-exit-code --max-issues=num -W:target --workspace=target --dependencies --exports --files --cache"),
    "depcheck": runs(r"--ignores=data --json --skip-missing[=word] --ignore-dirs=data"),
    "madge": runs(r"-c --circular --extensions=word --ts-config=target --json --summary --orphans --no-spinner --warning"),
    "ts-prune": runs(r"-p:target -i:data --ignore=data -e --error"), "dpdm": runs(r"--circular --no-tree --no-warning -T --exit-code=data --transform"),
    "depcruise": runs(r"--validate[=~\.dependency-cruiser\.c?js] -T:tag --output-type=word --include-only=data --exclude=data -c:~\.dependency-cruiser\.c?js --config=~\.dependency-cruiser\.c?js"),
    "commitlint": runs(r"--from=word -f:tag --to=word -t:tag --verbose -V --last -l --config=~\.?commitlint(rc)?[\w.-]* -g:~\.?commitlint(rc)?[\w.-]* --edit --strict"),
    "syncpack": runs(r"--source=data", "list-mismatches|lint|list"),
    "manypkg": runs("", "check"), "sherif": runs(r"--ignore-rule=word -r:tag"), "tsd": runs(r"--typings=target --files=target"), "dtslint": runs(),
    "cspell": runs(r"--no-progress --no-summary --quiet --gitignore --dot --unique --words-only --show-suggestions -c:~\.?cspell[\w.-]*\.(json|ya?ml) --config=~\.?cspell[\w.-]*\.(json|ya?ml) --exclude=data -e:data --locale=word --no-must-find-files", f"~(lint|check|{PATH})*"),
    "jscpd": runs(r"-t:num --threshold=num -k:num --min-tokens=num -r:tag --reporters=tag -i:data --ignore=data -f:tag --format=tag --silent -o:write --output=write -l:num --min-lines=num -p:data --pattern=data"),
    "secretlint": runs(r"--maskSecrets --no-color --format=stylish|json"),
    "html-validate": runs(r"--max-warnings=num -f:tag --formatter=tag --ext=word"), "htmlhint": runs(r"-f:tag --format=tag --nocolor --ignore=data -i:data"), "w3c-html-validator": runs(),
    "textlint": runs(r"-f:stylish|json|compact|unix --format=stylish|json|compact|unix --no-color --quiet"), "alex": runs(r"-q --quiet --text"), "write-good": runs(), "remark": runs(r"-q --quiet -f --frail --no-stdout --no-color"),
    "ls-lint": runs(), "sort-package-json": only_checks("--check -c --quiet -q", "--check", "-c"),
    "elm-test": runs(r"--seed=num --fuzz=num --workers=num --report=tag"), "elm-format": only_checks("--validate --elm-version=word", "--validate"), "elm-review": runs(r"--report=json|human"),
    "wtr": runs(r"--coverage --concurrency=num --node-resolve"), "web-test-runner": runs(r"--coverage --concurrency=num --node-resolve"),
    "uvu": runs(r"-b -q -i:data --bail --quiet --ignore=data -r:~tsm|esm|esbuild-register", "target data"), "tape": runs(), "jasmine": runs(r"--random=word --seed=num --filter=data --fail-fast --parallel=word --reporter=tag"), "qunit": runs(r"-f:data --filter=data --seed=word -m:data --module=data --reporter=tap|console"),
    "cucumber-js": runs(r"-t:data --tags=data -p:word --profile=tag -f:tag --format=progress|summary|progress-bar --parallel=num --dry-run --fail-fast --name=data"), "testcafe": runs(r"-q --concurrency=num -c:num -t:data -f:data", "chrome:headless|firefox:headless target*"),
    "stryker": runs(r"--concurrency=num -c:num --mutate=data --reporters=tag --logLevel=word", "=run"), "lint-staged": runs(r"--quiet -q --verbose -v --concurrent=word -p:word --allow-empty --no-stash --diff=word"),
    "hardhat": runs(r"--parallel --bail --grep=data --no-compile", "test|compile|check|coverage target*"), "wdio": runs(r"--spec=target --suite=word", "~(run\\s)?wdio[\\w.-]*\\.conf\\.[jt]s"),
}  # fmt: skip

_NX = "-t:data --target=data --targets=data --all --projects=data -p:data --exclude=data --parallel[=word] --maxParallel=num --base=word --head=word --configuration=tag -c:tag --skip-nx-cache --skipNxCache --nxBail --verbose --output-style=word --prod --ci --coverage --codeCoverage --watch=false --skip-remote-cache --uncommitted --affected --runner=default --no-cloud --prefix=word --passWithNoTests --quiet --maxWarnings=num"
_TURBO = "--filter=data -F:data --concurrency=word --no-cache --force[=word] --continue[=word] --dry-run[=word] --dry[=word] --output-logs=word --log-order=word --no-daemon --only --summarize[=word] --affected --ui=tag --verbosity=num --env-mode=word --no-color --color --cache-dir=write --parallel --graph[=write] --since=word --scope=word --log-prefix=word"
_LERNA = "--scope=data --ignore=data --since[=word] --stream --parallel --concurrency=num --no-bail --no-sort --include-dependents --include-dependencies --no-private --loglevel=word --npm-client=word --skip-nx-cache --no-prefix --exclude-dependents"
_NG = "--watch=false --no-watch --configuration=tag -c:tag --prod --aot --progress=false --no-progress --code-coverage --browsers=~(ChromeHeadless|Chrome|Firefox)\\w* --source-map[=word] --base-href=data --stats-json --output-path=built --named-chunks --max-warnings=num --quiet --force=false --output-hashing=word --karma-config=~karma[\\w.-]*\\.conf\\.js --project=word --optimization=word --build-optimizer --verbose --include=target --lint-file-patterns=data --format=stylish|json"
_LOOKS = {
    "nx": "report|list|show|--version|format:check|affected:test|affected:lint|affected:build|print-affected",
    "turbo": "ls|--version|query|info",
    "lerna": "ls|list|changed|diff|info|--version",
    "ng": "version|--version",
}


def tasks(name: str, flags: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """nx, turbo, lerna: tasks of the project by name; those that by their name test, check or build are free."""
    queue = [word for at, word in enumerate(words) if not (at and words[at - 1].text == "--since")]
    return _tasks(name, flags, walk, queue, scope)


def _tasks(name: str, flags: str, walk: Walk, words: list[Word], scope: Scope) -> None:
    first, rest = (words[0].text or "" if words else ""), words[1:]
    if first in _LOOKS[name].split("|"):
        examine(runs(flags, "name*"), rest, walk.record, scope)
        return
    used = examine(
        runs(flags, "data*"), rest if first in ("run", "run-many", "affected") else words, walk.record, scope
    )
    named = [word for option in ("-t", "--target", "--targets") for word in used.flags.get(option, []) if word]
    if name == "nx" and first in ("run-many", "affected"):
        chosen = [*named, *used.operands]
    elif name == "nx":
        chosen = used.operands[:1] if used.operands else []
    else:
        chosen = used.operands
    if not chosen:
        raise NotKnown("it lacks a task")
    for word in chosen:
        _task(walk, name, word)


def _task(walk: Walk, name: str, word: Word) -> None:
    for part in (word.text or "?").split(","):
        task = _nx_task(part) if name == "nx" else part.rpartition("#")[2]
        if not tests_or_builds(walk.record, task):
            raise NotKnown(f"the task {part[:60]} may do anything")


def _nx_task(text: str) -> str:
    """PROJECT:TASK:CONFIGURATION, or the task alone."""
    parts = text.split(":")
    return parts[1] if len(parts) > 1 else text


def angular(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(runs(_NG, "build|test|lint|b|t|version|extract-i18n word*"), words, walk.record, scope)


SPECIAL: dict[str, Judge] = {
    "nx": functools.partial(tasks, "nx", _NX),
    "turbo": functools.partial(tasks, "turbo", _TURBO),
    "lerna": functools.partial(tasks, "lerna", _LERNA),
    "ng": angular,
}
# What npx, yarn and pnpm find beside the project's code.
BINARIES = frozenset({*PROGRAMS, *SPECIAL})
