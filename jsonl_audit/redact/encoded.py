"""One cheap look at texts, encoded as JSON, before any rule is asked: whether there may be a secret among them.

Each secret has a letter or two in it that are rare in ordinary events. The regular expressions here begin with such a
letter, which the engine finds as fast as memory is read, and look around it from there. They say where a secret may be,
never that there is none where one is: a test holds them to the rules on plain texts.
"""

from __future__ import annotations

import re

__all__ = ["suspicious"]

_FOLDED = bytes(
    0x01 if byte in b"xXJ~" else byte + 0x20 if 0x41 <= byte <= 0x5A else byte for byte in range(256)
)
"""What the text is looked at in: lower case, and the rarest letters and signs all one, so that one search finds any
of them. The byte 1 stands raw in no JSON text."""
_NAME = rb"[a-z0-9_.\[\]\x01-]"
_GOES_ON = (
    rb"(?!" + _NAME + rb"{0,48}\")(?:s? |" + _NAME + rb"{0,48}(?!" + _NAME + rb")(?:\\{1,127}[\"'`]\]?|['`]\]?|%22)?"
    rb"(?:[ \\t]{0,16}(?:[=:,]|\xef\xbc[\x9a\x9d]|>(?:(?![\"<])|<!)|%3)|[ \\t]{0,16}\\t))"
)
"""From a telling word on to what stands between name and value. A quote without a backslash, which ends the string, is
what stands there most often: it is asked for first."""

_EXPRESSIONS = (
    (
        rb"k(?:(?:e[yn]|ie)" + _GOES_ON + rb"|ey(?: block)?-----|ey-[a-z0-9\x01-]{20}|en\$"
        rb"|r_|\.com(?:/|%2f)|s/[0-9]|\.office"
        rb"|-(?<=[skc]k-)(?:(?<=sk-)(?<![g-z_-][a-z0-9_-]sk-)|(?<=eck-))|-(?<=pmak-|nrak-)|-us-|_(?<=eck_)|u-(?<=hrku-)"
        rb"|cp(?<=akcp)|eysib-|ea(?<=dkea)|[a-z0-9\x01](?<=[tamls]k.)(?:(?<=ez[at]k.)|(?<=z\x01lk.)|(?<=sk.)[0-9a-f]{31})"
        rb"|(?<=_mmk))"
    ),
    (
        rb"p(?:(?:ass(?:word|wd|phrase|code)?|wd)" + _GOES_ON
        + rb"|ypi-|at(?:-(?:na|eu|ap)|[a-z0-9\x01]{14}\.|\.|-(?<=cfpat-))|ul-[0-9a-f]{40}"
        rb"|8e-|s_ey|\.(?:pt|st|ct|scim|audit|sa)\.|scale_|-(?<=sq0[a-z\x01][a-z\x01]p-)"
        rb"|i(?<=api)(?:(?<=dapi)[0-9a-f]{32}|-(?<=nvapi-))|(?<=otp)" + _GOES_ON + rb")"
    ),
    rb"cre(?:d(?:ential)?|t(?!s?manager)(?!:(?<=[0-9]{12}:secret:)))" + _GOES_ON,
    rb"auth" + _GOES_ON,
    (
        rb"g(?:l[a-z]{2,6}-|r1348941|h[pousr]_|ithub_pat_|itlab_session=|est(?: |\\t)|=(?<=sig=)|nature="
        rb"|[dour]_(?<=fig._)"
        rb"|tu(?<=cmvmdgtu))"
    ),
    rb"b(?:earer(?: |\\t|%20|\+)|asic(?: |\\t)|_secret_|1d(?<=4b1d)[a-z0-9\x01]{20})",
    rb"-u(?:s(?:[0-9]|er[ =])|[ =-])",
    rb"%3a%2f%2f",
    rb"://[^ /?#\"'<>@:\\]{0,256}:[^ \"'<>@\\]{1,512}@",
    (
        # x, J and ~, in this order
        rb"\x01(?:o\x01|app-|wfp-|-(?:(?<=sp\x01-)|(?<=pl\x01-))|ai-|(?<=ey\x01)|s-|(?<=[q6]\x01)(?:(?<=q\x01)|(?<=256\x01)))"
    ),
    rb"_(?:[a-z0-9\x01]{16}|(?<=[01ploc]_)(?:(?<=y0_)|(?<=tfp_)|(?<=fel_)|(?<=fo1_)|(?<=sec_)))",
    (
        rb"\.(?=[a-z0-9_\x01-]{3})(?:(?<=s\.)[a-z0-9\x01]{16}|(?<=[0-9]\.)(?:0-[0-9a-f]|[a-z0-9_\x01-]{20})"
        rb"|(?<=[gsbrtn]\.)(?:(?<=sg\.)|(?<=hv[sbr]\.)|(?<=sat\.)|(?<=zn\.)mws)|atlasv1"
        rb"|[a-z0-9_\x01-]{6}\.[a-z0-9_\x01-]{27})"
    ),
)
_CAPITALS = (
    rb"A(?:KI[AD]|SIA|BIA|CCA|3[T-]|Iza|BSK|I(?<=LTAI)|TATT3|TCTT3|TBB|KCp|QVN|AAA|A(?<=:AA)|A-(?<=NRAA-)|A(?<=EAA))"
)
"""What is told by its capitals: on the text as it is written."""
# Thirteen calls, one after the other: a loop over them would cost a third as much again.
_k, _p, _cre, _auth, _g, _b, _u, _quoted, _url, _rare, _under, _dot, _a = (
    re.compile(each).search for each in (*_EXPRESSIONS, _CAPITALS)
)
_NESTED = re.compile(rb'"(?:[ ]|\\[nrt])*[{\[](?=(?:[^"\\]|\\[^"])*\\")')
"""A string that may be JSON itself: it begins as an object or a list, and there are quotes in it."""


def suspicious(encoded: bytes) -> bool:
    """Whether any string of a JSON text may hold a secret.

    >>> [suspicious(text) for text in (b'["tokens_in","session"]', b'["token=abc"]')]
    [False, True]
    """
    folded = encoded.translate(_FOLDED)
    return bool(
        _k(folded) or _p(folded) or _cre(folded) or _auth(folded) or _g(folded) or _b(folded) or _u(folded)
        or _quoted(folded) or _url(folded) or _rare(folded) or _under(folded) or _dot(folded) or _a(encoded)
        or (b"\\" in encoded and _NESTED.search(encoded))
    )  # fmt: skip
