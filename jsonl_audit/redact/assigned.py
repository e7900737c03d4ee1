"""Secrets that a text says are some: what stands behind `password=`, `"api_key":`, `--token`, `Authorization:`."""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable

from jsonl_audit.redact.markers import MARKER
from jsonl_audit.redact.names import Names

__all__ = ["assigned", "harmless", "random_looking", "says_nothing"]

_STEMS = "pass|pwd|otp|secret|cred|token|key|cookie|auth"
_ASSIGN = re.compile(
    rf"(?ai:{_STEMS})(?:[A-Za-z0-9_.\[\]-]{{0,48}}(?![A-Za-z0-9_.\[\]-])"
    r"(?P<close>\\{0,63}[\"'`]\]?|%22)?"
    r"(?:[ \t]{0,8}(?P<sign>=>|:=|={1,3}|[:\uff1a\uff1d]|%3[AaDd]|>(?![\"<])|>(?=<!\[C))(?:<!\[CDATA\[)?"
    r"(?:[ \t]{0,8}[|>][+-]?[ \t]{0,8}\r?\n)?\s{0,8}|(?P<comma>[ \t]{0,2},[ \t]{0,2}))"
    r"|(?ai:word|wd|phrase|code|ential|s)?s?(?P<space>[ \t]{1,4}(?:(?:is|was|to)[ \t]{1,4})?))"
)
_BEFORE = re.compile(r"[A-Za-z0-9_.\[\]-]{0,64}")
_OPENING = re.compile(r"(?P<prefix>[bBrRuUfF]{0,2})(?P<quote>\\{0,63}(?:\"\"\"|'''|[\"'`])|%22)")
_COLOUR = re.compile(r"[0-9\[]{1,4}m")
"""What a terminal takes for a colour, as far as it can belong to a name."""
_FREE = re.compile(
    r"(?:[^\s\"'`<>,;&|)\]}\\%]|%(?!2[026]|3[Bb]|0[Aa])|\\(?![nrt\"'])|[,;&|)\]}](?![\s,;)\]}\"'\\]|\Z|[\w.-]{1,64}[=:])"
    rf"|[\"'`>](?=[A-Za-z0-9])|{MARKER.pattern}|<(?![/!<]|redacted:|path>|[A-Za-z][\w-]{{0,40}}[\s/>]))+"
)
"""A value without quotes: on to what ends one, in any of the notations that a log holds."""
_CLOSED_BEFORE = re.compile(r"\)*(?:,[ \t]|[ \t]\+[ \t])|\)+[\s:]")
"""What stands behind a quote that ends a text, as in `ask('Password: ', mask)`."""
_LINE = re.compile(r"(?:[^\r\n\"'<\\]|\\(?![nrt\"']))+")
_SCHEME = re.compile(
    r"(?i:basic|bearer|digest|token|negotiate|ntlm|apikey|api-key|hawk|oauth|ssws|hmac|hmac-sha256|sharedkey|"
    r"sharedkeylite|googlelogin|aws|aws4-hmac-sha256|aws4-ecdsa-p256-sha256|dpop|gnap|mutual|vapid|jwt|key|"
    r"splunk|genie ?key|discogs)[ \t:]"
)
_CRUMB = re.compile(r"[^\s=;,\"'<>]{1,256}=")
"""How a cookie begins."""
_CALL = re.compile(r"[A-Za-z_][\w.]*[(\[]")
_ALPHA = re.compile(r"[A-Za-z]{1,24}[.!?]?")
_GOES_ON = re.compile(r"[ \t]+[A-Za-z(\[<{\"'-]")
_NUMBER = re.compile(r"[0-9][0-9.,:%/kKmM]{0,15}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")
_MASK = re.compile(
    r"[*xX.•_-]{3,}|\[?[A-Z]{0,16}(?:REDACTED|FILTERED|MASKED|HIDDEN|SECRET)[A-Z_]{0,40}\]?"
    r"|\(?[a-z]{0,8}(?:redacted|hidden|masked|filtered)\)?"
)
_VARIABLE = re.compile(
    r"\?|:[a-z_]{1,40}|\$[0-9]{1,2}|"
    r"\$\{?\{?[ ]?[A-Za-z_][A-Za-z0-9_.:-]{0,80}[ ]?\}?\}|\$[A-Z][A-Z0-9_]{1,80}|\$\([^()]{0,200}\)|"
    r"%[A-Z][A-Z0-9_]{1,60}%|"
    r"\{\{?[ ]?[A-Za-z_.$][A-Za-z0-9_.| ]{0,80}\}?\}|%[sdr]|%\([a-z_]{1,40}\)[sdr]|<[A-Za-z][A-Za-z _-]{0,40}>"
)
_ENDS = re.compile(r"\Z|[\s\"'`,;&)\]]")
_REFERENCE = re.compile(
    r"(?:process\.env|os\.environ|self|this|env|secrets|settings|config|request|args|opts|options|params|kwargs|vars|var|local)"
    r"(?:\.[A-Za-z_]\w{0,80}){1,8}"
)
_COMPARED = re.compile(r"[A-Za-z_][\w.]{0,80}:?")
_PAIR = re.compile(r"[A-Za-z_][\w.-]{0,64}=")
_WORKING = frozenset(("pwd", "oldpwd"))
"""Names that mean the directory where a path stands behind them."""
_PLACE = re.compile(r"~?/[^\s]{0,1024}|[A-Za-z]:\\.{0,1024}")
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[a-z0-9_.-]{1,64}){2,16}/?|[A-Z]:\\[\w\\ .-]{1,200}")
_ARN = re.compile(r"arn:aws[a-z-]{0,12}:[A-Za-z0-9:/_.*+=@,-]{1,2048}")
_RESOURCE = re.compile(r"(?:arn|urn|crn):[^\s\"']{0,500}\Z")
_EMPTY = frozenset(("", "true", "false", "null", "none", "nil", "undefined", "yes", "no", "nan", "n/a", "on", "off"))
_WORDS_ABOUT = frozenset(
    """is was are not no none must should shall may can cannot required missing invalid incorrect wrong expired expires
    revoked rejected denied failed failure error ok okay valid changed updated reset rotated created deleted removed
    unknown unset empty set enabled disabled optional unauthorized forbidden str string bytes int integer bool boolean
    float object dict list tuple any optional number char varchar text password token secret key auth for from to of in
    and or the a an with without by on at as if too has have had will does do did it its this that which refresh see
    bearer basic digest negotiate ntlm accepted granted success successful succeeded unavailable unsupported unexpected
    malformed mismatch mismatched used unused rate limit limits limited verified verification authenticated pending
    provided supplied given found present absent generated stored hidden encrypted hashed default self cls id
    return returns raise raises const let var new function async await public private static readonly""".split()
)
"""What prose says behind such a word."""
_SHORT_NUMBERS = frozenset(("password", "otp", "card", "secret"))
"""Kinds whose secrets may be mere numbers."""


