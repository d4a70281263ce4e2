"""Tools that run targets, tasks and goals a project has written: make, ninja, gradle, maven, rake and the like.

Which target runs is known by its name alone, so only names that say "test", "check" or "build" are free.
"""

from __future__ import annotations

import functools
import re

from policy.shell import marks
from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown
from policy.shell.programs.checks import SAYS, runs
from policy.shell.programs.names import tests_or_builds
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_GRADLE = "-q -i -s -S -d -w --quiet --info --warn --debug --stacktrace --full-stacktrace --parallel --no-parallel --continue --offline --no-daemon --daemon --build-cache --no-build-cache --rerun-tasks --tests=data --console=word --warning-mode=word --dry-run -m -x:word --exclude-task=word --max-workers=num --configuration-cache --no-configuration-cache --profile --no-watch-fs --configuration=word --configure-on-demand --no-scan --project=word --all --group=word -p:target --project-dir=target --fail-fast --rerun"
_GRADLE_PROPERTY = re.compile(
    r"-P[\w.-]+=(true|false|\d[\w.-]*)|-P(ci|CI)|-Dorg\.gradle\.(daemon|parallel|caching|configureondemand|workers\.max|console)=\w+|-D(skip|ci|test)\w*(=(true|false))?"
)
_MAVEN = "-q -B -e -U -o -V -am -amd -X -T:word -pl:data --projects=data -P:word --quiet --batch-mode --errors --offline --no-transfer-progress -ntp --fail-fast --fail-at-end --fail-never -fae -ff -fn --also-make --also-make-dependents --update-snapshots --show-version --threads=word --activate-profiles=word --strict-checksums -C --debug -Dtest=data -Dit.test=data -Dgroups=word -DexcludedGroups=word -Dstyle.color=word -Dcheckstyle.violationSeverity=word -f:~([\\w-]+/)*pom\\.xml --file=~([\\w-]+/)*pom\\.xml -N --non-recursive -rf:data --resume-from=data -nsu --no-snapshot-updates -DoutputFile=write -Dsurefire.reportFormat=word -Dincludes=data -Dverbose --color=word"
# A switch or a number can name no file and no program.
_MAVEN_PROPERTY = re.compile(
    r"-D[\w.-]*[sS]kip[\w.-]*(=(true|false))?|-D[a-z][\w.-]*=(true|false|\d[\w.-]*)|-D(failIfNoTests|verbose|ci|quick|noDocs)"
)
_CHECK = r"(test|check|lint|verify|validate|compile|assemble|build|ktlint|detekt|spotless|checkstyle|pmd|spotbugs|findbugs|jacoco|javadoc|dokka|kover|animalsniffer|cpd|errorprone|api|forbiddenApis|license|sonarlint|jmh|integration|functional|unit|e2e|bundle|dependency(Insight|Updates)?|dependencies|tasks|projects|properties|help|classes|testClasses|jar|bootJar|war|shadowJar|package|model|components|buildEnvironment|processResources|doc|docs|test)"
_TASK = re.compile(rf":?([\w-]+:)*(clean|{_CHECK}([A-Z]\w*)?|\w+(Test|Tests|Check|Lint|Classes|UnitTest|Jar))")
_TASK_REACHES = re.compile(
    r"[pP]ublish|[dD]eploy|[uU]pload|[iI]nstall|[dD]ocker|[iI]mage|[pP]ush|[pP]romote|[eE]xec|[rR]un[A-Z]|[aA]pply|[fF]ormat$|connected|[uU]pdate|[mM]igrate|[fF]lyway|[lL]iquibase|[sS]ign|Apply$|Baseline$|Dump$"
)
_PHASES = "clean validate initialize compile process-classes process-resources generate-sources generate-resources test-compile process-test-classes test package prepare-package pre-integration-test integration-test post-integration-test verify site"
_GOALS = "checkstyle:check checkstyle:checkstyle spotless:check pmd:check pmd:cpd-check pmd:pmd spotbugs:check spotbugs:spotbugs jacoco:report jacoco:check jacoco:prepare-agent jacoco:report-aggregate javadoc:javadoc javadoc:jar javadoc:aggregate source:jar dependency:tree dependency:analyze dependency:list enforcer:enforce surefire:test surefire-report:report failsafe:integration-test failsafe:verify compiler:compile compiler:testCompile resources:resources formatter:validate license:check impsort:check sortpom:verify fmt:check ktlint:check detekt:check kotlin:compile animal-sniffer:check revapi:check japicmp:cmp forbiddenapis:check help:active-profiles help:describe clean:clean jar:jar war:war rat:check apache-rat:check modernizer:modernizer xml:validate pitest:mutationCoverage versions:help quarkus:build spring-boot:help com.diffplug.spotless:spotless-maven-plugin:check org.apache.rat:apache-rat-plugin:check scala:compile antlr4:antlr4 protobuf:compile sortpom:check cobertura:check findbugs:check"
_MAVEN_GOALS = frozenset((_PHASES + " " + _GOALS).split())
_MAKE_VARIABLES = re.compile(
    r"(V|VERBOSE|CI|DEBUG|Q|COVERAGE|RACE|SHORT|PARALLEL|JOBS|COLOR|WERROR|OPENMP|FAST|STRICT|TESTS?|BUILD_TYPE|MODE|SPHINXOPTS|TIMEOUT|O|ARCH|PROFILE)"
    r"=(\d{0,4}|y|n|yes|no|true|false|on|off|release|debug|Release|Debug|short|unit|-W|-n|-W -n|all)"
    r"|(VERSION|TAG|COMMIT|REVISION)=[\w.+-]+|(GOOS|GOARCH|PLATFORM)=\w+"
)
_MAKE = "-j[=num] -k -s -B -i -n -w -O -q -r -R -l[=num] -C:target --jobs[=num] --keep-going --silent --quiet --always-make --dry-run --no-print-directory --print-directory --output-sync[=word] --directory=target --version -v -d --trace --just-print --question --no-builtin-rules --warn-undefined-variables --load-average[=num] -p --print-data-base --ignore-errors -S -f:~(GNUm|M|m)akefile --file=~(GNUm|M|m)akefile --recon -h --help"


