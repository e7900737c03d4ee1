"""AsyncAuditLog: the loop goes on, each caller's order stands, and a cancelled event is written whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Calls

from jsonl_audit import (
    AsyncAuditLog,
    AuditLog,
    ClosedError,
    EventError,
    EventTooLargeError,
    LockedError,
    StorageError,
    WriteError,
    context,
    query,
    storage,
    verify,
)
from jsonl_audit.log import AuditLog as Facade

PATIENCE = 60
"""Seconds after which a test that waits for what never comes gives up."""


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, PATIENCE))


@pytest.fixture
def path(log_dir: Path) -> Path:
    return log_dir / "audit.jsonl"


class Gate:
    """Holds up the thread that writes, at its syncs or writes, until it is opened. Nothing here goes by the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str = "write") -> None:
        self.opened = threading.Event()
        self.opened.set()
        self.arrived = threading.Semaphore(0)
        self.passing = 0
        real = getattr(storage, name)

        def held(*args: Any) -> Any:
            if not self.opened.is_set():
                self.arrived.release()
                assert self.opened.wait(PATIENCE)
            return real(*args)

        monkeypatch.setattr(storage, name, held)

    def shut(self) -> None:
        self.opened.clear()

    def open(self) -> None:
        self.opened.set()

    async def has_one_waiting(self) -> None:
        """Returns once the thread stands before the gate."""
        assert await asyncio.to_thread(self.arrived.acquire, True, PATIENCE)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


async def turns(count: int = 5) -> None:
    """Lets every task go as far as it can."""
    for _ in range(count):
        await asyncio.sleep(0)


def numbers(path: Path, **filters: Any) -> list[int]:
    return [record["n"] for record in query(path, **filters)]


# -- what it does


def test_it_is_the_twin_of_the_log(path: Path) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never", max_bytes=4000) as log:
            first = await log.append("a", n=0)
            assert (first.seq, log.last_seq, log.head) == (2, 2, first.hash)
            assert (await log.log({"type": "b", "n": 1})).seq == 3
            many = await log.append_many([{"n": 2}, {"n": 3}])
            assert [each.seq for each in many] == [4, 5]
            assert [each.seq for each in await log.append_group([{"n": 4}, {"n": 5}])] == [6, 7]
            assert await log.append_many([]) == await log.append_group(iter(())) == []
            await log.flush()
            sealed = await log.rotate()
            assert sealed is not None
            assert log.last_seq == 8
            assert await log.rotate() is None
            assert await log.purge(keep=1, reason="x") == []
            assert (await log.persist({"n": 6})).seq == 9
            assert [each.seq for each in await log.persist_batch([{"n": 7}, {"n": 8}])] == [10, 11]
            assert await log.last_sequence() == 11
            assert [each["n"] for each in await log.tail(2)] == [7, 8]
            assert [each["n"] async for each in log.query(where={"n": 4})] == [4]
            assert (await log.verify()).verdict == "intact"
            assert (await log.verify_integrity()).total == 11
            assert log.path == str(path)
            assert log.notes == ()
            assert log.stats().appended == 9
            assert "closed" not in repr(log)
        assert "closed" in repr(log)
        assert (log.last_seq, len(await log.tail(100))) == (11, 9)

    run(main())
    assert [each.get("batch") for each in query(path)][2:6] == [[1, 2], [2, 2], None, None]


def test_it_has_every_public_name_of_its_twin() -> None:
    names = {name for name in dir(AuditLog) if not name.startswith("_")}
    assert names - set(dir(AsyncAuditLog)) == set()


