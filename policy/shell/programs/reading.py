"""Programs that look and print. Their options that write, run or reach elsewhere are left out on purpose."""

from __future__ import annotations

import re

from policy.shell import marks, paths
from policy.shell.grammar import Program, Used, examine, take_operands
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import scripts
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word


def _pattern_first(used: Used, record: Record, scope: Scope) -> None:
    """grep and rg: the first operand is the pattern, unless an option gave it."""
    kinds = "search*" if used.has("-e", "--regexp", "-f", "--file", "--files") else "data search*"
    take_operands(kinds, used.operands, record, scope)
    record.say("read", "Reads inside the workspace.")
    for name in ("-g", "--glob", "--iglob", "--include"):
        for word in used.flags.get(name, []):
            if word is not None and any(paths.place(value, "", "").secret for value in _as_pattern(word)):
                record.say("secret_read", f"Searches files that usually hold secrets: {word.shown}.")


def find(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Starting points, then an expression. Actions that run, delete or write are judged on their own."""
    queue = list(words)
    while queue and queue[0].text in ("-L", "-H", "-P"):
        queue.pop(0)
    starts = 0
    while queue and not any(value[:1] in ("-", "(", "!") for value in queue[0].values):
        take("list", queue.pop(0), walk.record, scope)
        starts += 1
    if any(value[:1] in marks.MAYBE_FLAG for word in words[:starts] for value in word.values):
        raise NotKnown("where it starts may turn out to be an option")
    named = [words[at + 1] for at, word in enumerate(words[:-1]) if word.text in _NAMING]
    while queue:
        _find_step(walk, queue, scope, marks.FOUND if named else marks.LISTED)
    walk.record.say("read", "Lists files inside the workspace.")
    if any(paths.place(value, "", "").secret for word in named for value in _as_pattern(word)):
        walk.record.say("secret_read", "Looks for files that usually hold secrets.")
    walk.output = ("paths" if named else "listing") if _inside_only(walk) else ""


_NAMING = frozenset({"-name", "-iname", "-path", "-ipath", "-wholename"})


def _as_pattern(word: Word) -> list[str]:
    """A quoted pattern is find's own to expand."""
    return [value.replace("*", marks.STAR).replace("?", marks.STAR) for value in word.values]


def _inside_only(walk: Walk) -> bool:
    return not walk.record.has("read_outside", "credentials", "unknown")


def _find_step(walk: Walk, queue: list[Word], scope: Scope, found: str) -> None:
    word = queue.pop(0)
    option = word.text
    if option in ("-exec", "-execdir", "-ok", "-okdir"):
        from policy.shell.programs import wrappers

        wrappers.find_runs(walk, queue, scope, found)
        if option != "-exec":
            raise NotKnown(f"{option} runs programs elsewhere")
    elif option == "-delete":
        walk.record.say("delete", "Deletes the files it finds.")
    elif option in _FIND_VALUED and queue:
        take(_FIND_VALUED[option], queue.pop(0), walk.record, scope)
    elif option not in _FIND_ALONE:
        raise NotKnown(f"{word.raw} is not an option known to be harmless")


_FIND_ALONE = frozenset(
    [
        "(",
        ")",
        "!",
        ",",
        "-o",
        "-or",
        "-a",
        "-and",
        "-not",
        "-print",
        "-print0",
        "-ls",
        "-empty",
        "-prune",
        "-depth",
        "-xdev",
        "-mount",
        "-daystart",
        "-true",
        "-false",
        "-quit",
        "-readable",
        "-writable",
        "-executable",
        "-follow",
        "-noleaf",
    ]
)
_FIND_VALUED = {
    **dict.fromkeys(
        [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-wholename",
            "-iwholename",
            "-regex",
            "-iregex",
            "-regextype",
            "-printf",
            "-lname",
        ],
        "data",
    ),
    **dict.fromkeys(["-type", "-xtype", "-perm", "-user", "-group"], "data"),
    **dict.fromkeys(
        ["-size", "-mtime", "-mmin", "-atime", "-amin", "-ctime", "-cmin", "-maxdepth", "-mindepth", "-links"], "data"
    ),
    **dict.fromkeys(["-newer", "-anewer", "-cnewer", "-samefile"], "list"),
    **dict.fromkeys(
        ["-newermt", "-newerat", "-newerct", "-newerBt", "-used", "-fstype", "-inum", "-uid", "-gid"], "data"
    ),
}


def _sort(used: Used, record: Record, scope: Scope) -> None:
    take_operands("read*", used.operands, record, scope)


def date(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    used = examine(
        Program("-u --utc -I[=word] --iso-8601[=word] -R --rfc-3339=word -d:data --date=data", "data", loose=True),
        words,
        walk.record,
        scope,
    )
    shape = used.operands[0].text if used.operands else ""
    if shape is None or (shape and not shape.startswith("+")):
        raise NotKnown("it would set the clock")
    walk.record.say("compute", "Prints the time.")
    walk.output = (
        "number"
        if shape in ("+%s", "+%Y", "+%s%N")
        else "slug"
        if re.fullmatch(r"\+[%\w.-]+", shape or "")
        and re.match(r"\+%", shape or "")
        and "%D" not in shape
        and "%x" not in shape
        and "%c" not in shape
        else ""
    )


def print_folder(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    examine(Program("-P -L"), words, walk.record, scope)
    walk.record.say("compute", "Prints the folder.")
    walk.output = "workspace" if scope.cwds == ("",) else ""


def print_text(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    walk.record.say("compute", "Prints text.")


def print_formatted(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """printf; -v sets a variable, and an index in its name is calculated."""
    if words and ((words[0].text is None and words[0].maybe_flag) or (words[0].text or "").startswith("-v")):
        raise NotKnown("it may set a variable")
    walk.record.say("compute", "Prints text.")


def test(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    if any(value == "-v" or value == "-R" for word in words for value in word.values):
        raise NotKnown("-v calculates an index")
    if len(words) > 1 and any(marks.MANY in value for word in words for value in word.values):
        raise NotKnown("a word may turn out to be several")
    if any("[" in value for word in words for value in word.values):
        raise NotKnown("an index may be calculated")
    walk.record.say("compute", "Tests a condition.")


def _lists(used: Used, record: Record, scope: Scope) -> None:
    if not used.has("-l", "-t", "-Z"):
        raise NotKnown("it unpacks what the archive says")
    take_operands("read data*", used.operands, record, scope)
    record.say("read", "Lists an archive inside the workspace.")


_COUNTED = "-n:num --lines=num -c:num --bytes=num -q --quiet --silent -v --verbose -z --zero-terminated"
_GREP = """-a -b -c -E -F -G -H -h -I -i -L -l -n -o -P -q -R -r -s -T -U -v -w -x -y -Z -z -# -A:num -B:num -C:num -d:word -D:word -e:data -m:num -f:read
    --count --extended-regexp --fixed-strings --perl-regexp --basic-regexp --with-filename --no-filename --ignore-case --no-ignore-case --files-without-match
    --files-with-matches --line-number --only-matching --quiet --silent --recursive --dereference-recursive --no-messages --invert-match --word-regexp
    --line-regexp --null --null-data --text --byte-offset --initial-tab --color[=word] --colour[=word] --include=data --exclude=data --exclude-dir=data
    --after-context=num --before-context=num --context=num --max-count=num --regexp=data --binary-files=word --line-buffered --label=data --file=read"""
_RG = """-a -c -F -H -I -i -l -L -n -N -o -P -p -q -s -S -U -u -v -w -x -0 -# -. -A:num -B:num -C:num -d:num -e:data -g:data -j:num -m:num -M:num -r:data -t:word -T:word -E:word
    --count --count-matches --fixed-strings --with-filename --no-filename --ignore-case --files-with-matches --files-without-match --files --line-number --no-line-number
    --only-matching --pcre2 --pretty --quiet --case-sensitive --smart-case --multiline --multiline-dotall --unrestricted --invert-match --word-regexp --line-regexp
    --null --after-context=num --before-context=num --context=num --max-depth=num --regexp=data --glob=data --iglob=data --threads=num --max-count=num --max-columns=num
    --replace=data --type=word --type-not=word --type-list --color=word --colors=data --column --heading --no-heading --hidden --no-ignore --no-ignore-vcs --json --sort=word --sortr=word --stats
    --trim --vimgrep --text --passthru --no-messages --no-config --debug --encoding=word --crlf --follow --version"""
_LS = """-1 -a -A -b -B -c -C -d -f -F -g -G -h -H -i -k -l -L -m -n -N -o -p -q -Q -r -R -s -S -t -u -U -v -x -X -Z -w:num -I:data --all --almost-all --author
    --color[=word] --directory --classify[=word] --file-type --full-time --group-directories-first --human-readable --inode --no-group --reverse --recursive --size
    --sort=word --time=word --time-style=data --format=word --hide=data --ignore=data --dereference --numeric-uid-gid --si --zero --width=num --block-size=word"""

# They read options from a file behind @, which a target can't be.
_BINARIES = {
    "readelf": "-a -h -l -S -s -e -n -r -u -d -V -A -I -W -g -t -p:word -x:word --file-header --sections --symbols --dynamic --all --wide --notes --headers",
    "objdump": "-a -f -p -h -x -d -D -S -s -g -t -T -r -R -C -w -l -M:word -j:word --disassemble[=word] --syms --headers --section=word --source --demangle[=word] --no-show-raw-insn --all-headers --private-headers",
    "nm": "-a -A -B -C -D -g -n -o -p -P -r -S -u -U --defined-only --undefined-only --demangle[=word] --dynamic --extern-only --size-sort --print-size --numeric-sort",
    "size": "-A -B -d -o -x -t -h --format=word --totals",
    "otool": "-L -l -h -f -t -v",
    "lipo": "-info -archs",
}

PROGRAMS: dict[str, Program] = {
    # Prints
    "true": Program(operands="data*", kind="compute", says="Does nothing.", loose=True),
    ":": Program(operands="data*", kind="compute", says="Does nothing.", loose=True),
    "false": Program(operands="data*", kind="compute", says="Does nothing.", loose=True),
    "sleep": Program(operands=rf"~[\d.{marks.NUMBER}{marks.SLUG}{marks.ANY}{marks.MANY}]*[smhd]?*", kind="compute", says="Waits.", loose=True),
    "seq": Program("-w -s:data -f:data --equal-width --separator=data --format=data", "num*", "compute", "Prints numbers.", output="number"),
    "basename": Program("-a -z -s:data --multiple --suffix=data --zero", "data*", "compute", "Prints a name.", loose=True),
    "dirname": Program("-z --zero", "data*", "compute", "Prints a name.", loose=True),
    "uname": Program("-a -s -n -r -v -m -p -i -o --all --kernel-name --machine --operating-system --kernel-release", "", "compute", "Prints the system's name.", output="slug"),
    "arch": Program("", "", "compute", "Prints the system's name.", output="slug"),
    "nproc": Program("--all --ignore=num", "", "compute", "Prints a number.", output="number"),
    "whoami": Program("", "", "compute", "Prints who runs this."),
    "id": Program("-u -g -G -n -un -gn -r --user --group --name", "", "compute", "Prints who runs this.", output=""),
    "groups": Program("", "", "compute", "Prints who runs this."),
    "hostname": Program("-s -f --short --fqdn", "", "compute", "Prints the machine's name."),
    "uptime": Program("-p -s", "", "compute", "Prints the machine's state."),
    "tty": Program("-s", "", "compute", "Prints the terminal."),
    "free": Program("-h -m -g -k -b", "", "compute", "Prints the machine's state."),
    "cal": Program("-# -3 -m -y", "num*", "compute", "Prints a calendar."),
    "factor": Program("", "num*", "compute", "Prints numbers."),
    "locale": Program("-a -m", "", "compute", "Prints the locale."),
    "getconf": Program("-a", "word*", "compute", "Prints the machine's limits."),
    "clear": Program("", "", "compute", "Clears the screen."),
    "tr": Program("-c -C -d -s -t -cd -ds --complement --delete --squeeze-repeats", "data data", "compute", "Replaces characters.", loose=True),
    "expr": Program("", "data*", "compute", "Calculates.", loose=True),
    # Reads
    "cat": Program("-A -b -e -E -n -s -t -T -u -v --number --show-all --number-nonblank --squeeze-blank --show-ends --show-tabs", "read*", "read", "Reads inside the workspace.", loose=True),
    "tac": Program("-b -r -s:data", "read*", "read", "Reads inside the workspace.", loose=True),
    "nl": Program("-b:data -n:word -w:num -s:data -v:num -i:num", "read*", "read", "Reads inside the workspace.", loose=True),
    "head": Program("-# " + _COUNTED, "sample*", "read", "Reads inside the workspace.", loose=True),
    "tail": Program("-# -f -F -r --follow[=word] --retry --pid=num -s:num " + _COUNTED, "read*", "read", "Reads inside the workspace.", loose=True),
    "wc": Program("-c -m -l -L -w --bytes --chars --lines --words --max-line-length --total=word", "search*", "read", "Reads inside the workspace.", loose=True),
    "ls": Program(_LS, "list*", "read", "Lists files inside the workspace.", loose=True, output="listing"),
    "dir": Program(_LS, "list*", "read", "Lists files inside the workspace.", loose=True),
    "tree": Program("-a -d -f -i -l -p -s -h -u -g -D -F -q -N -n -C -A -S -r -t -x -L:num -I:data -P:data --dirsfirst --noreport --prune --gitignore --du --si -J -X --charset=word --filelimit=num", "list*", "read", "Lists files inside the workspace."),
    "stat": Program("-L -f -t -c:data --format=data --printf=data --dereference --terse -x", "list*", "read", "Lists files inside the workspace.", loose=True),
    "file": Program("-b -i -L -h -k -z --brief --mime --mime-type --mime-encoding", "list*", "read", "Lists files inside the workspace."),
    "du": Program("-a -b -c -d:num -h -k -m -s -S -x -l -L --all --apparent-size --total --max-depth=num --human-readable --summarize --exclude=data --time --si", "list*", "read", "Lists files inside the workspace.", found=True),
    "df": Program("-h -H -k -m -T -i -P --human-readable --total", "list*", "read", "Prints free space."),
    "realpath": Program("-e -m -s -q -z --relative-to=list --relative-base=list", "list*", "read", "Lists files inside the workspace."),
    "readlink": Program("-f -e -m -n", "list*", "read", "Lists files inside the workspace."),
    "grep": Program(_GREP, check=_pattern_first, loose=True),
    "egrep": Program(_GREP, check=_pattern_first, loose=True),
    "fgrep": Program(_GREP, check=_pattern_first, loose=True),
    "rg": Program(_RG, check=_pattern_first),
    "ag": Program("-a -c -i -l -L -n -o -Q -s -S -v -w -A:num -B:num -C:num -G:data --hidden --nocolor --nogroup --color --python --js --ignore=data --ignore-dir=data", check=_pattern_first),
    **{name: Program("-a -e:word -t:word -H -I -u -i -s -g -F -p -0 -1 -L -d:num -E:data -S:data -c:word -j:num --extension=word --type=word --hidden --no-ignore --no-ignore-vcs --glob --regex --max-depth=num --min-depth=num --exact-depth=num --exclude=data --full-path --absolute-path --print0 --color=word --fixed-strings --ignore-case --case-sensitive --size=data --changed-within=data --changed-before=data --unrestricted --max-results=num --quiet -q --strip-cwd-prefix --version --and=data --prune --follow", "data list*", "read", "Lists files inside the workspace.", output="listing") for name in ("fd", "fdfind")},
    "ack": Program("-a -c -h -H -i -l -L -n -o -Q -s -v -w -x -1 -A:num -B:num -C:num -g -m:num --nocolor --color --nogroup --group --noheading --heading --ignore-dir=data --ignore-file=data --type=word -t:word --python --js --ruby --perl --go --java --php --html --css --sql --count --literal --ignore-case --files-with-matches --files-without-matches --no-filename --with-filename --word-regexp --max-count=num --noenv", check=_pattern_first),
    **{name: Program(flags, "target*", "read", "Reads inside the workspace.", clusters=True) for name, flags in _BINARIES.items()},
    "sort": Program("-b -c -C -d -f -g -h -i -M -m -n -R -r -s -u -V -z -k:data -t:data -S:word --key=data --field-separator=data --numeric-sort --human-numeric-sort --version-sort --reverse --unique --ignore-case --stable --check --zero-terminated --parallel=num", check=_sort),
    "uniq": Program("-c -d -D -i -u -z -f:num -s:num -w:num --count --repeated --unique --ignore-case --skip-fields=num --skip-chars=num", "read write", "read", "Reads inside the workspace."),
    "cut": Program("-n -s -z -b:data -c:data -d:data -f:data --bytes=data --characters=data --delimiter=data --fields=data --only-delimited --complement --output-delimiter=data", "read*", "read", "Reads inside the workspace.", loose=True),
    "paste": Program("-s -z -d:data --serial --delimiters=data", "read*", "read", "Reads inside the workspace.", loose=True),
    "join": Program("-i -1:num -2:num -j:num -t:data -a:num -v:num -o:data -e:data --header --nocheck-order", "read read", "read", "Reads inside the workspace."),
    "comm": Program("-1 -2 -3 --check-order --nocheck-order --total --output-delimiter=data", "read read", "read", "Reads inside the workspace."),
    "diff": Program("-# -a -b -B -c -C:num -d -E -e -H -i -I:data -l -N -n -p -P -q -r -s -t -T -u -U:num -w -W:num -x:data -y -Z --brief --color[=word] --unified[=num] --recursive --side-by-side --ignore-all-space --ignore-space-change --ignore-blank-lines --ignore-case --new-file --exclude=data --suppress-common-lines --strip-trailing-cr --text --minimal --width=num --report-identical-files --label=data -L:data --context[=num] --no-dereference --tabsize=num --ignore-matching-lines=data --ignore-trailing-space --speed-large-files --expand-tabs --normal", "read read", "read", "Reads inside the workspace."),
    "cmp": Program("-b -l -s -i:data -n:num --silent --quiet --verbose --bytes=num", "read read", "read", "Reads inside the workspace."),
    "column": Program("-t -s:data -o:data -c:num -n -x -J -N:data --table --separator=data", "read*", "read", "Reads inside the workspace."),
    "fold": Program("-b -s -w:num -c --width=num --spaces", "read*", "read", "Reads inside the workspace."),
    "fmt": Program("-w:num -s -u -#", "read*", "read", "Reads inside the workspace."),
    "expand": Program("-i -t:data", "read*", "read", "Reads inside the workspace."),
    "unexpand": Program("-a -t:data", "read*", "read", "Reads inside the workspace."),
    "rev": Program("", "read*", "read", "Reads inside the workspace."),
    "od": Program("-# -A:word -t:word -c -x -d -o -N:num -j:num -v -w:num -b -a", "read*", "read", "Reads inside the workspace."),
    "hexdump": Program("-C -c -d -x -b -o -n:num -s:num -v", "read*", "read", "Reads inside the workspace."),
    "xxd": Program("-p -l:num -s:num -c:num -g:num -u -b -i", "read", "read", "Reads inside the workspace."),
    "strings": Program("-a -n:num -t:word -e:word", "read*", "read", "Reads inside the workspace."),
    "base64": Program("-d -D -i -w:num --decode --wrap=num --ignore-garbage", "read", "read", "Reads inside the workspace."),
    **{name: Program("-b -c -t -w -z --check --tag --quiet --status --strict --ignore-missing --zero", "read*", "read", "Reads inside the workspace.", loose=True) for name in ["md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum", "cksum", "sum"]},
    "shasum": Program("-a:num -c -b -t", "read*", "read", "Reads inside the workspace."),
    "sed": Program("-n -E -r -s -u -z -i[=.bak|.orig|.old] -e:data --quiet --silent --regexp-extended --expression=data --null-data --separate --in-place[=.bak|.orig|.old]", check=scripts.sed),
    **{name: Program("-F:data -v:word", check=scripts.awk) for name in ("awk", "gawk", "mawk")},
    "shuf": Program("-n:num -e -i:word -r -z --head-count=num --echo --repeat", "read*", "read", "Reads inside the workspace."),
    "numfmt": Program("--to=word --from=word --format=data --suffix=word --padding=num --field=data", "data*", "compute", "Prints numbers."),
    "ps": Program("-e -f -ef -A -a", "aux|ax|a|x", "compute", "Lists processes."),
    "unzip": Program("-l -v -t -q -Z -1", check=_lists),
    **{name: Program("-c -h -H -i -l -n -o -v -w -E -F -e:data -m:num", "data read*", "read", "Reads inside the workspace.") for name in ("zgrep", "bzgrep", "xzgrep")},
    **{name: Program("", "read*", "read", "Reads inside the workspace.") for name in ("bzcat", "xzcat", "zstdcat")},
    "lscpu": Program("-e -p -J", "", "compute", "Prints the machine's state."),
    "lsb_release": Program("-a -s -d -r -c -i -cs -rs -ds -is", "", "compute", "Prints the system's name."),
    "bc": Program("-l -q -s --mathlib --quiet", "read*", "compute", "Calculates."),
    **{name: Program("-n -p -pp -A --plain --number --show-all --style=tag --color=tag --decorations=tag --paging=never --theme=data -l:tag --language=tag -r:data --line-range=data -H:data --highlight-line=data --wrap=tag --tabs=num", "read*", "read", "Reads inside the workspace.") for name in ("bat", "batcat")},
    **{name: Program("-1 -a -A -l -h -R -T -d -D -r -s:tag -L:num -I:data -F -g -i -m -S -x -G -B -u -U -t:tag --tree --long --all --git --git-ignore --icons[=tag] --no-icons --color=tag --header --level=num --sort=tag --reverse --group --only-dirs --oneline --recurse --ignore-glob=data --group-directories-first --time-style=tag --no-user --no-permissions --no-time --no-filesize", "list*", "read", "Lists files inside the workspace.") for name in ("exa", "eza", "lsd")},
    **{name: Program("-f:tag --format=tag --by-file --no-complexity --no-cocomo -s:tag --sort=tag -i:data --exclude-dir=data --include-lang=data", "list*", "read", "Counts code inside the workspace.") for name in ("scc", "gocloc")},
    "tokei": Program("-f -s:word -e:data --files --sort=word", "list*", "read", "Counts code inside the workspace."),
    "cloc": Program("--by-file --quiet --json --csv --vcs=word --exclude-dir=data --include-lang=data", "list*", "read", "Counts code inside the workspace."),
}  # fmt: skip


SPECIAL: dict[str, Judge] = {
    "echo": print_text,
    "find": find,
    "date": date,
    "pwd": print_folder,
    "printf": print_formatted,
    "test": test,
}