def make(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    used = examine(Program(_MAKE, "data*"), _separate_count(words), walk.record, scope)
    for word in used.operands:
        target = word.text
        if target is None or ("=" in target and not _MAKE_VARIABLES.fullmatch(target)):
            raise NotKnown(f"{word.raw} sets a variable or is computed")
        if "=" not in target and not tests_or_builds(walk.record, target):
            raise NotKnown(f"the target {target[:60]} may do anything")
    walk.record.ran_code = True
    walk.record.say("check", SAYS)


def _separate_count(words: list[Word]) -> list[Word]:
    """-j 4 is one option with its count."""
    queue: list[Word] = []
    for at, word in enumerate(words):
        counted = at and words[at - 1].text in ("-j", "-l", "--jobs")
        if counted and re.fullmatch(rf"[\d{marks.NUMBER}]+", word.values[0]):
            continue
        queue.append(word)
    return queue


# rake test TEST=test/user_test.rb: which of the tests, and how.
_TEST_VARIABLES = re.compile(
    r"(TEST|SPEC)=(?!/)(?!.*\.\.)[\w/.*:-]+|(TESTOPTS|SPEC_OPTS)=-[vqx]|(SEED|V|VERBOSE|TRACE)=\d+|RAILS_ENV=test|N=\w+"
)


def targets(flags: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """ninja, ant, rake, just, task: targets by name, and a default one."""
    used = examine(runs(flags, "data*"), _separate_count(words), walk.record, scope)
    for word in used.operands:
        name = re.sub(r"\[[\w, /.:-]*\]$", "", word.text or "?")
        if _TEST_VARIABLES.fullmatch(name):
            continue
        if not tests_or_builds(walk.record, name):
            raise NotKnown(f"the target {word.raw[:60]} may do anything")


def gradle(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    plain = [word for word in words if not _GRADLE_PROPERTY.fullmatch(word.text or "")]
    used = examine(Program(_GRADLE + " --version -v", "data*"), plain, walk.record, scope)
    for word in used.operands:
        if word.text is None or not _TASK.fullmatch(word.text) or _TASK_REACHES.search(word.text):
            raise NotKnown(f"{word.raw} is not a task known to test or build")
    walk.record.ran_code = True
    walk.record.say("check", SAYS)


def maven(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    plain = [word for word in words if not _MAVEN_PROPERTY.fullmatch(word.text or "")]
    used = examine(Program(_MAVEN + " --version -v -version", "data*"), plain, walk.record, scope)
    for word in used.operands:
        if (word.text or "?").partition("@")[0] not in _MAVEN_GOALS:
            raise NotKnown(f"{word.raw} is not a goal known to test or build")
    walk.record.ran_code = True
    walk.record.say("check", SAYS)


_CONFIGURE = re.compile(
    r"--(prefix|exec-prefix|sysconfdir|localstatedir|libdir|bindir|mandir|datadir|includedir)=[\w./-]+"
    r"|--(enable|disable|with|without)-[\w-]+(=[\w,.-]*)?|--(help|version|quiet|silent|config-cache)|-[qC]"
)


def configure(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """The project's own script, as make would run it; no value may name a program or folder that it would use."""
    for word in words:
        if not _CONFIGURE.fullmatch(word.text or "?"):
            raise NotKnown(f"{word.raw} is not an option known to be harmless")
    walk.record.ran_code = True
    walk.record.say("check", SAYS)


_RAILS = runs(
    "-v -b --verbose --seed=num -s:num -n:data --name=data -f --fail-fast -d --defer-output --no-color -e:test --environment=test -w -p --profile=num",
    "target*",
)
_RAILS_LOOKS = re.compile(
    r"routes|about|stats|notes|middleware|zeitwerk:check|--version|-v|-T|--tasks|initializers|time:zones:all"
)


def rails(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    name = words[0].text or "" if words else ""
    if re.fullmatch(
        r"test(:(all|system|models|controllers|units|functionals|integration|helpers|mailers|jobs|channels))?|spec",
        name,
    ):
        examine(_RAILS, words[1:], walk.record, scope)
    elif _RAILS_LOOKS.fullmatch(name):
        examine(runs("-c:data -g:data --expanded -E --unused", "data*"), words[1:], walk.record, scope)
    else:
        walk.record.say("code", "Runs a program whose effects are not judged: rails.")
        raise NotKnown(f"{name[:60]} is not a subcommand known to be harmless")


SPECIAL: dict[str, Judge] = {
    "make": make,
    "gmake": make,
    "gradle": gradle,
    "./gradlew": gradle,
    "mvn": maven,
    "mvnd": maven,
    "./mvnw": maven,
    "./configure": configure,
    "ninja": functools.partial(targets, "-j:num -k:num -l:num -v -n -C:target --verbose --quiet --version -d:stats|explain"),
    "ant": functools.partial(targets, "-q -quiet -v -verbose -noinput -silent -version -p -projecthelp -S -keep-going -k"),
    "rake": functools.partial(targets, "-T -P -j:num -m -n -q -s -t -v --trace --quiet --silent --dry-run --tasks[=data] --version --multitask -A --all --verbose"),
    "just": functools.partial(targets, "-l -n -q --list --summary --version --quiet --dry-run -v --verbose --unstable"),
    "task": functools.partial(targets, "-l -a -s -p -v -n -o:word --list --list-all --silent --parallel --verbose --dry --version --summary -f --force -C:num --color=word"),
    "rails": rails,
}  # fmt: skip
