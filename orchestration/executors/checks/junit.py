"""A test report in JUnit's XML: how many of its tests failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from orchestration.executors.checks.files import read_document
from orchestration.workspace import Workspace

READ_BYTES = 16 * 1024 * 1024


def inspect_junit(check: Mapping[str, Any], workspace: Workspace, _: Mapping[str, Any]) -> str:
    path, allowed = check["path"], int(check.get("max_failures") or 0)
    data = read_document(workspace, path, READ_BYTES)
    try:
        report = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        return f"{path} is no readable test report: {type(error).__name__}."
    cases = [item for item in report.iter() if _tag(item) == "testcase"]
    if not cases:
        return f"{path} holds no tests; an empty report proves nothing."
    failed = [_name(case) for case in cases if any(_tag(part) in ("failure", "error") for part in case)]
    if len(failed) <= allowed:
        return ""
    return f"{len(failed)} of {len(cases)} tests failed, {allowed} may: {', '.join(failed[:5])}."


def _tag(item: Element) -> str:
    return item.tag.rpartition("}")[2]


def _name(case: Element) -> str:
    words = ".".join(filter(None, (case.get("classname"), case.get("name"))))
    return (words or "a test without a name")[:100]
