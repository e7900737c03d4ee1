"""What the privacy profile adds: personal data, absolute paths, binary, in texts and by name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["PERSONAL", "addresses", "people", "personal"]

PERSONAL: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "e mail", "email address", "mail address"),
    "phone": ("phone", "phone number", "telephone", "mobile number", "cell phone", "fax number", "msisdn"),
    "name": (
        "first name", "last name", "full name", "given name", "family name", "surname", "middle name", "maiden name",
        "real name", "legal name",
    ),
    "address": ("street address", "home address", "postal address", "mailing address", "billing address",
                "shipping address", "street", "zip code", "postal code", "postcode"),
    "birth-date": ("birth date", "date of birth", "dob", "birthday"),
    "id-number": ("ssn", "social security number", "passport number", "tax number", "national insurance number",
                  "driver license number", "iban", "bank account number"),
}  # fmt: skip
"""Names that tell personal data, by kind."""

Take = Callable[[str, int, int], None]

_EMAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(
    r"(?<![\w.+:/-])(?:\+[0-9](?:[ ().-]{0,2}[0-9]){7,14}|\(?[0-9]{3}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}"
    r"|0[0-9]{1,4}[ /-]{1,3}[0-9]{2,5}(?:[ -]?[0-9]{2,5}){1,3})(?![\w-]|\.[0-9])"
)
_SEGMENT = r"[^\s/\\\"'`<>|:;,?*(){}\[\]&=]"
_ROOTS = (
    r"home|Users|root|etc|var|usr|opt|tmp|srv|mnt|media|private|Applications|Library|System|Volumes|proc|sys|dev|run|"
    r"bin|sbin|lib|lib64|boot|nix|snap|storage|sdcard|workspaces?|work|repo|repos|builds?|code|project|projects|data|app"
)
_WEB = (
    r"api|v[0-9]+|graphql|oauth2?|auth|rest|static|assets|health[a-z]*|login|logout|users|webhooks?|\.well-known|rpc|ws|"
    r"public|admin|search|orders|items|posts|files|docs|blog|images|css|js|wiki|status|metrics|account|accounts|token"
)
_POSIX = re.compile(
    rf"(?<![\w./:~<>)\]}}%+@=-])(?:(?:\$HOME|\$\{{HOME\}}|~[A-Za-z0-9._-]{{0,32}})(?:/{_SEGMENT}*)+"
    rf"|/(?:{_ROOTS})(?:/{_SEGMENT}*)+|/(?:root|tmp|home)(?![\w.-])|/(?!(?:{_WEB})/){_SEGMENT}+(?:/{_SEGMENT}*)+)"
    rf"|(?<=[=:(\[{{,])(?:/(?:{_ROOTS})|~)(?:/{_SEGMENT}*)+|(?<=file://)/{_SEGMENT}+(?:/{_SEGMENT}*)*"
)
_VERB = re.compile(
    r"(?i:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT|TRACE|path|route|url|uri|endpoint)[ =:\"']{1,4}\Z"
)
_WINDOWS = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]:[\\/]{1,4}(?:[^\\/:*?\"'<>|\r\n\t,;]{1,255}[\\/]{1,4})*[^\s\\/:*?\"'<>|,;]*"
    r"|(?<![\\\w:>])\\{2,4}[A-Za-z0-9._$-]{1,64}\\{1,2}"
    r"(?:[^\\/:*?\"'<>|\r\n\t,;]{1,255}\\{1,2})*[^\s\\/:*?\"'<>|,;]*"
    r"|%(?:USERPROFILE|APPDATA|LOCALAPPDATA|HOMEPATH|TEMP)%[\\/][^\s:*?\"'<>|,;]*",
)
_WHOLE = re.compile(rf"(?:/(?:{_ROOTS})/|~/|[A-Za-z]:\\|\\\\)[^\r\n\"<>|*?:;]{{1,4096}}")
_DATA_URL = re.compile(
    r"(?<![\w])data:[\w.+-]{0,64}(?:/[\w.+-]{1,64})?(?:;[\w=.+-]{1,64}){0,4};base64,[A-Za-z0-9+/=_%-]*"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{256,}={0,2}")


def personal(text: str, take: Take) -> None:
    """Takes emails, phone numbers, absolute paths and binary."""
    if "@" in text or "%40" in text:
        for found in _EMAIL.finditer(text):
            take("email", *found.span())
    if len(text) >= 7:
        for found in _PHONE.finditer(text):
            if 8 <= sum(map(str.isdigit, found[0])) <= 15:
                take("phone", *found.span())
    if "/" in text or "\\" in text or "~" in text:
        for start, end in _paths(text):
            take("path", start, end)
    if len(text) >= 256 or "data:" in text:
        for pattern in (_DATA_URL, _BASE64):
            for found in pattern.finditer(text):
                take("binary", *found.span())


def _paths(text: str) -> Iterator[tuple[int, int]]:
    if _WHOLE.fullmatch(text):
        yield 0, len(text)
        return
    for found in _POSIX.finditer(text):
        start, end = found.span()
        end -= len(found[0]) - len(found[0].rstrip(".!"))
        if text.startswith("?", end) or _VERB.search(text, max(0, start - 16), start):
            continue  # the path of a request
        yield start, end
    for found in _WINDOWS.finditer(text):
        yield found.span()


def people(names: Iterable[str]) -> Callable[[str, Take], None]:
    """The rule that takes the names of persons: as words of their own, in any case.

    >>> found = []
    >>> people(["Ann Lee"])("told ann  lee, not Joann Leeds", lambda *hit: found.append(hit)); found
    [('name', 5, 13)]
    """
    written = sorted({" ".join(name.split()) for name in names if name.strip()}, key=len, reverse=True)
    pattern = re.compile(
        r"(?i)(?<!\w)(?:" + "|".join(re.escape(name).replace(r"\ ", r"\s{1,4}") for name in written) + r")(?!\w)"
    )

    def rule(text: str, take: Take) -> None:
        for found in pattern.finditer(text):
            take("name", *found.span())

    return rule


_ADDRESS = re.compile(
    r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{2,39}(?:[0-9.]{7,15})?)(?![\w:]|\.[0-9])"
)


def addresses(text: str, take: Take) -> None:
    """Takes IP addresses of both versions."""
    for found in _ADDRESS.finditer(text):
        if "." in found[0] or found[0].count(":") >= 2:
            try:
                ipaddress.ip_address(found[0])
            except ValueError:
                continue
            take("ip", *found.span())
