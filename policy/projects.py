"""Registers the folders that runs work on. A path is an admin's promise, so it is looked at closely.

Its device and inode are recorded: a path that was swapped for another folder is refused when a run starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from policy import access, audit
from policy.actors import Actor
from policy.errors import Invalid, NotAllowed
from policy.models import Project

OF_THE_SYSTEM = (
    "bin boot dev etc home lib lib64 mnt opt proc root run sbin srv sys tmp usr usr/bin usr/lib usr/local var var/lib "
    "var/log var/tmp Applications Library System Users Volumes private private/etc private/tmp private/var"
)
SYSTEM_FOLDERS = frozenset(Path("/", name) for name in OF_THE_SYSTEM.split())
CHANGEABLE = (
    "name",
    "max_active_runs",
    "max_running_steps",
    "sandbox_required",
    "allow_instructions",
    "budget_day_usd",
    "budget_day_tokens",
)


def register(slug: str, *, path: str | Path, name: str = "", by: Actor, **options: Any) -> Project:
    """A new project on an existing folder. Only the installation's owner or a superuser may say which folders."""
    if not by.owns_installation and not by.is_superuser:
        raise NotAllowed("Only a superuser may register a project, because it opens a folder of this machine.")
    folder = checked_folder(path)
    found = folder.stat()
    project = Project(
        slug=slug, name=name or slug, path=str(folder), device=found.st_dev, inode=found.st_ino, **options
    )
    _validate(project)
    with transaction.atomic():
        project.save(force_insert=True)
        audit.append(
            "project.created", actor=by, project=slug, subject=f"project:{project.pk}", after=_described(project)
        )
    return project


def change(project: Project, *, by: Actor, reason: str = "", **changes: Any) -> Project:
    """Change limits and names; the slug and the folder stay what they are."""
    access.require(by, access.Permission.MANAGE, project)
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise Invalid(f"{', '.join(unknown)} can't be changed.")
    with transaction.atomic():
        stored = Project.objects.select_for_update().get(pk=project.pk)
        before = {key: getattr(stored, key) for key in changes if getattr(stored, key) != changes[key]}
        for key in before:
            setattr(stored, key, changes[key])
        _validate(stored)
        if before:
            _renew_rules(stored, before)
            stored.save(update_fields=[*before, "rules_revision"])
            after = {key: changes[key] for key in before}
            audit.append(
                "project.changed",
                actor=by,
                project=stored.slug,
                subject=f"project:{stored.pk}",
                before=before,
                after=after,
                reason=reason,
            )
    return stored


def _renew_rules(project: Project, changed: Iterable[str]) -> None:
    """What the rules are told of changes with this: no step starts under what was believed before."""
    if "sandbox_required" in changed:
        project.rules_revision += 1


def checked_folder(path: str | Path) -> Path:
    """The real folder behind the path, if a project may stand on it."""
    if "\0" in str(path):
        raise Invalid("A path can't hold a NUL character.")
    try:
        folder = Path(path).expanduser().resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"There is no folder {path}.") from None
    if not folder.is_dir():
        raise Invalid(f"{folder} is not a folder.")
    _refuse_wide(folder)
    _refuse_own_data(folder)
    _refuse_nested(folder)
    return folder


def _refuse_wide(folder: Path) -> None:
    if folder.parent == folder:
        raise Invalid("The root of the file system can't be a project.")
    if folder in SYSTEM_FOLDERS or folder.is_relative_to("/proc") or folder.is_relative_to("/dev"):
        raise Invalid(f"{folder} belongs to the system; choose the repository itself.")
    if Path.home().is_relative_to(folder):
        raise Invalid(f"{folder} holds a whole home folder; choose the repository itself.")


def _refuse_own_data(folder: Path) -> None:
    """A git project may hold the data folder, as runs have their worktrees; a plain folder is used as it is."""
    data = Path(settings.DATA_DIR)
    ours = (settings.ARTIFACTS_DIR, settings.SPOOL_DIR, settings.WORKTREES_DIR)
    holds_data = data.is_relative_to(folder) and (folder == data or not (folder / ".git").exists())
    if holds_data or any(folder.is_relative_to(place) for place in ours):
        raise Invalid(f"{folder} holds this installation's own data; choose another folder.")


def _refuse_nested(folder: Path) -> None:
    for slug, taken in Project.objects.values_list("slug", "path"):
        other = Path(taken)
        if folder == other or other in folder.parents or folder in other.parents:
            raise Invalid(f"{folder} overlaps the folder of project {slug}, {other}.")


def _validate(project: Project) -> None:
    try:
        project.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(f"{field}: {' '.join(messages)}", field=field) from None


def _described(project: Project) -> dict[str, object]:
    return {key: getattr(project, key) for key in ("slug", "path", "device", "inode", *CHANGEABLE)}
