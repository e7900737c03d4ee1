"""Types of events of an agent's trail: tools, commands, files, git, models, policy, approvals, tasks, sessions."""

from __future__ import annotations

from typing import Any

from jsonl_audit.events.catalogue.entry import anything, entry, flag, integer, number, obj, text, texts, time, words
from jsonl_audit.events.kinds import EventType, Hashed, OutcomeOf

__all__ = ["TYPES"]

_DURATION = {"duration": number("in milliseconds", 812.5)}
_ERROR = {"error": anything("what went wrong", "no such file", "string|object")}
_ALLOWED = {"allow": "success", "deny": "denied", "allow_once": "success"}
_APPROVAL = {
    "approval_id": text("the same for a request and its decision", "ap-1"),
    "tool": text("the tool that wants it", "bash"),
    "approver": text("who decides, if that is not the actor", "u1"),
    "scope": text("how far it reaches", "once"),
    "expires_at": time("when it ends by itself"),
}
_MODEL = {
    "provider": text("who runs the model", "example"),
    "call_id": text("the same for a prompt and its response", "c-1"),
    "tokens_in": integer("of the prompt", 812),
    "tokens_out": integer("of the response", 96),
}
_HASH = "blake3:" + "3f9c" * 16


def _task(name: str, description: str, level: str, outcome: str, /, **optional: Any) -> EventType:
    return entry(name, description, level=level, outcome=outcome, needs=("task",), optional=optional)


def _approval(name: str, description: str, level: str, outcome: str) -> EventType:
    action = text("what is to be done", "rm -r build")
    return entry(
        name, description, level=level, retention="security", outcome=outcome,
        required={"action": action}, optional=_APPROVAL,
    )  # fmt: skip


