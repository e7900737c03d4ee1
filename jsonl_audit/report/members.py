"""The report as one JSON object, for programs; it holds all that the page holds, and every finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from jsonl_audit.report import words
from jsonl_audit.report.steps import extraction, steps
from jsonl_audit.visible import visible

if TYPE_CHECKING:
    from jsonl_audit.report.examination import Examination

__all__ = ["as_json", "members"]


def members(found: Examination) -> dict[str, Any]:
    """The object. Paths that are no UTF-8 hold lone surrogates, as Python has them."""
    plain = words.plain(found.report, found.refusal)
    shown = {exhibit.number: exhibit.to_dict() for exhibit in found.exhibits}
    return {
        "kind": "jsonl-audit-report",
        "version": 1,
        "verdict": found.verdict,
        "exit": found.exit_code,
        "made": found.made,
        "seconds": round(found.seconds, 3),
        "command": found.command,
        "by": found.by,
        "path": found.path,
        "folder": found.folder,
        "log": found.log,
        "words": plain._asdict(),
        "verification": None if found.report is None else {**found.report.to_dict(), "findings": None},
        "files": [each.to_dict() for each in found.files],
        "timeline": {
            "segments": [span.to_dict() for span in found.spans],
            "events": [event.to_dict() for event in found.events],
            "more_events": found.more_events,
        },
        "findings": [
            {"number": number, **finding.to_dict(), "id": finding.id, **shown.get(number, {})}
            for number, finding in enumerate(found.findings, 1)
        ],
        "custody": {
            "steps": steps("report.json"),
            "extract": extraction("report.json"),
            "script_blake3": blake3(found.script.encode()).hexdigest(),
            "script": found.script.splitlines(),
        },
    }


def as_json(found: Examination) -> str:
    """The object as text, in ASCII, so that nothing in it steers a terminal."""
    return json.dumps(members(found), indent=1, default=visible).replace("\x7f", "\\u007f") + "\n"
