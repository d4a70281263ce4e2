"""Compilers and generators of build files: gcc and its like, javac, cmake, meson, bazel, xcodebuild.

What they make lies in the workspace and doesn't run; what would make them load a plugin, call another program or
read a file of options is not known here.
"""

from __future__ import annotations

import re

from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import native_tools
from policy.shell.programs.checks import SAYS, runs
from policy.shell.programs.names import tests_or_builds
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_C_ALONE = re.compile(
    r"-W(?![lap],)[\w=+#-]*|-w|-O([0-3sgz]|fast)?|-g[\w-]*|-std=[\w+:]+|-pedantic(-errors)?|-ansi|-m(32|64|arch=[\w-]+|tune=[\w-]+|sse[\w.]*|avx\w*)"
    r"|-f(PIC|PIE|pic|pie|syntax-only|no-[a-z-]+|sanitize(-recover)?=[\w,-]+|omit-frame-pointer|stack-protector[a-z-]*|exceptions|lto|openmp|visibility=\w+|diagnostics-color(=\w+)?|color-diagnostics|profile-arcs|test-coverage|wrapv|strict-aliasing|analyzer|coverage-mapping|profile-instr-generate|max-errors=\d+|coroutines|modules-ts|concepts|permissive|common)"
    r"|--coverage|-pthread|-shared|-static(-lib\w+)?|-c|-S|-E|-MM?D?|-MP|-v|-pipe|-rdynamic|-nostdlib|-nostartfiles|-ffreestanding|-fsyntax-only|--version|-dumpversion|-dumpmachine|-s|-P|-pie|-l[\w+.-]+|-[DU]\w.*|--analyze|--pedantic|-stdlib=[\w+]+"
)  # fmt: skip
_C_VALUED = {"-o": "write", "-I": "target", "-L": "target", "-isystem": "target", "-iquote": "target", "-include": "target", "-l": "word", "-D": "data", "-U": "data", "-MF": "write", "-MT": "data", "-MQ": "data", "-std": "word", "-arch": "word", "-target": "word", "-framework": "word"}  # fmt: skip


