"""Made-up secrets of every kind that has a form of its own, put together at run time: none stands in a file.

Each maker takes a seeded `Random` and gives a text of the published form, random where a real one is.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["FORMS", "MAKERS", "Maker", "basic", "hexadecimal", "mixed", "pem", "pem_body", "phrase"]

Maker = Callable[[Random], str]
_ALNUM = string.ascii_letters + string.digits
_WORDS = ("amber", "birch", "cedar", "ember", "fjord", "grove", "heath", "islet", "knoll", "lagoon", "maple", "ocean")


def draw(lot: Random, alphabet: str, count: int) -> str:
    """So many characters of an alphabet."""
    return "".join(lot.choice(alphabet) for _ in range(count))


def mixed(lot: Random, count: int, more: str = "") -> str:
    """Letters of both cases and digits, at least one of each, no run that looks like a word."""
    while True:
        text = draw(lot, _ALNUM + more, count)
        whole = text[0].isalnum() and text[-1].isalnum()
        if whole and sum(map(str.isdigit, text)) > count // 10 and text != text.lower() and text != text.upper():
            return text


def hexadecimal(lot: Random, count: int) -> str:
    return draw(lot, "0123456789abcdef", count)


def digits(lot: Random, count: int) -> str:
    return lot.choice("123456789") + draw(lot, string.digits, count - 1)


def upper(lot: Random, count: int, alphabet: str = string.ascii_uppercase + "234567") -> str:
    """Capitals and digits; of both at least one."""
    while True:
        text = draw(lot, alphabet, count)
        if any(c.isdigit() for c in text) and any(c.isupper() for c in text):
            return text


def phrase(lot: Random) -> str:
    """Words that no pattern knows: only the name under which they stand tells."""
    return f"{lot.choice(_WORDS)} {lot.choice(_WORDS)} {lot.choice(_WORDS)} {digits(lot, 3)}"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _json64(value: Any) -> str:
    return _url64(json.dumps(value, separators=(",", ":")).encode())


def jwt(algorithm: str = "HS256", size: int = 32) -> Maker:
    def make(lot: Random) -> str:
        head = {"alg": algorithm, "typ": "JWT"}
        body = {"sub": digits(lot, 10), "iat": 1_700_000_000 + lot.randrange(10**7), "scope": "read write"}
        return f"{_json64(head)}.{_json64(body)}.{_url64(lot.randbytes(size))}"

    return make


def basic(lot: Random) -> str:
    """What stands behind `Basic`: a user and a password."""
    return base64.b64encode(f"user{digits(lot, 3)}:{mixed(lot, 14)}".encode()).decode()


def pem_body(lot: Random, lines: int = 6) -> list[str]:
    """The lines between the borders of a PEM block, 64 characters each, the last one shorter."""
    rows = [draw(lot, _ALNUM + "+/", 64) for _ in range(lines)]
    return [*rows, draw(lot, _ALNUM + "+/", 26) + "=="]


def pem(label: str, body: list[str], newline: str = "\n", *, ends: bool = True) -> str:
    """A PEM block; without its end border where that was cut off."""
    borders = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return newline.join([borders[0], *body, *([borders[1]] if ends else [])]) + (newline if ends else "")


def _prefixed(prefix: str, count: int, more: str = "") -> Maker:
    return lambda lot: prefix + mixed(lot, count, more)


def _aws(prefix: str) -> Maker:
    return lambda lot: prefix + upper(lot, 16)


def _openai(prefix: str, half: int) -> Maker:
    return lambda lot: f"{prefix}{mixed(lot, half)}T3Blbk{'FJ'}{mixed(lot, half)}"


def _slack(prefix: str, groups: tuple[int, ...], tail: int, alphabet: str = _ALNUM) -> Maker:
    return lambda lot: "-".join([prefix, *(digits(lot, size) for size in groups), draw(lot, alphabet, tail)])


def _slack_app(lot: Random) -> str:
    return f"xa{'pp'}-1-A{upper(lot, 10)}-{digits(lot, 13)}-{hexadecimal(lot, 64)}"


def _slack_hook(lot: Random) -> str:
    return f"https://hooks.slack.{'com'}/services/T{upper(lot, 8)}/B{upper(lot, 10)}/{mixed(lot, 24)}"


def _routable(lot: Random) -> str:
    return f"gl{'pat'}-{mixed(lot, 27)}.01.{draw(lot, string.ascii_lowercase + string.digits, 9)}"


def _fine_grained(lot: Random) -> str:
    return f"github{'_pat_'}{mixed(lot, 22)}_{mixed(lot, 59)}"


MAKERS: dict[str, tuple[Maker, ...]] = {
    "aws": tuple(_aws(prefix) for prefix in ("AK" + "IA", "AS" + "IA", "AB" + "IA", "AC" + "CA")),
    "github": (*(_prefixed(f"gh{letter}_", 36) for letter in "pousr"), _fine_grained),
    "gitlab": (
        *(_prefixed(f"gl{kind}-", 20, "_-") for kind in ("pat", "dt", "rt", "ft", "soat")),
        lambda lot: f"gl{'ptt'}-{hexadecimal(lot, 40)}", _prefixed("GR" + "1348941", 20), _routable,
    ),
    "slack": (
        _slack("xo" + "xb", (12, 13), 24), _slack("xo" + "xp", (12, 12, 13), 32, "0123456789abcdef"),
        _slack("xo" + "xa-2", (12, 12), 32), _slack("xo" + "xe.xoxp-1", (), 163), _slack("xo" + "xs", (12, 12), 32),
        _slack_app, _slack_hook,
    ),
    "google": (_prefixed("AI" + "za", 35, "_-"), _prefixed("ya" + "29.", 130, "_-"), _prefixed("GOC" + "SPX-", 28)),
    "stripe": (
        *(_prefixed(f"{kind}_{mode}_", 24) for kind in ("sk", "rk") for mode in ("live", "test")),
        _prefixed("sk_" + "live_51", 97), _prefixed("wh" + "sec_", 32),
    ),
    "openai": (
        _openai("s" + "k-", 20), _openai("s" + "k-proj-", 74), _openai("s" + "k-svcacct-", 58),
        _prefixed("s" + "k-", 48), _openai("s" + "k-admin-", 58),
    ),
    "anthropic": tuple(
        _prefixed(f"s{'k-ant-'}{kind}-", 95, "_-") for kind in ("api03", "admin01", "oat01", "sid01")
    ),
    "npm": (_prefixed("np" + "m_", 36),),
    "pypi": (
        _prefixed("py" + "pi-AgEIcHlwaS5vcmc", 140, "_-"), _prefixed("py" + "pi-AgENdGVzdC5weXBpLm9yZw", 120, "_-"),
    ),
    "jwt": (jwt(), jwt("RS256", 256), jwt("ES256", 64), jwt("EdDSA", 64)),
}  # fmt: skip
"""By kind: makers of secrets that are known by their form alone, wherever they stand."""

FORMS = [(kind, number, make) for kind, makers in MAKERS.items() for number, make in enumerate(makers)]
