"""What is no secret and must stay as it is, byte by byte: identifiers, hashes, prose, code, addresses, counters.

Rows are `(family, value)`, the value a text or a JSON value. Some are written by hand, most are drawn by lot.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

from corpus_innocent_text import CODE, NAMED, PROSE
from corpus_secrets import digits, draw, hexadecimal, mixed, pem, pem_body, upper

__all__ = ["rows"]

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


def rows(lot: Random) -> Iterator[tuple[str, Any]]:
    """All of them; with one seed, always the same."""
    for text in PROSE:
        yield "prose", text
    for text in CODE:
        yield "code", text
    for value in NAMED:
        yield "members", value
    for _ in range(6):
        yield from _identifiers(lot)
        yield from _hashes(lot)
        yield from _cloud(lot)
    for _ in range(3):
        yield from _addresses(lot)
        yield from _versions(lot)
        yield from _data(lot)
        yield from _records(lot)


def _uuid(lot: Random) -> str:
    return str(uuid.UUID(int=lot.getrandbits(128), version=4))


def _identifiers(lot: Random) -> Iterator[tuple[str, Any]]:
    one, other = _uuid(lot), _uuid(lot)
    yield "identifiers", {"id": one, "task": other, "session": f"s-{_uuid(lot)}"}
    yield "identifiers", {"requestId": one.upper(), "correlationId": one.replace("-", "")}
    yield "identifiers", f"request {one} of session {other} took 12 ms"
    yield "identifiers", {"sessionId": one, "session_id": hexadecimal(lot, 24), "taskId": draw(lot, _BASE32, 26)}
    yield "identifiers", {"deviceId": f"d-{mixed(lot, 10)}", "connectionId": mixed(lot, 16)}
    yield "identifiers", {"id": f"evt_{mixed(lot, 24)}", "object": "event", "customer": f"cus_{mixed(lot, 14)}"}
    yield "identifiers", {"nano": mixed(lot, 21, "_-"), "k": mixed(lot, 27), "snowflake": digits(lot, 18)}
    yield "identifiers", {"traceparent": f"00-{hexadecimal(lot, 32)}-{hexadecimal(lot, 16)}-01"}
    yield "identifiers", f"trace_id={hexadecimal(lot, 32)} span_id={hexadecimal(lot, 16)} sampled=true"
    yield "identifiers", {"seen": {one: 1, hexadecimal(lot, 32): 2}, "msgs": [f"msg_{mixed(lot, 24)}"]}
    yield "identifiers", f"chatcmpl-{mixed(lot, 29)} finished: stop"


def _hashes(lot: Random) -> Iterator[tuple[str, Any]]:
    for size in (32, 40, 64, 128):
        yield "hashes", {"hash": hexadecimal(lot, size), "prev": hexadecimal(lot, size)}
    yield "hashes", f"commit {hexadecimal(lot, 40)}\nAuthor: Ann Example\n\n    fix the token bucket\n"
    yield "hashes", f"HEAD is now at {hexadecimal(lot, 7)} auth: renew session before it expires"
    yield "hashes", {"image": f"registry.example.net/app@sha256:{hexadecimal(lot, 64)}"}
    yield "hashes", {"integrity": "sha512-" + base64.b64encode(lot.randbytes(64)).decode()}
    yield "hashes", {"etag": f'W/"{hexadecimal(lot, 32)}"', "input_hash": f"blake3:{hexadecimal(lot, 64)}"}
    yield "hashes", {"input_hash": hexadecimal(lot, 64), "output_hash": hexadecimal(lot, 64), "bytes": 481}
    yield "hashes", f"SHA256:{base64.b64encode(lot.randbytes(32)).decode().rstrip('=')} ann@host (ED25519)"
    yield "hashes", {"codeSha256": base64.b64encode(lot.randbytes(32)).decode(), "md5": hexadecimal(lot, 32)}


def _cloud(lot: Random) -> Iterator[tuple[str, Any]]:
    account = digits(lot, 12)
    yield "cloud", {"principalId": "AI" + "DA" + upper(lot, 17), "accountId": account, "userName": "ann"}
    yield "cloud", {"roleId": "AR" + "OA" + upper(lot, 17), "arn": f"arn:aws:iam::{account}:role/deploy"}
    yield "cloud", f"arn:aws:sts::{account}:assumed-role/get-password-data-role/aws-go-sdk-{digits(lot, 19)}"
    yield "cloud", {"secretId": f"arn:aws:secretsmanager:eu-west-1:{account}:secret:shop-{mixed(lot, 6)}"}
    key = f"arn:aws:kms:eu-west-1:{account}:key/{_uuid(lot)}"
    yield "cloud", {"resources": [{"accountId": account, "ARN": key, "type": "AWS::KMS::Key"}]}
    yield "cloud", {"requestID": upper(lot, 16), "x-amz-id-2": base64.b64encode(lot.randbytes(56)).decode()}
    yield "cloud", {"instanceId": f"i-{hexadecimal(lot, 17)}", "vpcId": f"vpc-{hexadecimal(lot, 17)}"}
    context = {"attributes": {"creationDate": "2026-07-10T11:42:31Z", "mfaAuthenticated": "true"}}
    context["sessionIssuer"] = {"type": "Role", "userName": "get-password-data-role", "accountId": account}
    yield "cloud", {"userIdentity": {"type": "AssumedRole", "sessionContext": context, "invokedBy": "AWS Internal"}}
    yield "cloud", {"sessionCredentialFromConsole": "true", "passwordResetRequired": False, "mfaUsed": "No"}
    yield "cloud", {"additionalEventData": {"AuthenticationMethod": "AuthHeader", "SignatureVersion": "SigV4"}}
    yield "cloud", {"bucketName": f"baker-bucketsevidence-{draw(lot, _LOWER, 13)}", "key": "logs/2026/11/21.json"}
    yield "cloud", f"projects/shop-{digits(lot, 6)}/secrets/db-password/versions/3"


def _addresses(lot: Random) -> Iterator[tuple[str, Any]]:
    port = 1024 + lot.randrange(60000)
    for text in (
        f"http://127.0.0.1:{port}/health?verbose=1", f"postgres://db.example.net:{port}/shop?sslmode=require",
        "postgres://app@db.example.net/shop", "git@git.example.net:team/app.git", f"redis://cache:{port}/0",
        f"ssh://git@git.example.net:{port}/team/app.git", "https://medium.example/@ann/a-post-about-passwords-12ab34",
        f"https://example.net/login?next=%2Fhome&state={lot.randrange(10**6)}", "https://example.net/password/reset",
        f"https://docs.example.net/api-keys#rotate-{lot.randrange(99)}", "https://example.net/oauth/token",
        f"wss://gateway.example.net:{port}/socket", "mailto:ann@example.net", "file:///home/ann/notes.txt",
        "https://fonts.example.net/css2?family=Inter:wght@400;700&display=swap",
        "https://user@example.net:8443/", "http://[2001:db8::7]:8080/a:b@c", "https://example.net/a:b@c/d",
        f"s3://bucket-{draw(lot, _LOWER, 8)}/tokens/2026/part-{digits(lot, 5)}.parquet",
        f"https://example.net/search?q=token+bucket&page={lot.randrange(50)}", "jdbc:postgresql://db.example.net/shop",
        f"https://hooks.example.net/services/{lot.randrange(999)}", "at http://example.net:80/x, 12:30@noon",
        "https://github.com/actions/checkout/pull/1234/files#diff-" + hexadecimal(lot, 64),
        f"10.{lot.randrange(255)}.3.7:{port} -> 10.0.0.1:443", f"[fe80::{hexadecimal(lot, 4)}]:{port}",
    ):  # fmt: skip
        yield "addresses", text
    yield "addresses", {"peer": f"10.1.2.{lot.randrange(255)}", "mac": "02:42:ac:11:00:02", "email": "ann@example.net"}
    yield "addresses", {"phone": f"+49 30 {digits(lot, 7)}", "fax": f"({digits(lot, 3)}) 555-{digits(lot, 4)}"}


def _versions(lot: Random) -> Iterator[tuple[str, Any]]:
    major = lot.randrange(30)
    for text in (
        f"jsonl-audit=={major}.4.1rc2", f"cryptography-{major}.0.1-cp310-abi3-manylinux_2_28_x86_64.whl",
        f"token-bucket@{major}.2.0", f"passlib>={major}.1", f"python-secrets 1.{major}", f"npm ERR! code E{major}01",
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1{major}.0.0.0 Safari/537.36",
        f"Boto3/1.26.{major} Python/3.10.6 Linux/5.19.0-46-generic Botocore/1.29.{major}",
        f"v1.{major}.0-0.20261121101112-{hexadecimal(lot, 12)}", f"app-7d9f8b6c5{major}-{draw(lot, _LOWER, 5)}",
        f"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {major}", f"build {digits(lot, 9)} of release/2026.{major}",
        f"2026-11-21T10:11:{10 + major}.123456Z", f"audit.20261121T1011{10 + major}123456Z.jsonl.gz",
        f"secrets-store-csi-driver-{major}.tgz", f"id_rsa_{major}.pub", f"password_reset_{major}.html",
        f"tokenizer-{major}.model", f"api_keys_{major}.md", f"src/auth/session_token_{major}.py:118: in renew",
        f"PyJWT {major}.8.0 released", f"sk-learn {major}.1, scikit-learn 1.{major}", f"sk_buff_{major} freed",
    ):  # fmt: skip
        yield "versions and files", text


def _data(lot: Random) -> Iterator[tuple[str, Any]]:
    picture = b"\x89PNG\r\n\x1a\n" + lot.randbytes(300)
    yield "data", {"icon": "data:image/png;base64," + base64.b64encode(picture).decode()}
    yield "data", {"thumbnail": base64.b64encode(picture).decode(), "media_type": "image/png"}
    yield "data", {"payload": base64.b64encode(b"Nothing in here is a secret at all, just words. " * 4).decode()}
    yield "data", pem("PUBLIC KEY", pem_body(lot, 4))
    yield "data", {"x509CertificateData": pem("CERTIFICATE", pem_body(lot, 20))}
    yield "data", {"content": pem("CERTIFICATE REQUEST", pem_body(lot, 8), "\\n")}
    yield "data", pem("PGP PUBLIC KEY BLOCK", pem_body(lot, 5))
    yield "data", pem("SSH SIGNATURE", pem_body(lot, 3))
    yield "data", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + mixed(lot, 44) + " ann@host"
    yield "data", {"embedding": [round(lot.uniform(-1, 1), 6) for _ in range(24)], "model": "text-embedding-3"}
    yield "data", {"cursor": base64.b64encode(f"page:{digits(lot, 6)}".encode()).decode(), "has_more": True}
    yield "data", " ".join(draw(lot, "abcdefghijklmnop", 2 + lot.randrange(8)) for _ in range(60))
    yield "data", {"hex": hexadecimal(lot, 512), "octets": list(lot.randbytes(20))}
    line = " ".join(f"{lot.randrange(900)},{lot.randrange(900)}" for _ in range(30))
    yield "data", {"svg": f"<path d='M{line}'/>"}


def _records(lot: Random) -> Iterator[tuple[str, Any]]:
    """Whole events, as programs write them."""
    yield "events", {
        "type": "model.response", "provider": "local", "model_id": "m-7b", "outcome": "success",
        "details": {"tokens_in": lot.randrange(9000), "tokens_out": lot.randrange(900), "total_tokens": 712,
                    "max_tokens": 4096, "prompt_tokens": 31, "input_hash": hexadecimal(lot, 64)},
    }  # fmt: skip
    yield "events", {
        "type": "auth.connect.success", "actor": {"deviceId": "d-1", "connectionId": _uuid(lot), "role": "admin"},
        "session": _uuid(lot), "outcome": "success", "reason": "token accepted", "level": "info",
    }  # fmt: skip
    yield "events", {
        "type": "rpc.rate_limited", "details": {"bucket": "tokens", "limit": 100, "remaining": 0, "retry_after": 1.5},
        "actor": {"id": "u1", "ip": "10.0.0.7", "userAgent": "curl/8.5.0"}, "outcome": "denied",
    }  # fmt: skip
    yield "events", {
        "type": "auth.token.expired", "details": {"expired_at": "2026-11-21T10:11:12Z", "ttl": 3600, "kind": "session"},
        "task": f"task-{digits(lot, 4)}", "correlation": _uuid(lot), "outcome": "failure",
    }  # fmt: skip
    yield "events", {
        "type": "tool.execute", "tool": "bash", "details": {"command": "ls -la /etc/passwd && wc -l secrets.txt",
        "duration": 0.12, "exit": 0, "cwd": "/srv/app", "success": True},
    }  # fmt: skip
    yield "events", {
        "type": "secret.rotated", "target": {"type": "secret", "id": "db-password", "name": "database"},
        "details": {"rotated": True, "secret": True, "password": False, "api_key": 3, "token": None, "pin": 1.5},
    }  # fmt: skip
    yield "events", {
        "type": "file.modified", "details": {"path": "src/token.py", "lines": 18, "before": hexadecimal(lot, 64),
        "after": hexadecimal(lot, 64), "mode": "0644"},
    }  # fmt: skip
    yield "events", {
        "seq": 7, "ts": "2026-11-21T10:11:12.123456Z", "id": _uuid(lot), "type": "exec.completed",
        "details": {"status": 0}, "prev": hexadecimal(lot, 64), "hash": hexadecimal(lot, 64),
    }  # fmt: skip
