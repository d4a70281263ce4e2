"""Programs known for what they do beyond the workspace: named so that people and rules see why.

Being named here never allows anything. A program with a finer judge elsewhere is listed for the words that make it
worse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy.shell import marks, paths
from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown, take
from policy.shell.programs.checks import only_checks, runs
from policy.shell.record import Record, each_place, writes
from policy.shell.scope import Scope
from policy.shell.words import Word

if TYPE_CHECKING:
    from policy.shell.walk import Walk

_GROUPS: dict[str, tuple[str, str]] = {
    "privilege": ("sudo su doas pkexec runuser setpriv capsh nsenter unshare chroot setcap usermod useradd userdel adduser groupadd groupmod gpasswd passwd chpasswd visudo vipw newgrp sg machinectl insmod modprobe rmmod kexec sysctl mount umount losetup iptables ip6tables nft ufw firewall-cmd setuidgid chsh", "Raises privileges or changes the machine"),
    "device": ("mkfs mke2fs wipefs fdisk sfdisk cfdisk gdisk sgdisk parted blkdiscard hdparm mkswap swapoff swapon lvremove vgremove pvremove pvcreate cryptsetup zpool zfs mdadm badblocks fsck fdformat dmsetup diskutil newfs nvme flashrom tune2fs resize2fs debugfs", "Works on devices or file systems"),
    "destroy": ("shutdown reboot halt poweroff init telinit shred srm", "Stops the machine or destroys data"),
    "foreign_process": ("killall pkill skill xkill killall5 fuser slay", "Ends processes that are not its own"),
    "persistence": ("crontab at batch atd systemctl service launchctl loginctl update-rc.d chkconfig rc-service initctl schtasks incrontab xdg-autostart update-alternatives ldconfig", "Leaves something behind that runs later"),
    "audit": ("auditctl auditd augenrules setenforce aa-disable aa-teardown aa-complain rsyslogd logrotate history fc", "Turns off recording or removes its traces"),
    "agent": ("claude claude-code codex gemini cursor cursor-agent aider opencode amp goose crush copilot qwen cline droid kiro kiro-cli auggie openhands interpreter open-interpreter plandex gpt-engineer sgpt forge rovodev mods tabby swe-agent sweagent mini agent-cli grok jules devin", "Starts another agent past this one's gates"),
    "remote": ("ssh scp sftp mosh telnet rsh rlogin ftp lftp tftp ssh-copy-id autossh sshfs sshpass ansible salt fab rclone pssh parallel-ssh", "Works on another machine"),
    "network": ("curl wget http https xh aria2c axel nc ncat netcat socat nmap masscan ping ping6 dig nslookup host drill traceroute tracepath mtr whois arp tcpdump tshark ngrok cloudflared iperf iperf3 ab wrk hey k6 websocat grpcurl gh glab hub tea mail mailx sendmail msmtp mutt lynx w3m links elinks ollama tor torsocks openvpn wg wg-quick tailscale ip ifconfig route ss netstat lsof yt-dlp s3cmd gsutil mc hf huggingface-cli kaggle", "Talks to the network"),
    "container": ("docker podman nerdctl buildah docker-compose podman-compose ctr crictl skopeo runc kind minikube k3s k3d colima lima limactl vagrant virsh lxc lxd lxc-attach multipass qemu-system-x86_64 VBoxManage earthly dagger", "Controls containers or virtual machines"),
    "deploy": ("kubectl helm helmfile kustomize oc argocd flux terraform tofu terragrunt pulumi cdk cdktf serverless sls sam ansible-playbook ansible-galaxy flyctl fly heroku vercel netlify wrangler firebase gcloud aws az eksctl doctl linode-cli hcloud packer nomad consul cf eb copilot-cli capistrano cap kamal railway render now surge supabase amplify eas fastlane snapcraft bosh juju", "Deploys or changes infrastructure"),
    "database": ("psql mysql mariadb sqlite3 sqlite mongo mongosh mongorestore mongodump redis-cli valkey-cli dropdb createdb dropuser createuser pg_restore pg_dump pg_dumpall pg_ctl mysqladmin mysqldump influx cqlsh clickhouse-client clickhouse sqlcmd bq snowsql duckdb etcdctl cockroach rethinkdb alembic flyway liquibase dbmate", "Works on a database directly"),
    "publish": ("twine flit semantic-release goreleaser vsce ovsx np release-it changeset cosign bumpversion bump2version standard-version", "Publishes a package, image or release"),
    "install": ("apt apt-get aptitude dpkg yum dnf rpm apk pacman yay zypper emerge brew port snap flatpak pipx conda mamba micromamba easy_install gem cpan cpanm luarocks nix nix-env nix-shell guix asdf mise nvm pyenv rbenv rustup sdk volta fnm corepack choco winget scoop opam pecl pear uvx pnpx yarnpkg go-install virtualenv update-ca-certificates", "Installs software"),
    "credentials": ("security pass gopass gpg gpg2 ssh-add ssh-agent keyctl secret-tool op vault bw aws-vault lpass chamber sops age doppler kinit klist gnome-keyring-daemon dpapi mimikatz", "Handles credentials"),
    "environment_read": ("compgen", "Prints variables that may hold secrets"),
    "history": ("git-filter-repo bfg git-filter-branch", "Rewrites history or discards recorded work"),
    "process": ("kill renice disown jobs-kill", "Signals processes"),
    "exhaustion": ("stress stress-ng fork-bomb memtester", "Exhausts the machine"),
    "code": ("vim vi nvim nano emacs ed ex pico joe micro code subl open xdg-open start less more most man info watchexec nodemon pm2 supervisord forever gunicorn uvicorn flask celery rackup foreman overmind honcho tmuxinator ld as rustc kotlinc ghc ocaml tcc m4 envsubst xelatex pdflatex latex lualatex convert magick ffmpeg ffprobe gs pandoc gunzip bunzip2 unxz unzstd 7z 7za rar unrar cpio ar jar patch install split csplit rename prename mmv", "Runs a program whose effects are not judged"),
}  # fmt: skip
NAMED: dict[str, tuple[str, str]] = {
    name: (kind, f"{says}: {name}.") for kind, (names, says) in _GROUPS.items() for name in names.split()
}
_WORSE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "docker": ((r"push|login", "publish", "Publishes an image or signs in to a registry."),),
    "podman": ((r"push|login", "publish", "Publishes an image or signs in to a registry."),),
    "gh": ((r"release|repo|secret|auth|workflow|api|pr|gist|ssh-key|variable|copilot", "publish", "Changes what the hosting service holds."),),
    "glab": ((r"release|repo|auth|api|mr|variable", "publish", "Changes what the hosting service holds."),),
    "unzip": ((r"-.*o.*|-d.*", "write", "Unpacks over files that are there."),),
    "lerna": ((r"publish|version", "publish", "Publishes a package."),),
    "cargo": ((r"publish|yank|owner|login", "publish", "Publishes a package."), (r"install|add|update|remove|uninstall", "install", "Installs software with cargo."), (r"run|r|script", "code", "Runs the project's program.")),
    "go": ((r"install|get", "install", "Installs software with go."), (r"run|generate", "code", "Runs the project's program.")),
    "gem": ((r"push|yank|owner|signin", "publish", "Publishes a package."),),
    "dotnet": ((r"nuget|publish", "publish", "Publishes a package."), (r"add|restore|tool|workload", "install", "Installs software with dotnet."), (r"run|exec|fsi|script|ef", "code", "Runs the project's program.")),
    "mvn": ((r"deploy|.*:deploy|release:.*|site-deploy", "publish", "Publishes a package."), (r"install", "write_outside", "Writes to the machine's package folder."), (r"exec:.*", "code", "Runs the project's program.")),
    "gradle": ((r".*[pP]ublish.*|upload.*", "publish", "Publishes a package."),),
    "./gradlew": ((r".*[pP]ublish.*|upload.*", "publish", "Publishes a package."),),
    "./mvnw": ((r"deploy|.*:deploy|release:.*", "publish", "Publishes a package."),),
    "bundle": ((r"install|update|add|remove", "install", "Installs software with bundle."),),
    "composer": ((r"install|update|require|remove|global|create-project", "install", "Installs software with composer."),),
    "mix": ((r"deps\.(?!tree|unlock).*|archive\..*|local\..*", "install", "Installs software with mix."), (r"hex\.publish", "publish", "Publishes a package."), (r"ecto\..*", "database", "Changes a database.")),
    "swift": ((r"run|repl", "code", "Runs the project's program."),),
    "deno": ((r"run|eval|repl|serve|x", "code", "Runs the project's program."), (r"install|add|upgrade", "install", "Installs software with deno."), (r"publish|deploy", "publish", "Publishes a package.")),
    "bun": ((r"x|repl|create", "code", "Runs the project's program."), (r"install|i|add|update|remove|link|upgrade", "install", "Installs software with bun."), (r"publish", "publish", "Publishes a package.")),
    "journalctl": ((r"--vacuum.*|--rotate", "audit", "Removes recorded logs."),),
    "systemctl": ((r"stop|disable|mask|kill", "audit", "Stops services that may record."),),
    "find": ((r"-fprint0?|-fprintf|-fls", "write", "Writes what it finds to a file."),),
    "sort": ((r"--compress-program.*", "code", "Makes sort run another program."),),
    "rg": ((r"--pre(=.*)?|--hostname-bin.*|--search-zip|-z", "code", "Makes rg run another program."),),
    "tar": ((r"--to-command.*|--checkpoint-action.*|--use-compress-program.*|-I.*|--rsh-command.*|-F.*|--info-script.*|--new-volume-script.*", "code", "Makes tar run another program."),),
    "zip": ((r"-T|-TT|--unzip-command.*", "code", "Makes zip run another program."),),
    "psql": ((r"(?is).*\b(drop|truncate|delete|alter|update|grant)\b.*", "database", "Changes or drops data."),),
    "curl": ((r"(file|gopher|dict)://.*", "read_outside", "Reads files through curl."), (r"--unix-socket.*|--abstract-unix-socket.*", "container", "Talks to a local service's socket.")),
    "rsync": ((r"-e.*|--rsh.*|--rsync-path.*", "code", "Makes rsync run another program."), (r".*:.*", "remote", "Works on another machine.")),
    "nc": ((r"-[a-z]*[elc][a-z]*|--exec.*|--sh-exec.*", "reverse_shell", "Opens a shell or a port to the network."),),
    "ncat": ((r"-[a-z]*[elc][a-z]*|--exec.*|--sh-exec.*", "reverse_shell", "Opens a shell or a port to the network."),),
    "netcat": ((r"-[a-z]*[elc][a-z]*|--exec.*|--sh-exec.*", "reverse_shell", "Opens a shell or a port to the network."),),
    "socat": ((r"(?i).*(exec|system):.*", "reverse_shell", "Opens a shell to the network."),),
    "openssl": ((r"s_client|s_server", "network", "Talks to the network."), (r"enc|rsa|pkey|genrsa|genpkey|pkcs12", "credentials", "Handles keys.")),
    "shopt": ((r".*", "environment", "Changes how the shell reads what follows."),),
    "trap": ((r".*", "code", "Sets code that runs later."),),
    "alias": ((r".*", "environment", "Changes what a name means."),),
    "hash": ((r".*", "environment", "Changes what a name means."),),
    "enable": ((r".*", "environment", "Changes what a name means."),),
    "ulimit": ((r".*", "environment", "Changes limits."),),
}  # fmt: skip
SUBCOMMANDS = frozenset(
    {
        *_WORSE,
        "git",
        "npm",
        "yarn",
        "pnpm",
        "pip",
        "kubectl",
        "terraform",
        "aws",
        "gcloud",
        "az",
        "helm",
        "uv",
        "poetry",
        "ruff",
        "coverage",
    }
)
# Theirs is the first word; the others are names that may be anything.
_BY_SUBCOMMAND = frozenset(
    {"cargo", "go", "swift", "bun", "deno", "dotnet", "composer", "bundle", "mix", "gem", "lerna"}
)
_COMPILED = {
    name: tuple((re.compile(pattern), kind, says) for pattern, kind, says in rows) for name, rows in _WORSE.items()
}
# Of programs that else do more: what only looks.
_TERRAFORM = {
    "fmt": only_checks(
        "-check[=true] -recursive[=true] -diff[=true] -no-color -list=true|false -write=false", "-check"
    ),
    "validate": runs("-no-color -json -no-tests", "target", clusters=False),
    "version": runs("-json", clusters=False),
}
_VERSION = {"version": runs("--client --short -o:word --output=word -c", clusters=False)}
_LOOKS: dict[str, dict[str, Program]] = {
    "terraform": _TERRAFORM,
    "tofu": _TERRAFORM,
    "terragrunt": {"hclfmt": only_checks("--terragrunt-check --check", "--terragrunt-check", "--check")},
    "packer": {"fmt": only_checks("-check -diff -recursive", "-check"), "version": runs()},
    "nomad": {"fmt": only_checks("-check -recursive", "-check"), "version": runs()},
    "helm": {"lint": runs("--strict --quiet --with-subcharts -f:target --values=target --kube-version=word --debug"), "template": runs("-f:target --values=target --namespace=word -n:word --debug --set=data --set-string=data --include-crds --kube-version=word -s:data --show-only=data --skip-tests", "~(\\.|charts?|helm|deploy|infra)(/[\\w.-]+)*/?|[\\w-]+ ~(\\.|charts?|helm|deploy|infra)(/[\\w-][\\w.-]*)*/?"), **_VERSION},
    "dotnet": {"tool": runs("-g --global --local", "=list")},
    "kubectl": _VERSION,
    "kustomize": _VERSION,
    "gh": {"version": runs()},
    "openssl": {"version": runs("-a -v -d")},
    "gem": {"list": runs("-l --local -i --installed -q -d", "name*"), "--version": runs(), "-v": runs()},
    "conda": {"list": runs("-n:word --json --export -q", "name*"), "info": runs("--envs --json -e")},
    "rustup": {"show": runs("", "active-toolchain|home"), "toolchain": runs("", "=list"), "target": runs("--installed", "=list")},
    "pyenv": {"version": runs(), "versions": runs("--bare")},
    "rbenv": {"version": runs(), "versions": runs("--bare")},
    "twine": {"check": runs("--strict")},
    "docker": {"--version": runs(), "-v": runs()},
    "brew": {"--version": runs(), "--prefix": runs("", "name")},
    "dpkg": {"--version": runs(), "-l": runs("", "name*"), "-s": runs("", "name*"), "--print-architecture": runs()},
}  # fmt: skip
_VERSIONED = frozenset({"code", "install", "container", "deploy", "database", "network", "publish", "remote"})
_DESTRUCTIVE_SQL = re.compile(r"(?i)\b(drop|truncate|delete\s+from|alter)\b")


def only_looks(program: str, words: list[Word], record: Record, scope: Scope) -> bool:
    """Says what it does where it is known whole, and nothing at all where it isn't."""
    if len(words) == 1 and words[0].text in ("--version", "-version") and NAMED.get(program, ("", ""))[0] in _VERSIONED:
        record.say("compute", "Prints a version.")
        return True
    known = _LOOKS.get(program, {})
    queue = words[1:] if known is _TERRAFORM and (words[:1] and (words[0].text or "").startswith("-chdir=")) else words
    row = known.get(queue[0].text or "") if queue else None
    if row is None or (program == "kubectl" and "--client" not in {word.text for word in queue}):
        return False
    inside = scope.copy()
    try:
        if queue is not words:
            take("target", Word(((words[0].text or "").partition("=")[2],), words[0].raw), record, scope)
        examine(row, queue[1:], record, inside)
    except NotKnown:
        return False
    return True


