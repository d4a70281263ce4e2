"""Programs that run other programs. What they run is judged as if it stood alone, and only where each of the
wrapper's own options is known; everything else is asked about and still looked into for harm.
"""

from __future__ import annotations

import functools
import re

from policy.shell import marks
from policy.shell.environment import harmless
from policy.shell.grammar import Program, Used, parse
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import builtins
from policy.shell.scope import Scope
from policy.shell.screen import screen
from policy.shell.source import parse as parse_line
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?")
_POSIX_DIFFERS = re.compile(r"\$'|\[\[|[{}]|<<<|&>|>&\s*[^\d\s-]|\|&|\(\(|\bfunction\b|\bsource\b|<\(|>\(|\$\"|=~")
# Programs that only read and have no option that does more: fine with whatever names are found for them.
_READERS = frozenset(
    [
        "cat",
        "head",
        "tail",
        "wc",
        "ls",
        "stat",
        "file",
        "grep",
        "egrep",
        "fgrep",
        "basename",
        "dirname",
        "echo",
        "md5sum",
        "sha1sum",
        "sha256sum",
        "du",
        "nl",
        "readlink",
    ]
)


def simple(flags: str, count: int, same_shell: bool, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """timeout, nice, nohup, time, ...: options, `count` words of its own, then the command."""
    used = _own(flags, words, walk, scope)
    own, rest = used.operands[:count], used.operands[count:]
    if any(word.text is None or not _DURATION.fullmatch(word.text) for word in own):
        raise NotKnown("its own words are not known")
    _run(walk, rest, scope, text, same_shell=same_shell)


def _own(flags: str, words: list[Word], walk: Walk, scope: Scope) -> Used:
    """The wrapper's options; whatever is wrong with them, what it runs is looked at first."""
    try:
        return parse(Program(flags, first_flags=True), words, walk.record, scope)
    except NotKnown:
        _guess(walk, words, scope)
        raise


def _guess(walk: Walk, words: list[Word], scope: Scope) -> None:
    """Options that aren't known: from each word on, a command may begin. Only harm is taken from it."""
    for at, word in enumerate(words[:6]):
        if word.text and not word.text.startswith("-") and "=" not in word.text:
            walk.classify(walk, words[at:], [], scope.copy(), word.raw)
            return


def _run(walk: Walk, words: list[Word], scope: Scope, text: str, same_shell: bool = False) -> None:
    """A program can't do what the shell does itself: what looks like a builtin is another program there."""
    if not words:
        raise NotKnown("it lacks a command")
    walk.classify(walk, words, [], scope if same_shell else scope.copy(), text)
    if not same_shell and words[0].text in builtins.SPECIAL.keys() - {"which"}:
        walk.landed = None
        raise NotKnown(f"{words[0].raw} is the shell's own")


def environment(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    used = _own("-i --ignore-environment -0 --null -u:word --unset=word", words, walk, scope)
    queue = list(used.operands)
    while queue and re.match(r"[A-Za-z_]\w*=", queue[0].values[0]):
        word = queue.pop(0)
        for value in word.values:
            if not harmless(*value.split("=", 1)):
                walk.record.say("environment", f"Sets {value.split('=')[0]} for one command, which may act upon it.")
    if used.has("-u", "--unset"):
        walk.record.say("environment", "Takes variables out of a command's environment.")
    if not queue:
        walk.record.say("environment_read", "Prints environment variables that may hold secrets.")
        return
    _run(walk, queue, scope, text)


def print_environment(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    names = {word.text for word in words}
    if words and names <= {"PATH", "HOME", "LANG", "TERM", "TMPDIR", "PWD", "CI", "USER", "SHELL"}:
        walk.record.say("compute", "Prints an environment variable.")
        return
    walk.record.say("environment_read", "Prints environment variables that may hold secrets.")


def builtin_command(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """command -v looks; command NAME runs."""
    if words and words[0].text in ("-v", "-V"):
        reading_only = parse(Program("-v -V"), words, walk.record, scope)
        if any(word.text is None for word in reading_only.operands):
            raise NotKnown("what it looks up is computed")
        walk.record.say("compute", "Looks up a program.")
        return
    _run(walk, words, scope, text, same_shell=True)


def replace(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """exec: with a command, like any wrapper; without one, its redirections hold for all that follows."""
    if not words:
        raise NotKnown("it redirects everything that follows")
    _own("", words, walk, scope)
    _run(walk, words, scope, text)


def shell(strict: bool, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """bash -c 'line': the line is read as this one is. A script or a line from elsewhere is code."""
    from policy.shell.programs import interpreters

    first = words[0].text if words else None
    if first in ("--version", "--help"):
        walk.record.say("compute", "Prints a version or help.")
    elif first == "-n" and len(words) == 2:
        walk.record.say("read", "Checks the syntax of a script.")
        take("read", words[1], walk.record, scope)
    elif first is not None and re.fullmatch(r"-[euxlio]*c", first) and len(words) > 1:
        _given_line(strict, walk, words, scope)
    else:
        interpreters.code(walk, words, scope, text)


def _given_line(strict: bool, walk: Walk, words: list[Word], scope: Scope) -> None:
    from policy.shell.programs import interpreters

    line = words[1].text
    if line is None:
        interpreters.code(walk, words, scope, "")
        raise NotKnown("the line it is given is computed")
    nested(walk, line, scope)
    if re.search(r"[lio]", words[0].text or "") or len(words) > 2:
        raise NotKnown("it is given more than a line")
    if strict and _POSIX_DIFFERS.search(line):
        raise NotKnown("another shell may read the line differently")


def nested(walk: Walk, line: str, scope: Scope) -> None:
    refusal = screen(line)
    if refusal is not None:
        walk.record.say(refusal.kind, refusal.message)
        return
    if walk.depth > 8:
        walk.record.say("unknown", "Nested too deeply to be understood.")
        return
    source = parse_line(line)
    inner = Walk(source, walk.record, walk.classify, walk.depth + 4)
    inner.commands, inner.feed = walk.commands, walk.feed
    fresh = Scope(scope.root, scope.cwds, environment=scope.environment, granted=scope.granted)
    inner.visit(source.root, fresh)
    walk.commands = inner.commands
    if not source.valid or source.doubt:
        walk.record.say("invalid" if not source.valid else "unknown", "Holds a line that is not valid bash.")


def evaluate(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    texts = [word.text for word in words]
    if all(part is not None for part in texts):
        nested(walk, " ".join(part or "" for part in texts), scope)
    else:
        from policy.shell.programs import interpreters

        interpreters.code(walk, words, scope, text)
    raise NotKnown("it runs text as code")


def arguments(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """xargs: only readers, and only over names that a known program has found inside the workspace."""
    flags = "-0 -r -t -n:num -P:num -L:num -s:num -I:data -d:data -E:data --null --no-run-if-empty --verbose --max-args=num --max-procs=num --max-lines=num --delimiter=data"
    used = _own(flags, words, walk, scope)
    command = used.operands or [Word(("echo",), "echo")]
    placeholder = (used.value("-I") or Word(("",), "")).values[0]
    filled = [_fill(word, placeholder) for word in command]
    if not placeholder:
        filled.append(Word((marks.FOUND,), "(its input)"))
    given = {"paths": marks.FOUND, "listing": marks.LISTED}.get(walk.feed, marks.MANY)
    filled = [Word((given,), word.raw) if marks.FOUND in word.values else word for word in filled]
    walk.classify(walk, filled, [], scope, text)
    if filled[0].text == "npx" and len(filled) > 1:
        filled = filled[1:]
    if filled[0].text not in _READERS and not _checks(filled[0].text):
        raise NotKnown(f"{filled[0].raw} is given names that nobody has seen")


def _checks(name: str | None) -> bool:
    """Checks of the project's code, whose options no name of a file could make worse, and readers of its data."""
    from policy.shell.programs.registry import KNOWN

    program = KNOWN.get(name or "")
    return name in ("ruff", "jq", "yq") or (program is not None and program.found and program.kind == "check")


def _fill(word: Word, placeholder: str) -> Word:
    if placeholder and any(placeholder in value for value in word.values):
        exact = word.values == (placeholder,)
        return Word((marks.FOUND if exact else marks.MANY,), word.raw)
    return word


def find_runs(walk: Walk, queue: list[Word], scope: Scope, found: str) -> None:
    """find -exec: the command up to ; or +, over names that it found."""
    command: list[Word] = []
    while queue:
        word = queue.pop(0)
        if word.text in (";", "+"):
            break
        command.append(Word((found,), word.raw) if word.text == "{}" else word)
    if not command:
        raise NotKnown("it lacks a command")
    walk.classify(walk, command, [], scope.copy(), " ".join(word.raw for word in command))
    if not (command[0].text in _READERS or _checks(command[0].text)) or any(
        "{}" in value for word in command for value in word.values
    ):
        raise NotKnown(f"it runs {command[0].raw} on what it finds")


def in_privilege(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Refused as it stands; what it would run is named all the same."""
    _guess(walk, words, scope)


_LOOSE = dict.fromkeys(("strace", "ltrace", "watch", "parallel", "script", "flock", "chrt", "taskset", "setsid", "caffeinate", "unbuffer", "rlwrap", "entr", "daemonize", "start-stop-daemon", "systemd-run", "screen", "tmux", "expect", "gdb", "coproc", "builtin", "proxychains", "firejail", "bwrap", "faketime", "fakeroot", "busybox", "toybox", "xvfb-run", "dbus-run-session"))  # fmt: skip


def unjudged(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    _guess(walk, words, scope)
    raise NotKnown("it runs another program")


SPECIAL: dict[str, Judge] = {
    "timeout": functools.partial(simple, "-k:word -s:word --kill-after=word --signal=word --preserve-status --foreground -v --verbose", 1, False),
    "nice": functools.partial(simple, "-n:num --adjustment=num -#", 0, False),
    "ionice": functools.partial(simple, "-c:num -n:num -t", 0, False),
    "nohup": functools.partial(simple, "", 0, False),
    "stdbuf": functools.partial(simple, "-i:word -o:word -e:word --input=word --output=word --error=word", 0, False),
    "time": functools.partial(simple, "-p", 0, True),
    **dict.fromkeys(("c8", "nyc"), functools.partial(simple, "-r:word --reporter=word --all --check-coverage --lines=num --branches=num --functions=num --statements=num --silent -x:data --exclude=data --include=data -n:data --extension=word --src=word --clean=false", 0, False)),
    "cross-env": environment,
    "env": environment,
    "printenv": print_environment,
    "command": builtin_command,
    "exec": replace,
    "bash": functools.partial(shell, False),
    **dict.fromkeys(("sh", "dash", "ash", "zsh", "ksh", "fish", "csh", "tcsh"), functools.partial(shell, True)),
    "eval": evaluate,
    "xargs": arguments,
    **dict.fromkeys(("sudo", "doas", "su", "pkexec", "chroot", "nsenter", "unshare", "runuser"), in_privilege),
    **dict.fromkeys(_LOOSE, unjudged),
}  # fmt: skip
