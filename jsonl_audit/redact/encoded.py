"""One cheap look at texts, encoded as JSON, before any rule is asked: whether there may be a secret among them.

Each secret has a letter or two in it that are rare in ordinary events. The regular expressions here begin with such a
letter, which the engine finds as fast as memory is read, and look around it from there. They say where a secret may be,
never that there is none where one is: a test holds them to the rules on plain texts.
"""

from __future__ import annotations

import re

__all__ = ["suspicious"]

_GOES_ON = (
    rb"(?:s? |[a-z0-9_.\[\]-]{0,48}(?![a-z0-9_.\[\]-])(?:\\{1,15}[\"'`]\]?|['`]\]?|%22)?"
    rb"(?:[ \\t]{0,16}(?:[=:,]|>(?![\"<])|%3)|[ \\t]{0,16}\\t))"
)
"""From a telling word on to what stands between name and value; a quote without a backslash would end the string."""

_LOWER = (
    (
        rb"k(?:(?:e[yn]|ie)" + _GOES_ON + rb"|ey(?: block)?-----|ey-(?=[a-z0-9-]{20})|en\$"
        rb"|r_|\.com(?:/|%2f)|s/[0-9]|\.office"
        rb"|-(?<=[skc]k-)(?:(?<=sk-)(?<![g-z_-][a-z0-9_-]sk-)|(?<=eck-))|-(?<=pmak-|nrak-)|-us-|_(?<=eck_)|u-(?<=hrku-)"
        rb"|cp(?<=akcp)|eysib-|ea(?<=dkea)|(?<=[tamls]k)(?:(?<=ez[at]k)|(?<=_mmk)|(?<=zxlk)|(?<=sk)[0-9a-f]{32}))"
    ),
    (
        rb"p(?:(?:ass(?:word|wd|phrase|code)?|wd)" + _GOES_ON
        + rb"|ypi-|at-(?:na|eu|ap)|at[a-z0-9]{14}\.|at\.|ul-[0-9a-f]{40}"
        rb"|8e-|s_ey|\.(?:pt|st|ct|scim|audit|sa)\.|scale_|-(?<=sq0[a-z][a-z]p-)"
        rb"|(?<=[atf]p)(?:(?<=otp)" + _GOES_ON + rb"|i(?<=dapi)[0-9a-f]{32}|i-(?<=nvapi-)|at-(?<=cfpat-)))"
    ),
    rb"cre(?:d(?:ential)?|t(?!s?manager)(?!:(?<=[0-9]{12}:secret:)))" + _GOES_ON,
    rb"auth" + _GOES_ON,
    (
        rb"g(?:l[a-z]{2,6}-|r1348941|h[pousr]_|ithub_pat_|itlab_session=|est(?: |\\t)|=(?<=sig=)|nature="
        rb"|[dour]_(?<=fig._)"
        rb"|tu(?<=cmvmdgtu))"
    ),
    rb"x(?:ox|app-|wfp-|-(?:(?<=spx-)|(?<=plx-))|ai-)",
    rb"b(?:earer(?: |\\t|%20|\+)|asic(?: |\\t)|_secret_|1d(?<=4b1d)[a-z0-9]{20})",
    rb"-u(?:s(?:[0-9]|er[ =])|[ =-])",
    rb"%3a%2f%2f",
    rb"://[^ /?#\"'<>@:\\]{0,256}:[^ \"'<>@\\]{1,512}@",
)
"""On the text in lower case."""
_AS_WRITTEN = (
    rb"A(?:KI[AD]|SIA|BIA|CCA|3[T-]|Iza|BSK|I(?<=LTAI)|TATT3|TCTT3|TBB|KCp|QVN|AAA|A(?<=:AA)|A-(?<=NRAA-)|A(?<=EAA))",
    rb"J(?:(?<=eyJ)|S-)",
    rb"_(?:[A-Za-z0-9]{16}|(?<=[01ploc]_)(?:(?<=y0_)|(?<=tfp_)|(?<=fel_)|(?<=fo1_)|(?<=sec_)))",
    (
        rb"\.(?=[A-Za-z0-9_-]{3})(?:(?<=s\.)[A-Za-z0-9]{16}|(?<=[0-9]\.)(?:[A-Z0-9]{24}|0-[0-9a-f]|[A-Za-z0-9_-]{20})"
        rb"|(?<=[Gsbrtn]\.)(?:(?<=SG\.)|(?<=hv[sbr]\.)|(?<=sat\.)|(?<=zn\.)mws)|atlasv1|[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27})"
    ),
    rb"~(?:(?<=Q~)|(?<=256~))",
)
# Fifteen calls, one after the other: a loop over them would cost a third as much again.
(_k, _p, _cre, _auth, _g, _x, _b, _us, _url, _quoted, _a, _j, _under, _dot, _tilde) = (
    re.compile(each).search for each in (*_LOWER, *_AS_WRITTEN)
)
_NESTED = re.compile(rb'"(?:[ ]|\\[nrt])*[{\[](?=(?:[^"\\]|\\[^"])*\\")')
"""A string that may be JSON itself: it begins as an object or a list, and there are quotes in it."""


def suspicious(members: bytes, lower: bytes) -> bool:
    """Whether any string of a JSON text may hold a secret; `lower` is the text in lower case.

    >>> [suspicious(text, text) for text in (b'{"tokens_in":5,"session":"s-1"}', b'{"message":"token=abc"}')]
    [False, True]
    """
    return bool(
        _k(lower) or _p(lower) or _cre(lower) or _auth(lower) or _g(lower) or _x(lower) or _b(lower) or _us(lower)
        or _url(lower) or _quoted(lower) or _a(members) or _j(members) or _under(members) or _dot(members)
        or _tilde(members)
        or (b"\\" in members and _NESTED.search(members))
    )  # fmt: skip