def note(walk: Walk, program: str, words: list[Word], scope: Scope) -> None:
    """Adds what is known to be bad about it; the judge of the program still has its say."""
    if program.startswith(("mkfs.", "fsck.")):
        walk.record.say("device", f"Works on devices or file systems: {program}.")
    if program in NAMED:
        walk.record.say(*NAMED[program])
        _credentials(walk, words)
        if NAMED[program][0] in ("network", "remote"):
            _sends(walk, words, scope)
    looked_at = (
        [word for word in words if word.values[0][:1] not in ("+", "-")][:1] if program in _BY_SUBCOMMAND else words
    )
    for pattern, kind, says in _COMPILED.get(program, ()):
        if any(pattern.fullmatch(value) for word in looked_at for value in word.values):
            walk.record.say(kind, says)
    extra = _EXTRA.get(program)
    if extra is not None:
        extra(walk, words, scope)


def _credentials(walk: Walk, words: list[Word]) -> None:
    for word in words:
        for value in word.values:
            tail = value.rpartition("@")[2] if value.startswith("@") else value.rpartition("=")[2].lstrip("@")
            if paths.looks_like_credentials(tail):
                walk.record.say("credentials", f"Names credentials outside the workspace: {marks.shown(tail)}.")


def _sends(walk: Walk, words: list[Word], scope: Scope) -> None:
    for word in words:
        for value in word.values:
            tail = re.split("[=@<]", value)[-1]
            if tail and any(
                place.secret and place.where == "inside" for place in each_place(Word((tail,), tail), scope)
            ):
                walk.record.say("secret_read", f"Names a file that usually holds secrets: {marks.shown(tail)}.")


