"""Where a secret may stand: in words, in code, in headers, in addresses, in values within values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

__all__ = ["CONTEXTS", "in_depth", "traceback_of"]

Context = Callable[[str], Any]


def in_depth(value: Any, depth: int, name: str = "inner") -> Any:
    """A value within so many objects and lists."""
    for level in range(depth):
        value = [value] if level % 3 == 2 else {name: value}
    return value


def traceback_of(text: str) -> str:
    """A traceback whose source line and whose last line hold a text."""
    return (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/client.py", line 88, in send\n'
        f'    return session.get(address, data="{text}")\n'
        '  File "/srv/app/session.py", line 17, in get\n'
        "    raise RefusedError(data)\n"
        f"app.errors.RefusedError: the other side refused {text}\n"
    )


def _exception(text: str) -> str:
    return (
        "HTTPSConnectionPool(host='api.example.net', port=443): Max retries exceeded with url: "
        f"/v1/items?limit=5&data={text}&page=2 (Caused by NewConnectionError('refused'))"
    )


def _logging_extra(text: str) -> dict[str, Any]:
    return {
        "type": "log.record", "level": "warn", "message": "upstream refused",
        "details": {"logger": "app.upstream", "extra": {"attempt": 3, "sent": {"with": text}, "host": "api-1"}},
    }  # fmt: skip


CONTEXTS: dict[str, Context] = {
    "plain": lambda text: text,
    "member": lambda text: {"details": {"note": text}},
    "sentence": lambda text: f"the job used {text} and was refused",
    "end of a sentence": lambda text: f"Somebody pasted {text}.",
    "in brackets": lambda text: f"call(a=1, ({text}), [{text}])",
    "in single quotes": lambda text: f"{{'value': '{text}', 'n': 1}}",
    "key=value": lambda text: f"level=info value={text} attempt=3",
    "exported": lambda text: f'export VALUE="{text}"\n',
    "header": lambda text: f"GET / HTTP/1.1\r\nHost: example.net\r\nX-Custom: {text}\r\nAccept: */*\r\n",
    "URL query": lambda text: f"https://api.example.net/v1/items?limit=10&data={text}&page=2#top",
    "URL within a URL": lambda text: (
        f"https://a.example/?next=https%3A%2F%2Fb.example%2Fv1%3Fdata%3D{quote(text, safe='')}%26n%3D1&x=2"
    ),
    "URL path": lambda text: f"https://api.example.net/hooks/{text}/run",
    "JSON in a string": lambda text: json.dumps({"a": [{"b": text, "n": 1}]}),
    "JSON in JSON in a string": lambda text: {"body": json.dumps({"body": json.dumps({"value": text})})},
    "a key": lambda text: {"details": {"seen": {text: 3}}},
    "an item": lambda text: {"details": {"args": ["run", "--with", text, 7]}},
    "depth": lambda text: {"details": in_depth({"note": text}, 60)},
    "exception": _exception,
    "traceback": lambda text: {"details": {"stack": traceback_of(text)}},
    "extra": _logging_extra,
    "markup": lambda text: f"<setting name='x'>{text}</setting>",
    "comma separated": lambda text: f"7,ann,{text},2026-11-21",
    "tabs and lines": lambda text: f"ann\t{text}\tok\n{text}\n",
    "other scripts": lambda text: f"ключ：{text}。終",
    "a repr of lines": lambda text: repr(f"sent:\n{text}\nok\t{text}\r\n"),
    "a part of JSON as text": lambda text: f"body was {json.dumps({'a': f'see:{chr(10)}{text}{chr(10)}'})} (cut)",
    "a control character before": lambda text: f"\x1b[1m\x01{text}\x00\x7f{text}",
    "escaped twice": lambda text: {"log": json.dumps(f"said {json.dumps(f'see:{chr(9)}{text}{chr(10)}')} twice")},
    "a command": lambda text: {"details": {"command": f"deploy --with {text} --dry-run && echo done"}},
    "target": lambda text: {"type": "exec.requested", "target": {"id": text, "type": "thing"}},
    "reason": lambda text: {"outcome": "failure", "reason": f"bad credential {text}"},
}
"""By name: makers of the text or the JSON value around a secret. The names around it are innocent."""
