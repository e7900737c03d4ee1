"""What the events of a log add up to: runs of tasks, uses of tools and models, chats, the configuration that holds.

Each function takes a log (an AuditLog, or a path) and the filters of :func:`~jsonl_audit.query` but `type`; with
`until` it says what was so then. Records of older versions count as what their upgrade makes of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jsonl_audit.accessed import query
from jsonl_audit.events.prepare import elsewhere, spellings
from jsonl_audit.events.upgrades import outcome_of_success
from jsonl_audit.events.versions import upgraded
from jsonl_audit.reader.fields import values_of

__all__ = [
    "ChatMessage",
    "Configured",
    "ModelEvent",
    "TaskRun",
    "ToolEvent",
    "WorkspaceEvent",
    "chat",
    "configuration",
    "model_events",
    "task_runs",
    "tool_events",
    "workspace_events",
]


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task. A task that is begun again after it ended is another run of the same id."""

    id: str | int
    goal: str | None = None
    status: str = "running"
    """``created``, ``running``, ``completed``, ``failed``, ``cancelled``, or the word that a `task.run` says."""
    started_at: str | None = None
    """When it began: as the event says, else when that happened. RFC 3339, or a number if the event has one."""
    ended_at: str | None = None
    outcome: str = "unknown"
    summary: str | None = None
    first_seq: int = 0
    last_seq: int = 0
    """seq of the first and of the last record that says something of it."""

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class _Happened:
    """What each of the events says that are not folded."""

    seq: int
    time: str
    """When it happened: `time`, else `ts`."""
    outcome: str | None
    task: str | int | None
    session: str | int | None


@dataclass(frozen=True, slots=True)
class ToolEvent(_Happened):
    """A tool was used. What went in and came out is known by its hash alone."""

    tool_id: str | int | None
    action: str
    input_hash: str | None
    output_hash: str | None


@dataclass(frozen=True, slots=True)
class ModelEvent(_Happened):
    """A model was used."""

    provider: str | None
    model_id: str | None
    tokens_in: int | None
    tokens_out: int | None


