"""Texts that are recorded by hash and length alone: prompts and responses of models, what tools were given and gave."""

from __future__ import annotations

from typing import Any

import orjson
from blake3 import blake3

from jsonl_audit import values
from jsonl_audit.events.kinds import EventType

__all__ = ["hash_of", "length_of", "without_texts"]

_CONTEXT = "jsonl_audit 2026-11-21 hashes of what is not recorded"


def hash_of(value: Any, *, key: bytes | None = None) -> str:
    """The BLAKE3 hash of a text (its UTF-8), of bytes, or of any other value's JSON with sorted keys.

    Whoever can guess the text can check the guess: "yes" has the same hash everywhere. With a `key`, of 16 bytes or
    more and kept secret, only who has it can. The form says which it was: ``blake3:…`` or ``blake3-keyed:…``.

    Raises ValueError for a key that is too short.

    >>> hash_of("abc")
    'blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85'
    >>> hash_of({"b": 1, "a": 2}) == hash_of({"a": 2, "b": 1}), hash_of("abc", key=b"k" * 32)[:21]
    (True, 'blake3-keyed:187d1bbd')
    """
    data = _bytes(value)
    if key is None:
        return f"blake3:{blake3(data).hexdigest()}"
    given: Any = key
    if not isinstance(given, bytes) or len(given) < 16:
        raise ValueError("a key is bytes, 16 or more: secrets.token_bytes(32)")
    secret = blake3(key, derive_key_context=_CONTEXT).digest()
    return f"blake3-keyed:{blake3(data, key=secret).hexdigest()}"


def length_of(value: Any) -> int:
    """How long it is: a text in characters, anything else in bytes of its JSON."""
    return len(value) if isinstance(value, (str, bytes)) else len(_bytes(value))


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    plain = values.plain({"": value})[""]
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


def without_texts(kind: EventType, details: dict[str, Any], key: bytes | None = None) -> dict[str, Any]:
    """The details with hash and length in place of each text that this type does not record.

    >>> from jsonl_audit.events import registry
    >>> found = without_texts(registry.get("model.prompt"), {"model_id": "m", "prompt": "hello"})
    >>> found["prompt_hash"][:15], found["prompt_length"], "prompt" in found
    ('blake3:ea8f163d', 5, False)
    """
    for hashed in kind.hashed:
        for name in hashed.of:
            value = details.get(name)
            if value is None:
                continue
            details = {other: each for other, each in details.items() if other != name}
            said, length = f"{hashed.name}_hash", f"{hashed.name}_length"
            if details.get(said) is None:
                details[said] = hash_of(value, key=key)
                details.setdefault(length, length_of(value))
    return details