def test_what_waits_is_committed_together(path: Path, calls: Calls) -> None:
    gate_open = threading.Event()

    async def main() -> None:
        async with AsyncAuditLog(path) as log:
            await log.append("x", n=-1)
            calls.clear()
            arrived = threading.Event()

            def before(name: str, args: tuple[Any, ...]) -> None:
                if name == "sync":
                    arrived.set()
                    assert gate_open.wait(PATIENCE)

            calls.before = before
            tasks = [asyncio.create_task(log.append("x", n=0))]
            await asyncio.to_thread(arrived.wait, PATIENCE)
            tasks += [asyncio.create_task(log.append("x", n=n)) for n in range(1, 100)]
            await turns()
            gate_open.set()
            receipts = await asyncio.gather(*tasks)
            assert [each.seq for each in receipts] == list(range(3, 103))
            assert (calls.count("write"), calls.count("sync")) == (2, 2)

    run(main())
    assert numbers(path) == list(range(-1, 100))


def test_events_are_encoded_at_the_call(path: Path) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never", artifacts=False) as log:
            event = {"type": "x", "details": {"n": 1}}
            with context(task="t"):
                appending = log.append(event)
            event["details"]["n"] = 2  # type: ignore[index]
            await appending
            with pytest.raises(EventError):
                log.append("audit.mine")
            with pytest.raises(EventTooLargeError):
                log.append("x", text="x" * 40_000)
            with pytest.raises(EventError, match="event 2"):
                log.append_many([{}, {"type": "a b"}])
            with pytest.raises(TypeError):
                log.append_group({"type": "x"})  # type: ignore[arg-type]
            assert log.last_seq == 2

    run(main())
    (record,) = query(path)
    assert (record["details"], record["task"]) == ({"n": 1}, "t")


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_the_order_of_each_caller_stands(path: Path, quick_disk: None, fsync: str) -> None:
    async def caller(log: AsyncAuditLog, who: int) -> None:
        chance = random.Random(who)
        for n in range(0, 60, 3):
            await log.append("x", who=who, n=n)
            await asyncio.gather(log.append("x", who=who, n=n + 1), log.append("x", who=who, n=n + 2))
            if chance.random() < 0.2:
                await asyncio.sleep(0)

    async def main() -> None:
        async with AsyncAuditLog(path, fsync=fsync, max_bytes=20_000, max_waiting=7) as log:
            await asyncio.gather(*(caller(log, who) for who in range(10)))

    run(main())
    for who in range(10):
        assert numbers(path, where={"who": who}) == list(range(60))
    assert verify(path).verdict == "intact"


# -- the loop goes on


@pytest.mark.parametrize("name", ["write", "sync"])
def test_the_loop_goes_on_while_the_disk_is_slow(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    gate = Gate(monkeypatch, name)

    async def main() -> None:
        async with AsyncAuditLog(path) as log:
            gate.shut()
            appending = asyncio.create_task(log.append("x"))
            await gate.has_one_waiting()
            for _ in range(1000):  # each a turn of the loop, while the append stands still
                await asyncio.sleep(0)
                log.last_seq, log.head, log.notes, log.path  # noqa: B018 - they must not wait either
            assert not appending.done()
            gate.open()
            assert (await appending).seq == 2

    run(main())


@pytest.mark.parametrize("work", ["flush", "rotate", "close"])
def test_the_loop_goes_on_while_something_else_waits_for_the_disk(path: Path, gate: Gate, work: str) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            gate.shut()
            appending = asyncio.create_task(log.append("x"))
            await gate.has_one_waiting()
            working = asyncio.create_task(getattr(log, work)())
            await turns(1000)
            assert not working.done()
            gate.open()
            await working
            assert appending.done()

    run(main())


def test_opening_does_not_keep_the_loop_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, "open_lock")

    async def main() -> None:
        gate.shut()
        opening = asyncio.create_task(AsyncAuditLog.open(path, fsync="never"))
        await gate.has_one_waiting()
        await turns(1000)
        assert not opening.done()
        gate.open()
        log = await opening
        await log.append("x")
        await log.close()

    run(main())


# -- cancelling


