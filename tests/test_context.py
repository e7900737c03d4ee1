"""Members that a `with` puts on every event: which hold where, and which are refused."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from jsonl_audit import AuditLog, EventError, context, tail
from jsonl_audit.context import current


@pytest.fixture
def log(log_dir: Path) -> Iterator[AuditLog]:
    with AuditLog(log_dir / "audit.jsonl", fsync="never") as log:
        yield log


def last(log: AuditLog) -> dict[str, Any]:
    """The members of the newest record that are not the engine's."""
    record = log.tail(1)[0]
    return {name: value for name, value in record.items() if name not in ("seq", "ts", "id", "prev", "hash", "batch")}


def test_every_event_inside_has_the_members(log: AuditLog) -> None:
    with context(task="deploy-7", actor={"id": "u1"}):
        log.append("job.completed", outcome="success")
        assert last(log) == {"type": "job.completed", "outcome": "success", "task": "deploy-7", "actor": {"id": "u1"}}
        log.append_many([{"type": "a"}, {"n": 1}])
        assert [(each["type"], each["task"]) for each in log.tail(2)] == [("a", "deploy-7"), ("custom", "deploy-7")]
        log.append_group([{"type": "b"}])
        assert last(log)["task"] == "deploy-7"
    log.append("job.completed")
    assert last(log) == {"type": "job.completed"}


def test_nested_ones_merge_and_the_inner_one_wins(log: AuditLog) -> None:
    with context(task="outer", correlation="c1"):
        with context(task="inner", actor={"id": "u1"}):
            assert current() == {"task": "inner", "correlation": "c1", "actor": {"id": "u1"}}
        assert current() == {"task": "outer", "correlation": "c1"}
    assert current() == {}


def test_an_events_own_members_win(log: AuditLog) -> None:
    with context(task="t", details={"a": 1}):
        log.append({"type": "x", "task": None, "details": {"b": 2}})
    assert last(log) == {"type": "x", "task": None, "details": {"b": 2}}


@pytest.mark.parametrize(
    "event", [{}, {"n": 1}, {"n": 1, "type": "x"}, MappingProxyType({"n": 1}), {1: 2}, {"time": 0}]
)
def test_events_of_every_shape_take_them(log: AuditLog, event: Any) -> None:
    with context(task="t"):
        log.append(event)
    assert last(log)["task"] == "t"
    assert last(log)["type"] == event.get("type", "custom")


def test_members_are_whatever_an_event_may_hold_and_may_have_any_name(log: AuditLog) -> None:
    with context({"x-request-id": "r1"}, sizes={3, 1}, level=None):
        log.append("x")
    assert last(log)["x-request-id"] == "r1"
    assert sorted(last(log)["sizes"]) == [1, 3]
    assert last(log)["level"] is None


@pytest.mark.parametrize(
    "name", ["type", "id", "ts", "time", "timestamp", "seq", "prev", "hash", "batch", "clock", "salt", "erased"]
)
def test_names_that_each_event_has_for_itself_are_refused(name: str) -> None:
    with pytest.raises(EventError, match=name):
        context(**{name: "x"})


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(TypeError, match="name of a member"):
        context({1: 2})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="generator"):

        @context(task="t")
        def numbers() -> Iterator[int]:
            yield 1

    with pytest.raises(TypeError, match="generator"):

        @context(task="t")
        async def more_numbers() -> AsyncIterator[int]:
            yield 1

    with pytest.raises(TypeError, match="class"):

        @context(task="t")
        class Thing:
            pass


def test_an_error_inside_goes_through_and_ends_it() -> None:
    with pytest.raises(KeyError), context(task="t"):
        raise KeyError
    assert current() == {}


def test_a_decorated_function_has_them_while_it_runs() -> None:
    @context(task="t")
    def double(number: int, *, deep: int = 0) -> int:
        """Doubles."""
        assert current() == {"task": "t"}
        return double(number, deep=deep - 1) if deep else number * 2

    assert double(4, deep=3) == 8
    assert double.__name__ == "double"
    assert double.__doc__ == "Doubles."
    assert current() == {}


def test_a_decorated_coroutine_has_them_while_it_runs() -> None:
    @context(task="t")
    async def seen() -> dict[str, Any]:
        await asyncio.sleep(0)
        return current()

    async def main() -> None:
        assert inspect.iscoroutinefunction(seen)
        assert await asyncio.gather(*(seen() for _ in range(5))) == [{"task": "t"}] * 5
        assert current() == {}

    asyncio.run(main())


def test_each_asyncio_task_has_its_own(log: AuditLog) -> None:
    async def work(number: int) -> None:
        with context(task=f"t{number}"):
            for _ in range(5):
                await asyncio.sleep(0)
                log.append("x", n=number)
                await asyncio.to_thread(log.append, "x", n=number)

    async def main() -> None:
        with context(correlation="c"):
            await asyncio.gather(*(work(number) for number in range(10)))
            assert current() == {"correlation": "c"}

    asyncio.run(main())
    found = tail(log.path, 1000)
    assert len(found) == 100
    assert {(each["correlation"], each["task"] == f"t{each['n']}") for each in found} == {("c", True)}


def test_a_thread_begins_with_nothing_unless_it_is_given_a_copy() -> None:
    seen = []
    with context(task="t"):
        copied = contextvars.copy_context()
        for run in (lambda: seen.append(current()), lambda: seen.append(copied.run(current))):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
    # From 3.14 on a free-threaded Python takes the context along by itself.
    assert seen[0] in ({}, {"task": "t"})
    assert seen[1] == {"task": "t"}


def test_one_that_is_left_out_of_turn_takes_only_its_own_away() -> None:
    def numbers() -> Iterator[int]:
        with context(inner=1):
            yield 1

    found = numbers()
    next(found)  # as of every generator: what it sets holds in its caller
    with context(outer=2):
        assert current() == {"inner": 1, "outer": 2}
        found.close()
        assert current() == {"outer": 2}
    assert current() == {}


def test_one_that_is_left_in_another_task_takes_nothing_away_there() -> None:
    async def numbers() -> AsyncIterator[int]:
        with context(inner=1):
            yield 1
            yield 2

    async def main() -> None:
        found = numbers()
        await asyncio.create_task(anext(found))
        with context(outer=2):
            await found.aclose()
            assert current() == {"outer": 2}

    asyncio.run(main())


def test_the_same_one_can_be_entered_again() -> None:
    again = context(task="t")
    with again, again:
        assert current() == {"task": "t"}
    assert current() == {}
    with again:
        assert current() == {"task": "t"}


def test_a_mapping_whose_own_code_fails_is_a_refused_event_and_no_other_error(log: AuditLog) -> None:
    class Broken(dict):  # type: ignore[type-arg]
        def keys(self) -> Any:
            raise RuntimeError("no")

        __iter__ = keys

    with context(task="t"), pytest.raises(EventError, match="cannot be read"):
        log.append(Broken(a=1))


def test_the_name_is_the_function_and_the_module() -> None:
    import jsonl_audit
    import jsonl_audit.context as module

    assert jsonl_audit.context is module
    assert list(inspect.signature(context).parameters) == ["members", "more"]
    with module.context(a=1), jsonl_audit.context(b=2):
        assert current() == {"a": 1, "b": 2}
