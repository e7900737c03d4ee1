"""The asynchronous twins give what the others give, and never keep the event loop waiting."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from logs import Log, build

from jsonl_audit import AuditError, AuditLog, QueryError, aio, query, storage, tail


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of three segments with five records behind each header. Shared: not to be changed."""
    return build(tmp_path_factory.mktemp("three"))


@pytest.mark.parametrize(
    "how",
    [{}, {"control": True}, {"reverse": True, "limit": 3}, {"after": 7, "offset": 2}, {"actor": "u1"}, {"block": 1},
     {"where": {"details.n": lambda n: n > 2}}],
)  # fmt: skip
def test_a_query_gives_the_same_records(three: Log, how: dict[str, Any]) -> None:
    async def found() -> list[dict[str, Any]]:
        return [each async for each in aio.query(three.active, **how)]

    assert asyncio.run(found()) == list(query(three.active, **how))


def test_tail_and_get_give_the_same_records(three: Log) -> None:
    assert asyncio.run(aio.tail(three.active, 7)) == tail(three.active, 7)
    assert asyncio.run(aio.get(three.active, 3)) == next(query(three.active, after=2))


def test_errors_come_as_they_come_without_async(three: Log, log_dir: Path) -> None:
    with pytest.raises(QueryError):
        aio.query(three.active, limit=-1)
    with pytest.raises(TypeError, match="did you mean 'actor'"):
        aio.follow(three.active, acto="u1")  # type: ignore[call-arg]
    with pytest.raises(AuditError, match="no such log"):
        asyncio.run(aio.tail(log_dir / "audit.jsonl"))


def test_following_gives_what_is_committed_and_ends_when_told(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"

    async def main() -> list[int]:
        stop = asyncio.Event()

        async def read() -> list[int]:
            return [each["n"] async for each in aio.follow(path, after=0, poll=0.005, stop=stop, type="x")]

        reader = asyncio.create_task(read())
        with AuditLog(path, fsync="never", max_bytes=1500) as log:
            for number in range(10):
                log.append("x", n=number)
                await asyncio.sleep(0.003)
        stop.set()
        return await asyncio.wait_for(reader, 10)

    assert asyncio.run(main()) == list(range(10))


def test_a_task_that_follows_can_be_cancelled(three: Log) -> None:
    async def main() -> None:
        async def read() -> None:
            async for _ in aio.follow(three.active):
                pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(0.02)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reader, 10)

    asyncio.run(main())


def test_a_query_can_be_left_in_the_middle(three: Log) -> None:
    async def main() -> int:
        found = aio.query(three.active)
        first = await anext(found)
        await found.aclose()  # type: ignore[attr-defined]
        return int(first["seq"])

    assert asyncio.run(main()) == 2


def test_the_loop_goes_on_while_the_disk_is_slow(three: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    real = storage.read

    def slow(fd: int, offset: int, count: int) -> bytes:
        time.sleep(0.02)
        return real(fd, offset, count)

    monkeypatch.setattr(storage, "read", slow)

    async def main() -> float:
        longest, last, done = 0.0, time.monotonic(), False

        async def read() -> int:
            return len([each async for each in aio.query(three.active, control=True)])

        reader = asyncio.create_task(read())
        while not done:
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            done = reader.done()
        assert await reader == 18
        return longest

    assert asyncio.run(main()) < 0.2


def test_a_task_cancelled_while_the_disk_is_slow_leaves_no_file_open(
    three: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, opened = storage.read, storage.open_read
    began, files = threading.Event(), []

    def slow(fd: int, offset: int, count: int) -> bytes:
        began.set()
        time.sleep(0.05)
        return real(fd, offset, count)

    monkeypatch.setattr(storage, "read", slow)
    monkeypatch.setattr(storage, "open_read", lambda path: files.append(opened(path)) or files[-1])

    async def main() -> None:
        reader = asyncio.create_task(aio.tail(three.active))
        await asyncio.to_thread(began.wait, 10)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    asyncio.run(main())
    for fd in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