def test_an_event_that_waits_is_withdrawn_when_its_task_is_cancelled(path: Path, gate: Gate) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            gate.shut()
            first = asyncio.create_task(log.append("x", n=0))
            await gate.has_one_waiting()
            others = [asyncio.create_task(log.append("x", n=n)) for n in (1, 2, 3)]
            await turns()
            others[1].cancel()
            gate.open()
            done = await asyncio.gather(first, *others, return_exceptions=True)
            assert [type(each).__name__ for each in done] == ["Receipt", "Receipt", "CancelledError", "Receipt"]

    run(main())
    assert numbers(path) == [0, 1, 3]


def test_an_event_whose_commit_has_begun_is_recorded_though_its_task_was_cancelled(path: Path, gate: Gate) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            gate.shut()
            task = asyncio.create_task(log.append_many([{"n": 0}, {"n": 1}]))
            await gate.has_one_waiting()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):  # at once: a deadline is kept, whatever the disk does
                await task
            gate.open()
            await log.append("x", n=2)

    run(main())
    assert numbers(path) == [0, 1, 2]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is of Python 3.11")
def test_a_deadline_is_kept(path: Path, gate: Gate) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            gate.shut()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await log.append("x", n=0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await log.append("x", n=1)
            gate.open()
            await log.append("x", n=2)

    run(main())
    assert numbers(path) in ([0, 2], [2])  # of the first it depends on whether its commit had begun


def test_a_task_cancelled_before_it_began_leaves_nothing(path: Path) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            task = asyncio.create_task(log.append("x", n=0))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await log.append("x", n=1)

    run(main())
    assert numbers(path) == [1]


@pytest.mark.parametrize("seed", range(40))
def test_tasks_cancelled_at_any_moment_leave_whole_events_or_none(path: Path, quick_disk: None, seed: int) -> None:
    """Who has a receipt is recorded, once and in order; a batch is all there or not at all."""
    chance = random.Random(seed)
    acknowledged: list[tuple[int, str]] = []

    async def one(log: AsyncAuditLog, n: int) -> None:
        kind = n % 3
        if kind == 0:
            got = [await log.append("x", n=n)]
        elif kind == 1:
            got = await log.append_many([{"n": n}, {"n": n}])
        else:
            got = await log.append_group([{"n": n}, {"n": n}])
        acknowledged.extend((n, each.hash) for each in got)

    async def main() -> None:
        async with AsyncAuditLog(path, fsync="always", max_waiting=chance.choice([1, 3, 1000])) as log:
            tasks = []
            for n in range(60):
                tasks.append(asyncio.create_task(one(log, n)))
                await turns(chance.choice([0, 0, 0, 1, 2]))
                if chance.random() < 0.2:
                    await asyncio.to_thread(int)  # lets the other thread go on
                for task in chance.sample(tasks, min(3, len(tasks))):
                    if chance.random() < 0.3:
                        task.cancel()
            if chance.random() < 0.3:
                closing = asyncio.create_task(log.close())
                await turns(chance.choice([0, 1, 2]))
                closing.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
    records = list(query(path))
    found = [(record["n"], record["hash"]) for record in records]
    assert len(set(found)) == len(found)
    assert set(acknowledged) <= set(found)
    per_event = {n: sum(each["n"] == n for each in records) for n in range(60)}
    assert all(per_event[n] == (0 if not per_event[n] else 1 if n % 3 == 0 else 2) for n in per_event)
    assert verify(path).verdict == "intact"


def test_a_cancelled_close_goes_on(path: Path, gate: Gate) -> None:
    async def main() -> None:
        log = await AsyncAuditLog.open(path, fsync="never")
        gate.shut()
        appending = asyncio.create_task(log.append("x", n=0))
        await gate.has_one_waiting()
        closing = asyncio.create_task(log.close())
        await turns()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ClosedError):
            await log.append("x")
        gate.open()
        await log.close()
        assert appending.done()
        AuditLog(path).close()  # the lock is free

    run(main())
    assert numbers(path) == [0]