def assigned(text: str, names: Names, take: Callable[[str, int, int], None], at: int, until: int) -> None:
    """Takes kind, start and end of each value whose name begins between two places of a text."""
    marked = [match.span() for match in MARKER.finditer(text)] if "<redacted:" in text else []
    while (found := _ASSIGN.search(text, at, until)) is not None:
        at = found.end()
        start = found.start()
        inside = bisect(marked, (start, len(text))) - 1 if marked else -1
        if inside >= 0 and start < marked[inside][1]:  # a marker tells nothing
            at = marked[inside][1]
            continue
        left = _BEFORE.match(text[max(0, start - 64) : start][::-1])
        begin = start - (left.end() if left else 0)
        close, sign, space = found["close"] or "", found["sign"], found["space"]
        name = text[begin : found.start("close") if close else _end_of_name(found)]
        kind = names.kind(name)
        if (kind is None or kind[-1] == "?") and begin:
            kind = _behind_escape(text[begin - 1], name, names) or kind
        if kind is None:
            at = max(found.start() + 3, _end_of_name(found))
            continue
        if sign == ":" and not close and _in_resource(text, begin):
            continue  # the name of a resource, in which a kind of resource stands between colons
        opening = _OPENING.match(text, at)
        variable = _VARIABLE.match(text, at if opening is None else opening.end())
        if variable is not None and _ENDS.match(text, variable.end()):
            at = variable.end()
            continue
        flag = space is not None and name.startswith("-")
        value = _value(text, at, kind, close, sign, found["comma"], space, flag)
        if value is not None and not (name.lower() in _WORKING and _PLACE.fullmatch(text, *value)):
            take(kind.removesuffix("?") if kind != "secret?" else "high-entropy", *value)
            at = max(at, value[1])


