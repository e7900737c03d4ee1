"""The gateway: every request is authenticated, counted, checked for its right and answered; what matters is recorded.

What gives somebody something is recorded before it happens, and does not happen if it cannot be recorded. What takes
something away happens first.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import routes
from gateway.access import Access, Limiter, Session, may
from gateway.web import BadRequestError, RefusedError, Reply, Request
from gateway.work import Command, plugins
from jsonl_audit import AsyncAuditLog, AuditError, AuditEvent, context


@dataclass(frozen=True)
class Settings:
    """What the gateway is told: where its log and the files that it serves are, its owner's secret, some limits."""

    log: Path
    files: Path
    owner_secret: bytes
    session_seconds: float = 900
    calls: int = 60
    window_seconds: float = 60
    command_seconds: float = 5
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class Call:
    """A request on its way through a route: who makes it, and what its path names."""

    request: Request
    session: Session | None
    named: str
    correlation: str

    @property
    def caller(self) -> Session:
        """The session, on routes that need one."""
        assert self.session is not None
        return self.session

    @property
    def actor(self) -> dict[str, str]:
        """The caller, as the log says it."""
        return self.caller.actor(self.request.ip)


class Gateway:
    """The ASGI app."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.access = Access(settings.clock, settings.owner_secret, settings.session_seconds)
        self.limiter = Limiter(settings.clock, settings.calls, settings.window_seconds)
        self.commands: dict[str, Command] = {}
        self.plugins = plugins()
        self._log: AsyncAuditLog | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await (await self._reply(scope, receive)).send(send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self.settings.files.mkdir(parents=True, exist_ok=True)
        try:
            async with AsyncAuditLog(self.settings.log, validate="strict") as self._log:
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except AuditError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def record(self, event: AuditEvent) -> str:
        """Appends an event; the id that others may name as their parent."""
        assert self._log is not None
        return (await self._log.append(event)).id

    async def _reply(self, scope: Any, receive: Any) -> Reply:
        """The answer, whatever happens. Each event of a request has its actor, task and correlation from here."""
        try:
            request = await Request.read(scope, receive)
            route, named = routes.find(request)
            correlation = str(uuid.uuid4())
            with ExitStack() as members:
                members.enter_context(context(task=route.name, correlation=correlation, actor={"ip": request.ip}))
                try:
                    session = self._caller(request, route, members)
                    return await route.handle(self, Call(request, session, named, correlation))
                except RefusedError as refusal:
                    await self.record(refusal.event)
                    return Reply(refusal.status, {"error": str(refusal)}, retry_after(refusal.event))
        except BadRequestError as error:
            return Reply(error.status, {"error": str(error)})
        except AuditError:
            return Reply(503, {"error": "this cannot be recorded now, so it is not done"}, {"retry-after": "5"})

    def _caller(self, request: Request, route: routes.Route, members: ExitStack) -> Session | None:
        """Whose request it is, known to the log from here on; None where a route is open to all."""
        if route.right is None:
            self.limiter.take(request.ip, route.name)
            return None
        try:
            session = self.access.session_of(request.token)
        except RefusedError:
            self.limiter.take(request.ip, route.name)  # who guesses tokens is slowed down, too
            raise
        members.enter_context(context(actor=session.actor(request.ip), session=session.id))
        self.limiter.take(session.device.id, route.name)
        self.access.must_be_fresh(session)
        if route.right:
            may(session, route.right)
        return session


def retry_after(event: AuditEvent) -> dict[str, str]:
    """The header that says when to come again, if the event knows."""
    seconds = event.details.get("retry_after")
    return {} if seconds is None else {"retry-after": str(math.ceil(seconds))}
