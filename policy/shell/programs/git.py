"""git: what only looks, what commits, and what rewrites, sends or runs.

Hooks, pagers, external diffs and file-system monitors are switched off in the environment of every command, so the
subcommands here do what they say; options that bring such programs back are left out.
"""

from __future__ import annotations

import functools
import re

from policy.shell import marks
from policy.shell.grammar import Program, Used, examine
from policy.shell.kinds import NotKnown, take
from policy.shell.record import Record, each_place, writes
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_LOOKS = """-# -p -u -s -U:num -n:num -G:data -S:data -L:data -M[=word] -C[=word] -B[=word] -R -w -b -a -z -m -c -i -E -F -P -g -r -t -1 -v -q -W -D
    --patch --no-patch --stat[=word] --shortstat --numstat --dirstat[=word] --summary --name-only --name-status --check --color[=word] --no-color --word-diff[=word]
    --color-words[=data] --raw --minimal --patience --histogram --diff-algorithm=word --unified=num --abbrev[=num] --abbrev-commit --no-abbrev-commit --full-index --binary
    --find-renames[=word] --find-copies[=word] --no-renames --diff-filter=word --ignore-all-space --ignore-space-change --ignore-space-at-eol --ignore-blank-lines --exit-code --quiet
    --cached --staged --merge-base --relative[=name] --no-prefix --function-context --submodule[=word] --ignore-submodules[=word] --no-ext-diff --no-textconv --text --compact-summary
    --oneline --graph --all --branches[=data] --tags[=data] --remotes[=data] --decorate[=word] --no-decorate --format=data --pretty[=data] --date=data --since=data --until=data
    --after=data --before=data --author=data --committer=data --grep=data --invert-grep --all-match --max-count=num --skip=num --merges --no-merges --first-parent --reverse --follow
    --topo-order --date-order --author-date-order --left-right --cherry-pick --cherry --cherry-mark --left-only --right-only --boundary --ancestry-path --full-history --simplify-merges
    --no-walk --source --parents --children --count --show-signature --notes --no-notes --stdin --simplify-by-decoration --pickaxe-regex --pickaxe-all --cc --root --always --no-expand-tabs
    --extended-regexp --fixed-strings --perl-regexp --regexp-ignore-case --walk-reflogs --show-pulls --not --no-color-moved --color-moved[=word] --objects --timestamp --no-index?""".replace(
    "--no-index?", ""
)
_READS = "Reads the repository's history."


def _revisions(flags: str) -> Program:
    return Program(flags, "revision*", "read", _READS)


