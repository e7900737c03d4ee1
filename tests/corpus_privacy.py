"""What the profile `privacy` removes beyond secrets, and what it leaves alone.

Rows of `rows` are as in corpus_told, those of `innocent` as in corpus_innocent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from corpus_secrets import digits, hexadecimal
from corpus_told import Row

__all__ = ["PEOPLE", "innocent", "rows"]

PEOPLE = ("Ann Example", "José Beispiel")
"""Names that the user gives to the redactor."""
_EMAILS = (
    "ann@example.net", "ann.example+tag@mail.example.co.uk", "ANN_EXAMPLE@EXAMPLE.NET", "a.b-c@sub.example.museum",
    "josé@example.net", "ann@xn--bcher-kva.example",
)  # fmt: skip
_PHONES = (
    "+49 30 1234567", "+1 (415) 555-0132", "+14155550132", "+44 20 7946 0958", "+33 1 70 18 99 00", "(415) 555-0132",
    "415-555-0132", "+81-3-1234-5678",
)  # fmt: skip
_PATHS = (
    "/home/ann/notes/letter.txt", "/Users/ann/Library/Keys", "/etc/ssl/private", "/var/log/app/audit.jsonl",
    "C:\\Users\\ann\\letter.docx", "D:/work/ann/report.pdf", "/srv/app/src/main.py", "\\\\server\\share\\ann\\x.txt",
)  # fmt: skip


def rows(lot: Random) -> Iterator[Row]:
    """All of them; with one seed, always the same."""
    for kind, texts in (("email", _EMAILS), ("phone", _PHONES), ("person", PEOPLE), ("path", _PATHS)):
        for text in texts:
            yield kind, "plain", text, (text,)
            yield kind, "member", {"details": {"note": text}}, (text,)
            yield kind, "sentence", f"asked for {text} twice", (text,)
            yield kind, "an item", {"details": {"list": [1, text]}}, (text,)
            yield kind, "a key", {"details": {"seen": {text: 1}}}, (text,)
            yield kind, "in quotes", f"value='{text}', n=1", (text,)
            yield kind, "JSON in a string", {"body": json.dumps({"a": [text]}, ensure_ascii=False)}, _shown(text)
    yield "path", "traceback", '  File "/srv/app/client.py", line 8, in send\n', ("/srv/app/client.py",)
    yield "person", "other case", "asked ANN EXAMPLE about it", ("ANN EXAMPLE",)
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + lot.randbytes(3000)).decode()
    yield "binary", "a data URL", {"details": {"icon": f"data:image/png;base64,{picture}"}}, (picture[100:],)
    yield "binary", "base64", {"details": {"content": picture}}, (picture[100:],)
    words = " ".join(f"word{lot.randrange(999)}" for _ in range(3000))
    yield "long", "words", {"details": {"output": words}}, (words[2000:],)


def _shown(text: str) -> tuple[str, ...]:
    """The text as it stands within JSON: a backslash is doubled there, so its pieces are what must be gone."""
    return tuple(piece for piece in text.split("\\") if len(piece) > 3) if "\\" in text else (text,)


def innocent(lot: Random) -> Iterator[tuple[str, Any]]:
    """What stays under `privacy` too."""
    for value in (
        "2026-11-21T10:11:12Z", "10:11:12.123456", "2026-11-21", "1.2.3", "12,345,678 records", "page 3/4", "and/or",
        "application/json", "text/plain; charset=utf-8", "GET /v1/items", "https://example.net/a/b?c=d",
        "src/app/main.py", "./build/out.txt", "../shared", "ratio 0.75", "seq 17 to 4096", "s3://bucket/key", "@ann",
        "a@b", "user@localhost", "1/2", "TCP/IP", "2026/11", {"n": 4155550132}, {"at": 1_700_000_000_123},
        {"id": "4155550132123456789"}, {"outcome": "success", "level": "info"}, {"type": "file.modified"},
        {"duration": 12.5, "status": 200}, "port 8080", "exit status 127", "errno 28", "C: drive", "-5 degrees",
        "ISBN 978-3-16-148410-0", "192.168.10.20", "2001:db8::1", "Anna Exampleton", "an example",
    ):  # fmt: skip
        yield "privacy", value
    for _ in range(4):
        yield "privacy", {"hash": hexadecimal(lot, 64), "id": f"e-{digits(lot, 6)}"}
        yield "privacy", {"size": lot.randrange(10**9), "version": f"{lot.randrange(9)}.{lot.randrange(99)}.0"}
