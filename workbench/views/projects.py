"""Projects: the list, and what belongs to one: features, runs, members, secrets, rules, health."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from policy import access
from workbench.project_rows import project_rows
from workbench.views.asking import actor_of, page, show


@page()
def projects(request: HttpRequest) -> HttpResponseBase:
    rows = project_rows(access.visible_projects(actor_of(request)))
    return show(request, "workbench/projects.html", {"projects": rows})
