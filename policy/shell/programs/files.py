"""Programs that change files."""

from __future__ import annotations

import re

from policy.shell import marks
from policy.shell.grammar import Program, Used, examine
from policy.shell.kinds import NotKnown, take
from policy.shell.record import Record, deletes, each_place, empties, reads, writes
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word


def _copy(used: Used, record: Record, scope: Scope) -> None:
    _transfer(used, record, scope, moved=False)


def _move(used: Used, record: Record, scope: Scope) -> None:
    _transfer(used, record, scope, moved=True)


def _transfer(used: Used, record: Record, scope: Scope, moved: bool) -> None:
    folder = used.value("-t") or used.value("--target-directory")
    sources = list(used.operands) if folder else used.operands[:-1]
    target = folder or (used.operands[-1] if used.operands else None)
    if target is None or not sources:
        raise NotKnown("it lacks a source or a target")
    writes(record, target, scope)
    for source in sources:
        _from(source, record, scope, moved)
        writes(record, _into(source, target), scope)
        if source.text == "/dev/null":
            empties(record, target, scope)
    if any(place.parts == () for place in each_place(target, scope)) and any(_whole(source) for source in sources):
        raise NotKnown("it spreads a whole folder over the workspace")


def _from(source: Word, record: Record, scope: Scope, moved: bool) -> None:
    reads(record, source, scope)
    for place in each_place(source, scope):
        if moved and (place.git or place.protected or place.parts == ()):
            record.say("protected_write", f"Moves away settings that tools act upon: {place.path}.")
        elif moved and place.where not in ("inside", "scratch"):
            record.say("delete_outside", f"Takes files away from outside the workspace: {place.path}.")


def _whole(source: Word) -> bool:
    return any(value.rstrip("/").rsplit("/", 1)[-1] in (".", "..", "") for value in source.values)


def _into(source: Word, target: Word) -> Word:
    """The file that results where the target is a folder."""
    names = {value.rstrip("/").rsplit("/", 1)[-1].replace(marks.STAR, "x") for value in source.values}
    values = tuple(
        f"{folder.rstrip('/') or '/'}/{name}" for folder in target.values for name in sorted(names - {".", ".."})
    )
    return Word(values[:64] or target.values, target.raw)


def _remove(used: Used, record: Record, scope: Scope) -> None:
    recursive = used.has("-r", "-R", "--recursive")
    if used.has("--no-preserve-root"):
        record.say("destroy", "Asks to delete the root of the file system.")
    for word in used.operands:
        deletes(record, word, scope, recursive=recursive)
    if not used.operands:
        record.say("delete", "Deletes files.")


def _tee(used: Used, record: Record, scope: Scope) -> None:
    for word in used.operands:
        writes(record, word, scope)
    record.say("compute", "Copies its input to its output.")


def _time_of(used: Used, record: Record, scope: Scope) -> None:
    for word in used.operands:
        writes(record, word, scope, by_hand=False)


def _truncate(used: Used, record: Record, scope: Scope) -> None:
    for word in used.operands:
        writes(record, word, scope)
        deletes(record, word, scope, recursive=False)


