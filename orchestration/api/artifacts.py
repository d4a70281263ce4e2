"""What steps left: told of, and handed out as a download that no browser runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from ninja import Router

from orchestration.api import artifact_answers as shapes
from orchestration.api.auth import asker
from orchestration.api.problems import answers
from orchestration.api.refusals import ContentGone
from orchestration.api.rendering import Answer
from orchestration.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from orchestration.models import Artifact
from orchestration.reading import artifacts, finding

router = Router(tags=["Artifacts"])
CHUNK = 256 * 1024
DOWNLOAD = "application/octet-stream"
# Whatever the bytes are, they are saved, never shown on our own origin.
HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
BINARY = {"responses": {200: {"content": {DOWNLOAD: {"schema": {"type": "string", "format": "binary"}}}}}}


@router.get("/{artifact_id}", response=answers(shapes.Artifact, 404), operation_id="get_artifact")
def get_artifact(request: HttpRequest, artifact_id: str) -> Answer:
    """An artifact: hash, size, the step and attempt that left it, what it was made from and what rests on it."""
    found = finding.find_artifact(asker(request), artifact_id)
    return Answer(artifacts.artifacts_data(found.run, [found])[0])


@router.get(
    "/{artifact_id}/content",
    response=answers(None, 404, 410),
    operation_id="get_artifact_content",
    openapi_extra=BINARY,
)
def get_artifact_content(request: HttpRequest, artifact_id: str) -> HttpResponseBase:
    """The bytes, checked against their hash before the first one is sent."""
    found = finding.find_artifact(asker(request), artifact_id)
    file = _opened(found)
    chunks = _chunks_async(file) if isinstance(request, ASGIRequest) else _chunks(file)
    response = StreamingHttpResponse(chunks, content_type=DOWNLOAD, headers=HEADERS)
    response["Content-Length"] = str(found.size)
    response["Content-Disposition"] = content_disposition_header(True, _file_name(found)) or "attachment"
    response["ETag"] = f'"{found.sha256}"'
    return response


def _opened(artifact: Artifact) -> BinaryIO:
    store = ArtifactStore(Path(settings.ARTIFACTS_DIR))
    try:
        store.verify(artifact.sha256, artifact.size)
        return store.open(artifact.sha256)
    except (ArtifactMissing, ArtifactDamaged) as error:
        raise ContentGone(str(error)) from error


def _file_name(artifact: Artifact) -> str:
    """What a step called it, without folders and characters that steer a terminal or a browser."""
    name = Path(artifact.path or artifact.name).name
    return "".join(letter for letter in name if letter.isprintable()) or "artifact"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


async def _chunks_async(file: BinaryIO) -> AsyncIterator[bytes]:
    """A plain iterator would be read to its end before the first byte is sent."""
    with file:
        while chunk := await sync_to_async(file.read, thread_sensitive=False)(CHUNK):
            yield chunk
