"""Files that were written under every version of the types are read as the newest says it, and stay as they are.

`tests/data/schema-1.jsonl` was written by 0.1.0 before there was a catalogue, `schema-2.jsonl` since; `schema-3.jsonl`
has what a later release may write; `schema-own.jsonl` has a type of a program's own in every version of it.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from jsonl_audit import (
    AuditEvent,
    AuditLog,
    Notice,
    ReadWarning,
    aio,
    events,
    follow,
    get,
    query,
    tail,
    verify,
    views,
)
from jsonl_audit.reader import query_lines

DATA = Path(__file__).resolve().parent / "data"
FILES = sorted(DATA.glob("schema-*.jsonl"))


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    """A stored file, in a folder of its own; what is read of it must leave it as it was."""
    copies: dict[str, Path] = {}

    def copy(name: str) -> Path:
        copies[name] = Path(shutil.copy(DATA / f"{name}.jsonl", tmp_path))
        return copies[name]

    yield copy
    for name, path in copies.items():
        assert path.read_bytes() == (DATA / f"{name}.jsonl").read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_stored_file_verifies(path: Path) -> None:
    assert verify(path, full=True).verdict == "intact"


def test_what_was_written_before_there_was_a_catalogue_comes_as_it_is(stored: Any) -> None:
    path = stored("schema-1")
    assert [*query(path, control=True)] == [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_was_written_before_there_was_a_catalogue_is_made_whole_as_an_event(stored: Any) -> None:
    found = [AuditEvent.of(record) for record in query(stored("schema-1"))]
    said = [(each.type, each.actor and (each.actor.id or each.actor.user), each.task, each.outcome) for each in found]
    assert said == [
        ("auth.connect.success", None, "unknown", "success"),
        ("exec.requested", "u1", "unknown", "unknown"),
        ("exec.completed", "u1", "t-1", "success"),
        ("tool.execute", "u1", "unknown", "failure"),
        ("task.start", "unknown", "t-1", "unknown"),
        ("task.complete", "unknown", "t-1", "success"),
        ("nobody.knows", None, None, None),
    ]
    assert [each.schema for each in found] == [2] * 6 + [None]
    assert found[0].actor is not None
    assert found[0].actor.device == "d-1"


def test_what_the_catalogue_wrote_comes_as_it_is(stored: Any) -> None:
    path = stored("schema-2")
    found = [*query(path)]
    assert found == [json.loads(line) for line in query_lines(path)]
    assert [record.get("schema") for record in found] == [2] * 6 + [None]
    assert all(events.upgraded(record) is record for record in found)


@pytest.mark.parametrize("name", ["schema-1", "schema-2"])
def test_a_view_says_the_same_of_an_old_file_and_of_a_new_one(name: str, stored: Any) -> None:
    [run] = views.task_runs(stored(name))
    assert (run.id, run.goal, run.status, run.outcome, run.summary) == ("t-1", "tidy", "completed", "success", "tidied")


# -- versions that are not known here -------------------------------------------------------------


def _asynchronously(path: Path, on_damage: Any) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        return [record async for record in aio.query(path, on_damage=on_damage)]

    return asyncio.run(read())


async def _followed(path: Path, on_damage: Any) -> list[dict[str, Any]]:
    return [record async for record in aio.follow(path, n=9, stop=lambda: True, on_damage=on_damage)]


@pytest.mark.parametrize(
    "read",
    [
        lambda path, tell: [*query(path, on_damage=tell)],
        lambda path, tell: tail(path, on_damage=tell),
        lambda path, tell: [*follow(path, n=9, stop=lambda: True, on_damage=tell)],
        _asynchronously,
        lambda path, tell: asyncio.run(aio.tail(path, on_damage=tell)),
        lambda path, tell: asyncio.run(_followed(path, tell)),
    ],
    ids=["query", "tail", "follow", "aio.query", "aio.tail", "aio.follow"],
)
def test_a_newer_version_is_passed_through_and_said_once(read: Any, stored: Any) -> None:
    path = stored("schema-3")
    told: list[Notice] = []
    assert read(path, told.append) == [json.loads(line) for line in query_lines(path)]
    [notice] = told
    assert (notice.kind, notice.path) == ("newer-schema", str(path))
    assert re.match(r"seq [23] is of version [34] of exec\.denied, and the newest .* here is 2: ", str(notice))


def test_a_newer_version_is_a_warning_where_nobody_listens(stored: Any) -> None:
    path = stored("schema-3")
    with pytest.warns(ReadWarning, match="newest that is known here is 2"):
        assert get(path, 2)
    assert get(path, 4)
    with pytest.warns(ReadWarning, match="version 4"):
        assert tail(path, type="exec.denied", where={"schema": 4})


def test_a_newer_version_can_be_read_as_an_event(stored: Any) -> None:
    with pytest.warns(ReadWarning):
        first = AuditEvent.of(next(query(stored("schema-3"))))
    assert (first.schema, first.outcome, first.extra["verdict"]) == (3, "denied", {"by": "policy"})


# -- types of ones own ----------------------------------------------------------------------------


@pytest.fixture
def invoiced() -> events.EventType:
    """A type in its third version."""

    def into_an_object(record: dict[str, Any]) -> dict[str, Any]:
        return {**record, "details": {"amount": {"cents": round(record["details"]["amount"] * 100)}}}

    def into_a_number(record: dict[str, Any]) -> dict[str, Any]:
        record["details"] = {"cents": record["details"]["amount"]["cents"]}
        return record

    kind = events.EventType(
        "acme.invoiced", required={"cents": int}, version=3, upgrades={1: into_an_object, 2: into_a_number}
    )
    found = events.get("acme.invoiced")
    return found or events.register(kind)


def test_each_older_version_goes_up_step_by_step(invoiced: events.EventType, stored: Any) -> None:
    with pytest.warns(ReadWarning, match="acme"):
        found = [*query(stored("schema-own"))]
    assert [(record.get("schema"), record.get("details")) for record in found[1:5]] == [
        (3, {"cents": 1250}), (3, {"cents": 1250}), (3, {"cents": 1250}), (4, {"euros": 12.5}),
    ]  # fmt: skip
    assert found[0]["amount"] == 12.5  # written before the type had versions: as it is
    assert all(record["hash"] and record["seq"] for record in found)


def test_a_step_that_fails_leaves_the_record_as_it_was_and_says_so(invoiced: events.EventType, stored: Any) -> None:
    path = stored("schema-own")
    found = get(path, 7)
    assert found is not None
    assert found["details"] == {"amount": "broken"}
    assert found["schema"] == 1
    assert found["upgrade_failed"].startswith("acme.invoiced, from version 1: ")
    assert {name: value for name, value in found.items() if name != "upgrade_failed"} == json.loads(
        path.read_bytes().splitlines()[6]
    )


def test_an_upgrade_does_not_change_the_record_that_it_is_given(invoiced: events.EventType) -> None:
    given = {"type": "acme.invoiced", "schema": 2, "details": {"amount": {"cents": 1}}}
    assert events.upgraded(given)["details"] == {"cents": 1}
    assert given["details"] == {"amount": {"cents": 1}}


@pytest.mark.parametrize("schema", [0, -1, "1", True, 1.5, [1], {}])
def test_a_schema_that_is_no_version_is_left_alone(schema: Any) -> None:
    record = {"type": "exec.denied", "schema": schema}
    assert events.upgraded(record) is record


@pytest.mark.parametrize("kind", [None, 7, ["x"], {"a": 1}])
def test_a_type_that_is_none_is_left_alone(kind: Any) -> None:
    record = {"type": kind, "schema": 1}
    assert events.upgraded(record) is record


@pytest.mark.parametrize("name", ["schema", "schemaVersion", "schema_version"])
def test_a_version_is_known_by_each_of_its_names(name: str, tmp_path: Path) -> None:
    def grown(record: dict[str, Any]) -> dict[str, Any]:
        return {**record, "grown": True}

    kind = f"acme.named.{name}"
    events.register(events.EventType(kind, version=2, upgrades={1: grown}))
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as log:
        for version in (1, 2):
            log.append({"type": kind, name: version})
        old, new = log.query()
    assert (old["grown"], old["schema"], {name: 1}.items() & old.items()) == (True, 2, set())
    assert "grown" not in events.upgraded(new)


def test_a_schema_of_null_says_nothing() -> None:
    assert events.upgraded({"type": "exec.denied", "schema": None})["schema"] == 2