def _link(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    for word in words:
        if not any(value.startswith("-") for value in word.values):
            for place in each_place(word, scope):
                if place.credentials:
                    walk.record.say("credentials", f"Links to credentials outside the workspace: {place.path}.")
    if words:
        writes(walk.record, words[-1], scope)
    walk.record.say("unknown", "Makes a link, which can lead out of the workspace unseen.")


def _permissions(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    modes = [word.text or "" for word in words if not (word.text or "").startswith("--")]
    if any(re.fullmatch(r"[ugoa]*[+=][rwxXt]*s[rwxXst]*|[2467]\d{3}|0[2467]\d{3}", mode) for mode in modes):
        walk.record.say("privilege", "Gives a file the rights of its owner to everyone who runs it.")
    for word in words[1:]:
        for place in each_place(word, scope):
            if place.where == "outside" and word.values[0][:1] != "-":
                walk.record.say("system_write", f"Changes permissions outside the workspace: {place.path}.")
            elif place.git:
                walk.record.say("persistence", f"Changes permissions in the git folder: {place.path}.")
    walk.record.say("permission", "Changes permissions or owners.")


def _disk_copy(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    for word in words:
        for value in word.values:
            name, _, path = value.partition("=")
            part = Word((path,), path)
            if name == "of" and path:
                writes(walk.record, part, scope)
            elif name == "if" and path:
                reads(walk.record, part, scope)
            if name == "of" and path.startswith("/dev/") and path != "/dev/null":
                walk.record.say("device", f"Writes to a device: {marks.shown(path)}.")
    walk.record.say("unknown", "Copies raw bytes with dd.")


_TAR = """-c -z -j -J -v -t -f:data -C:target --create --gzip --bzip2 --xz --zstd --verbose --list --file=data --exclude=data --directory=target
    --exclude-vcs --owner=word --group=word --sort=name --mtime=word --numeric-owner --no-recursion --format=word"""
_TAR_OLD = re.compile(r"[cztjJvf]+")


def _archive(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Creating and listing are known; unpacking writes what the archive says."""
    queue = list(words)
    first = queue[0].text if queue else None
    if first and _TAR_OLD.fullmatch(first):
        queue[0] = Word(("-" + first,), first)
    used = examine(Program(_TAR, "data*"), queue, walk.record, scope)
    if not used.has("-c", "--create", "-t", "--list"):
        raise NotKnown("it unpacks what the archive says")
    for word in used.operands:
        take("read", word, walk.record, scope)
    for archive in [*used.flags.get("-f", []), *used.flags.get("--file", [])]:
        if archive is not None and any(":" in value for value in archive.values):
            walk.record.say("remote", f"Works on an archive on another machine: {archive.shown}.")
        if archive is not None:
            take("write" if used.has("-c", "--create") else "read", archive, walk.record, scope)


def _pack(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Packs a file beside itself and keeps it, or prints what it packs; unpacking writes what the archive says."""
    used = examine(
        Program("-c -k -t -l -v -q -n -f -# -9 -T:num --stdout --keep --test --list --best --fast", "data*"),
        words,
        walk.record,
        scope,
    )
    if not used.has("-c", "-k", "-t", "-l", "--stdout", "--keep", "--test", "--list"):
        walk.record.say("delete", "Replaces the file by its packed form.")
    for word in used.operands:
        take("read", word, walk.record, scope)
        if used.has("-k", "--keep"):
            take("write", Word(tuple(f"{value}.gz" for value in word.values), word.raw), walk.record, scope)
    walk.record.say("read", "Reads inside the workspace.")


_COPY = """-a -b -d -f -i -L -n -P -p -r -R -s? -t:write -T -u -v -x --archive --force --no-clobber --recursive --update --verbose --preserve[=word]
    --no-dereference --dereference --parents --target-directory=write --no-target-directory --no-preserve=word""".replace(
    " -s?", ""
)

PROGRAMS: dict[str, Program] = {
    "mkdir": Program("-p -v -m:num --parents --verbose --mode=num", "write*", "write", "Writes inside the workspace."),
    "touch": Program("-a -c -m -d:data -t:num -r:list --no-create --date=data", "data*", check=_time_of),
    "tee": Program("-a -i -p --append --ignore-interrupts", "data*", check=_tee),
    "cp": Program(_COPY, check=_copy),
    "mv": Program("-b -f -i -n -t:write -T -u -v --force --no-clobber --update --verbose --target-directory=write --no-target-directory", check=_move),
    "rm": Program("-d -f -i -I -r -R -v --force --recursive --verbose --dir --interactive[=word] --one-file-system --preserve-root[=word] --no-preserve-root", check=_remove, loose=True),
    "unlink": Program("", check=_remove, loose=True),
    "rmdir": Program("-p -v --parents --verbose --ignore-fail-on-non-empty", check=_remove, loose=True),
    "truncate": Program("-s:data -c -r:list -o --size=data --no-create", check=_truncate),
    "mktemp": Program("-d -u -q", "", "scratch", "Makes a temporary file.", output=""),
    "zip": Program("-r -q -v -X -j -D -9 -1 -0 -u -x:data -i:data --recurse-paths --quiet --exclude=data", "write read*", "write", "Writes inside the workspace.", first_flags=False),
    "zipinfo": Program("-1 -l -s", "read", "read", "Reads inside the workspace."),
    "zcat": Program("", "read*", "read", "Reads inside the workspace."),
    "sync": Program("", "", "compute", "Waits for the disk."),
}  # fmt: skip

SPECIAL: dict[str, Judge] = {
    "ln": _link,
    "chmod": _permissions,
    "chown": _permissions,
    "chgrp": _permissions,
    "dd": _disk_copy,
    "tar": _archive,
    **dict.fromkeys(("gzip", "bzip2", "xz", "zstd"), _pack),
}