def _behind_escape(before: str, name: str, names: Names) -> str | None:
    """What a name tells without its first letters, where these belong to an escape: a text within a text, or a URL."""
    if (colour := _COLOUR.match(name)) is not None:
        return names.kind(name[colour.end() :])
    if before == "\\":
        cut = 3 if name[:1] == "x" else 5 if name[:3] == "u00" else 1 if name[0] in "nrtbfv0" else 0
    else:
        cut = 2 if before == "%" else 0
    return names.kind(name[cut:]) if cut else None


def _in_resource(text: str, begin: int) -> bool:
    """Whether a name begins within the name of a resource: behind the number of an account, or a scheme of such."""
    return text[max(0, begin - 13) : begin - 1].isdecimal() or bool(_RESOURCE.search(text, max(0, begin - 512), begin))


def _end_of_name(found: re.Match[str]) -> int:
    for group in ("close", "sign", "comma", "space"):
        start = found.start(group)
        if start >= 0:
            return len(found.string[: start].rstrip(" \t")) if group == "sign" else start
    return found.end()


def _value(
    text: str, at: int, kind: str, close: str, sign: str | None, comma: str | None, space: str | None, flag: bool
) -> tuple[int, int] | None:
    """Where the secret stands that begins at `at`; None where what stands there is none."""
    weak = kind.endswith("?")
    opening = _OPENING.match(text, at)
    if comma is not None and (not close or opening is None or kind not in _PAIRED):
        return None
    if space is not None and close:
        return None
    if opening is not None and (space is None or flag or opening.end() - at < 3):
        quote = opening["quote"]
        start = opening.end()
        end = text.find(quote, start)
        while end > start and len(quote) == 1 and quote != "`" and _escaped(text, end):
            end = text.find(quote, end + 1)
        if end < 0:
            line = _LINE.match(text, start)
            end = start if line is None else line.end()
        value = text[start:end]
        if space is not None and not flag and not random_looking(value, 8):
            return None
        if _CLOSED_BEFORE.match(value):
            return None
        return (start, end) if _secret(value, kind, weak) else None
    if kind in ("authorization", "cookie") and space is None:
        # Asked at its beginning first: a line is read to its end only where it goes to its end.
        scheme = (_SCHEME if kind == "authorization" else _CRUMB).match(text, at)
        line = None if scheme is None else _LINE.match(text, at)
        if scheme is not None and line is not None:
            if kind == "authorization" and harmless(line[0][scheme.end() - at :].strip()):
                return None
            return at, at + len(line[0].rstrip())
    if text.startswith(("{", "["), at) and close and sign and not weak and kind != "credential":
        return at, _closed(text, at, _IN_STRINGS if close == '"' else _BRACKET)
    if weak:  # what looks like a key is one short run: a text full of such names is not read on from each of them
        run = _RANDOM.match(text, at, at + _LONGEST_KEY)
        end = at if run is None else run.end()
        if end - at >= _LONGEST_KEY or (sign == ">" and not text.startswith(("<", "]]>"), end)):
            return None
        return (at, end) if _secret(text[at:end], kind, weak) else None
    free = _FREE.match(text, at, at + _FAR)
    if free is None:
        return None
    value, end = free[0], free.end()
    if end == at + _FAR:  # no word, no call, no reference is that long: it goes to its end, which is looked for once
        return at, _end(text, at)
    if _REFERENCE.fullmatch(value) or (sign == "==" and _COMPARED.fullmatch(value)):
        return None
    if sign is not None and sign != ":" and sign != ">" and not close and _CALL.match(value):
        return None
    if sign == ">" and (not text.startswith(("<", "]]>"), end) or value.lower() in _WORDS_ABOUT):
        return None
    if not _secret(value, kind, weak):
        return None
    bare = value.rstrip(".!?")
    if space is not None and not flag:  # prose, if it does not look like one
        prose = len(bare) < 6 or not _mixed(bare) or _NUMBER.fullmatch(bare) or _PAIR.match(bare)
        return None if prose else (at, end)
    perhaps_prose = sign in (":", "\uff1a", "=>", ">", "==") or flag or text.startswith(" ", at - 1)
    if perhaps_prose and (bare.lower() in _WORDS_ABOUT or (_ALPHA.fullmatch(value) and _GOES_ON.match(text, end))):
        return None
    if kind not in _SHORT_NUMBERS and (_NUMBER.fullmatch(bare) or _DATE.fullmatch(bare)):
        return None
    if value.startswith("//"):
        return None
    return at, end