def _listing(used: Used, record: Record, scope: Scope) -> None:
    """branch and tag without a name only list; with one they make or move it."""
    listing = ("-l", "--list", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at", "-n")
    if used.operands and not used.has(*listing):
        raise NotKnown("it makes or moves a branch or tag")
    record.say("read", _READS)


def _config(used: Used, record: Record, scope: Scope) -> None:
    asking = used.has("--get", "--get-all", "--get-regexp", "-l", "--list")
    changing = used.has("--add", "--unset", "--unset-all", "--replace-all")
    keys = [word.text or "" for word in used.operands]
    if keys[:1] in (["get"], ["list"]):
        asking, keys = True, keys[1:]
    if changing or (not asking and (len(keys) != 1 or "." not in keys[0])):
        _setting(keys, record)
        return
    if used.has("--get-regexp", "-l", "--list") or not keys:
        record.say("secret_read", "Lists all git settings, which may hold credentials.")
    if any(re.search(r"token|password|credential|extraheader|^url|auth|secret", key, re.IGNORECASE) for key in keys):
        record.say("secret_read", "Reads git settings that may hold credentials.")
    record.say("read", "Reads git settings.")


_RUNS_CODE = re.compile(
    r"alias\..*|core\.(fsmonitor|hookspath|editor|pager|sshcommand|gitproxy|askpass|attributesfile|worktree|alternaterefscommand)|.*\.(cmd|command|helper|program|textconv|driver|clean|smudge|process|path|external|tool)"
    r"|diff\.external|credential\..*|gpg\..*|include.*|url\..*|protocol\..*|sequence\.editor|filter\..*|merge\..*\.driver|pager\..*|init\.templatedir|safe\.directory|remote\..*|receive\..*|uploadpack\..*|http\..*|submodule\..*",
    re.IGNORECASE,
)


def _setting(keys: list[str], record: Record) -> None:
    key = next((key for key in keys if "." in key), "")
    if not key or _RUNS_CODE.fullmatch(key):
        record.say("persistence", f"Sets {key or 'git settings'}, which git runs or trusts later.")
    else:
        record.say("protected_write", f"Changes git settings: {key}.")


def _commit(used: Used, record: Record, scope: Scope) -> None:
    if not used.has("-m", "--message", "-F", "--file"):
        raise NotKnown("it opens an editor")
    for word in used.operands:
        take("target", word, record, scope)
    record.say("commit", "Commits on the run's own branch.")


def _add(used: Used, record: Record, scope: Scope) -> None:
    for word in used.operands:
        take("target", word, record, scope)
        if any(place.secret for place in each_place(word, scope)):
            record.say("secret_read", f"Stages a file that usually holds secrets: {word.shown}.")
    record.say("commit", "Stages changes.")


def _restore(used: Used, record: Record, scope: Scope) -> None:
    if not used.has("--staged", "-S") or used.has("-W", "--worktree"):
        raise NotKnown("it throws away changes in the working tree")
    for word in used.operands:
        take("target", word, record, scope)
    record.say("commit", "Stages changes.")


def _search(used: Used, record: Record, scope: Scope) -> None:
    operands = used.operands if used.has("-e") else used.operands[1:]
    for word in operands:
        take("revision", word, record, scope)
    record.say("read", _READS)


def _archive(used: Used, record: Record, scope: Scope) -> None:
    if used.value("-o") is None and used.value("--output") is None:
        raise NotKnown("it prints an archive")
    for word in used.operands:
        take("revision", word, record, scope)


def _one(used: Used, record: Record, scope: Scope) -> None:
    if len(used.operands) > 1:
        raise NotKnown("it sets a reference")
    record.say("read", _READS)


def _words(allowed: str) -> Program:
    return Program(
        "-v -q --verbose --quiet --cached --recursive --porcelain --stat --name-only -p",
        f"{allowed} data*",
        "read",
        _READS,
    )


_COMMITTING = "-a -m:data -F:read -q -v -s --all --message=data --file=read --quiet --verbose --signoff --allow-empty --allow-empty-message --no-gpg-sign --dry-run --short --porcelain -o -i --only --include --no-status --trailer=data --no-edit --no-post-rewrite"
_SUBCOMMANDS: dict[str, Program] = {
    "status": Program("-s -b -u[=word] -v -z --short --branch --porcelain[=word] --long --untracked-files[=word] --ignored[=word] --ignore-submodules[=word] --column --no-column --renames --no-renames --show-stash --ahead-behind --no-ahead-behind --verbose", "revision*", "read", _READS),
    "diff": _revisions(_LOOKS),
    "log": _revisions(_LOOKS),
    "show": _revisions(_LOOKS),
    "whatchanged": _revisions(_LOOKS),
    "shortlog": _revisions(_LOOKS + " -e -n -s --summary --numbered --email"),
    "range-diff": _revisions(_LOOKS),
    "diff-tree": _revisions(_LOOKS + " --no-commit-id"),
    "diff-index": _revisions(_LOOKS),
    "diff-files": _revisions(_LOOKS),
    "rev-list": _revisions(_LOOKS + " --disk-usage --bisect"),
    "blame": _revisions("-L:data -l -t -s -e -w -M -C -n -f -p -c -b --porcelain --line-porcelain --date=data --since=data --show-email --show-name --show-number --root --color-lines --color-by-age --abbrev=num"),
    "annotate": _revisions("-L:data"),
    "branch": Program("-a -r -v -vv -l --list --all --remotes --show-current --verbose --color[=word] --no-color --column --no-column --contains[=word] --no-contains[=word] --merged[=word] --no-merged[=word] --points-at=word --sort=word --format=data -q", "data*", check=_listing),
    "tag": Program("-l -n[=num] --list --contains[=word] --no-contains[=word] --merged[=word] --no-merged[=word] --points-at=word --sort=word --format=data --column --color[=word]", "data*", check=_listing),
    "rev-parse": Program("-q --short[=num] --abbrev-ref[=word] --verify --quiet --show-toplevel --git-dir --absolute-git-dir --is-inside-work-tree --is-bare-repository --is-inside-git-dir --show-prefix --show-cdup --symbolic --symbolic-full-name --all --branches --tags --remotes --git-common-dir --git-path=word --is-shallow-repository --show-object-format --path-format=word --sq --not", "revision*", "read", _READS),
    "ls-files": Program("-c -d -m -o -i -s -t -u -v -z -x:data --cached --deleted --modified --others --ignored --stage --unmerged --exclude-standard --exclude=data --full-name --error-unmatch --directory --eol --format=data --abbrev[=num] --recurse-submodules --killed --no-empty-directory", "revision*", "read", _READS, output="listing"),
    "ls-tree": _revisions("-d -r -t -l -z --name-only --name-status --full-name --full-tree --long --abbrev[=num] --format=data --object-only"),
    "describe": _revisions("--tags --all --always --long --abbrev=num --dirty[=word] --broken --contains --exact-match --match=data --exclude=data --first-parent --candidates=num"),
    "merge-tree": _revisions("--write-tree --name-only --messages --no-messages -z --allow-unrelated-histories"),
    "merge-base": _revisions("-a --all --is-ancestor --octopus --independent --fork-point"),
    "cat-file": _revisions("-p -t -s -e --batch-check --batch"),
    "name-rev": _revisions("--name-only --tags --all --always --refs=data"),
    "reflog": Program(_LOOKS, "show|exists revision*", "read", _READS),
    "cherry": _revisions("-v --abbrev=num"),
    "count-objects": Program("-v -H --verbose --human-readable", "", "read", _READS),
    "fsck": Program("--full --strict --no-dangling --connectivity-only --unreachable --no-progress", "", "read", _READS),
    "check-ignore": _revisions("-q -v -n --quiet --verbose --non-matching --no-index"),
    "check-attr": _revisions("-a --all"),
    "for-each-ref": Program("--format=data --sort=word --count=num --contains[=word] --merged[=word] --no-merged[=word] --points-at=word --exclude=data", "data*", "read", _READS),
    "show-ref": Program("--head --heads --tags --branches -d --dereference -s --hash[=num] --verify -q --quiet --abbrev[=num]", "data*", "read", _READS),
    "show-branch": _revisions("-a -r --all --current --topo-order --list --independent --no-color"),
    "symbolic-ref": Program("--short -q", "data*", check=_one),
    "stash": _words("list|show"),
    "worktree": _words("=list"),
    "submodule": _words("status|summary"),
    "notes": _words("list|show"),
    "remote": Program("-v --verbose --all --push", "get-url data*", "read", _READS),
    "bisect": _words("log"),
    "grep": Program("-a -c -E -F -G -h -H -i -I -l -L -n -o -P -p -q -v -w -W -z -# -A:num -B:num -C:num -e:data --cached --count --extended-regexp --fixed-strings --perl-regexp --ignore-case --files-with-matches --files-without-match --name-only --line-number --column --word-regexp --invert-match --heading --break --show-function --function-context --and --or --not --all-match --quiet --untracked --no-color --color[=word] --max-depth=num --max-count=num -m:num --only-matching --no-exclude-standard --exclude-standard --context=num --after-context=num --before-context=num --recurse-submodules", check=_search),
    "config": Program("-l -z --get --get-all --get-regexp --list --show-origin --show-scope --name-only --local --global --system --null --bool --int --type=word --default=data --add --unset --unset-all --replace-all --worktree --includes --all", "data*", check=_config),
    "add": Program("-A -u -v -n -N -f --all --update --verbose --dry-run --intent-to-add --no-all --ignore-errors --force --renormalize", check=_add),
    "stage": Program("-A -u -v", check=_add),
    "commit": Program(_COMMITTING, check=_commit),
    "restore": Program("-S -W -q --staged --worktree --quiet", check=_restore),
    "archive": Program("-v --format=word --prefix=name -o:write --output=write --worktree-attributes", check=_archive),
    "version": Program("--build-options", "", "read", _READS),
    "help": Program("-a -g", "word*", "read", _READS),
    "var": Program("-l", "word", "read", _READS),
    "mv": Program("-v -k -n", "write*", "commit", "Stages changes."),
}  # fmt: skip
_HARMLESS_SETTINGS = re.compile(r"(color\.\w+|core\.quotepath|core\.pager=cat|advice\.\w+|log\.\w+|diff\.(renames|noprefix|mnemonicprefix|algorithm)|core\.fsmonitor=false|core\.hookspath=/dev/null)(=[\w-]*)?", re.IGNORECASE)  # fmt: skip


def git(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue, inside = list(words), scope.copy()
    while queue and (queue[0].text or "").startswith("-"):
        if _global(walk, queue, inside):
            return
    name = queue[0].text if queue else None
    if name is None:
        raise NotKnown("its subcommand is computed or missing")
    rest = queue[1:]
    harm(walk, name, rest, inside)
    program = _SUBCOMMANDS.get(name)
    if program is not None:
        if program.operands.partition(" ")[0] in _NEEDS_WORD and not rest:
            raise NotKnown(f"{name} alone changes the repository")
        used = examine(program, rest, walk.record, inside)
        walk.output = _printed(name, used) or program.output
    elif name not in _HARM:
        raise NotKnown(f"{name} is not a subcommand known to be harmless")


# Subcommands that only look when a word says so.
_NEEDS_WORD = frozenset({"list|show", "=list", "status|summary", "log", "show|exists"}) - {
    "status|summary",
    "show|exists",
}


def _printed(name: str, used: Used) -> str:
    if name == "rev-parse" and used.has("--show-toplevel"):
        return "workspace"
    if name in ("diff", "show", "log", "diff-tree") and used.has("--name-only"):
        return "listing"
    if name == "rev-parse" and used.operands and not used.has("--abbrev-ref", "--symbolic-full-name", "--git-path"):
        return "slug"
    if name == "merge-base" and not used.has("-a", "--all", "--is-ancestor", "--independent"):
        return "slug"
    if name == "rev-list" and used.has("--count"):
        return "number"
    return ""


def _global(walk: Walk, queue: list[Word], scope: Scope) -> bool:
    """One option before the subcommand. True where it is all there is."""
    option = queue.pop(0).text
    if option in (
        "--no-pager",
        "-P",
        "--no-optional-locks",
        "--literal-pathspecs",
        "--no-replace-objects",
        "--no-lazy-fetch",
    ):
        return False
    if option in ("--version", "-v", "--help", "-h"):
        walk.record.say("read", _READS)
        return True
    if option == "-C" and queue:
        _folder(queue.pop(0), scope)
        return False
    setting = queue.pop(0).text if option == "-c" and queue else None
    if setting is None:
        raise NotKnown(f"{marks.shown(option or '')} changes where git works or what it runs")
    if _RUNS_CODE.fullmatch(setting.partition("=")[0]) and not _HARMLESS_SETTINGS.fullmatch(setting):
        walk.record.say("code", f"Makes git run a program of its own: {setting[:80]}.")
    if not _HARMLESS_SETTINGS.fullmatch(setting):
        raise NotKnown(f"-c {setting[:60]} changes how git works")
    return False


def _folder(word: Word, scope: Scope) -> None:
    there = []
    for place in each_place(word, scope):
        if place.where != "inside" or place.git:
            raise NotKnown(f"it works in {place.path}")
        there.append("/".join(place.parts))
    scope.cwds = tuple(there)


def harm(walk: Walk, name: str, words: list[Word], scope: Scope) -> None:
    """Names what a subcommand does where that is more than looking, whether or not the rest is understood."""
    kind, message = _HARM.get(name, ("", ""))
    flags = {word.values[0].partition("=")[0] for word in words if word.values[0].startswith("-")}
    texts = [word.values[0] for word in words]
    for finer, condition, why in _FINER:
        if name == finer and condition(flags, texts):
            kind, message = why
            walk.record.say(kind, message)
    if kind:
        walk.record.say(kind, message)
    if any(value.startswith("ext::") for value in texts):
        walk.record.say("remote_code", "Uses a transport that runs a command.")
    if flags & {"--upload-pack", "--receive-pack", "--exec", "-O", "--open-files-in-pager", "--ext-diff", "--textconv"}:
        walk.record.say("code", "Makes git run a program of its own.")
    if name == "diff" and "--no-index" in flags:
        walk.record.say("read_outside", "Compares files whether or not they are in the repository.")
    for value in texts:
        if value.startswith("--output="):
            writes(walk.record, Word((value[9:],), value), scope)


def _short(letters: str, flags: set[str]) -> bool:
    return any(not flag.startswith("--") and set(letters) & set(flag[1:]) for flag in flags)


def _forced(flags: set[str], texts: list[str]) -> bool:
    long = {"--force", "--force-with-lease", "--force-if-includes", "--mirror", "--delete", "--prune", "--all"}
    return bool(flags & long) or _short("fd", flags) or any(text[:1] in "+:" and len(text) > 1 for text in texts)


_LOST = ("history", "Rewrites history or discards recorded work.")
_FINER = (
    ("push", _forced, ("history", "Forces, deletes or overwrites on the remote repository.")),
    ("commit", lambda flags, texts: "--amend" in flags or "--fixup" in flags, ("history", "Rewrites the last commit.")),
    ("commit", lambda flags, texts: "--no-verify" in flags or _short("n", flags), ("protected_write", "Skips the checks on commits.")),
    ("reset", lambda flags, texts: bool(flags & {"--hard", "--merge", "--keep"}), _LOST),
    ("branch", lambda flags, texts: _short("DdMCf", flags) or bool(flags & {"--delete", "--force", "--move"}), _LOST),
    ("tag", lambda flags, texts: _short("df", flags) or bool(flags & {"--delete", "--force"}), _LOST),
    ("reflog", lambda flags, texts: bool({"expire", "delete"} & set(texts)), _LOST),
    ("gc", lambda flags, texts: "--prune" in flags, _LOST),
    ("stash", lambda flags, texts: bool({"drop", "clear"} & set(texts)), _LOST),
    ("worktree", lambda flags, texts: bool({"remove", "prune"} & set(texts)), _LOST),
    ("bisect", lambda flags, texts: "run" in texts, ("code", "Runs a command at every step.")),
    ("rebase", lambda flags, texts: _short("x", flags) or "--exec" in flags, ("code", "Runs a command at every step.")),
    ("submodule", lambda flags, texts: "foreach" in texts, ("code", "Runs a command in every submodule.")),
    ("submodule", lambda flags, texts: bool({"add", "update", "init", "sync"} & set(texts)), ("network", "Fetches from a remote repository.")),
    ("remote", lambda flags, texts: bool({"add", "set-url", "rename", "remove", "rm"} & set(texts)), ("protected_write", "Changes where the repository fetches from and pushes to.")),
    ("remote", lambda flags, texts: bool({"show", "update", "prune"} & set(texts)), ("network", "Talks to a remote repository.")),
)  # fmt: skip
_FETCHES = ("network", "Talks to a remote repository.")
_MOVES = ("tree", "Moves branches or the working tree.")
_HARM: dict[str, tuple[str, str]] = {
    "push": ("push", "Pushes to a remote repository."),
    "send-pack": ("push", "Pushes to a remote repository."),
    **dict.fromkeys(("fetch", "pull", "clone", "ls-remote", "fetch-pack", "http-fetch", "remote-ext", "svn", "p4", "lfs"), _FETCHES),
    **dict.fromkeys(("rebase", "filter-branch", "filter-repo", "update-ref", "replace", "prune", "fast-import", "reset-author"), _LOST),
    **dict.fromkeys(("checkout", "switch", "merge", "cherry-pick", "revert", "am", "apply", "reset", "read-tree", "checkout-index", "sparse-checkout"), _MOVES),
    **dict.fromkeys(("rm", "clean"), ("delete", "Deletes files of the repository.")),
    **dict.fromkeys(("difftool", "mergetool", "hook", "maintenance", "filter-process", "web--browse", "instaweb", "daemon", "gui", "citool"), ("code", "Makes git run another program.")),
    **dict.fromkeys(("credential", "credential-store", "credential-cache"), ("credentials", "Reads or stores credentials.")),
    "init": ("tree", "Makes a repository."),
    "send-email": ("network", "Sends mail."),
}  # fmt: skip

SPECIAL: dict[str, Judge] = {"git": functools.partial(git)}
