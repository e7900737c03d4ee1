"""Types of events of an assistant: what it asked permission for, which tools it ran, what its tasks came to."""

from __future__ import annotations

from jsonl_audit.events.catalogue.entry import anything, entry, flag, integer, number, text, texts, words
from jsonl_audit.events.kinds import OutcomeOf

__all__ = ["TYPES"]

_TOOL = {"tool": text("its name", "files.write")}
_SUCCESS = {"success": flag("whether it went well")}
_DURATION = {"duration": number("in milliseconds", 812.5)}
_BY_SUCCESS = OutcomeOf("success", {True: "success", False: "failure"})
_ARTIFACTS = {"artifacts": anything("references to what it made", [], "array")}
_DECIDED = {"allow": "success", "allow_once": "success", "deny": "denied"}

TYPES = (
    entry(
        "permission.request", "The assistant asks whether it may use a tool.",
        retention="security", outcome="unknown",
        required={
            **_TOOL, "action": text("what it wants to do", "write"), "reason": text("why", "to save the summary"),
            "risks": texts("what may go wrong", ["overwrites a file"]), "reversible": flag("whether it can be undone"),
        },
    ),
    entry(
        "permission.decision", "The person decided.",
        retention="security", outcome=OutcomeOf("decision", _DECIDED),
        required={**_TOOL, "decision": words("what was decided", "allow", "deny", "allow_once")},
        optional={"reason": text("why", "not today")},
    ),
    entry(
        "tool.execute", "A tool was run.",
        outcome=_BY_SUCCESS,
        required={**_TOOL, "input": anything("what went in", {"limit": 10}), **_DURATION, **_SUCCESS},
        optional={"error": anything("what went wrong", "no such file", "string|object"), **_ARTIFACTS},
    ),
    entry(
        "tool.result", "What a tool gave back.",
        outcome=_BY_SUCCESS,
        required={**_TOOL, **_SUCCESS, **_DURATION},
        optional={"output": anything("what came out", {"found": 3}), **_ARTIFACTS},
    ),
    entry(
        "task.start", "The assistant began a task.",
        outcome="unknown",
        required={
            "taskId": text("of the task", "t-1"), "input": anything("what it was asked", "sort my notes"),
            "trustLevel": anything("how far it may go by itself", "ask", "string|number"),
        },
    ),
    entry(
        "task.complete", "The assistant ended a task.",
        outcome=_BY_SUCCESS,
        required={
            "taskId": text("of the task", "t-1"), "steps": anything("how many it took, or which", 12, "integer|array"),
            **_DURATION, "summary": text("what was reached", "notes sorted"), **_SUCCESS,
        },
    ),
    entry(
        "system.start", "A component came up.",
        retention="system", outcome="success",
        required={
            "component": text("its name", "gateway"), "version": anything("of it", "2.1.0", "string|number"),
            "port": integer("that it listens on", 8080),
        },
        optional={"profileId": anything("the profile that it runs for", "p-1", "string|integer")},
    ),
    entry(
        "system.error", "A component failed.",
        level="error", retention="system", outcome="error",
        required={
            "component": text("its name", "gateway"),
            "error": anything("what went wrong", "port in use", "string|object"),
        },
        optional={
            "stack": anything("where", "gateway.py:12", "string|array"),
            "context": anything("what else is known", {"port": 8080}),
        },
    ),
)  # fmt: skip
