"""No text takes the rules more time than in proportion to its length: the built-in ones tried, a user's own proved."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import pytest
from written import written

from jsonl_audit.redact import Redactor
from jsonl_audit.redact.encoded import suspicious
from jsonl_audit.redact.linear import checked
from jsonl_audit.redact.tokens import TOKENS, Token, compiled, known_tokens

OURS = Redactor()
PRIVATE = Redactor("privacy", people=["Ann Lee"], ip=True)


def _seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def _linear(work: Callable[[str], object], piece: str, size: int) -> bool:
    """Whether twice the text takes about twice the time, at the least of up to twelve tries: others work here too."""
    once, twice = piece * (size // len(piece)), piece * (2 * size // len(piece))
    short = long = float("inf")
    for _ in range(12):
        short, long = min(short, _seconds(lambda: work(once))), min(long, _seconds(lambda: work(twice)))
        if long < 3.2 * short + 0.003:
            return True
    return False


def _pieces(token: Token) -> list[str]:
    """What a pattern begins to match and does not, over and over; and one beginning of what never ends."""
    lot = Random(token.pattern)
    whole = written(token.pattern, lot)
    return [
        *token.hints[:3],
        f"{token.hints[0]}-",
        f"{token.hints[0]}.",
        f" {whole[:-2]}",
        f"{whole[: len(whole) // 2]}\n",
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize("token", TOKENS, ids=lambda token: f"{token.kind}-{token.hints[0]}")
def test_a_form_of_secret_takes_linear_time(token: Token, long: bool) -> None:
    size = 1_000_000 if long else 8_000
    for piece in _pieces(token):
        assert _linear(lambda text: known_tokens(text, 0, len(text), lambda *_: None), piece, size), piece
    for run in ("a", "A", "0", "-", "_", ".", "/", "=", "%41"):
        text = token.hints[0] + run * (size // len(run))
        assert _seconds(lambda text=text: compiled(token).search(text)) < (20 if long else 1), run


BOMBS = [
    "password=",
    "password:",
    "password ",
    "pass",
    "passpass.",
    "token",
    "key[",
    "secret\\",
    'secret"',
    'secret\\"',
    "auth=,",
    "token=>",
    "key:=",
    "token is ",
    "--password ",
    "password='",
    "password=\\'",
    "password=(",
    "password=a(",
    "authorization: x ",
    "cookie: x ",
    "key=a(",
    "token=https://",
    "token: [",
    'token": {',
    "authorization: basic ",
    "cookie: a=b;",
    "a=",
    "=",
    ":",
    "arn:aws:",
    "arn:aws:secret:",
    "eyJ",
    "eyJ.",
    "eyJaaaaaaaaaa.ey",
    "://",
    "://a:",
    "://a:b",
    "//a:b@",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----",
    "PuTTY-User-Key-File-3:",
    "curl -u ",
    "curl ",
    "curl -u a:",
    "<redacted:token>",
    "<redacted:",
    "<",
    "Bearer ",
    "Basic a",
    "aaaa",
    "a.",
    "a@",
    "a@b",
    "a@b.",
    "a%40",
    "/",
    "/a",
    "/home/",
    "//",
    "~/",
    "C:\\",
    "C:\\a ",
    "\\\\a\\",
    "+1",
    "+1 2",
    "0 0",
    "555-555-",
    "1.",
    "1.1.1.1",
    "::",
    "a:",
    "data:",
    "data:;base64,",
    "{",
    "[",
    '{"a":',
    '["',
    '\\"',
    "\\",
    "\\\\",
    "%",
    "%3A%2F%2F",
    "$",
    "${",
    "{{",
    "%(",
    "ann ",
    "Ann Lee",
    "\u200b",
    "ä",
    "п",
    " ",
    "\n",
    "\t",
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("piece", BOMBS, ids=ascii)
def test_no_text_of_one_piece_over_and_over_takes_more_than_linear_time(piece: str, long: bool) -> None:
    size = 1_000_000 if long else 10_000
    assert _linear(OURS.find, piece, size)
    assert _linear(PRIVATE.find, piece, size)
    assert _linear(lambda text: OURS.text(text, {}), piece, size)


@pytest.mark.parametrize(
    "piece", ['"', "k", "key", "key\\", 'key\\"', "-us", "_", ".", "A", "~", "://:", "\\n", '{\\"', "pass ", "cre"]
)
def test_the_look_at_an_encoded_event_takes_linear_time(piece: str, long: bool) -> None:
    size = 1_000_000 if long else 20_000

    def look(text: str) -> None:
        members = f'["{text}"]'.encode()
        suspicious(members)

    assert _linear(look, piece, size)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(a|aa)+$",
        r"(\w+\s?)*$",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(.*)*x",
        "a+b",
        r"\d+-\d+",
        ".*x",
        r"(a)\1",
        r"(?P<x>a)(?P=x)",
        "(?:a{1,99}){1,99}",
        "a{1,500}a{1,500}",
        "(?:a?){50}b",
        r"[a-z]{1,99}[a-z0-9]{1,99}x",
        "x*",
        "",
        "a?",
        "(",
        "[",
        "a{2,1}",
        "(?:ab)*",
        "(?=a+)b+c",
    ],
)
def test_a_pattern_that_is_not_known_to_be_linear_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^pattern 'own'"):
        Redactor(patterns={"own": pattern})


@pytest.mark.parametrize(
    "pattern",
    [
        "EMP-[0-9]{6}",
        r"\bticket-\d{1,9}\b",
        r"acct_[a-z0-9]+",
        r"(?i)case-[0-9]{4}/[a-z]{2,8}",
        r"[A-Z]{2}\d{2}(?: ?\d{4}){3,5}",
        r"(?:a|b)+",
        r"(?<!\w)[a-z]{1,64}@corp",
        r"(?:red|green)-(?P<secret>[0-9]{4})",
        r"[^;]{8};",
        "ä{3}",
        r"x-.*",
    ],
)
def test_an_ordinary_pattern_is_taken_and_is_linear(pattern: str) -> None:
    compiled = checked("own", pattern)
    lot = Random(pattern)
    for piece in ("a", "0", "A", "acct_", "x-", "DE00 0000 ", *(written(pattern, lot)[:-1] or "x" for _ in range(3))):
        text = piece * 20_000
        assert _seconds(lambda text=text: list(compiled.finditer(text))) < 5, piece
    ours = Redactor(patterns={"own": pattern})
    matching = next(text for text in (written(pattern, lot) for _ in range(200)) if compiled.search(f" {text} "))
    assert "<redacted:own>" in ours.text(f" {matching} ", {})
