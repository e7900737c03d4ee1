"""Telling names in every spelling that people use, over values that nothing else tells.

Rows as in corpus_told: `(kind, context, value, secrets)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from corpus_contexts import in_depth
from corpus_secrets import phrase
from corpus_told import Row

__all__ = ["NAMES", "rows"]

# Words of each name; the first are those that requirements name, their kin follow.
NAMES: tuple[tuple[str, ...], ...] = tuple(
    tuple(name.split())
    for name in (
        "password", "auth token", "session token", "secret", "api key", "access key", "authorization", "cookie",
        "private key", "prompt", "tool args", "shared secret",
        "passwd", "pwd", "passphrase", "passcode", "new password", "old password", "db password",
        "master user password", "user password", "password confirmation", "root passwd", "token", "access token",
        "refresh token", "id token", "bearer token", "csrf token", "xsrf token", "api token", "bot token",
        "device token", "security token", "client secret", "app secret", "webhook secret", "jwt secret",
        "totp secret", "secret key", "secret access key", "aws secret access key", "signing key", "encryption key",
        "master key", "ssh key", "credentials", "credential", "set cookie", "cookies",
        "proxy authorization", "x api key", "x auth token", "system prompt", "user prompt", "tool arguments",
        "passwords", "secrets", "api keys", "otp",
        "recovery codes", "seed phrase", "mnemonic", "jwt", "auth header", "account key", "sas token",
    )
)  # fmt: skip
NAMED = NAMES[:12]


def _camel(words: tuple[str, ...]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


_SPELLINGS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "camelCase": _camel,
    "PascalCase": lambda words: "".join(word.capitalize() for word in words),
    "snake_case": "_".join,
    "kebab-case": "-".join,
    "CONSTANT_CASE": lambda words: "_".join(words).upper(),
    "Header-Case": lambda words: "-".join(word.capitalize() for word in words),
    "dotted.name": ".".join,
    "with spaces": " ".join,
    "lowercase": "".join,
    "CAPITALS": lambda words: "".join(words).upper(),
}
_AFFIXED: dict[str, Callable[[tuple[str, ...]], str]] = {
    "behind a word": lambda words: f"upstream_{'_'.join(words)}",
    "behind a word, camelCase": lambda words: _camel(("upstream", *words)),
    "numbered": lambda words: f"{'_'.join(words)}_2",
    "numbered, camelCase": lambda words: f"{_camel(words)}2",
    "before a word": lambda words: f"{'_'.join(words)}_value",
    "leading underscores": lambda words: f"__{'_'.join(words)}",
    "of an environment": lambda words: f"GATEWAY_{'_'.join(words).upper()}",
    "an acronym before": lambda words: "DB" + "".join(word.capitalize() for word in words),
    "as an option": lambda words: "--" + "-".join(words),
    "with a colon": lambda words: ":".join(("app", *words)),
    "with a slash": lambda words: "/".join(("app", *words)),
}
_LOOK_ALIKE = str.maketrans({"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "i": "і", "s": "ѕ"})  # Cyrillic
_GREEK = str.maketrans({"o": "ο", "A": "Α", "i": "ι"})
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_DISGUISED: dict[str, Callable[[tuple[str, ...]], str]] = {
    "zero-width space": lambda words: _camel(words)[:3] + "\u200b" + _camel(words)[3:],
    "zero-width joiner": lambda words: "\u200d".join("_".join(words)),
    "soft hyphen": lambda words: "_".join(words)[:2] + "\u00ad" + "_".join(words)[2:],
    "byte order mark": lambda words: "\ufeff" + "_".join(words),
    "word joiner": lambda words: "_".join(words)[:-1] + "\u2060" + "_".join(words)[-1:],
    "Cyrillic letters": lambda words: "_".join(words).translate(_LOOK_ALIKE),
    "one Cyrillic letter": lambda words: _one_letter(words, _LOOK_ALIKE),
    "Greek letters": lambda words: "_".join(words).translate(_GREEK),
    "full-width letters": lambda words: "_".join(words).translate(_FULL_WIDTH),
    "surrounding spaces": lambda words: f"  {'_'.join(words)} ",
    "no-break space": "\u00a0".join,
    "a tab": "\t".join,
    "a mark of direction": lambda words: "\u202a" + "-".join(words) + "\u202c",
    "mathematical letters": lambda words: "".join(
        chr(0x1D41A + ord(letter) - 97) if "a" <= letter <= "z" else letter for letter in "_".join(words)
    ),
}


def _one_letter(words: tuple[str, ...], table: dict[int, Any]) -> str:
    text = "_".join(words)
    at = next(index for index, letter in enumerate(text) if ord(letter) in table)
    return text[:at] + text[at].translate(table) + text[at + 1 :]


def rows(lot: Random) -> Iterator[Row]:
    """All of them; with one seed, always the same."""
    for words in NAMES:
        for spelling, spell in _SPELLINGS.items():
            if spelling not in ("lowercase", "CAPITALS") or words in NAMED:
                text = phrase(lot)
                yield _kind(words), spelling, {"details": {spell(words): text, "n": 1}}, (text,)
    for words in NAMED:
        for spelling, spell in {**_AFFIXED, **_DISGUISED}.items():
            text = phrase(lot)
            yield _kind(words), spelling, {"details": {spell(words): text}}, (text,)
        yield from _shapes(lot, words)


def _kind(words: tuple[str, ...]) -> str:
    return f"name: {' '.join(words)}" if words in NAMED else "name: kin"


def _shapes(lot: Random, words: tuple[str, ...]) -> Iterator[Row]:
    """Whatever value stands there; wherever the name stands."""
    name, kind = _camel(words), _kind(words)
    text, other = phrase(lot), phrase(lot)
    yield kind, "an object", {"details": {name: {"first": text, "more": {"second": other}}}}, (text, other)
    yield kind, "a list", {"details": {name: [text, {"x": other}]}}, (text, other)
    yield kind, "lists in lists", {"details": {name: [[[text]], [other]]}}, (text, other)
    yield kind, "an object with keys", {"details": {name: {text: 1}}}, (text,)
    yield kind, "the top level", {"type": "x.y", name: text}, (text,)
    yield kind, "the actor", {"actor": {"id": "u1", name: text}}, (text,)
    yield kind, "a list of objects", {"details": {"rows": [{"n": 1}, {name: text}]}}, (text,)
    yield kind, "depth", {"details": in_depth({name: text}, 60)}, (text,)
    yield kind, "JSON in a string", {"details": {"body": json.dumps({"user": {name: text}})}}, (text,)
    yield kind, "JSON in JSON", {"body": json.dumps({"b": json.dumps([{name: text}])})}, (text,)
    yield kind, "JSON with spaces", json.dumps({"n": [1, {name: text}]}, indent=2), (text,)
    yield kind, "an object in JSON in a string", json.dumps({name: {"x": [text]}}), (text,)
    yield kind, "long", {"details": {name: text * 200}}, (text,)
    yield kind, "lines", {"details": {name: f"{text}\n{other}\n"}}, (text, other)
    yield kind, "other scripts", {"details": {name: f"пароль {text} 終"}}, (text,)
    yield kind, "extra", {"details": {"logger": "app", "extra": {name: text}}}, (text,)
    yield kind, "arguments", {"details": {"kwargs": {name: text, "n": 1}, "args": [1]}}, (text,)
