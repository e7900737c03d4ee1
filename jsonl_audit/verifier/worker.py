"""The other end of the pool: a process that walks parts of segments as it is told to, one line of JSON at a time."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

import orjson

from jsonl_audit.content import Content
from jsonl_audit.errors import AuditError
from jsonl_audit.scan import Link
from jsonl_audit.verifier.walks import Part, walk

__all__ = ["answer", "serve"]


def serve() -> None:
    """Answers requests on standard input until it ends."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of whoever started this process
    for request in sys.stdin.buffer:
        sys.stdout.buffer.write(orjson.dumps(answer(orjson.loads(request))) + b"\n")
        sys.stdout.buffer.flush()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What a walk over the part found; of one with damage only that; ``gone`` if it cannot be read here."""
    link = request["link"]
    try:
        content = Content(request["path"])
    except (OSError, AuditError):
        return {"gone": True}
    try:
        if list(content.key) != request["key"]:
            return {"gone": True}
        found = walk(content, Part(request["start"], request["stop"], None if link is None else Link(*link)))
    except (OSError, AuditError):
        return {"gone": True}
    finally:
        content.close()
    return {"disagrees": True} if found.damaged else found.to_dict()
