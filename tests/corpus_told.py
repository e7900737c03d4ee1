"""Secrets that only their surroundings tell: credentials in headers and addresses, PEM blocks, what a word announces.

Each row is `(kind, context, value, secrets)`: what it is caught as, where it stands, the text or the JSON value, and
the texts that must be gone from it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote

from corpus_contexts import traceback_of
from corpus_secrets import basic, hexadecimal, mixed, pem, pem_body

__all__ = ["Row", "rows"]

Row = tuple[str, str, Any, tuple[str, ...]]

_BEARER = (
    ("header", "Authorization: Bearer {}"),
    ("header in lower case", "authorization: bearer {}"),
    ("header in capitals", "AUTHORIZATION: BEARER {}"),
    ("header among others", "Host: a.example\r\nAuthorization: Bearer {}\r\nAccept: */*\r\n"),
    ("header of a proxy", "Proxy-Authorization: Bearer {}"),
    ("alone", "Bearer {}"),
    ("in lower case", "bearer {}"),
    ("a command", "curl -sS -H 'Authorization: Bearer {}' https://api.example.net/v1/me"),
    ("a command in double quotes", 'curl -H "Authorization: Bearer {}" https://api.example.net'),
    ("a mapping as text", "{{'Accept': '*/*', 'Authorization': 'Bearer {}'}}"),
    ("JSON in a string", '{{"headers":{{"Authorization":"Bearer {}"}}}}'),
    ("JSON with spaces", '{{"headers": {{"Authorization": "Bearer {}"}}}}'),
    ("pairs as text", "[('accept', '*/*'), ('authorization', 'Bearer {}')]"),
    ("pairs of bytes as text", "[(b'authorization', b'Bearer {}')]"),
    ("sentence", "the request had Bearer {} and came back with 401"),
    ("two spaces", "Authorization:  Bearer  {}"),
    ("another scheme", "Authorization: Token {}"),
    ("a scheme of its own", "Authorization: ApiKey {}"),
    ("percent-encoded", "https://api.example.net/?authorization=Bearer%20{}"),
)

_BASIC = (
    ("header", "Authorization: Basic {}"),
    ("header in lower case", "authorization: basic {}"),
    ("header of a proxy", "Proxy-Authorization: Basic {}"),
    ("alone", "Basic {}"),
    ("a command", "curl -H 'Authorization: Basic {}' https://api.example.net"),
    ("JSON in a string", '{{"Authorization":"Basic {}"}}'),
    ("a mapping as text", "{{'Authorization': 'Basic {}', 'n': 1}}"),
)

_ADDRESSES = (
    "postgres://app:{}@db.example.net:5432/shop",
    "postgresql+psycopg://app:{}@db.example.net/shop?sslmode=require",
    "mysql://root:{}@127.0.0.1/shop",
    "mongodb+srv://app:{}@cluster0.example.net/?retryWrites=true",
    "redis://:{}@cache.example.net:6379/0",
    "rediss://default:{}@cache.example.net:6380",
    "amqps://worker:{}@mq.example.net/%2f",
    "https://ann:{}@git.example.net/team/app.git",
    "http://ann:{}@10.0.0.7:8080/",
    "ftp://upload:{}@files.example.net/in",
    "sftp://upload:{}@files.example.net:22/in",
    "smtp://mailer:{}@mail.example.net:587",
    "ldap://cn=admin:{}@ldap.example.net",
    "socks5://ann:{}@proxy.example.net:1080",
    "git+https://ann:{}@git.example.net/team/lib@v1.2.3",
    "jdbc:postgresql://app:{}@db.example.net/shop",
    "nats://app:{}@nats.example.net:4222",
    "clickhouse://default:{}@ch.example.net:9000/logs",
    "https://ann%40example.net:{}@git.example.net/",
    "mssql+pyodbc://sa:{}@sql.example.net/shop?driver=ODBC+Driver+18",
)

_PEM_LABELS = (
    "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK",
)  # fmt: skip

# Telling words, as they stand before a value in text; `{}` is a value of high entropy.
_TOLD = (
    "api_key={}", "api_key = '{}'", 'apiKey: "{}"', "API_KEY={}", "export API_KEY={}", "X-Api-Key: {}",
    "x-api-key:{}", "client_secret={}&grant_type=client_credentials", "secret={}", "SECRET_KEY = '{}'",
    "secret: {}", "token={}", "token: {}", "TOKEN={}", "access_token={}", "accessToken: '{}'",
    "refresh_token={}&client_id=web", "auth_token={}", "authToken={}", "session_token={}", "sessionToken={}",
    "password={}", "password: {}", "PASSWORD={}", "passwd={}", "pwd={};server=db", "--password={} --user=ann",
    "--password {} --user ann", "--token {}", "--api-key={}", "DB_PASSWORD={}", "aws_secret_access_key = {}",
    "AWS_SECRET_ACCESS_KEY={}", "secretAccessKey: {}", "private_key={}", "encryption_key={}", "signing-key: {}",
    "shared_secret={}", "sharedSecret={}", "webhook_secret={}", "Set-Cookie: session={}; Path=/; HttpOnly",
    "Cookie: sessionid={}; theme=dark", "?access_token={}&x=1", "https://api.example.net/v1?api_key={}&x=1",
    "https://api.example.net/v1?x=1&token={}", "https://api.example.net/cb#access_token={}&state=1",
    "https://api.example.net/v1?client_secret={}", "https://example.net/login?user=ann&password={}",
    '{{"api_key":"{}"}}', '{{"api_key": "{}", "n": 1}}', "{{'password': '{}'}}", "<password>{}</password>",
    "password => {}", "password := {}", "Pwd={};Database=shop;", "AccountKey={};EndpointSuffix=core.windows.net",
    "//registry.npmjs.org/:_authToken={}", "machine api.example.net login ann password {}",
    "api-key: {}", "apikey={}", "credentials={}", "ConnectionError: token={} refused", "bot_token={}",
    "Config(user='ann', password='{}', timeout=3)", "Login failed for ann (password={})", "pass_phrase={}",
    "passphrase: {}", "client-secret: {}", "id_token={}", "csrf_token={}", "oauth_token=\"{}\"", "hmac_key={}",
    "master_key={}", "access-key={}", "PGPASSWORD={} psql shop", "MYSQL_PWD={}", "sig_secret={}",
    "curl -u ann:{} https://api.example.net",
)  # fmt: skip
# The same for values that nothing but the word tells: no entropy, as people choose them.
_WEAK = (
    "password={}", "PASSWORD={}", "passwd={}", "pwd={}", "db_password={}", "--password={}", '{{"password":"{}"}}',
    "{{'password': '{}'}}", "https://example.net/login?user=ann&password={}", "Config(password='{}')",
    "db:\n  password: {}\n  host: db.example.net\n",
    "%7B%22user%22%3A%22ann%22%2C%22password%22%3A%22{}%22%7D",
    "DB_PASSWORD={}", "user=ann password={} host=db", "passphrase={}", "secret={}",
)  # fmt: skip
# Values with spaces and signs in them, which only quotes hold together.
_QUOTED = (
    'password="{}"', "password='{}'", "{{'password': '{}', 'n': 1}}", '{{"password":"{}","n":1}}', 'api_key = "{}"',
    'secret: "{}"', '--password "{}" --verbose', "Config(password='{}', retries=3)", 'export DB_PASSWORD="{}"',
    '<login password="{}" user="ann"/>', 'level=info token="{}" user=ann', "[('password', '{}'), ('user', 'ann')]",
)
_ODD_VALUES = (
    "grove islet 417 heath", "p@ss, word; (x) & y=z", "Tr0ub4dor&3#%^*!~", "päßwörtchen 東京 9", "a/b\\\\c:d|e f",
)
_WEAK_VALUES = ("hunter2", "letmein!", "Tr0ub4dor&3", "correcthorse", "winter2026")


def rows(lot: Random) -> Iterator[Row]:
    """All of them; with one seed, always the same."""
    for context, form in _BEARER:
        for size in (24, 43):
            text = mixed(lot, size, "-._~" if size == 43 else "")
            yield "bearer", context, form.format(text), (text,)
    for context, form in _BASIC:
        text = basic(lot)
        yield "basic", context, form.format(text), (text.rstrip("="),)
    yield from _addresses(lot)
    yield from _blocks(lot)
    for form in _TOLD:
        for text in (mixed(lot, 20), mixed(lot, 40, "+/" if "?" not in form else ""), hexadecimal(lot, 32)):
            yield "told", form, form.format(text), (text,)
    for form in _WEAK:
        for text in _WEAK_VALUES:
            if "?" not in form or "&" not in text:
                yield "told, weak", form, form.format(text), (text,)
    for form in _QUOTED:
        for text in _ODD_VALUES:
            yield "told, quoted", form, form.format(text), (text,)
    for form in _TOLD[:12]:
        text = mixed(lot, 24)
        told = form.format(text)
        yield "told", f"{form} in a traceback", {"details": {"stack": traceback_of(told.replace('"', "'"))}}, (text,)
        yield "told", f"{form} in a list", {"details": {"argv": ["run", told]}}, (text,)
        yield "told", f"{form} in JSON in a string", {"body": json.dumps({"body": json.dumps({"line": told})})}, (text,)
        yield "told", f"{form} as a key", {"details": {told: 1}}, (text,)
        yield "told", f"{form} in a repr", repr(f"sent\n{told}\n"), (text,)
        yield "told", f"{form} in a part of JSON", f"body was {json.dumps({'a': told})} (cut)", (text,)
        if not set(form) & set(" '\""):
            address = quote(f"https://b.example/?{told}&n=1", safe="")
            yield "told", f"{form} in a URL within a URL", f"https://a.example/?next={address}&x=2", (text,)
        yield "told", f"{form} in an environment", f"PATH=/bin {told}\0HOME=/root", (text,)


def _addresses(lot: Random) -> Iterator[Row]:
    for form in _ADDRESSES:
        text = mixed(lot, 16)
        yield "url", form, form.format(text), (text,)
        text = lot.choice(["hunter2", "s3cret", "letmein", "winter26"])
        yield "url", f"{form}, weak", f"connecting to {form.format(text)} failed", (text,)
        text = quote(mixed(lot, 10) + "/@:#" + mixed(lot, 6), safe="")
        yield "url", f"{form}, escaped", {"details": {"dsn_list": [form.format(text)]}}, (text,)
    text = mixed(lot, 18)
    address = f"postgres://app:{text}@db.example.net/shop"
    yield "url", "a key", {"pools": {address: {"size": 5}}}, (text,)
    yield "url", "JSON in a string", json.dumps({"env": json.dumps({"address": address})}), (text,)
    yield "url", "exception", f'OperationalError: could not connect to "{address}": timeout', (text,)
    yield "url", "traceback", traceback_of(address), (text,)
    yield "url", "several", f"{address},{address.replace('db.', 'db2.')}", (text,)
    yield "url", "percent-encoded", f"https://a.example/?next={quote(address, safe='')}", (text,)


def _blocks(lot: Random) -> Iterator[Row]:
    for label in _PEM_LABELS:
        body = pem_body(lot)
        gone = tuple(body)
        block = pem(label, body)
        yield "pem", label, block, gone
        yield "pem", f"{label}, CR LF", pem(label, body, "\r\n"), gone
        yield "pem", f"{label}, escaped newlines", pem(label, body, "\\n"), gone
        yield "pem", f"{label}, newlines escaped twice", pem(label, body, "\\\\n"), gone
        yield "pem", f"{label}, in words", f"the file holds\n{block}and nothing else", gone
        yield "pem", f"{label}, member", {"details": {"content": block}}, gone
        yield "pem", f"{label}, JSON in a string", {"body": json.dumps({"content": block})}, gone
        yield "pem", f"{label}, JSON in JSON", {"body": json.dumps({"b": json.dumps({"c": block})})}, gone
        yield "pem", f"{label}, cut off", {"details": {"content": pem(label, body, ends=False)}}, gone
        yield "pem", f"{label}, on one line", block.replace("\n", " "), gone
        yield "pem", f"{label}, indented", "key: |\n" + "".join(f"  {line}\n" for line in block.splitlines()), gone
        yield "pem", f"{label}, a key", {"seen": {block: 1}}, gone
    body = pem_body(lot)
    with_head = ["Proc-Type: 4,ENCRYPTED", f"DEK-Info: AES-128-CBC,{hexadecimal(lot, 32).upper()}", "", *body]
    yield "pem", "with headers", pem("RSA PRIVATE KEY", with_head), tuple(body)
    long = pem_body(lot, 80)
    yield "pem", "long", pem("RSA PRIVATE KEY", long), tuple(long)
    two = pem_body(lot)
    public = pem("PUBLIC KEY", pem_body(lot, 2))
    both = pem("PRIVATE KEY", body) + public + pem("EC PRIVATE KEY", two)
    yield "pem", "between public ones", both, (*body, *two)
    service = {"type": "service_account", "content": pem("PRIVATE KEY", body), "client_id": "1"}
    yield "pem", "a service account as text", json.dumps(service, indent=2), tuple(body)
    wrapped = base64.b64encode(pem("PRIVATE KEY", two).encode()).decode()
    yield "pem", "under a telling name, in base64", {"private_key": wrapped}, (wrapped,)