def _fetch(walk: Walk, words: list[Word], scope: Scope) -> None:
    """curl and wget: where it writes, what it sends, and that what comes out came from the network."""
    walk.output = "network"
    sent = next_words(
        words,
        (
            "-d",
            "--data",
            "--data-binary",
            "--data-raw",
            "-F",
            "--form",
            "-T",
            "--upload-file",
            "--post-file",
            "--body-file",
            "-K",
            "--config",
        ),
    )
    for word in sent:
        path = word.values[0].partition("@")[2].partition(";")[0] if "@" in word.values[0] else ""
        for place in each_place(Word((path,), path), scope) if path and path != "-" else []:
            if place.secret or place.credentials:
                walk.record.say("secret_read", f"Sends a file that usually holds secrets: {place.path}.")
    for word in next_words(words, ("-T", "--upload-file", "--post-file", "--body-file", "-K")):
        for place in each_place(word, scope):
            if place.secret or place.credentials:
                walk.record.say("secret_read", f"Sends a file that usually holds secrets: {place.path}.")
    for word in next_words(words, ("-o", "--output", "-O", "--output-document", "-P", "--directory-prefix")):
        if word.text and not word.text.startswith(("-", "http")):
            writes(walk.record, word, scope)


def next_words(words: list[Word], flags: tuple[str, ...]) -> list[Word]:
    """Values of those options, joined or next."""
    found: list[Word] = []
    for at, word in enumerate(words):
        text = word.values[0]
        if text in flags and at + 1 < len(words):
            found.append(words[at + 1])
        for flag in flags:
            if (
                len(text) > len(flag)
                and text.startswith(flag)
                and (not flag.startswith("--") or text[len(flag)] == "=")
            ):
                found.append(Word((text[len(flag) :].lstrip("="),), text))
    return found


