"""Names that tell a secret: which word of a key says that what stands there must not reach the disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jsonl_audit.redact.lookalikes import latin
from jsonl_audit.redact.markers import MARKER

__all__ = ["TELLING", "Names", "joined", "words"]

TELLING: Mapping[str, tuple[str, ...]] = {
    "password": (
        "password", "passwd", "pwd", "pw", "psw", "passphrase", "passcode", "pass phrase", "pass code", "pass word",
        "db pass", "user pass", "admin pass", "root pass", "smtp pass", "ssh pass", "redis pass", "mysql pass",
        "pg pass", "passw", "contrasena", "passwort", "kennwort", "mot de passe", "senha", "parola", "wachtwoord",
    ),
    "secret": ("secret", "client secret", "shared secret", "app secret", "webhook secret"),
    "token": (
        "token", "auth token", "session token", "access token", "refresh token", "id token", "bearer token", "oauth",
        "jwt", "bearer", "csrf", "xsrf", "x auth",
    ),
    "api-key": ("api key", "apikey", "app key", "api secret", "api auth"),
    "access-key": (
        "access key", "access key id", "secret access key", "access id", "account key", "storage key",
        "subscription key", "consumer key",
    ),
    "key": (
        "secret key", "signing key", "encryption key", "decryption key", "master key", "shared key", "auth key",
        "hmac key", "session key", "symmetric key", "service key", "root key", "host key", "webhook key",
        "key material",
        "signing secret", "data key", "wrapping key", "ssh key", "sse customer key",
        "unseal key", "recovery key",
    ),
    "private-key": ("private key", "priv key", "pem key", "rsa key", "key pem"),
    "authorization": ("authorization", "auth header", "proxy authorization", "authorisation", "authentication header"),
    "cookie": ("cookie", "set cookie", "jsessionid", "phpsessid", "asp net session id", "connect sid"),
    "credential": ("credential", "cred"),
    "otp": (
        "otp", "totp", "one time password", "one time code", "mfa code", "verification code", "recovery code",
        "backup code", "two factor code", "2fa code", "auth code", "authorization code", "otp code", "passkey",
    ),
    "card": ("cvv", "cvc", "cvv2", "card number", "credit card", "card security code", "pan number"),
    "seed": ("mnemonic", "seed phrase", "recovery phrase", "wallet seed"),
    "prompt": ("prompt",),
    "tool-args": ("tool args", "tool arg", "tool arguments", "tool argument", "tool call arguments", "tool call args"),
}  # fmt: skip
"""What the words of a name say, by kind. Each stands for every case and separator, joined or
not, singular or plural."""

_OPEN = frozenset(("credential",))
"""Kinds whose objects are looked into: what is secret in them has names of its own, the rest (an expiry) stays."""

_WEAK = ("key", "auth", "pass", "pin", "tokens", "signature", "sig", "code verifier", "license", "seed", "salt")
"""Words that tell a secret only where the value looks like one."""

_ABOUT = frozenset(
    """id ids name names arn arns type types kind class hash hashes sha sha1 sha256 sha512 digest fingerprint checksum
    thumbprint length len size bytes count counts number total time times at date expiry expires expire expired
    expiration expiring exp ttl age duration timeout lifetime seconds ms minutes days hours version versions policy
    policies status state url uri urls uris endpoint host path paths file filename format algorithm alg algo scheme
    method provider source issuer scope scopes index in out used usage limit limits max min budget rotation required
    enabled disabled reset changed change valid invalid validity present set strength field fields label hint
    description desc spec manager store level owner user username email context timestamp created updated modified
    last rate cost price alias aliases prefix suffix last4 masked console region rotated revoked attempts attempt
    failures retries allowed supported optional error errors reason message parameter parameters params settings
    config options pair request response event events action actions audience aud iss uses use category tier group
    groups role roles permission permissions template templates injection lifetimes ref refs reference handling server
    service-name minimum maximum complexity history storage bucket folder directory table column protected protection
    rule rules check checks checked match matches verified verification needed support flow grant grants per
    consumed remaining left window estimate estimated quota mode modes stage stages tokenizer tokens tag tags title
    binding bindings review manager rotator sync synced agent operation operations ops detected found leaked leak
    exposure exposed scanner scan scanning redacted""".split()
)
"""Last words of names that are about a secret, and do not hold it."""

_NO_SECRET_BEFORE = {
    "token": frozenset(
        """next page client idempotency sync starting continuation cancellation pagination resume marker scroll cursor
        max min stop start eos bos pad unk special nft erc20 watermark change delta position checkpoint fencing
        lock design""".split()
    ),
    "prompt": frozenset(("command", "shell", "consent", "login", "password", "no", "cursor")),
    "secret": frozenset(("non", "no", "top")),
    "tokens": frozenset(
        """http max min total input output prompt completion cached reasoning num used remaining stop special design
        num n in out cache read write llm model""".split()
    ),
    "oauth": frozenset(),
}
"""Words before a telling one with which it tells nothing: places in a list, tokens of a language model."""

_HASHED = frozenset(("hash", "hashes", "digest"))
_WORDS = re.compile(r"[A-Z]+s?(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONG_TELLING = tuple(
    (word, kind)
    for kind, known in (
        ("password", ("password", "passwd", "passphrase", "passwort")),
        ("api-key", ("apikey",)),
        ("key", ("secretkey", "signingkey", "encryptionkey")),
        ("access-key", ("accesskey", "accesskeyid")),
        ("private-key", ("privatekey",)),
        ("secret", ("clientsecret", "sharedsecret", "appsecret", "secret")),
        ("token", ("accesstoken", "authtoken", "sessiontoken", "refreshtoken", "bearertoken", "idtoken", "apitoken")),
        ("credential", ("credential",)),
    )
    for word in known
)
"""Words that tell even at the end of a longer one (`dbpassword`)."""


def words(name: str) -> list[str]:
    """The words of a name, in lower case: split where case, digits or separators say so.

    >>> words("X-Api-Key"), words("accessKeyId"), words("APIKey2"), words("tokens_in")
    (['x', 'api', 'key'], ['access', 'key', 'id'], ['api', 'key', '2'], ['tokens', 'in'])
    """
    return [word.lower() for word in _WORDS.findall(latin(name))]


def joined(phrase: str) -> str:
    """A phrase as it is looked up: its words without anything between them.

    >>> joined("shared secret"), joined("Shared-Secret")
    ('sharedsecret', 'sharedsecret')
    """
    return "".join(words(phrase))


def _phrases(kinds: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Joined phrases and their plurals, with their kinds."""
    found: dict[str, str] = {}
    for phrase, kind in kinds:
        name = phrase.replace(" ", "")
        found.setdefault(name, kind)
        if not name.endswith("s") and name not in ("token", "pass"):
            found.setdefault(f"{name}s", kind)
    return found