def test_an_opening_that_is_cancelled_lets_go_of_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, "open_lock")

    async def main() -> None:
        gate.shut()
        opening = asyncio.create_task(AsyncAuditLog.open(path))
        await gate.has_one_waiting()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        gate.open()
        await asyncio.to_thread(lambda: AuditLog(path, lock_timeout=PATIENCE).close())

    run(main())


def test_a_failure_that_nobody_waits_for_is_told_to_the_logger(
    path: Path, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    arrived, opened = threading.Event(), threading.Event()

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "write":
            arrived.set()
            assert opened.wait(PATIENCE)
            raise OSError(errno.ENOSPC, "no space")

    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            calls.before = before
            task = asyncio.create_task(log.append("x"))
            await asyncio.to_thread(arrived.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            opened.set()
            await log.flush()
            calls.heal()

    with caplog.at_level(logging.WARNING, "jsonl_audit"):
        run(main())
    assert [each.message for each in caplog.records if "of a task that was cancelled meanwhile" in each.message]
    assert list(query(path)) == []


# -- failures


def test_a_failure_is_that_of_the_callers_of_its_commit_and_of_nobody_else(path: Path, calls: Calls) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            await log.append("x", n=0)
            calls.fail("write", error=errno.ENOSPC)
            failed = await asyncio.gather(*(log.append("x", n=n) for n in (1, 2)), return_exceptions=True)
            assert [type(each) for each in failed] == [WriteError, WriteError]
            assert failed[0] is not failed[1]
            assert failed[0].errno == errno.ENOSPC  # type: ignore[union-attr]
            assert (await log.append("x", n=3)).seq == 3

    run(main())
    assert numbers(path) == [0, 3]


def test_what_is_recorded_of_a_failed_commit_counts_for_its_callers(
    path: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    real = Facade._commit

    def commit(self: Facade, groups: Any) -> Any:
        if len(groups) < 4:
            return real(self, groups)
        error = WriteError("no space", errno=errno.ENOSPC)
        error.done = tuple(real(self, groups[:2]))
        error.attempted = ("maybe",)
        raise error

    monkeypatch.setattr(Facade, "_commit", commit)

    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            gate.shut()
            first = asyncio.create_task(log.append("x", n=0))
            await gate.has_one_waiting()
            tasks: list[Awaitable[Any]] = [
                asyncio.create_task(log.append("x", n=1)),
                asyncio.create_task(log.append_group([{"n": 2}, {"n": 3}])),
                asyncio.create_task(log.append("x", n=4)),
            ]
            await turns()
            gate.open()
            done = await asyncio.gather(first, *tasks, return_exceptions=True)
            assert done[1].seq == 3
            assert [each.seq for each in done[2].done] == [4]
            assert done[2].attempted == ("maybe",)
            assert (done[3].done, done[3].attempted) == ((), ())
            assert str(done[3]) == str(done[2])
            assert log.last_seq == 4

    run(main())
    assert numbers(path) == [0, 1, 2]


def test_a_batch_that_is_too_large_fails_alone(path: Path, gate: Gate) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never", line_limit=16 * 2**20) as log:
            gate.shut()
            tasks: list[Awaitable[Any]] = [asyncio.create_task(log.append("x", n=0))]
            await gate.has_one_waiting()
            tasks.append(asyncio.create_task(log.append("x", n=1)))
            tasks.append(asyncio.create_task(log.append_many([{"text": "x" * (9 * 2**20)} for _ in range(2)])))
            tasks.append(asyncio.create_task(log.append("x", n=2)))
            await turns()
            gate.open()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each).__name__ for each in done] == ["Receipt", "Receipt", "EventTooLargeError", "Receipt"]

    run(main())
    assert numbers(path) == [0, 1, 2]


def test_opening_fails_as_that_of_its_twin_does_and_may_be_tried_again(path: Path) -> None:
    async def main() -> None:
        twin = AsyncAuditLog(path)
        with AuditLog(path):
            with pytest.raises(LockedError):
                async with twin:
                    pass
            with pytest.raises(ValueError, match="fsync"):
                await AsyncAuditLog.open(path, fsync="sometimes")
        async with twin as log:
            await log.append("x", n=0)
        with pytest.raises(ClosedError):
            async with log:
                await log.append("x")

    run(main())


def test_what_is_not_open_is_refused(path: Path) -> None:
    async def main() -> None:
        log = AsyncAuditLog(path)
        assert "not open" in repr(log)
        for refused in (log.append, log.flush, log.rotate):
            with pytest.raises(ClosedError, match="not open"):
                await refused(*([{}] if refused == log.append else []))  # type: ignore[operator]
        await log.close()
        async with log:
            begun = log.append("x")
        await log.close()
        with pytest.raises(ClosedError, match="closed"):
            await begun
        with pytest.raises(ClosedError, match="closed"):
            await log.append("x")

    run(main())
    with pytest.raises(ValueError, match="max_waiting"):
        AsyncAuditLog(path, max_waiting=0)


# -- room


def test_who_comes_when_the_queue_is_full_waits_in_line(path: Path, gate: Gate) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never", max_waiting=3) as log:
            gate.shut()
            tasks: list[Awaitable[Any]] = [asyncio.create_task(log.append("x", n=0))]
            await gate.has_one_waiting()
            tasks += [asyncio.create_task(log.append("x", n=n)) for n in range(1, 10)]
            tasks.append(asyncio.create_task(log.append_group([{"n": n} for n in range(10, 16)])))  # more than fits
            tasks += [asyncio.create_task(log.append("x", n=n)) for n in range(16, 20)]
            await turns()
            assert log._tickets is not None
            assert log._tickets._inside == 3
            tasks[8].cancel()  # type: ignore[attr-defined]
            tasks[2].cancel()  # type: ignore[attr-defined]
            await turns()
            assert log._tickets._inside == 3
            gate.open()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert log._tickets._inside == 0

    run(main())
    assert numbers(path) == [n for n in range(20) if n not in (2, 8)]


def test_closing_records_all_that_waits_first(path: Path, gate: Gate) -> None:
    async def main() -> None:
        log = await AsyncAuditLog.open(path, fsync="never", max_waiting=2)
        gate.shut()
        tasks = [asyncio.create_task(log.append("x", n=n)) for n in range(10)]
        await gate.has_one_waiting()
        closing = asyncio.create_task(log.close())
        await turns()
        with pytest.raises(ClosedError):
            log.append("late")
        gate.open()
        await closing
        assert all(task.done() for task in tasks)
        await log.close()

    run(main())
    assert numbers(path) == list(range(10))


# -- loops and threads


def test_another_loop_is_refused_and_so_is_none(path: Path) -> None:
    logs: list[AsyncAuditLog] = []

    async def opens() -> None:
        logs.append(await AsyncAuditLog.open(path, fsync="never"))

        def elsewhere() -> None:
            async def uses() -> None:
                for use in (lambda: logs[0].append("x"), logs[0].flush, logs[0].close):
                    with pytest.raises(RuntimeError, match="another event loop"):
                        await use()

            asyncio.run(uses())

        await asyncio.to_thread(elsewhere)
        with pytest.raises(RuntimeError, match="outside of its event loop"):
            await asyncio.to_thread(logs[0].append, "x")
        await logs[0].append("x", n=0)

    async def closes() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            logs[0].append("x")
        await logs[0].close()  # its own loop is gone: anybody may
        await logs[0].close()

    run(opens())
    run(closes())
    AuditLog(path).close()
    assert numbers(path) == [0]


def test_several_of_them_share_a_log_with_other_processes(path: Path) -> None:
    async def caller(log: AsyncAuditLog, who: int) -> None:
        for n in range(30):
            await log.append("x", who=who, n=n)

    async def main() -> None:
        async with (
            AsyncAuditLog(path, shared=True, fsync="never", max_bytes=4000) as one,
            AsyncAuditLog(path, shared=True, fsync="never", max_bytes=4000) as two,
        ):
            await asyncio.gather(caller(one, 1), caller(two, 2), caller(one, 3), caller(two, 4))

    run(main())
    for who in (1, 2, 3, 4):
        assert numbers(path, where={"who": who}) == list(range(30))
    assert verify(path).verdict == "intact"


def test_an_event_that_cannot_be_written_goes_where_on_error_says(path: Path, calls: Calls) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never", on_error="drop") as log:
            await log.append("x", n=0)
            calls.fail("write", error=errno.ENOSPC, for_ever=True)
            dropped = await asyncio.gather(*(log.append("x", n=n) for n in (1, 2)))
            assert [receipt.recorded for receipt in dropped] == [False, False]
            calls.heal()
            await log.flush()
            assert (await log.append("x", n=3)).recorded
            assert log.last_seq > 2

    run(main())
    assert numbers(path) == [0, 3]


def test_several_loops_share_one_log_that_is_open_already(path: Path) -> None:
    with AuditLog(path, fsync="never") as log:

        def loop(who: int) -> None:
            async def main() -> None:
                async with AsyncAuditLog(log) as twin:
                    for n in range(20):
                        await twin.append("x", who=who, n=n)

            asyncio.run(main())

        threads = [threading.Thread(target=loop, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.append("x", n=-1)  # still open
        with pytest.raises(TypeError, match="fsync"):
            AsyncAuditLog(log, fsync="never")
    for who in range(4):
        assert numbers(path, where={"who": who}) == list(range(20))


def test_what_has_entered_is_recorded_though_its_loop_is_closed(path: Path, gate: Gate) -> None:
    loop = asyncio.new_event_loop()
    kept: list[Any] = []

    async def begin() -> None:
        log = await AsyncAuditLog.open(path, fsync="never")
        gate.shut()
        tasks = [asyncio.create_task(log.append("x", n=n)) for n in range(3)]
        await gate.has_one_waiting()
        kept.extend([log, tasks])

    loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    gate.open()
    run(kept[0].close())
    assert numbers(path) == [0, 1, 2]
    for task in kept[1]:
        task._log_destroy_pending = False
    kept.clear()
    gc.collect()


def test_a_program_that_ends_without_closing_loses_nothing_that_was_acknowledged(path: Path) -> None:
    program = f"""
import asyncio
from jsonl_audit import AsyncAuditLog
async def main():
    log = await AsyncAuditLog.open({str(path)!r}, fsync="interval")
    for n in range(20):
        await log.append("x", n=n)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, stdin=subprocess.DEVNULL)
    assert numbers(path) == list(range(20))
    assert verify(path).verdict == "intact"


def test_an_async_generator_and_a_task_group_take_it(path: Path) -> None:
    async def produced() -> AsyncIterator[int]:
        for n in range(5):
            yield n

    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            async for n in produced():
                await log.append("x", n=n)
            if sys.version_info >= (3, 11):
                async with asyncio.TaskGroup() as group:
                    for n in range(5, 8):
                        group.create_task(log.append("x", n=n))

    run(main())
    assert numbers(path)[:5] == list(range(5))


@pytest.mark.parametrize("how", [StorageError, KeyError])
def test_any_error_of_the_thread_reaches_who_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch, how: Callable[[str], Exception]
) -> None:
    def commit(self: Facade, groups: Any) -> Any:
        raise how("no")

    async def main() -> None:
        async with AsyncAuditLog(path, fsync="never") as log:
            monkeypatch.setattr(Facade, "_commit", commit)
            with pytest.raises(how):  # type: ignore[call-overload]
                await log.append("x")
            monkeypatch.undo()
            await log.append("x", n=0)

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(asyncio.wait_for(main(), PATIENCE))
    assert numbers(path) == [0]
