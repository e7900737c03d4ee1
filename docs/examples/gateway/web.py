"""HTTP in and out of ASGI: a request with its JSON, a reply, and the two ways in which a request comes to nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from jsonl_audit import AuditEvent

LARGEST_BODY = 64 * 1024


class BadRequestError(Exception):
    """A request that means nothing here: an answer to whoever sent it, and no event."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RefusedError(Exception):
    """What somebody wanted and does not get: an answer, and the event that tells of it, whose reason is the answer."""

    def __init__(self, status: int, event: AuditEvent) -> None:
        super().__init__(event.reason)
        self.status = status
        self.event = event


@dataclass(frozen=True)
class Reply:
    """What is answered: JSON, or bytes as they are."""

    status: int
    content: dict[str, Any] | bytes
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, send: Any) -> None:
        """Sends it."""
        plain = isinstance(self.content, bytes)
        body = self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode() + b"\n"
        headers = {
            "content-type": "application/octet-stream" if plain else "application/json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            **self.headers,
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Request:
    """What is asked."""

    method: str
    path: str
    token: str
    ip: str
    body: bytes

    @classmethod
    async def read(cls, scope: Any, receive: Any) -> Request:
        """The request with its whole body. Raises BadRequestError if that is too much."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequestError(400, "there is no one left to answer")
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY:
                raise BadRequestError(413, f"more than {LARGEST_BODY:,} bytes")
            if not message.get("more_body"):
                break
        raw = scope.get("raw_path")  # rather than `path`: a server may have tidied that up
        path = unquote(raw.decode("latin-1")) if raw else scope["path"]
        token = token if scheme.lower() == "bearer" else ""
        return cls(scope["method"], path, token, (scope.get("client") or ("unknown", 0))[0], body)

    def member(self, name: str) -> Any:
        """A member of the JSON object that the body is; None where there is none. Raises BadRequestError."""
        try:
            found = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):  # no JSON, or thousands of brackets
            raise BadRequestError(400, "the body is no JSON") from None
        return found.get(name) if isinstance(found, dict) else None

    def texts(self, *names: str) -> list[str]:
        """Members that are texts. Raises BadRequestError where one is not."""
        values = [self.member(name) for name in names]
        if not all(map(_is_text, values)):
            raise BadRequestError(400, f"needed, as texts: {', '.join(names)}")
        return values

    def words(self, name: str) -> list[str]:
        """A member that is a list of texts, and not empty. Raises BadRequestError."""
        value = self.member(name)
        if not isinstance(value, list) or not value or not all(map(_is_text, value)):
            raise BadRequestError(400, f"needed, as a list of texts: {name}")
        return value


def _is_text(value: Any) -> bool:
    """Whether it is a text that everything can be done with: no NUL, and no half of a character."""
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)