def _kill(walk: Walk, words: list[Word], scope: Scope) -> None:
    targets = [
        word for word in words if not re.fullmatch(r"-(s|n|[A-Z]\w*|\d{1,2}|l|L)", word.values[0]) or word is words[-1]
    ]
    for word in targets:
        if re.fullmatch(r"-?\d+|-[A-Z]+", word.values[0]) and word is words[-1]:
            walk.record.say("foreign_process", f"Ends a process that is not its own: {word.shown}.")


def _function_named(walk: Walk, words: list[Word], scope: Scope) -> None:
    walk.record.say("environment", "Changes what a name means.")


def _rsync(walk: Walk, words: list[Word], scope: Scope) -> None:
    if any(word.values[0].startswith("--delete") or word.values[0] == "--remove-source-files" for word in words):
        walk.record.say("delete", "Deletes files while it copies.")
    if words:
        writes(walk.record, words[-1], scope)


def _database(walk: Walk, words: list[Word], scope: Scope) -> None:
    if any(_DESTRUCTIVE_SQL.search(value) for word in words for value in word.values):
        walk.record.say("database", "Changes or drops data.")


def _shred(walk: Walk, words: list[Word], scope: Scope) -> None:
    walk.record.say("destroy", "Destroys data beyond recovery.")


_EXTRA = {
    "curl": _fetch,
    "wget": _fetch,
    "http": _fetch,
    "https": _fetch,
    "aria2c": _fetch,
    "kill": _kill,
    "rsync": _rsync,
    "psql": _database,
    "mysql": _database,
    "sqlite3": _database,
    "shred": _shred,
}