_LONGEST_KEY = 257
_FAR = 1024
"""Characters of a value that are read before it is known to be a secret."""


def _end(text: str, at: int) -> int:
    free = _FREE.match(text, at)
    return at if free is None else free.end()


_PAIRED = frozenset(("authorization", "cookie", "api-key", "password"))
"""Kinds for which a name, a comma and a value in quotes are a pair (a header); else they may be a list of names."""


def _escaped(text: str, at: int) -> bool:
    count = 0
    while at - count > 0 and text[at - count - 1] == "\\" and count < 64:
        count += 1
    return count % 2 == 1


_BRACKET = re.compile(r"[{}\[\]]")
_IN_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[{}\[\]]', re.DOTALL)
"""The same, and strings, in which brackets are none."""
_REACH = 65536


def _closed(text: str, at: int, bracket: re.Pattern[str]) -> int:
    """Where an object or a list ends, as far as brackets tell; the end of what there is, where they do not."""
    depth = 0
    limit = min(len(text), at + _REACH)
    for found in bracket.finditer(text, at, limit):
        if found[0][0] == '"':
            continue
        depth += 1 if found[0] in "{[" else -1
        if depth == 0:
            return found.end()
    return limit


def says_nothing(value: str) -> bool:
    """Whether a text is none that could be a secret, whatever its name: nothing, a boolean, the name of a resource.

    >>> [says_nothing(text) for text in ("", "false", "arn:aws:iam::1:role/a", "****")]
    [True, True, True, False]
    """
    return (len(value) < 10 and value.lower() in _EMPTY) or _ARN.fullmatch(value) is not None


def harmless(value: str) -> bool:
    """Whether a text behind a telling word is no secret: nothing at all, a boolean, a mask, a variable, an ARN.

    >>> [harmless(text) for text in ("", "true", "****", "${TOKEN}", "arn:aws:iam::1:role/a", "hunter2")]
    [True, True, True, True, True, False]
    """
    return says_nothing(value) or _MASK.fullmatch(value) is not None or _VARIABLE.fullmatch(value) is not None


def _secret(value: str, kind: str, weak: bool) -> bool:
    if harmless(value) or not any(map(str.isalnum, value)):
        return False
    if weak:
        return random_looking(value)
    if kind == "access-key" and len(value) < 4:  # a key that HTML has for a link
        return False
    return kind == "password" or _PATH.fullmatch(value) is None


def _mixed(value: str) -> bool:
    """Letters with digits or signs among them, as prose has not."""
    if not any(map(str.isalpha, value)) or _DATE.fullmatch(value):
        return False
    return any(character.isdigit() or character in "!@#$%^&*+=~" for character in value)


_RANDOM = re.compile(r"[A-Za-z0-9+/=_.~-]{16,}")
_HEX = re.compile(r"[0-9a-fA-F-]+")
_KINDS = (re.compile("[0-9]"), re.compile("[A-Z]"), re.compile("[a-z]"))


def random_looking(value: str, least: int = 16) -> bool:
    """Whether a text looks like a key: long, of letters in both cases with digits, and of no words.

    >>> random_looking("h2Fq9LzT0bXw7RkE"), random_looking("stratus-red-team-1"), random_looking("2026-11-21T10:11:12Z")
    (True, False, False)
    """
    if len(value) < least or len(value) > 4096 or (least >= 16 and not _RANDOM.fullmatch(value)) or " " in value:
        return False
    if _HEX.fullmatch(value) or (value.count("/") > 1 and "." in value):  # an identifier, a digest; a path
        return False
    if not all(kind.search(value) for kind in _KINDS):
        return False
    size = len(value)
    entropy = -sum(count / size * math.log2(count / size) for count in Counter(value).values())
    changes = sum(_class(one) != _class(two) for one, two in zip(value, value[1:], strict=False))  # noqa: RUF007 - of 3.10
    return entropy >= min(3.5, math.log2(size) - 0.8) and changes * 4 >= size


def _class(character: str) -> int:
    return 0 if character.islower() else 1 if character.isupper() else 2 if character.isdigit() else 3