_BUILT_IN = _phrases((phrase, kind) for kind, phrases in TELLING.items() for phrase in phrases)
_WEAKLY = frozenset(_phrases((word, "secret") for word in _WEAK))
_LONGEST = 5
_LONG = 256
_MANY = 4096
"""So many names are remembered; who uses identifiers as names would otherwise fill the memory."""


class Names:
    """The verdict on each name: what kind of secret it tells; remembered, since the same names come again and again."""

    __slots__ = ("_own", "_telling", "kinds", "silent")

    def __init__(self, own: Iterable[str] = (), more: Mapping[str, Iterable[str]] | None = None) -> None:
        self._own = {joined(name) or name: "named" for name in own}
        self._telling: Mapping[str, str] = _BUILT_IN
        if more:
            added = _phrases((phrase, kind) for kind, known in more.items() for phrase in known)
            self._telling = {**added, **_BUILT_IN}
        self.silent: set[str] = set()
        """Names that are known to tell nothing."""
        self.kinds: dict[str, str] = {}
        """Names that are known to tell something, and what."""

    def kind(self, name: str) -> str | None:
        """What kind of secret stands under a name; with a ``?`` behind it, if the value looks like one. None for none.

        >>> names = Names(["ward"])
        >>> [names.kind(name) for name in ("sessionToken", "tokens_in", "nextToken", "secretARN", "ward", "key")]
        ['token', None, None, None, 'named', 'secret?']
        """
        if name in self.silent:
            return None
        kind = self.kinds.get(name)
        if kind is None:
            if len(name) > _LONG:  # its beginning and its end tell, and no attacker fills the memory with such
                return self._judged(f"{name[:_LONG]} {name[-_LONG:]}")
            kind = self._judged(name)
            if len(self.silent) + len(self.kinds) > _MANY:
                self.silent.clear()
                self.kinds.clear()
            if kind is None:
                self.silent.add(name)
            else:
                self.kinds[name] = kind
        return kind

    def _judged(self, name: str) -> str | None:
        found = words(MARKER.sub(" ", name) if "<" in name else name)
        while found and found[-1].isdigit():
            found.pop()
        own = self._own
        if own:
            for start in range(len(found)):
                for end in range(start + 1, min(start + _LONGEST, len(found)) + 1):
                    if "".join(found[start:end]) in own:
                        return "named"
            if name in own:
                return "named"
        # The longest phrase that ends furthest back tells what it is: "api key" rather than "key".
        weak = False
        for end in range(len(found), 0, -1):
            for start in range(max(0, end - _LONGEST), end):
                phrase = "".join(found[start:end])
                kind = self._telling.get(phrase)
                if kind is not None:
                    return kind if self._holds(found, start, end, phrase, kind) else None
            word = found[end - 1]
            if word in _WEAKLY:
                before = found[end - 2] if end > 1 else ""
                weak = weak or (end == len(found) and before not in _NO_SECRET_BEFORE.get(word, ()))
                continue
            for ending, kind in _LONG_TELLING:
                if word.endswith((ending, f"{ending}s")):
                    return kind if self._holds(found, end - 1, end, word, kind) else None
        return "secret?" if weak else None

    @staticmethod
    def _holds(found: list[str], start: int, end: int, phrase: str, kind: str) -> bool:
        """Whether what stands under the name is the secret, and not something about it."""
        before = found[start - 1] if start else ""
        if before in _NO_SECRET_BEFORE.get(phrase, ()):
            return False
        if phrase == "token" and start >= 2 and found[start - 2 : start] == ["client", "request"]:
            return False
        rest = found[end:]
        if not rest:
            return True
        if kind == "password" and rest[-1] in _HASHED:  # it can be guessed from it
            return True
        return rest[-1] not in _ABOUT and rest[0] not in _ABOUT
