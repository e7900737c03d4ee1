"""Members for every event that is appended inside a ``with``: task, correlation, actor, or any others.

They are kept in a context variable, so each asyncio task and each thread has its own.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, TypeVar

from jsonl_audit import record
from jsonl_audit.errors import EventError

__all__ = ["Context", "context", "current"]

_OF_EACH_EVENT = record.RESERVED | {"time", "timestamp"}

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Bound(NamedTuple):
    """What is in force: the contexts entered, oldest first, and their members together."""

    contexts: tuple[Context, ...]
    members: dict[str, Any]


_bound: ContextVar[_Bound | None] = ContextVar("jsonl_audit_context", default=None)
bound = _bound.get
"""What is in force here; None for nothing. With `joined`, what appending does about contexts."""


def joined(event: Mapping[Any, Any], found: _Bound) -> dict[Any, Any]:
    """The event with the members of the contexts behind its own; where both have a name, its own counts.

    Raises EventError for a mapping whose own code fails.
    """
    own = event if type(event) is dict else record.members_of(event)
    return {**own, **found.members, **own}


class Context:
    """What :func:`context` gives: for ``with``, or for ``@`` before a function. It may be used again, also nested."""

    __slots__ = ("members",)

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        """What it puts on events."""

    def __enter__(self) -> Context:
        found = _bound.get()
        _bound.set(_together((self,) if found is None else (*found.contexts, self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # By name, not back to what was there before: a generator may leave its `with` after its caller entered one,
        # and one that another task closes finds nothing of its own there.
        found = _bound.get()
        contexts = () if found is None else found.contexts
        for at in range(len(contexts) - 1, -1, -1):
            if contexts[at] is self:
                _bound.set(_together(contexts[:at] + contexts[at + 1 :]))
                return

    def __call__(self, function: _Function) -> _Function:
        """`function`, with the members on every event appended while it runs. Raises TypeError for a generator."""
        if isinstance(function, type):
            raise TypeError("a context goes before a function, not a class")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is a generator: what it sets would hold in its caller too; "
                "put the `with` around the loop that reads it"
            )
        wrapped: Any
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return wrapped  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<context of {', '.join(self.members) or 'nothing'}>"


def _together(contexts: tuple[Context, ...]) -> _Bound | None:
    members: dict[str, Any] = {}
    for each in contexts:
        members.update(each.members)
    return _Bound(contexts, members) if contexts else None


def context(members: Mapping[str, Any] | None = None, /, **more: Any) -> Context:
    """Puts members on every event that is appended inside the ``with``, by whatever log or handler.

    Within another one the members of both count; where both have a name, the inner one's value counts, whole. An
    event's own members come before either. It holds across ``await`` and in the asyncio tasks that are started inside
    it. A new thread begins with nothing: run its function by ``contextvars.copy_context().run`` to take it along
    (``asyncio.to_thread`` does). Values are kept as they are given, and encoded with each event.

    :param members: a mapping of members, for names that are no Python names; `more` are added to it.

    Raises :class:`~jsonl_audit.EventError` for names that each event has for itself: type, id, ts, time, timestamp,
    and the engine's own.

    >>> from jsonl_audit import AuditLog, context
    >>> with AuditLog("audit.jsonl", fsync="never") as log, context(task="deploy-7", actor={"id": "u1"}):
    ...     receipt = log.append("exec.requested")
    ...     with context(task="deploy-7.1"):
    ...         receipt = log.append("exec.completed")
    ...     [(record["type"], record["task"], record["actor"]["id"]) for record in log.tail()]
    [('exec.requested', 'deploy-7', 'u1'), ('exec.completed', 'deploy-7.1', 'u1')]

    >>> @context(component="backup")
    ... def back_up(log):
    ...     return log.append("backup.completed")
    """
    together = {**(members or {}), **more}
    for name in together:
        if not isinstance(name, str):
            raise TypeError(f"the name of a member is a text, not {type(name).__name__}")
        if name in _OF_EACH_EVENT:
            raise EventError(f"{name!r} is each event's own, or the engine's; give it with the event", actual=name)
    return Context(together)


def current() -> dict[str, Any]:
    """The members that an event appended here and now would get, for whoever hands events to another thread.

    >>> with context(task="deploy-7"):
    ...     current()
    {'task': 'deploy-7'}
    """
    found = _bound.get()
    return {} if found is None else dict(found.members)


class _Module(ModuleType):
    """This module, which can be called as its function: the package hands out either under the one name."""

    def __call__(self, members: Mapping[str, Any] | None = None, /, **more: Any) -> Context:
        return context(members, **more)


sys.modules[__name__].__class__ = _Module
