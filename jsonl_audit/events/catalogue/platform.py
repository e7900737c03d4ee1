"""Types of events of an agent platform's store: runs, tools, models, workspaces, chats, configuration."""

from __future__ import annotations

from typing import Any

from jsonl_audit.events.catalogue.entry import anything, entry, flag, integer, obj, text, time
from jsonl_audit.events.kinds import EventType, Hashed, OutcomeOf

__all__ = ["TYPES"]

_HASH = "blake3:" + "3f9c" * 16
_STATUS = {
    "completed": "success", "succeeded": "success", "done": "success", "success": "success",
    "failed": "failure", "error": "error", "cancelled": "failure", "canceled": "failure",
}  # fmt: skip


def _config(what: str, example: dict[str, Any]) -> EventType:
    return entry(
        f"config.{what}", f"A {what} was set up, changed or removed.",
        retention="security", outcome="success",
        required={"name": text(f"of the {what}", f"my-{what}")},
        optional={
            "settings": obj("all settings, in place of what there was", example),
            "changes": obj("settings to change; null removes one", {"timeout": 30}),
            "enabled": flag("whether it is in use"), "removed": flag("whether it is gone", False),
        },
    )  # fmt: skip


TYPES = (
    entry(
        "task.run", "The state of a task's run.",
        outcome=OutcomeOf("status", _STATUS),
        required={
            "id": anything("of the run", "run-1", "string|integer"),
            "goal": text("what is to be reached", "tests pass"),
            "status": text("running, completed, failed, cancelled, or another word", "running"),
        },
        optional={"started_at": time("when it began"), "ended_at": time("when it ended", "2026-11-21T10:21:12Z")},
    ),
    entry(
        "tool.event", "A tool was used. What went in and came out is not recorded: its hashes are.",
        hashed=(Hashed("input", ("input",)), Hashed("output", ("output",))),
        required={
            "tool_id": anything("of the tool", "search", "string|integer"), "action": text("what it did", "query"),
            "input_hash": text("BLAKE3 of what went in", _HASH),
        },
        optional={
            "output_hash": text("BLAKE3 of what came out", _HASH), "input_length": integer("in characters", 96),
            "output_length": integer("in characters", 2048),
        },
    ),
    entry(
        "model.event", "A model was used.",
        required={
            "provider": text("who runs the model", "example"), "model_id": text("its name", "example-large"),
            "tokens_in": integer("of the prompt", 812), "tokens_out": integer("of the response", 96),
        },
    ),
    entry(
        "workspace.event", "Something happened in a workspace.",
        required={
            "session_id": anything("of the session", "s-1", "string|integer"),
            "kind": text("what happened", "file_opened"),
        },
        optional={"approval_id": anything("the approval that it goes by", "ap-1", "string|integer")},
    ),
    entry(
        "chat.message", "A message of a chat.",
        outcome="success", needs=("session",),
        required={
            "role": text("who speaks: user, assistant, system, tool", "user"),
            "content": anything("a text, parts, or a reference to an artifact", "hello", "string|array|object"),
        },
        optional={
            "message_id": anything("of the message", "m-1", "string|integer"),
            "replaces": anything("the message that it stands in place of", "m-0", "string|integer"),
            "model_id": text("that wrote it", "example-large"),
        },
    ),
    _config("tool", {"timeout": 10, "sandbox": True}),
    _config("provider", {"base_url": "https://models.example", "region": "eu"}),
    _config("model", {"temperature": 0.2, "max_output": 4096}),
)  # fmt: skip