@dataclass(frozen=True, slots=True)
class WorkspaceEvent(_Happened):
    """Something happened in a workspace."""

    session_id: str | int | None
    kind: str | None
    approval_id: str | int | None


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message as it stands now."""

    seq: int
    time: str
    session: str | int | None
    role: str | None
    content: Any
    message_id: str | int | None = None
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Configured:
    """What is set up now: a tool, a provider, a model."""

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    enabled: bool = True
    seq: int = 0
    time: str = ""
    """Of the last change."""


_RUNS = ("run", "start", "complete", "created", "started", "completed", "failed", "cancelled")
_STATUS = {
    "start": "running", "started": "running", "created": "created",
    "completed": "completed", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip
_OVER = frozenset(("completed", "complete", "succeeded", "success", "done", "failed", "error", "cancelled", "canceled"))


def task_runs(log: Any, **filters: Any) -> list[TaskRun]:
    """The runs of tasks, oldest first; one that never ended says `running`.

    Of `task.run`; of `task.start` and `task.complete`; and of `task.created`, `.started`, `.completed`, `.failed` and
    `.cancelled`: they may tell of the same task. Memory grows with the number of runs, not of records.

    Raises as :func:`~jsonl_audit.query` does.

    >>> from jsonl_audit import AuditLog, events
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append({"type": "task.start", "details": {"taskId": "t-1", "input": "tidy", "trustLevel": 1}})
    ...     receipt = log.append({"type": "task.started", "task": "t-2"})
    ...     receipt = log.append({"type": "task.completed", "task": "t-1", "outcome": "success"})
    >>> [(run.id, run.goal, run.status) for run in task_runs("audit.jsonl")]
    [('t-1', 'tidy', 'completed'), ('t-2', None, 'running')]
    """
    runs: list[TaskRun] = []
    newest: dict[Any, int] = {}
    for record in _records(log, [f"task.{word}" for word in _RUNS], filters):
        own = _said(record, "id", "taskId") if record["type"] == "task.run" else _said(record, "taskId")
        if own is None or isinstance(own, (dict, list)):
            continue
        word = record["type"].partition(".")[2]
        at = newest.get(own)
        begins = word in ("run", "start", "created", "started") and not _is_over(record, word)
        if at is None or (runs[at].ended and begins):
            at = newest[own] = len(runs)
            runs.append(TaskRun(own, status="running", first_seq=record["seq"]))
        runs[at] = _told(runs[at], record, word)
    return runs


def _is_over(record: dict[str, Any], word: str) -> bool:
    return word == "run" and (_said(record, "status") in _OVER or _said(record, "ended_at") is not None)


def _told(run: TaskRun, record: dict[str, Any], word: str) -> TaskRun:
    """A run, with what one more record says of it."""
    time, outcome = _time(record), _outcome(record)
    goal = _said(record, "goal") or (_said(record, "input") if word == "start" else None)
    status = str(_said(record, "status") or run.status) if word == "run" else _STATUS.get(word, run.status)
    if word == "complete":
        status = "failed" if outcome in ("failure", "error", "denied") else "completed"
    over = status in _OVER or _said(record, "ended_at") is not None
    begins = word in ("start", "started", "run") and status != "created"
    summary = _said(record, "summary")
    return replace(
        run,
        goal=goal if isinstance(goal, str) else run.goal,
        status=status,
        started_at=run.started_at or _said(record, "started_at") or (time if begins else None),
        ended_at=_said(record, "ended_at") or run.ended_at or time if over else None,
        outcome=outcome if over and outcome else run.outcome,
        summary=summary if isinstance(summary, str) else run.summary,
        last_seq=record["seq"],
    )


def tool_events(log: Any, **filters: Any) -> Iterator[ToolEvent]:
    """Each use of a tool, lazily: of `tool.event`, and of `tool.call`, `tool.execute` and `tool.result`.

    >>> from jsonl_audit import AuditLog, events
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append(events.tool_event(tool_id="search", action="query", input={"q": "x"}))
    >>> [(use.tool_id, use.action, use.input_hash[:7]) for use in tool_events("audit.jsonl")]
    [('search', 'query', 'blake3:')]
    """
    for record in _records(log, ["tool.event", "tool.call", "tool.execute", "tool.result"], filters):
        action = _said(record, "action") if record["type"] == "tool.event" else None
        yield ToolEvent(
            **_happened(record),
            tool_id=_said(record, "tool_id"),
            action=str(action or record["type"].partition(".")[2]),
            input_hash=_said(record, "input_hash"),
            output_hash=_said(record, "output_hash"),
        )


def model_events(log: Any, **filters: Any) -> Iterator[ModelEvent]:
    """Each use of a model, lazily: of `model.event`, and of `model.prompt` and `model.response`."""
    for record in _records(log, ["model.event", "model.prompt", "model.response"], filters):
        yield ModelEvent(**_happened(record), **_all(record, "provider", "model_id", "tokens_in", "tokens_out"))


def workspace_events(log: Any, **filters: Any) -> Iterator[WorkspaceEvent]:
    """Each `workspace.event`, lazily."""
    for record in _records(log, ["workspace.event"], filters):
        yield WorkspaceEvent(**_happened(record), **_all(record, "session_id", "kind", "approval_id"))


def chat(log: Any, *, session: str | int | None = None, **filters: Any) -> list[ChatMessage]:
    """The messages of a chat as it stands: one that replaces another stands in its place.

    :param session: of this session; None for all.

    >>> from jsonl_audit import AuditLog, events
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     for text, more in (("helo", {"message_id": 1}), ("hello", {"message_id": 2, "replaces": 1})):
    ...         receipt = log.append(events.chat_message(role="user", content=text, session="s-1", **more))
    >>> [(message.role, message.content) for message in chat("audit.jsonl", session="s-1")]
    [('user', 'hello')]
    """
    messages: list[ChatMessage] = []
    places: dict[Any, int] = {}
    for record in _records(log, ["chat.message"], {**filters, "session": session}):
        own, replaced = _said(record, "message_id"), _said(record, "replaces")
        message = ChatMessage(
            record["seq"], _time(record), _field("session", record), message_id=own,
            **_all(record, "role", "content", "model_id"),
        )  # fmt: skip
        at = places.get((message.session, replaced)) if _is_plain(replaced) and replaced is not None else None
        if at is None:
            at = len(messages)
            messages.append(message)
        messages[at] = message
        if own is not None and _is_plain(own):
            places[message.session, own] = at
    return messages


def configuration(log: Any, *, kind: str | None = None, **filters: Any) -> list[Configured]:
    """What is set up now, by kind and name: the sum of all `config.tool`, `config.provider`, `config.model` events.

    `settings` of an event take the place of what there was, `changes` are merged into it (RFC 7396: null removes),
    `removed` ends it.

    :param kind: ``"tool"``, ``"provider"``, ``"model"``, or the last part of a type of your own; None for all.

    >>> from jsonl_audit import AuditLog, events
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append(events.config_model(name="big", settings={"temperature": 0.2, "seed": 7}))
    ...     receipt = log.append(events.config_model(name="big", changes={"temperature": 0.7, "seed": None}))
    >>> [(each.name, each.settings) for each in configuration("audit.jsonl", kind="model")]
    [('big', {'temperature': 0.7})]
    """
    found: dict[tuple[str, str], Configured] = {}
    for record in _records(log, [f"config.{kind or '*'}"], filters):
        what, name = record["type"].rpartition(".")[2], _said(record, "name")
        if not isinstance(name, str):  # `config.changed` is a setting that changed, no thing that is set up
            continue
        if _said(record, "removed") is True:
            found.pop((what, name), None)
            continue
        before = found.get((what, name), Configured(what, name))
        settings, changes, enabled = (_said(record, word) for word in ("settings", "changes", "enabled"))
        found[what, name] = replace(
            before,
            settings=merged(settings if isinstance(settings, dict) else dict(before.settings), changes),
            enabled=enabled if isinstance(enabled, bool) else before.enabled,
            seq=record["seq"],
            time=_time(record),
        )
    return [found[key] for key in sorted(found)]


def merged(settings: Any, changes: Any) -> Any:
    """Settings with changes merged into them, as RFC 7396 has it.

    >>> merged({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 5}})
    {'b': {'c': 5, 'd': 3}}
    """
    if not isinstance(changes, dict):
        return settings
    result = dict(settings) if isinstance(settings, dict) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value) if isinstance(value, dict) else value
    return result


def _records(log: Any, types: Iterable[str], filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "type" in filters:
        raise TypeError("a view knows which types it is made of: there is no filter 'type'")
    path: str | os.PathLike[str] = getattr(log, "path", log)
    return map(upgraded, query(path, type=[*types], **filters))


def _said(record: dict[str, Any], *names: str) -> Any:
    """What a record says under any spelling of these names, in its details or else at its top level."""
    details = record.get("details")
    for name in names:
        for holder, spelled in ((details, spellings(name)), (record, elsewhere(name))):
            if isinstance(holder, dict):
                for each in spelled:
                    if holder.get(each) is not None:
                        return holder[each]
    return None


def _all(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: _said(record, name) for name in names}


def _happened(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": record["seq"], "time": _time(record),
        "outcome": _outcome(record), "task": _field("task", record), "session": _field("session", record),
    }  # fmt: skip


def _field(name: str, record: dict[str, Any]) -> Any:
    """What a record says of a field, wherever its filter looks; None where that is nothing plain."""
    return next((value for value in values_of(name, record) if value is not None and _is_plain(value)), None)


def _outcome(record: dict[str, Any]) -> str | None:
    found = _field("outcome", record)
    return found if isinstance(found, str) else outcome_of_success(record)


def _time(record: dict[str, Any]) -> str:
    return str(record.get("time", record["ts"]))


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (dict, list))
