"""Reading without keeping the event loop waiting: tail, get, query, follow, in threads and a window at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from jsonl_audit import accessed
from jsonl_audit.reader.follow import POLL, followed, stopper
from jsonl_audit.reader.follower import Wait
from jsonl_audit.reader.matches import Match
from jsonl_audit.reader.newest import Newest
from jsonl_audit.reader.notices import Tell, warn
from jsonl_audit.reader.query import After, find, whole_number
from jsonl_audit.reader.windows import WINDOW

if TYPE_CHECKING:
    from uuid import UUID

    from typing_extensions import Unpack

    from jsonl_audit.reader import Filters

__all__ = ["follow", "get", "query", "tail"]

_Found = TypeVar("_Found", bound="Match | Wait | None")
_CHUNK = 500
"""So many records are taken from a thread at once, at most, …"""
_LONG = 0.01
"""… and what was found in so many seconds."""


async def tail(
    path: str | os.PathLike[str],
    n: int = 10,
    *,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> list[dict[str, Any]]:
    """As :func:`jsonl_audit.tail`.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipts = [log.append("exec.completed", step=step) for step in range(5)]
    >>> [record["step"] for record in asyncio.run(tail("audit.jsonl", 2))]
    [3, 4]
    """
    whole_number("n", n)
    found = find(path, filters, n, 0, 0, True, on_damage, block)
    recorded = _recorded(found, path, "tail", {"n": n, **filters}, on_damage)
    newest_first = _records(recorded, Newest(path, on_damage or warn))
    return [each async for each in newest_first][::-1]


async def get(
    path: str | os.PathLike[str], which: int | str | UUID, *, on_damage: Tell | None = None
) -> dict[str, Any] | None:
    """As :func:`jsonl_audit.get`."""
    return await asyncio.to_thread(accessed.get, path, which, on_damage=on_damage)


def query(
    path: str | os.PathLike[str],
    *,
    limit: int | None = None,
    offset: int = 0,
    after: After = 0,
    reverse: bool = False,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> AsyncIterator[dict[str, Any]]:
    """As :func:`jsonl_audit.query`, for ``async for``. `on_damage` is called in a thread.

    >>> async def seqs():
    ...     return [record["seq"] async for record in query("audit.jsonl", type="exec.*")]
    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append("exec.completed")
    >>> asyncio.run(seqs())
    [2]
    """
    found = find(path, filters, limit, offset, after, reverse, on_damage, block)
    what = {"limit": limit, "offset": offset, "after": after, "reverse": reverse, **filters}
    return _records(_recorded(found, path, "query", what, on_damage), Newest(path, on_damage or warn))


def follow(
    path: str | os.PathLike[str],
    *,
    n: int = 0,
    after: After | None = None,
    poll: float = POLL,
    stop: Callable[[], bool] | Event | asyncio.Event | None = None,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> AsyncIterator[dict[str, Any]]:
    """As :func:`jsonl_audit.follow`, for ``async for``: ends when its task is cancelled, or when `stop` is set."""
    stopped = stopper(stop, poll)
    found = _recorded(
        followed(path, n, after, on_damage, block, filters).run(), path, "follow", {"n": n, "after": after, **filters},
        on_damage,
    )  # fmt: skip
    return _following(found, poll, stopped, Newest(path, on_damage or warn))


def _recorded(
    found: Iterator[_Found], path: str | os.PathLike[str], operation: str, what: dict[str, Any], tell: Tell | None
) -> Iterator[_Found]:
    """What is found, and a record that it was read."""
    asked = {name: value for name, value in what.items() if value}
    return accessed.counted(found, path, operation, asked, tell or warn, lambda each: isinstance(each, Match))


async def _records(found: Iterator[Match | None], newest: Newest) -> AsyncIterator[dict[str, Any]]:
    async with contextlib.aclosing(_in_threads(found)) as matches:
        async for match in matches:
            if isinstance(match, Match):
                yield newest(match.record)


async def _following(
    found: Iterator[Match | Wait | None], poll: float, stopped: Callable[[], bool], newest: Newest
) -> AsyncIterator[dict[str, Any]]:
    ending = stopped()
    async with contextlib.aclosing(_in_threads(found)) as matches:
        async for match in matches:
            if isinstance(match, Match):
                yield newest(match.record)
            elif ending:
                return
            else:
                ending = stopped()
                if not ending:
                    await asyncio.sleep(poll)
                    ending = stopped()


async def _in_threads(found: Iterator[Match | Wait | None]) -> AsyncGenerator[Match | Wait, None]:
    """What an iterator gives, taken from it in threads. The iterator is never used in two at once, and is closed."""
    try:
        more = True
        while more:
            taking = asyncio.ensure_future(asyncio.to_thread(_take, found))
            try:
                chunk, more = await asyncio.shield(taking)
            except asyncio.CancelledError:
                await asyncio.wait([taking])  # a window at most; then nothing reads the file any more
                raise
            for each in chunk:
                yield each
    finally:
        found.close()  # type: ignore[attr-defined]


def _take(found: Iterator[Match | Wait | None]) -> tuple[list[Match | Wait], bool]:
    """What the iterator gives until it is time to say so, and whether there may be more."""
    chunk: list[Match | Wait] = []
    until = time.monotonic() + _LONG
    for each in found:
        if each is not None:
            chunk.append(each)
        if each is Wait.WAIT or len(chunk) >= _CHUNK or time.monotonic() > until:
            return chunk, True
    return chunk, False
