"""The example agent, offline: it tells of all that it does, in events that are linked, and keeps secrets to itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from jsonl_audit import AuditLog, query, verify

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
TRAIL = {
    "tool.call", "command.run", "file.modified", "git.operation", "model.prompt", "model.response", "policy.decision",
    "approval.requested", "approval.granted", "approval.denied", "error.raised", "task.created", "task.started",
    "task.completed", "task.failed", "task.cancelled", "session.started", "session.ended", "config.changed",
    "redaction.applied", "action.blocked", "export.completed", "sync.completed", "custom",
}  # fmt: skip
ASSISTANT = {
    "permission.request", "permission.decision", "tool.execute", "tool.result", "task.start", "task.complete",
    "system.start", "system.error",
}  # fmt: skip
SECRET = "correct-" + "horse-battery"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the agent has done its work, as a program of its own."""
    if not shutil.which("git"):
        pytest.skip("git is not here")
    folder = tmp_path_factory.mktemp("agent")
    run = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "agent.py", folder],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [str(folder / "log" / "audit.jsonl")]
    return folder


@pytest.fixture(scope="module")
def log(folder: Path) -> Path:
    """Its log."""
    return folder / "log" / "audit.jsonl"


@pytest.fixture(scope="module")
def records(log: Path) -> list[dict[str, Any]]:
    """What it tells."""
    return [*query(log)]


def of_type(records: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:  # noqa: A002 - as an event names it
    return [record for record in records if record["type"] == type]


def ancestors(records: list[dict[str, Any]], record: dict[str, Any]) -> list[str]:
    """The types of a record's parent, of that one's parent, and so on."""
    by_id = {each["id"]: each for each in records}
    found = []
    while "parent" in record:
        record = by_id[record["parent"]]
        found.append(record["type"])
    return found


def test_the_whole_story_has_all_of_the_types(records: list[dict[str, Any]], log: Path) -> None:
    assert {record["type"] for record in records} == TRAIL | ASSISTANT
    assert verify(log, full=True).verdict == "intact"


def test_the_program_is_mended_in_truth(folder: Path, records: list[dict[str, Any]]) -> None:
    git = ["git", "-C", str(folder / "shop")]
    assert "sum(prices)" in (folder / "shop" / "shop.py").read_text()
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert [record["details"]["commit"] for record in of_type(records, "git.operation")] == [commit]
    checks = [record for record in of_type(records, "command.run") if "check.py" in record["details"]["command"]]
    assert [(check["outcome"], check["details"]["exit_code"]) for check in checks] == [("failure", 1), ("success", 0)]
    [changed] = of_type(records, "file.modified")
    assert changed["details"]["path"] == "shop.py"
    assert changed["details"]["before_hash"] != changed["details"]["after_hash"]


def test_each_event_says_for_whom_and_in_which_session(records: list[dict[str, Any]]) -> None:
    for record in records:
        assert record["session"] == "s-1"
        assert record["actor"]["profile"] == "work"
        assert "ann" in (record["actor"].get("user"), record["actor"]["id"])
        assert record["outcome"]
        assert record["schema"]
    by_person = {record["type"] for record in records if record["actor"]["type"] == "user"}
    asked = {"permission.decision", "approval.granted", "approval.denied"}
    assert by_person == {"config.changed", "task.cancelled"} | asked


def test_the_events_of_a_task_are_of_one_correlation(records: list[dict[str, Any]]) -> None:
    runs = {(record["task"], record.get("correlation")) for record in records}
    assert runs == {("none", None), ("t-1", "run-t-1"), ("t-2", "run-t-2"), ("t-3", "run-t-3")}
    ends = {"task.completed": "t-1", "task.failed": "t-2", "task.cancelled": "t-3"}
    assert {name: record["task"] for name in ends for record in of_type(records, name)} == ends


def test_events_lead_back_to_what_they_come_from(records: list[dict[str, Any]]) -> None:
    earlier: set[str] = set()
    for record in records:
        assert record.get("parent", record["id"]) in earlier | {record["id"]}
        earlier.add(record["id"])
    [changed] = of_type(records, "file.modified")
    assert ancestors(records, changed)[:3] == ["tool.call", "model.response", "model.prompt"]
    assert ancestors(records, changed)[-3:] == ["task.start", "task.started", "task.created"]
    [granted] = of_type(records, "approval.granted")
    assert ancestors(records, granted)[:3] == ["approval.requested", "policy.decision", "tool.call"]
    [decided] = of_type(records, "permission.decision")
    assert ancestors(records, decided)[:3] == ["permission.request", "policy.decision", "tool.call"]
    for result in of_type(records, "tool.result"):
        assert ancestors(records, result)[:2] == ["tool.execute", "tool.call"]


def test_what_was_not_allowed_was_not_done(records: list[dict[str, Any]]) -> None:
    executed = Counter(record["details"]["tool"] for record in of_type(records, "tool.execute"))
    called = Counter(record["details"]["tool"] for record in of_type(records, "tool.call"))
    assert called - executed == Counter({"fetch": 1, "push": 1})
    [blocked] = of_type(records, "action.blocked")
    assert blocked["details"]["action"] == "fetch https://paste.example/how-to-sum"
    assert blocked["outcome"] == "denied"


def test_a_tool_that_fails_is_told_with_its_error(records: list[dict[str, Any]]) -> None:
    [failed] = [record for record in of_type(records, "tool.execute") if not record["details"]["success"]]
    assert failed["details"]["input"] == {"path": "shop_test.py"}
    [raised] = of_type(records, "error.raised")
    assert raised["details"]["error_type"] == "FileNotFoundError"
    assert raised["parent"] == failed["parent"]


def test_of_what_a_model_is_asked_the_log_has_the_hash_alone(records: list[dict[str, Any]]) -> None:
    prompts = of_type(records, "model.prompt")
    assert len(prompts) == 12
    for record in prompts:
        assert "prompt" not in record["details"]
        assert record["details"]["prompt_hash"].startswith("blake3:")
        assert record["details"]["prompt_length"] > 10
        [reference] = record["artifacts"]
        assert reference["name"] == "prompt.txt"


def test_a_secret_that_the_agent_came_across_is_in_no_file_but_its_own(
    folder: Path, log: Path, records: list[dict[str, Any]]
) -> None:
    assert SECRET in (folder / "shop" / "settings.env").read_text()
    files = [path for path in folder.rglob("*") if path.is_file() and "shop" not in path.relative_to(folder).parts]
    assert log in files
    assert len(files) > 10
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    [applied] = of_type(records, "redaction.applied")
    assert applied["details"]["count"] == 1


def test_what_is_long_is_beside_the_log(log: Path, records: list[dict[str, Any]]) -> None:
    [long] = [record for record in of_type(records, "tool.result") if "output" not in record["details"]]
    [reference] = long["details"]["artifacts"]
    with AuditLog(log) as opened:
        text = opened.artifacts.read(reference)
    assert reference["name"] == "run_check.txt"
    assert text.endswith(b"case 1999: total of 1999 prices\n")
    assert blake3(text).hexdigest() == reference["artifact"]


def test_it_goes_the_same_way_each_time(folder: Path, records: list[dict[str, Any]], tmp_path: Path) -> None:
    again = subprocess.run([sys.executable, EXAMPLES / "agent.py", tmp_path / "again"], capture_output=True, text=True)
    assert [record["type"] for record in query(again.stdout.strip())] == [record["type"] for record in records]
