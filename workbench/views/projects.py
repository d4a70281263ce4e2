"""Projects: the list, and what belongs to one: features, runs, members, providers, secrets, rules, health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from orchestration import features
from orchestration.engine.errors import EngineError
from orchestration.reading import finding
from policy import access, members, profiles, secrets
from policy import projects as project_changes
from policy.access import Permission
from policy.actors import Actor
from policy.errors import Invalid, PolicyError
from policy.models import Membership, Project
from policy.models.access import Role
from workbench import project_parts
from workbench.forms import FeatureForm, MemberForm, ProfileForm, SecretForm
from workbench.middleware import status_of
from workbench.project_rows import project_rows
from workbench.views.asking import actor_of, go, page, posted, show

TABS = (
    ("features", "Features"),
    ("runs", "Runs"),
    ("members", "Members"),
    ("providers", "Providers"),
    ("secrets", "Secrets"),
    ("environments", "Environments"),
    ("rules", "Rules"),
    ("health", "Health"),
)


@dataclass(frozen=True)
class Place:
    """A project, and what the person who asks may do there."""

    by: Actor
    project: Project
    role: str

    def may(self, permission: Permission) -> bool:
        return access.allows(Role(self.role), permission)

    def url(self, name: str, *args: object) -> str:
        return reverse(name, args=[self.project.slug, *args])


def place_of(request: HttpRequest, slug: str, permission: Permission = Permission.VIEW) -> Place:
    """Raises NotFound for strangers, NotAllowed for members whose role is too low."""
    by = actor_of(request)
    project = finding.find_project(by, slug)
    return Place(by, project, str(access.require(by, permission, project)))


@page()
def projects(request: HttpRequest) -> HttpResponseBase:
    rows = project_rows(access.visible_projects(actor_of(request)))
    return show(request, "workbench/projects.html", {"projects": rows})


@page()
def project(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    return _tab(request, place, "features", project_parts.board(place.project))


@page()
def runs(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    return _tab(request, place, "runs", project_parts.run_history(place.by, place.project, request.GET))


@page("GET", "POST")
def project_members(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    form = MemberForm(posted(request), initial={"role": "operator"})
    if (
        request.method == "POST"
        and form.is_valid()
        and _did(form, "username", lambda: _grant(place, form.cleaned_data))
    ):
        messages.success(request, f"{form.cleaned_data['username']} is {form.cleaned_data['role']} now.")
        _warn_of_stranded(request, place)
        return go(request, place.url("project-members"))
    parts = {**project_parts.members(place.project, place.by), "form": form}
    return _tab(request, place, "members", parts, status=422 if form.errors else 200)


def _warn_of_stranded(request: HttpRequest, place: Place) -> None:
    if count := len(members.stranded(place.project)):
        what = "1 open request" if count == 1 else f"{count} open requests"
        messages.warning(request, f"Nobody is left who may decide {what} of this project; add an approver.")


@page("POST")
def member_removal(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    place = place_of(request, slug, Permission.MANAGE)
    member = Membership.objects.filter(project=place.project, user=pk).select_related("user", "project").first()
    if member is not None:
        members.remove(member, by=place.by)
        messages.success(request, f"{member.user.get_username()} is no longer a member.")
        _warn_of_stranded(request, place)
    return go(request, place.url("project-members"))


@page()
def providers(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    return _tab(request, place, "providers", project_parts.providers(place.project))


@page("GET", "POST")
def project_secrets(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    form = SecretForm(posted(request))
    if request.method == "POST" and form.is_valid():
        name, value = form.cleaned_data["name"], form.cleaned_data["value"]
        if _did(form, "name", lambda: secrets.set_secret(place.project, name, value, place.by)):
            weak = secrets.weakness(value)
            (messages.warning if weak else messages.success)(request, f"The secret {name} is stored. {weak}".strip())
            return go(request, place.url("project-secrets"))
    parts = {**project_parts.secrets(place.project), "form": form}
    return _tab(request, place, "secrets", parts, status=422 if form.errors else 200)


@page("POST")
def secret_removal(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    place = place_of(request, slug)
    secrets.remove_secret(place.project, name, place.by)
    messages.success(request, f"The secret {name} is removed.")
    return go(request, place.url("project-secrets"))


@page("GET", "POST")
def project_environments(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Profiles: the form makes one or replaces one; `?profile=` fills it with what is there."""
    place = place_of(request, slug)
    form = ProfileForm(
        posted(request), initial=project_parts.profile_now(place.project, request.GET.get("profile", ""))
    )
    if request.method == "POST" and form.is_valid() and _did(form, "name", lambda: _set_profile(place, form)):
        messages.success(request, f"The profile {form.cleaned_data['name']} is stored.")
        return go(request, place.url("project-environments"))
    parts = {**project_parts.environments(place.project), "form": form}
    return _tab(request, place, "environments", parts, status=422 if form.errors else 200)


