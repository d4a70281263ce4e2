"""Pages and sockets, one list per resource."""

from typing import Any

from django.urls import path

from workbench.run_urls import urlpatterns as run_urls
from workbench.run_urls import websocket_urlpatterns
from workbench.views import account, documents, features, home, plans, projects, provider_settings, rules, workflows

__all__ = ["urlpatterns", "websocket_urlpatterns"]

home_urls = [
    path("", home.home, name="home"),
]
account_urls = [
    path("account/", account.account, name="account"),
    path("account/tokens/", account.make_token, name="tokens"),
    path("account/tokens/<int:pk>/revocation/", account.revoke_token, name="token-revocation"),
    path("accounts/password/", account.change_password, name="password"),
]
project_urls = [
    path("projects/", projects.projects, name="projects"),
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/runs/", projects.runs, name="project-runs"),
    path("projects/<slug:slug>/members/", projects.project_members, name="project-members"),
    path("projects/<slug:slug>/members/<int:pk>/removal/", projects.member_removal, name="member-removal"),
    path("projects/<slug:slug>/providers/", projects.providers, name="project-providers"),
    path("projects/<slug:slug>/providers/<slug:name>/", provider_settings.provider, name="project-provider"),
    path("projects/<slug:slug>/providers/<slug:name>/test/", provider_settings.connection, name="provider-test"),
    path("projects/<slug:slug>/providers/<slug:name>/removal/", provider_settings.removal, name="provider-removal"),
    path("projects/<slug:slug>/secrets/", projects.project_secrets, name="project-secrets"),
    path("projects/<slug:slug>/secrets/<slug:name>/removal/", projects.secret_removal, name="secret-removal"),
    path("projects/<slug:slug>/environments/", projects.project_environments, name="project-environments"),
    path(
        "projects/<slug:slug>/environments/<slug:name>/removal/",
        projects.environment_removal,
        name="environment-removal",
    ),
    path("projects/<slug:slug>/rules/", projects.project_rules, name="project-rules"),
    path("projects/<slug:slug>/rules/trial/", rules.rule_trial, name="rule-trial"),
    path("projects/<slug:slug>/health/", projects.health, name="project-health"),
    path("projects/<slug:slug>/boundary/", projects.project_boundary, name="project-boundary"),
    path("projects/<slug:slug>/imports/", projects.imports, name="project-imports"),
    path("projects/<slug:slug>/new-feature/", projects.new_feature, name="new-feature"),
]
feature_urls = [
    path("projects/<slug:slug>/features/<slug:feature>/", features.feature, name="feature"),
    path("projects/<slug:slug>/features/<slug:feature>/runs/", features.single, name="single-runs"),
    path("projects/<slug:slug>/features/<slug:feature>/preview/", features.preview, name="single-preview"),
    path("projects/<slug:slug>/features/<slug:feature>/workflows/", features.orchestration, name="workflows"),
    path("projects/<slug:slug>/features/<slug:feature>/documents/<int:pk>/", documents.document, name="document"),
]
workflow_urls = [
    path("projects/<slug:slug>/features/<slug:feature>/workflows/new/", plans.new_workflow, name="new-workflow"),
    path("projects/<slug:slug>/features/<slug:feature>/workflows/draft/", plans.draft_workflow, name="draft-workflow"),
    path(
        "projects/<slug:slug>/features/<slug:feature>/workflows/import/", plans.import_workflow, name="import-workflow"
    ),
    path("projects/<slug:slug>/features/<slug:feature>/workflows/check/", plans.check, name="check-workflow"),
    path("projects/<slug:slug>/workflows/<uuid:pk>/", plans.workflow, name="workflow"),
    path("projects/<slug:slug>/workflows/<uuid:pk>/launch/", workflows.launch, name="workflow-launch"),
    path("projects/<slug:slug>/workflows/<uuid:pk>/versions/", workflows.versions, name="workflow-versions"),
    path(
        "projects/<slug:slug>/workflows/<uuid:pk>/versions/<int:start>/<int:end>/",
        workflows.versions,
        name="workflow-diff",
    ),
    path(
        "projects/<slug:slug>/workflows/<uuid:pk>/versions/<int:number>/plan.yaml", plans.export, name="workflow-export"
    ),
]

urlpatterns: list[Any] = [*home_urls, *account_urls, *project_urls, *feature_urls, *workflow_urls, *run_urls]
