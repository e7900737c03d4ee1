"""What is logged: real events where they are at hand, else events made here; always fresh objects."""

from __future__ import annotations

import gzip
import json
import random
import uuid
from pathlib import Path
from typing import Any

import orjson

__all__ = ["NEEDLE", "NEEDLE_FIELD", "SHORT_FIELD", "SHORT_NEEDLE", "Events"]

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "cloudtrail-2900.jsonl.gz"
NEEDLE_FIELD, NEEDLE = "requestID", "2b7c1f04-5d0e-4c8f-9a51-needle000001"
"""A rare value as long as most identifiers: one event of a log holds it."""
SHORT_FIELD, SHORT_NEEDLE = "userIdentity.userName", "m4llory"
"""A short one, in the same event: there is less of it to tell it by, and it takes longer to find."""


class Events:
    """A sequence of events, endless by repetition.

    Every call gives newly parsed objects: their texts carry no cached hash or encoding that the side which happens to
    run second would profit from.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None and REAL.exists():
            path = REAL
        if path is None:
            objects, self.origin = _made(), "2,000 events made by this command (no file of real ones here)"
        else:
            text = path.read_bytes()
            lines = (gzip.decompress(text) if path.suffix == ".gz" else text).split(b"\n")
            objects = [orjson.loads(line) for line in lines if line.strip()]
            self.origin = f"{len(objects):,} events of {path.name}"
        if not objects or not all(isinstance(item, dict) for item in objects):
            raise SystemExit(f"{path}: one JSON object a line is needed")
        self._lines = [orjson.dumps({"type": _type(item), **item}) for item in objects]
        self.mean = sum(map(len, self._lines)) / len(self._lines)

    def fresh(self, count: int, start: int = 0) -> list[dict[str, Any]]:
        """`count` events, ``type`` first, each a new object."""
        lines = self._lines
        return [orjson.loads(lines[number % len(lines)]) for number in range(start, start + count)]

    def needle(self) -> dict[str, Any]:
        """An event with the rare values."""
        holder, name = SHORT_FIELD.split(".")
        return {**self.fresh(1)[0], NEEDLE_FIELD: NEEDLE, holder: {"type": "IAMUser", name: SHORT_NEEDLE}}


def _type(item: dict[str, Any]) -> str:
    name = item.get("eventName", item.get("type"))
    known = isinstance(name, str) and name.isascii() and name.isalnum() and len(name) < 100
    return f"cloudtrail.{name}" if known else "bench.event"


def _made() -> list[dict[str, Any]]:
    """Events of about the size and shape of a cloud provider's audit trail; the same ones every time."""
    chance = random.Random(2023)
    verbs = ["Get", "List", "Describe", "Put", "Create", "Delete", "Assume"]
    things = ["Secret", "Bucket", "Role", "User", "Instance", "Key", "Policy", "Trail"]
    events = []
    for number in range(2000):
        user = f"user{chance.randrange(40)}"
        name = chance.choice(verbs) + chance.choice(things)
        events.append(
            {
                "eventVersion": "1.08",
                "userIdentity": {
                    "type": "IAMUser",
                    "arn": f"arn:cloud:iam::000000000000:user/{user}",
                    "accountId": "000000000000",
                    "userName": user,
                    "sessionContext": {"attributes": {"mfaAuthenticated": chance.choice(["true", "false"])}},
                },
                "eventTime": f"2023-07-10T{number // 100 % 24:02d}:{number % 60:02d}:00Z",
                "eventSource": "iam.cloud.example",
                "eventName": name,
                "sourceIPAddress": f"10.{chance.randrange(256)}.{chance.randrange(256)}.7",
                "userAgent": "client/1.26.165 Python/3.10.6 Linux/5.19.0 " + "x" * chance.randrange(80),
                "errorCode": chance.choice([None, None, None, "AccessDenied"]),
                "requestParameters": {
                    "names": [f"item-{chance.randrange(10**6)}" for _ in range(chance.randrange(12))],
                    "filter": {"prefix": json.dumps({"path": f"/a/b/{number}"}), "maxResults": 100},
                },
                "responseElements": None,
                "requestID": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "eventID": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "readOnly": name.startswith(("Get", "List", "Describe")),
                "resources": [
                    {"arn": f"arn:cloud:s3:::bucket-{chance.randrange(300)}", "type": "Bucket"}
                    for _ in range(chance.randrange(4))
                ],
                "managementEvent": True,
            }
        )
    return events
