"""The report as a zip: every form of it, a manifest, and the checksums of both. The same bytes for the same report."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from orchestration import reports

FORMS = ("json", "md", "html")
EPOCH = (1980, 1, 1, 0, 0, 0)


def zipped(report: Mapping[str, Any]) -> bytes:
    files = {f"report.{form}": reports.written(report, form) for form in FORMS}
    files["manifest.json"] = _manifest(report, files)
    files["SHA256SUMS"] = "".join(f"{_digest(data)}  {name}\n" for name, data in files.items()).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(_entry(name), data)
    return packed.getvalue()


def _manifest(report: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    run = report["run"]
    told = {
        "report_version": report["report_version"],
        "run": {name: run[name] for name in ("id", "number", "project", "feature", "state")},
        "events": report["events"],
        "audit": report["audit"],
        "files": [{"name": name, "size": len(data), "sha256": _digest(data)} for name, data in files.items()],
        "artifacts": [
            {name: one[name] for name in ("name", "size", "sha256", "step_key")} for one in report["artifacts"]
        ],
    }
    return (json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
