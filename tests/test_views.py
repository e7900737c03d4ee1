"""Views: what the events of a log add up to, in whatever dialect they were written."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jsonl_audit import AuditLog, QueryError, events, views


@pytest.fixture
def log(tmp_path: Path) -> Any:
    """A log that takes nothing that is wrong."""
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="strict") as log:
        yield log


def add(log: AuditLog, kind: str, /, **members: Any) -> int:
    """Appends an event of somebody's, for some task."""
    return log.append(kind, **{"actor": "u1", "task": "t-1", "outcome": "success", **members}).seq


# -- runs of tasks --------------------------------------------------------------------------------

_END = {"steps": 1, "duration": 1, "summary": "tidied"}


def test_a_task_that_never_ended_is_running(log: AuditLog) -> None:
    seq = add(log, "task.started", task="t-9", details={"goal": "tidy"}, time="2026-11-21T10:00:00Z")
    assert views.task_runs(log) == [
        views.TaskRun("t-9", "tidy", "running", started_at="2026-11-21T10:00:00.000000Z", first_seq=seq, last_seq=seq)
    ]
    assert not views.task_runs(log)[0].ended


@pytest.mark.parametrize(
    ("kind", "members", "status"),
    [
        ("task.completed", {"details": {"summary": "done"}}, "completed"),
        ("task.failed", {"outcome": "failure"}, "failed"),
        ("task.cancelled", {"outcome": "failure"}, "cancelled"),
        ("task.complete", {"details": {"taskId": "t-1", "success": True, **_END}}, "completed"),
        ("task.complete", {"details": {"task_id": "t-1", "success": False, **_END}, "outcome": None}, "failed"),
        ("task.run", {"details": {"id": "t-1", "goal": "g", "status": "cancelled"}}, "cancelled"),
        ("task.run", {"details": {"id": "t-1", "goal": "g", "status": "shipped", "ended_at": 1795255872}}, "shipped"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begun", ["task.start", "task.started", "task.run", None])
def test_a_task_ends_in_whatever_dialect_it_began_in(
    begun: str | None, kind: str, members: dict[str, Any], status: str, log: AuditLog
) -> None:
    start = {
        "task.start": {"taskId": "t-1", "input": "g", "trustLevel": 1},
        "task.run": {"id": "t-1", "goal": "g", "status": "running"},
    }
    first = add(log, begun, details=start.get(begun, {})) if begun else None
    last = add(log, kind, **members)
    [run] = views.task_runs(log.path)
    assert (run.id, run.status, run.ended) == ("t-1", status, True)
    assert run.ended_at is not None
    assert (run.first_seq, run.last_seq) == (first or last, last)
    if begun in ("task.start", "task.run"):
        assert run.goal == "g"


def test_a_task_that_is_begun_again_is_another_run(log: AuditLog) -> None:
    for _ in range(3):
        add(log, "task.started", task="nightly")
        add(log, "task.completed", task="nightly")
    add(log, "task.started", task="nightly")
    assert [run.status for run in views.task_runs(log)] == ["completed"] * 3 + ["running"]


def test_what_is_told_of_a_run_after_its_end_belongs_to_it(log: AuditLog) -> None:
    add(log, "task.started")
    add(log, "task.completed")
    add(log, "task.complete", details={"taskId": "t-1", "success": True, **_END})
    add(log, "task.run", details={"id": "t-1", "goal": "tidy", "status": "completed", "started_at": 1795255872})
    [run] = views.task_runs(log)
    assert (run.goal, run.summary, run.status) == ("tidy", "tidied", "completed")


def test_a_task_that_was_only_created_waits(log: AuditLog) -> None:
    add(log, "task.created", details={"goal": "tidy"})
    [waiting] = views.task_runs(log)
    assert (waiting.status, waiting.started_at) == ("created", None)
    add(log, "task.started")
    [run] = views.task_runs(log)
    assert (run.status, run.goal) == ("running", "tidy")
    assert run.started_at is not None


def test_the_times_that_a_run_says_count_before_those_when_it_was_said(log: AuditLog) -> None:
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-02T00:00:00Z"}
    add(log, "task.run", details={"id": 7, "goal": "g", "status": "done", **times})
    [run] = views.task_runs(log)
    assert (run.id, run.started_at, run.ended_at) == (7, times["started_at"], times["ended_at"])


def test_a_view_takes_filters_and_says_what_was_then(log: AuditLog) -> None:
    add(log, "task.started", task="a", time="2026-11-01T00:00:00Z")
    add(log, "task.completed", task="a", time="2026-11-03T00:00:00Z")
    add(log, "task.started", task="b", actor="u2")
    assert [run.status for run in views.task_runs(log, until="2026-11-02")] == ["running"]
    assert [run.id for run in views.task_runs(log, actor="u2")] == ["b"]
    assert [run.id for run in views.task_runs(log, task="b")] == ["b"]
    with pytest.raises(TypeError, match="no filter 'type'"):
        views.task_runs(log, type="a.*")
    with pytest.raises(QueryError):
        [*views.tool_events(log, since="never")]


# -- uses of tools, models, workspaces ------------------------------------------------------------


def test_uses_of_tools_in_each_dialect(log: AuditLog) -> None:
    add(log, "tool.event", details={"tool_id": "search", "action": "query", "input": "x", "output": "y"})
    add(log, "tool.call", details={"tool": "grep", "input_hash": "blake3:00"}, session="s-1")
    add(log, "tool.execute", details={"tool": "sed", "input": "x", "duration": 1, "success": True})
    add(log, "tool.result", details={"tool": "sed", "duration": 1, "success": False}, outcome="failure")
    found = [*views.tool_events(log)]
    assert [(each.tool_id, each.action, each.outcome, each.task) for each in found] == [
        ("search", "query", "success", "t-1"), ("grep", "call", "success", "t-1"),
        ("sed", "execute", "success", "t-1"), ("sed", "result", "failure", "t-1"),
    ]  # fmt: skip
    assert (found[0].input_hash, found[0].output_hash) == (events.hash_of("x"), events.hash_of("y"))
    assert found[1].session == "s-1"


def test_uses_of_models_in_each_dialect(log: AuditLog) -> None:
    add(log, "model.event", details={"provider": "p", "model_id": "m", "tokens_in": 5, "tokens_out": 7})
    add(log, "model.prompt", details={"model_id": "m", "prompt": "hello", "tokensIn": 3})
    add(log, "model.response", details={"model_id": "m", "text": "hello", "tokens_out": 4})
    assert [(each.provider, each.model_id, each.tokens_in, each.tokens_out) for each in views.model_events(log)] == [
        ("p", "m", 5, 7), (None, "m", 3, None), (None, "m", None, 4),
    ]  # fmt: skip


def test_what_happened_in_workspaces(log: AuditLog) -> None:
    seq = add(log, "workspace.event", details={"session_id": "s-1", "kind": "file_opened", "approvalId": "ap-1"})
    [event] = views.workspace_events(log)
    assert (event.seq, event.session_id, event.kind, event.approval_id) == (seq, "s-1", "file_opened", "ap-1")
    assert event.session == "s-1"


def test_a_view_is_lazy_and_keeps_nothing(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="off", redact=None) as log:
        log.append_many({"type": "tool.event", "details": {"tool_id": "t", "x": "x" * 8000}} for _ in range(1000))
        found = views.tool_events(log, block=1 << 16)
        next(found)
        tracemalloc.start()
        try:
            assert sum(1 for _ in found) == 999
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


# -- chats and configuration ----------------------------------------------------------------------


def say(log: AuditLog, content: Any, session: str = "s-1", **more: Any) -> None:
    """Appends a message of a chat."""
    add(log, "chat.message", session=session, details={"role": "user", "content": content, **more})


def test_a_chat_is_its_messages_in_order_each_as_it_stands(log: AuditLog) -> None:
    say(log, "helo", message_id="m-1")
    say(log, "who?", "s-2", message_id="m-1")
    say(log, [{"type": "text", "text": "hi"}], message_id=2)
    say(log, "hello", message_id="m-3", replaces="m-1")
    say(log, "hello!", replaces="m-3")
    say(log, "of what is not here", replaces="m-0")
    assert [each.content for each in views.chat(log, session="s-1")] == [
        "hello!", [{"type": "text", "text": "hi"}], "of what is not here",
    ]  # fmt: skip
    assert [(each.session, each.content) for each in views.chat(log)][1] == ("s-2", "who?")


def test_a_configuration_is_the_sum_of_its_changes(log: AuditLog) -> None:
    add(log, "config.model", details={"name": "big", "settings": {"temperature": 0.2, "stop": {"a": 1, "b": 2}}})
    add(log, "config.tool", details={"name": "bash", "settings": {"sandbox": True}, "enabled": False})
    add(log, "config.model", details={"name": "big", "changes": {"temperature": 0.7, "stop": {"a": None}}})
    add(log, "config.model", details={"name": "old", "settings": {}})
    add(log, "config.model", details={"name": "old", "removed": True})
    add(log, "config.changed", details={"setting": "theme", "new": "dark"})
    found = views.configuration(log)
    assert [(each.kind, each.name, dict(each.settings), each.enabled) for each in found] == [
        ("model", "big", {"temperature": 0.7, "stop": {"b": 2}}, True), ("tool", "bash", {"sandbox": True}, False),
    ]  # fmt: skip
    assert [each.name for each in views.configuration(log, kind="tool")] == ["bash"]
    assert views.configuration(log, kind="nothing") == []


def test_settings_in_place_of_others_leave_nothing_of_them(log: AuditLog) -> None:
    add(log, "config.provider", details={"name": "p", "settings": {"a": 1}})
    add(log, "config.provider", details={"name": "p", "settings": {"b": 2}, "changes": {"c": 3}})
    assert [each.settings for each in views.configuration(log)] == [{"b": 2, "c": 3}]


def test_a_secret_in_a_configuration_is_never_on_disk(log: AuditLog) -> None:
    secret = "hunter" + "22-" + "x" * 20
    add(log, "config.provider", details={"name": "p", "settings": {"apiKey": secret, "region": "eu"}})
    [provider] = views.configuration(log)
    assert provider.settings["region"] == "eu"
    assert secret not in str(provider)
    assert secret not in Path(log.path).read_text("utf-8")


@pytest.mark.parametrize("value", [None, 7, "text", [1], {"a": 1}])
@pytest.mark.parametrize("kind", ["task.run", "task.start", "chat.message", "config.tool", "tool.event", "model.event"])
def test_events_that_make_no_sense_stop_no_view(kind: str, value: Any, tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="off", redact=None) as log:
        names = "id taskId name settings changes message_id replaces status goal started_at"
        log.append(kind, details=dict.fromkeys(names.split(), value), session=value)
        log.append(kind, details=value)
        for view in (views.task_runs, views.chat, views.configuration, views.tool_events, views.model_events):
            assert isinstance([*view(log)], list)
