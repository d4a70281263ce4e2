"""Pages go out compressed, files as they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.test import Client

from tests.orchestration import runs
from tests.workbench.pages import signed_in, url

pytestmark = pytest.mark.django_db
GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, br"}


@pytest.fixture
def page(tmp_path: Path) -> tuple[Client, str]:
    team = runs.make_team(tmp_path)
    run = runs.settle(runs.launch(team, "a >> b >> c"))
    return signed_in(team.ada), url(run)


def test_a_page_is_compressed_for_whoever_takes_that(page: tuple[Client, str]) -> None:
    client, address = page
    plain, packed = client.get(address), client.get(address, **GZIP)  # type: ignore[arg-type]
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert len(packed.content) < len(plain.content) / 3
    assert b"<title>" in gzip.decompress(packed.content)


def test_the_size_of_the_same_page_differs_so_that_it_tells_nothing(page: tuple[Client, str]) -> None:
    client, address = page
    sizes = {len(client.get(address, **GZIP).content) for _ in range(8)}  # type: ignore[arg-type]
    assert len(sizes) > 1


def test_a_download_is_left_as_it_is(page: tuple[Client, str]) -> None:
    client, address = page
    answer = client.get(f"{address}plan.yaml", **GZIP)  # type: ignore[arg-type]
    assert answer["Content-Disposition"].startswith("attachment")
    assert "Content-Encoding" not in answer


def test_the_api_is_left_as_it_is(page: tuple[Client, str]) -> None:
    answer = page[0].get("/api/execution/workflow-runs", **GZIP)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer
