"""Report and artifacts: what stands on their pages, and files that can be checked."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from orchestration.artifacts import ArtifactStore
from orchestration.models import Artifact, WorkflowRun
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


def finished(team: Team) -> WorkflowRun:
    run = pages.blocked(team)
    runs.decide(team, run, "gate")
    return runs.settle(run)


def artifact(run: WorkflowRun, key: str, data: bytes, **more: Any) -> Artifact:
    kept = ArtifactStore(Path(settings.ARTIFACTS_DIR)).put(data)
    step = runs.step_of(run, key)
    assert step.execution_run is not None
    return Artifact.objects.create(
        run=run,
        step_run=step,
        attempt=step.execution_run,
        sha256=kept.sha256,
        size=kept.size,
        created_at=timezone.now(),
        **{"name": "notes.txt", "kind": "file", **more},
    )


def test_the_report_tells_who_decided_and_why(team: Team) -> None:
    run = finished(team)
    text = text_of(signed_in(team.linus).get(url(run, "report/")))
    assert f"approved by {team.grace.username}" in text
    assert "I looked." in text
    assert "Succeeded" in text


def test_a_report_of_a_run_that_goes_on_can_be_read_as_well(team: Team) -> None:
    assert signed_in(team.linus).get(url(pages.blocked(team), "report/")).status_code == 200


def test_the_same_report_is_the_same_bytes(team: Team) -> None:
    run, client = finished(team), signed_in(team.linus)
    for form in ("json", "md", "zip"):
        first, second = (client.get(url(run, f"report.{form}")) for _ in range(2))
        assert first.content == second.content
        assert "attachment" in first["Content-Disposition"]


def test_the_zip_carries_checksums_that_hold(team: Team) -> None:
    packed = zipfile.ZipFile(io.BytesIO(signed_in(team.linus).get(url(finished(team), "report.zip")).content))
    sums = dict(reversed(line.split("  ")) for line in packed.read("SHA256SUMS").decode().splitlines())  # type: ignore[misc]
    assert set(sums) == set(packed.namelist()) - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256(packed.read(name)).hexdigest() == digest
    manifest = json.loads(packed.read("manifest.json"))
    assert {file["name"] for file in manifest["files"]} == {"report.json", "report.md", "report.html"}


def test_an_artifact_shows_where_it_comes_from_and_what_used_it(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build >> ship"))
    built, shipped = artifact(run, "build", b"hello\n"), artifact(run, "ship", b"receipt\n", name="receipt.txt")
    page = signed_in(team.linus).get(url(run, f"artifacts/{built.pk}/"))
    assert "hello" in text_of(page)
    assert url(run, f"artifacts/{shipped.pk}/") in page.content.decode()
    back = signed_in(team.linus).get(url(run, f"artifacts/{shipped.pk}/")).content.decode()
    assert url(run, f"artifacts/{built.pk}/") in back


def test_an_artifact_is_shown_as_text_or_not_at_all(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))
    page = artifact(run, "build", b"<script>alert(1)</script>", name="page.html", media_type="text/html")
    binary = artifact(run, "build", b"\x00\x01\x02", name="data.bin")
    client = signed_in(team.linus)
    assert "<script>alert" not in client.get(url(run, f"artifacts/{page.pk}/")).content.decode()
    assert "can't be shown safely" in text_of(client.get(url(run, f"artifacts/{binary.pk}/")))


def test_artifacts_are_closed_to_strangers_and_to_other_runs(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))
    other = runs.settle(runs.launch(team, "build"))
    found = artifact(run, "build", b"hello\n")
    assert signed_in(UserFactory()).get(url(run, f"artifacts/{found.pk}/")).status_code == 404
    assert signed_in(team.linus).get(url(other, f"artifacts/{found.pk}/")).status_code == 404


def test_an_artifact_whose_bytes_are_gone_still_has_its_page(team: Team) -> None:
    run = runs.settle(runs.launch(team, "build"))
    found = artifact(run, "build", b"hello\n")
    Artifact.objects.filter(pk=found.pk).update(sha256="a" * 64)
    assert signed_in(team.linus).get(url(run, f"artifacts/{found.pk}/")).status_code == 200


# logs


def test_the_raw_log_is_a_download_of_plain_text(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    runs.start(run, "build")
    pages.say(run, "build", "one\n\x1b[31mtwo\x1b[0m\nthree")
    answer = signed_in(team.linus).get(url(run, "steps/build/log/raw/"))
    assert b"".join(answer.streaming_content) == b"one\n\x1b[31mtwo\x1b[0m\nthree"  # type: ignore[attr-defined]
    assert answer["Content-Type"].startswith("text/plain")
    assert "attachment" in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_lines_keep_their_numbers_wherever_the_window_begins(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    assignment = runs.start(run, "build")
    assert assignment is not None
    text = "".join(f"line {n}\n" for n in range(1, 40))
    for start in range(0, len(text), 23):
        pages.say(run, "build", text[start : start + 23])
    client = signed_in(team.linus)
    for first, count in ((1, 5), (2, 1), (17, 9), (39, 5)):
        answer = client.get(url(run, "steps/build/log/lines/"), {"after": first - 1, "limit": count}).content.decode()
        expected = range(first, min(39, first + count - 1) + 1)
        assert [f'id="L{n}"' in answer and f">line {n}<" in answer for n in expected] == [True] * len(expected)
    before = client.get(url(run, "steps/build/log/lines/"), {"before": 10, "limit": 3}).content.decode()
    assert 'data-first="7" data-last="9"' in before


def test_a_line_that_is_not_ended_is_shown_when_the_attempt_is(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    assignment = runs.start(run, "build")
    assert assignment is not None
    pages.say(run, "build", "whole\nhalf")
    client = signed_in(team.linus)
    assert "half" not in client.get(url(run, "steps/build/log/lines/")).content.decode()
    runs.finish(assignment)
    assert "half" in client.get(url(run, "steps/build/log/lines/")).content.decode()


def test_a_search_counts_all_hits_and_shows_where(team: Team) -> None:
    run = runs.launch(team, "build >> ship")
    runs.start(run, "build")
    pages.say(run, "build", "".join(f"row {n} {'ERROR' if n % 3 == 0 else 'fine'}\n" for n in range(1, 1001)))
    client = signed_in(team.linus)
    hits = client.get(url(run, "steps/build/log/search/"), {"q": "error"}, **pages.HTMX)  # type: ignore[arg-type]
    assert "333 lines with “error”, the first 200 shown" in text_of(hits)
    page = client.get(url(run, "steps/build/log/search/"), {"q": "error"})
    assert "333 lines with “error”" in text_of(page)
    pages.say(run, "build", "\x1b[1mbold\x1b[0m words\n")
    seen = client.get(url(run, "steps/build/log/search/"), {"q": "bold words"}, **pages.HTMX)  # type: ignore[arg-type]
    assert "1 line with “bold words” 1001 bold words" in text_of(seen)
    assert "0 lines" in text_of(client.get(url(run, "steps/build/log/search/"), {"q": "<nowhere>"}, **pages.HTMX))  # type: ignore[arg-type]