TYPES = (
    entry(
        "tool.call", "A tool was called.",
        required={"tool": text("its name", "search")},
        optional={
            "call_id": text("of this call", "c-1"), "arguments": anything("what it was called with", {"limit": 10}),
            "input_hash": text("of what went in", _HASH), "output_hash": text("of what came out", _HASH),
            **_DURATION, **_ERROR,
        },
    ),
    entry(
        "command.run", "A command was run.",
        outcome=OutcomeOf("exit_code", {0: "success"}, "failure"),
        required={"command": anything("the command line, or its words", "make test", "string|strings")},
        optional={
            "cwd": text("the folder that it ran in", "/srv/app"), "exit_code": integer("0 is success", 0),
            "signal": text("that ended it", "SIGTERM"), "stdout_bytes": integer("how much it wrote", 2048),
            "stderr_bytes": integer("how much it wrote there", 0), **_DURATION,
        },
    ),
    entry(
        "file.modified", "A file was made, changed, moved or deleted.",
        outcome="success",
        required={"path": text("of the file", "src/app.py")},
        optional={
            "operation": words("what was done", "modified", "created", "deleted", "renamed"),
            "old_path": text("where it was before", "src/main.py"), "bytes": integer("its size now", 4096),
            "lines_added": integer("how many", 12), "lines_removed": integer("how many", 3),
            "before_hash": text("of what was in it", _HASH), "after_hash": text("of what is in it", _HASH),
        },
    ),
    entry(
        "git.operation", "A repository was read or changed by git.",
        required={"operation": text("the subcommand", "commit")},
        optional={
            "repository": text("its path or address", "app"), "branch": text("its name", "main"),
            "commit": text("its id", "5f0c3a9"), "remote": text("its name", "origin"),
            "files": integer("how many it touched", 4), **_ERROR,
        },
    ),
    entry(
        "model.prompt", "A model was asked. The text itself is not recorded: its hash, its length, its tokens are.",
        outcome="unknown", hashed=(Hashed("prompt", ("prompt", "text", "messages")),),
        required={
            "model_id": text("its name", "example-large"), "prompt_hash": text("BLAKE3 of the text", _HASH),
            "prompt_length": integer("of the text, in characters", 3240),
        },
        optional={**_MODEL, "messages_count": integer("how many turns it holds", 7)},
    ),
    entry(
        "model.response", "A model answered. The text itself is not recorded: its hash, its length, its tokens are.",
        outcome="success", hashed=(Hashed("response", ("response", "text", "completion", "output")),),
        required={
            "model_id": text("its name", "example-large"), "response_hash": text("BLAKE3 of the text", _HASH),
            "response_length": integer("of the text, in characters", 421),
        },
        optional={**_MODEL, "finish_reason": text("why it ended", "stop"), **_DURATION},
    ),
    entry(
        "policy.decision", "A policy was asked whether something may be done.",
        retention="security", outcome=OutcomeOf("decision", _ALLOWED),
        required={
            "policy": text("its name", "no-network"),
            "decision": text("allow, deny, or what else the policy can say", "deny"),
        },
        optional={
            "rule": text("the part of it that decided", "egress-1"), "tool": text("that wanted it", "curl"),
            "action": text("what was to be done", "connect"), "resource": text("to what", "example.com:443"),
        },
    ),
    _approval("approval.requested", "Somebody is asked whether something may be done.", "info", "unknown"),
    _approval("approval.granted", "It may be done.", "info", "success"),
    _approval("approval.denied", "It may not be done.", "warn", "denied"),
    entry(
        "error.raised", "Something failed.",
        level="error", outcome="error",
        required={"error": anything("what went wrong", "connection reset", "string|object")},
        optional={
            "error_type": text("its class", "ConnectionResetError"), "operation": text("what was tried", "fetch"),
            "stack": anything("where", "app.py:12", "string|array"), "retried": integer("how often", 2),
            "context": obj("what else is known", {"attempt": 3}),
        },
    ),
    _task(
        "task.created", "A task was set.", "info", "success",
        goal=text("what is to be reached", "make the tests pass"), created_by=text("who wants it", "u1"),
    ),
    _task("task.started", "Work on a task began.", "info", "unknown", goal=text("what is to be reached", "tests pass")),
    _task(
        "task.completed", "A task was done.", "info", "success",
        summary=text("what was reached", "all tests pass"), steps=integer("how many it took", 12), **_DURATION,
    ),
    _task("task.failed", "A task came to nothing.", "error", "failure", **_ERROR, **_DURATION),
    _task(
        "task.cancelled", "A task was given up.", "warn", "failure",
        by=text("who gave it up, if that was not the actor", "u1"), **_DURATION,
    ),
    entry(
        "session.started", "A session of an agent began.", outcome="success", needs=("session",),
        optional={"mode": text("how it is led", "interactive"), "version": text("of the program", "2.1.0")},
    ),
    entry(
        "session.ended", "A session of an agent ended.", outcome="success", needs=("session",),
        optional={"tasks": integer("how many it had", 3), **_DURATION},
    ),
    entry(
        "config.changed", "A setting was changed.",
        retention="security", outcome="success",
        required={"setting": text("its name", "model.temperature")},
        optional={
            "old": anything("what it was", 0.2), "new": anything("what it is", 0.7),
            "source": text("where it is set", "config.toml"),
        },
    ),
    entry(
        "redaction.applied", "Something was taken out of an event, a file or an export.",
        retention="security", outcome="success",
        required={"count": integer("how many places", 2)},
        optional={
            "kinds": obj("how many of each", {"jwt": 2}), "profile": text("the rules", "privacy"),
            "path": text("of the file, if it was one", "notes.txt"),
        },
    ),
    entry(
        "action.blocked", "Something was about to be done, and was stopped.",
        level="warn", retention="security", outcome="denied",
        required={"action": text("what was to be done", "git push --force")},
        optional={
            "policy": text("that forbids it", "protected-branches"), "rule": text("its part", "main"),
            "tool": text("that wanted it", "git"), "resource": text("to what", "origin/main"),
        },
    ),
    entry(
        "export.completed", "Records left the log in an export.",
        retention="security", outcome="success",
        required={"records": integer("how many", 1204)},
        optional={
            "path": text("of the export", "audit-jan.zip"), "format": text("json, csv, zip", "zip"),
            "bytes": integer("its size", 81920), "first_seq": integer("of the first", 1),
            "last_seq": integer("of the last", 1204), "checksum": text("of the export", _HASH),
            "filters": obj("what was asked for", {"type": "auth.*"}),
        },
    ),
    entry(
        "sync.completed", "Records were brought to another store.",
        retention="system", outcome="success",
        required={"destination": text("which", "postgres-1"), "records": integer("how many", 1204)},
        optional={
            "last_seq": integer("of the last one there", 1204), "retries": integer("how many", 0),
            "complete": flag("nothing is left to bring"), **_DURATION,
        },
    ),
    entry("custom", "Anything else: also what an event is that names no type.", optional={
        "tags": texts("words to find it by", ["nightly"]),
    }),
)  # fmt: skip