def _set_profile(place: Place, form: ProfileForm) -> None:
    given = form.cleaned_data
    profiles.set_profile(place.project, given["name"], env=given["env"], secrets=given["secrets"], by=place.by)


@page("POST")
def environment_removal(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    place = place_of(request, slug)
    profiles.remove_profile(place.project, name, place.by)
    messages.success(request, f"The profile {name} is removed.")
    return go(request, place.url("project-environments"))


@page()
def project_rules(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    return _tab(request, place, "rules", project_parts.rules(place.project, place.by))


@page()
def health(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug)
    return _tab(request, place, "health", project_parts.health(place.project))


@page("POST")
def project_boundary(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Whether the project's code runs in a sandbox or not at all."""
    place = place_of(request, slug, Permission.MANAGE)
    required = request.POST.get("sandbox_required") == "on"
    project_changes.change(place.project, by=place.by, sandbox_required=required)
    told = "Code of this project runs in a sandbox now, or not at all." if required else "No sandbox is required now."
    messages.success(request, told)
    return go(request, place.url("project-health"))


@page("POST")
def imports(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Read the repository's documents again."""
    place = place_of(request, slug)
    try:
        report = features.import_features(place.project, place.by)
    except PolicyError as refusal:
        if refusal.status != 422:
            raise
        messages.error(request, refusal.message)
    else:
        messages.success(request, project_parts.import_sentence(report))
    back = request.POST.get("feature", "")
    return go(request, place.url("feature", back) if back else place.url("project"))


@page("GET", "POST")
def new_feature(request: HttpRequest, slug: str) -> HttpResponseBase:
    place = place_of(request, slug, Permission.LAUNCH)
    form = FeatureForm(posted(request))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if _did(form, "slug", lambda: features.create_feature(place.project, by=place.by, **given)):
            return go(request, place.url("feature", given["slug"]))
    context = {
        "page_title": "New feature",
        "lead": "A feature made by hand has no documents yet; they join it when they name it.",
        "trail": [*_trail(place), {"label": "New feature"}],
        "form": form,
        "url": place.url("new-feature"),
        "verb": "Make the feature",
        "cancel_url": place.url("project"),
    }
    return show(request, "workbench/form_page.html", context, status=422 if form.errors else 200)


def _tab(
    request: HttpRequest, place: Place, tab: str, parts: Mapping[str, Any], *, status: int = 200
) -> HttpResponseBase:
    project = place.project
    context = {
        "project": {"name": project.name, "slug": project.slug, "path": project.path, "role": place.role},
        "trail": [{"label": "Projects", "url": reverse("projects")}, {"label": project.name}],
        "tab": tab,
        "tabs": [
            {"name": name, "label": label, "url": place.url(_url_name(name)), "selected": name == tab}
            for name, label in TABS
        ],
        "may_import": place.may(Permission.LAUNCH),
        "may_manage": place.may(Permission.MANAGE),
        "why_not": access.TOO_LOW[Permission.MANAGE],
        "import_url": place.url("project-imports"),
        "create_url": place.url("new-feature") if place.may(Permission.LAUNCH) else "",
        **parts,
    }
    return show(request, "workbench/project.html", context, status=status)


def _url_name(tab: str) -> str:
    return "project" if tab == "features" else f"project-{tab}"


def _trail(place: Place) -> list[dict[str, str]]:
    return [
        {"label": "Projects", "url": reverse("projects")},
        {"label": place.project.name, "url": place.url("project")},
    ]


def _grant(place: Place, given: Mapping[str, str]) -> None:
    access.require(place.by, Permission.MANAGE, place.project)
    user = User.objects.filter(username=given["username"].strip()).first()
    if user is None:
        raise Invalid(f"There is no person {given['username']!r}. Accounts are made in the administration.")
    members.grant(place.project, user, given["role"], by=place.by)


def _did(form: Any, field: str, effect: Callable[[], object]) -> bool:
    """Do it; a value that can't be used comes back at its field. What is not allowed, or can't be written, goes up."""
    try:
        effect()
    except (PolicyError, EngineError) as refusal:
        if status_of(refusal) not in (409, 422):
            raise
        named = getattr(refusal, "details", {}).get("field", field)
        form.add_error(named if named in form.fields else field, str(refusal))
        return False
    return True
