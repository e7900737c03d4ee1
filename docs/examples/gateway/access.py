"""Who may come in and what they may do: devices, their secrets, nonces, tokens, sessions, roles, and how often."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.web import BadRequestError, RefusedError
from jsonl_audit import events

ROLES = {
    "owner": {"devices", "sessions", "exec.request", "exec.decide", "plugins", "plugins.run", "files", "files.private"},
    "operator": {"exec.request", "plugins.run", "files"},
    "viewer": {"files"},
}
CLOCKS_DIFFER = 60
"""So many seconds a proof may be old or early; so long its nonce is remembered, on either side."""
REMEMBERED = 3600
"""So many seconds a session that is over is told from one that never was."""

Clock = Callable[[], float]


@dataclass
class Device:
    """A machine that asked to be let in."""

    id: str
    name: str
    secret: bytes
    role: str = ""
    state: str = "pending"  # approved, rejected, revoked

    @property
    def target(self) -> dict[str, str]:
        """What the events of this device are about."""
        return {"type": "device", "id": self.id, "name": self.name}


@dataclass(frozen=True)
class Session:
    """A device that is connected. Its token is not here: only the digest is kept, and nothing of it is recorded."""

    id: str
    connection: str
    device: Device
    digest: bytes
    ends: float

    @property
    def target(self) -> dict[str, str]:
        """What the events of this session are about."""
        return {"type": "session", "id": self.id}

    def actor(self, ip: str) -> dict[str, str]:
        """Who acts, as the log says it."""
        return {
            "type": "device", "name": self.device.name, "role": self.device.role, "deviceId": self.device.id,
            "connectionId": self.connection, "ip": ip,
        }  # fmt: skip


class Access:
    """All devices and sessions."""

    def __init__(self, clock: Clock, owner_secret: bytes, session_seconds: float) -> None:
        self._clock = clock
        self._seconds = session_seconds
        self._nonces: dict[tuple[str, str], float] = {}
        self._sessions: dict[bytes, Session] = {}
        self.devices = {"owner": Device("owner", "owner", owner_secret, "owner", "approved")}

    def device(self, id: str) -> Device:  # noqa: A002 - as the model of events names it
        """The device of that id. Raises BadRequestError."""
        if id not in self.devices:
            raise BadRequestError(404, "no such device")
        return self.devices[id]

    def pair(self, name: str) -> Device:
        """A new device, which waits to be approved."""
        device = Device(f"d-{secrets.token_hex(6)}", name[:40], b"")
        self.devices[device.id] = device
        return device

    def new_secret(self, device: Device) -> str:
        """A new secret, from now on the only one that the device is known by."""
        secret = secrets.token_urlsafe(32)
        device.secret = secret.encode()
        return secret

    def prove(self, device_id: str, nonce: str, at: str, proof: str) -> Device:
        """The device that proves to know its secret. Raises RefusedError.

        The proof is an HMAC over a nonce and the time. A proof that somebody overheard is no use to him: its nonce
        is remembered for as long as its time is believed.
        """
        now = self._clock()
        device = self.devices.get(device_id)
        said: dict[str, Any] = {"method": "hmac", **({} if device is None else {"target": device.target})}
        secret = secrets.token_bytes() if device is None else device.secret  # takes as long as for a known device
        expected = hmac.new(secret, f"{nonce}\n{at}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), proof.encode()) or device is None:
            raise RefusedError(401, events.auth_connect_failure(reason="unknown device or wrong proof", **said))
        if device.state != "approved":
            raise RefusedError(403, events.auth_connect_failure(reason=f"the device is {device.state}", **said))
        if not abs(_seconds(at) - now) <= CLOCKS_DIFFER:
            raise RefusedError(401, events.auth_connect_failure(reason="the proof is of another time", **said))
        self._nonces = {seen: until for seen, until in self._nonces.items() if until > now}
        if (device.id, nonce) in self._nonces:
            raise RefusedError(401, events.auth_nonce_replayed(reason="this proof was used before", **said))
        self._nonces[device.id, nonce] = now + 2 * CLOCKS_DIFFER
        return device

    def new_session(self, device: Device) -> tuple[Session, str]:
        """A session that nobody can use yet, and the token that it will be known by."""
        token = secrets.token_urlsafe(32)
        ends = self._clock() + self._seconds
        return Session(f"s-{secrets.token_hex(6)}", f"c-{secrets.token_hex(6)}", device, _digest(token), ends), token

    def begin(self, session: Session) -> None:
        """From now on its token is good. Raises RefusedError if the device is no longer welcome."""
        if session.device.state != "approved":
            raise RefusedError(403, events.auth_connect_failure(reason=f"the device is {session.device.state}"))
        now = self._clock()
        self._sessions = {digest: old for digest, old in self._sessions.items() if old.ends + REMEMBERED > now}
        self._sessions[session.digest] = session

    def session_of(self, token: str) -> Session:
        """The session of a token. Raises RefusedError."""
        session = self._sessions.get(_digest(token))
        if session is None:
            raise RefusedError(401, events.auth_connect_failure(reason="no token, or an unknown one"))
        return session

    def must_be_fresh(self, session: Session) -> None:
        """Raises RefusedError if the session's time is over."""
        if self._clock() >= session.ends:
            reason = "the token has expired; connect again"
            raise RefusedError(401, events.auth_token_expired(reason=reason, expired_at=session.ends))

    def end(self, **of: Any) -> list[Session]:
        """Ends the sessions whose members are these, and gives them."""
        ended = [one for one in self._sessions.values() if all(getattr(one, name) == of[name] for name in of)]
        for session in ended:
            del self._sessions[session.digest]
        return ended


class Limiter:
    """So many calls in a window of time, for each caller. The first one too many is told, the others counted."""

    def __init__(self, clock: Clock, calls: int, seconds: float) -> None:
        self._clock = clock
        self._calls = calls
        self._seconds = seconds
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, caller: str, what: str) -> None:
        """Counts a call. Raises RefusedError for the first too many of a window, BadRequestError for those behind it.

        An event for each of them would let whoever floods the gateway flood the log.
        """
        now = self._clock()
        self._windows = {who: window for who, window in self._windows.items() if window[0] + self._seconds > now}
        since, count = self._windows.get(caller, (now, 0))
        self._windows[caller] = since, count + 1
        if count == self._calls:
            raise RefusedError(
                429,
                events.rpc_rate_limited(
                    reason="too many calls", method=what, limit=self._calls, window=self._seconds,
                    retry_after=round(since + self._seconds - now, 1),
                ),
            )  # fmt: skip
        if count > self._calls:
            raise BadRequestError(429, "too many calls")


def may(session: Session, right: str) -> None:
    """Raises RefusedError if the role of the session's device does not have this right."""
    if right not in ROLES[session.device.role]:
        reason = f"{session.device.role} has no right to this"
        raise RefusedError(403, events.rbac_denied(reason=reason, permission=right))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