def c_compiler(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = list(words)
    while queue:
        word = queue.pop(0)
        option = word.text
        joined = next((name for name in ("-I", "-L", "-o") if option and len(option) > 2 and option.startswith(name)), None)  # fmt: skip
        if option in _C_VALUED and queue:
            _c_value(_C_VALUED[option], queue.pop(0), walk, scope)
        elif joined and option:
            _c_value(_C_VALUED[joined], Word((option[2:],), option), walk, scope)
        elif option is not None and _C_ALONE.fullmatch(option):
            continue
        else:
            _source(word, walk, scope)
    walk.record.say("check", "Compiles the project's code.")


def _c_value(kind: str, word: Word, walk: Walk, scope: Scope) -> None:
    if word.maybe_flag:
        raise NotKnown(f"{word.raw} may be an option")
    take(kind, word, walk.record, scope)


def _source(word: Word, walk: Walk, scope: Scope) -> None:
    """A file of options stands behind @."""
    if any(value[:1] in ("-", "@") for value in word.values) or word.vague:
        raise NotKnown(f"{word.raw} is not an option known to be harmless")
    take("target", word, walk.record, scope)
    take("read", word, walk.record, scope)


def clang_tidy(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """What follows -- is the compiler's."""
    at = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    examine(native_tools.PROGRAMS["clang-tidy"], words[:at], walk.record, scope)
    if words[at + 1 :]:
        c_compiler(walk, words[at + 1 :], scope, text)


_JAVAC = "-d:write -g -nowarn -Werror -parameters -verbose -deprecation -encoding:word --release=num -source:word -target:word --source=word --target=word -sourcepath:target -Xlint -Xdoclint -version --version --enable-preview -h:write -s:write"


def javac(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Annotation processors on its class path run, so only those of the sources' own folder can be there."""
    plain = [
        word for word in words if not re.fullmatch(r"-Xlint:[\w,-]+|-Xdoclint:\w+|-g:\w+|-proc:none", word.text or "")
    ]
    program = Program(_JAVAC, "target*", "check", SAYS, runs=True, clusters=False)  # fmt: skip
    used = examine(program, plain, walk.record, scope)
    for word in used.operands:
        _source(word, walk, scope)


# A switch, a build type or a number can name no program.
_DEFINED = re.compile(
    r"-?D?[A-Za-z_]\w*(:\w+)?=(ON|OFF|on|off|TRUE|FALSE|True|False|true|false|YES|NO|[01]|\d{1,4}(\.\d+)*|Debug|Release|RelWithDebInfo|MinSizeRel|Coverage)"
    r"|-?D?CMAKE_(C|CXX)_COMPILER(:\w+)?=(gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(-\d+)?|-?D?CMAKE_(C|CXX)_COMPILER_LAUNCHER=(ccache|sccache)"
    r"|-?D?CMAKE_(C|CXX)_FLAGS(_\w+)?(:\w+)?=((-W(?![lap],)[\w=-]+|-O[0-3sg]?|-g|--coverage|-fprofile-arcs|-ftest-coverage|-fsanitize=[\w,]+|-fno-omit-frame-pointer|\s)+)|-?D?CMAKE_CXX_STANDARD=\d\d|-?D?CMAKE_GENERATOR=Ninja|-?D?CMAKE_INSTALL_PREFIX(:PATH)?=(?!/)(?!.*\.\.)[\w./-]+"
)  # fmt: skip
_CMAKE = r"-S:target -B:write -G:~Ninja(\sMulti-Config)?|Unix\sMakefiles -A:word --preset=word --list-presets[=word] -Wno-dev -Wdev -Werror=dev -Wno-error=dev -Wdeprecated -Wno-deprecated --log-level=word --fresh --warn-uninitialized -L -LA -LAH -N"
_CMAKE_BUILD = "-j[=num] -v --parallel[=num] --target=data -t:data --config=tag --verbose --clean-first --preset=word"


def cmake(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    first = words[0].text if words else None
    if first in ("--version", "--help", "--system-information"):
        walk.record.say("compute", "Prints a version or help.")
    elif first == "--build":
        _cmake_build(walk, words[1:], scope)
    else:
        queue = [word for at, word in enumerate(words) if not _defines(word, words[at - 1] if at else None)]
        examine(runs(_CMAKE, "target"), queue, walk.record, scope)


def _defines(word: Word, before: Word | None) -> bool:
    """-DNAME=VALUE, also written as two words."""
    value = word.text or ""
    if value == "-D":
        return True
    if before is not None and before.text == "-D" and not _DEFINED.fullmatch(value):
        raise NotKnown(f"{word.raw} may name a program")
    return bool(_DEFINED.fullmatch(value)) and (value.startswith("-D") or (before is not None and before.text == "-D"))


def _cmake_build(walk: Walk, words: list[Word], scope: Scope) -> None:
    at = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    if any(not re.fullmatch(r"-j\d*|-k|-v|\d+|VERBOSE=1|-k0|-l\d+", word.text or "") for word in words[at + 1 :]):
        raise NotKnown("it hands words on to another build tool")
    counted = [word for place, word in enumerate(words[:at]) if not (place and words[place - 1].text in ("-j", "--parallel") and re.fullmatch(r"\d+", word.text or ""))]  # fmt: skip
    used = examine(runs(_CMAKE_BUILD, "target*"), counted, walk.record, scope)
    for word in used.flags.get("--target", []) + used.flags.get("-t", []):
        if word is not None and not tests_or_builds(walk.record, word.text or "?") and word.text != "all":
            raise NotKnown(f"the target {word.raw[:60]} may do anything")


_MESON = "--buildtype=word -Dbuildtype=word --warnlevel=word --werror --reconfigure --default-library=word --backend=ninja -Db_coverage=true|false -Db_sanitize=word -Db_lto=true|false --wipe -C:target -j:num -v --verbose --suite=word --no-suite=word --print-errorlogs --no-rebuild -t:num --timeout-multiplier=num --num-processes=num --repeat=num --list -q --quiet --no-stdsplit --benchmark --logbase=word --maxfail=num --targets --tests --buildoptions --all -a -i --dependencies --projectinfo"


def meson(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [
        word for word in words if not re.fullmatch(r"-D[\w.-]+=(true|false|enabled|disabled|auto|\d+)", word.text or "")
    ]
    first = queue[0].text if queue else None
    if first == "setup":
        examine(runs(_MESON, "write target"), queue[1:], walk.record, scope)
    elif first in ("compile", "test", "introspect", "configure", "--version"):
        examine(runs(_MESON), queue[1:], walk.record, scope)
    else:
        raise NotKnown("it is not a subcommand known to be harmless")


_BAZEL = "-c:opt|dbg|fastbuild --compilation_mode=tag --config=tag --test_output=word --keep_going -k --jobs=num -j:num --test_filter=data --verbose_failures --nocache_test_results --cache_test_results=word --test_tag_filters=data --build_tag_filters=data --test_timeout=word --curses=word --color=word --noshow_progress --show_progress_rate_limit=num --build_tests_only --test_verbose_timeout_warnings --flaky_test_attempts=num --runs_per_test=num --combined_report=word --announce_rc --output=tag --notool_deps --noimplicit_deps --test_summary=word --nobuild --local_test_jobs=num --stamp --nostamp --test_size_filters=word --lockfile_mode=word --enable_bzlmod --noenable_bzlmod --instrumentation_filter=data --experimental_ui_max_stdouterr_bytes=num"


def bazel(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(runs(_BAZEL, r"build|test|query|cquery|aquery|coverage|info|version ~-?(@[\w.-]*)?(//|:)?[\w/.:*+=-]*|(deps|rdeps|kind|attr|tests|allpaths|somepath)\(.*\)*"), words, walk.record, scope)  # fmt: skip
    if not words:
        raise NotKnown("it lacks a subcommand")


_XCODE = "-scheme:data -workspace:target -project:target -destination:data -sdk:word -configuration:word -quiet -verbose -derivedDataPath:write -resultBundlePath:write -enableCodeCoverage:YES|NO -list -showsdks -showBuildSettings -showdestinations -version -json -only-testing=data -skip-testing=data -parallel-testing-enabled:YES|NO -maximum-concurrent-test-simulator-destinations:num -testPlan:word -skipPackagePluginValidation -skipMacroValidation -retry-tests-on-failure -test-iterations:num -disableAutomaticPackageResolution -clonedSourcePackagesDirPath:write -hideShellScriptEnvironment -target:word -alltargets -arch:word"


def xcodebuild(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = [word for word in words if not re.fullmatch(r"CODE_SIGN\w*=(NO|-|)|ONLY_ACTIVE_ARCH=(YES|NO)|-(only|skip)-testing:[\w/.-]+|COMPILER_INDEX_STORE_ENABLE=NO|GCC_TREAT_WARNINGS_AS_ERRORS=YES|SWIFT_TREAT_WARNINGS_AS_ERRORS=YES|ENABLE_TESTABILITY=YES", word.text or "")]  # fmt: skip
    program = runs(_XCODE, "~clean|build|test|analyze|build-for-testing|test-without-building*", clusters=False)
    examine(program, queue, walk.record, scope)


SPECIAL: dict[str, Judge] = {
    **dict.fromkeys(("gcc", "g++", "cc", "c++", "clang", "clang++"), c_compiler),
    "clang-tidy": clang_tidy,
    "javac": javac,
    "cmake": cmake,
    "meson": meson,
    "bazel": bazel,
    "bazelisk": bazel,
    "xcodebuild": xcodebuild,
}
