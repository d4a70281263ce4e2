"""Where runs, decisions, artifacts and reports are found. The live channel's address is here, too."""

from typing import Any

from django.urls import path, re_path

from workbench.consumers import RunConsumer
from workbench.views import approvals, artifacts, replan, reports, run_actions, run_logs, runs

RUN = "projects/<slug:slug>/runs/<int:number>/"
ACTIONS = "|".join(run_actions.DEEDS)
FORMS = "|".join(reports.TYPES)

page_urls = [
    path(RUN, runs.run, name="run"),
    path(f"{RUN}live/", runs.live, name="run-live"),
    path(f"{RUN}seen/", runs.seen, name="run-seen"),
    path(f"{RUN}plan.yaml", runs.plan, name="run-plan"),
]
log_urls = [
    path(f"{RUN}steps/<slug:key>/log/lines/", run_logs.log_lines, name="log-lines"),
    path(f"{RUN}steps/<slug:key>/log/search/", run_logs.log_search, name="log-search"),
    path(f"{RUN}steps/<slug:key>/log/raw/", run_logs.log_raw, name="log-raw"),
]
action_urls = [
    path(f"{RUN}reconciliation/", run_actions.reconciliation, name="run-reconciliation"),
    path(f"{RUN}replan/", replan.replan, name="replan"),
    re_path(
        rf"^projects/(?P<slug>[-\w]+)/runs/(?P<number>[0-9]+)/actions/(?P<action>{ACTIONS})/$",
        run_actions.run_action,
        name="run-action",
    ),
    path(f"{RUN}approvals/<uuid:approval_id>/decision/", approvals.decision, name="decision"),
]
result_urls = [
    path(f"{RUN}artifacts/<uuid:artifact_id>/", artifacts.artifact, name="artifact"),
    path(f"{RUN}report/", reports.report, name="report"),
    re_path(
        rf"^projects/(?P<slug>[-\w]+)/runs/(?P<number>[0-9]+)/report\.(?P<form>{FORMS})$",
        reports.report_file,
        name="report-file",
    ),
]
inbox_urls = [
    path("approvals/", approvals.approvals, name="approvals"),
]

urlpatterns: list[Any] = [*page_urls, *log_urls, *action_urls, *result_urls, *inbox_urls]
websocket_urlpatterns: list[Any] = [
    re_path(r"^ws/workflow-runs/(?P<run_id>[^/]{1,64})/$", RunConsumer.as_asgi()),
]
