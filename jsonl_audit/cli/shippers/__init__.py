"""The shippers there are configurations for, and how one is filled in for a log: paths in its language's quotes."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SHIPPERS", "Shipper", "Unspeakable", "configuration"]

COLLECT = "/usr/bin/env jsonl-audit collect"
"""What the receiving end runs: rsyslog and its like start programs by their full path, and `env` finds them."""


_RCLONE = "*?[]{}\\"


class Unspeakable(ValueError):  # noqa: N818 - it says what a path is, to be put into a usage error
    """A path or an address that the language of a configuration cannot hold."""


@dataclass(frozen=True, slots=True)
class Shipper:
    """One shipper: what it moves, where its configuration stands, and how it is checked.

    :param moves: ``"files"``: copies of segments; ``"lines"``: records, which `jsonl-audit collect` puts together.
    :param send: the name of the template for the end where the log is.
    :param receive: the name of the template for the other end; None where it needs none.
    :param check: the command by which the shipper itself checks its configuration; `FILE` is that.
    """

    name: str
    what: str
    moves: str
    send: str
    receive: str | None = None
    check: str = "sh -n FILE"


SHIPPERS = {
    shipper.name: shipper
    for shipper in (
        Shipper("ship", "jsonl-audit's own, as a service of systemd", "files", "ship.service",
                check="systemd-analyze verify FILE"),
        Shipper("rsync", "a script around rsync", "files", "rsync.sh"),
        Shipper("cp", "a script around cp, to a mounted share", "files", "cp.sh"),
        Shipper("tar", "a script that packs archives", "files", "tar.sh"),
        Shipper("sftp", "a script around sftp", "files", "sftp.sh"),
        Shipper("rclone", "a script around rclone, to any store it knows", "files", "rclone.sh"),
        Shipper("lsyncd", "lsyncd, which copies on change", "files", "lsyncd.lua", check="luac -p FILE"),
        Shipper("rsyslog", "rsyslog, imfile to TCP; omprog at the other end", "lines", "rsyslog.conf",
                "rsyslog.receiver.conf", check="rsyslogd -N1 -f FILE"),
        Shipper("syslog-ng", "syslog-ng, wildcard-file to TCP", "lines", "syslog-ng.conf", "syslog-ng.receiver.conf",
                check="syslog-ng -s -f FILE"),
        Shipper("fluent-bit", "Fluent Bit, tail to TCP", "lines", "fluent-bit.yaml",
                check="fluent-bit --dry-run -c FILE"),
        Shipper("fluentd", "Fluentd, tail to forward", "lines", "fluentd.conf", "fluentd.receiver.conf",
                check="fluentd --dry-run -c FILE"),
        Shipper("vector", "Vector, file to socket", "lines", "vector.yaml", "vector.receiver.yaml",
                check="vector validate FILE"),
        Shipper("filebeat", "Filebeat, filestream to Logstash", "lines", "filebeat.yml", "logstash.receiver.conf",
                check="filebeat test config -c FILE"),
        Shipper("logstash", "Logstash, file to TCP", "lines", "logstash.conf", "rsyslog.receiver.conf",
                check="logstash --config.test_and_exit -f FILE"),
        Shipper("otelcol", "the OpenTelemetry Collector, filelog to OTLP", "lines", "otelcol.yaml",
                "otelcol.receiver.yaml", check="otelcol-contrib validate --config FILE"),
        Shipper("alloy", "Grafana Alloy to Loki", "lines", "alloy.alloy", check="alloy validate FILE"),
        Shipper("nxlog", "NXLog, im_file to TCP", "lines", "nxlog.conf", "rsyslog.receiver.conf",
                check="nxlog -v -c FILE"),
        Shipper("logagent", "Logagent, to a pipe", "lines", "logagent.yaml", check="logagent --config FILE"),
        Shipper("logrotate", "a rule that seals daily and leaves the files alone", "nothing", "logrotate.conf",
                check="logrotate -d FILE"),
    )
}  # fmt: skip
"""Every shipper by its name, in the order in which they are listed."""


def configuration(shipper: Shipper, *, path: str, to: str, into: str, receiver: bool = False) -> str:
    """The configuration of a shipper for one log.

    :param path: the log's path, absolute.
    :param to: where it is sent: a folder or an address as the shipper takes it; HOST:PORT where it moves lines.
    :param into: the folder at the receiving end in which the log is put together.
    :param receiver: the receiving end's configuration in place of the sending one's.

    Raises Unspeakable for a path or an address that this configuration cannot hold, LookupError where a shipper needs
    nothing at the other end.
    """
    from importlib.resources import files

    template = shipper.receive if receiver else shipper.send
    if template is None:
        raise LookupError(shipper.name)
    values = _values(shipper, path, to, into)

    def filled(found: re.Match[str]) -> str:
        name, quotes = found[1], found[2] or "plain"
        try:
            return _QUOTES[quotes](values[name])
        except Unspeakable as error:
            raise Unspeakable(f"{values[name]!r} {error}") from None

    return re.sub(r"@\{(\w+)(?:\|(\w+))?\}", filled, (files(__name__) / template).read_text("utf-8"))


def _values(shipper: Shipper, path: str, to: str, into: str) -> dict[str, str]:
    """What a template may name."""
    for given in (path, to, into):
        if not given.isprintable():
            raise Unspeakable(f"{given!r} holds characters that cannot be printed, which no configuration should")
    folder, name = os.path.split(path)
    stem, dot, extension = name.rpartition(".")
    if not stem or not extension:
        stem, dot, extension = name, "", ""
    end = f"{dot}{extension}"
    values = {
        "path": path, "folder": folder, "name": name, "ext": end, "to": to, "into": into,
        "stem": stem, "stamp": f"/var/lib/logrotate/{name}.daily",
        # As each takes it: a leading slash is the top of what is copied, * and [ are escaped where they are the name's.
        "rsync_active": "/" + _escaped(name), "rsync_sealed": f"/{_escaped(stem)}.[0-9]*Z{_escaped(end)}*",
        "rsync_folder": f"/{_escaped(name)}.d/", "rsync_artifacts": f"/{_escaped(name)}.d/artifacts***",
        "lsyncd_sealed": f"/{_escaped(stem)}.*Z{_escaped(end)}*",
        "rclone_active": f"/{_escaped(name, _RCLONE)}", "rclone_artifacts": f"/{_escaped(name, _RCLONE)}.d/artifacts/*",
        "rclone_sealed": f"/{_escaped(stem, _RCLONE)}.[0-9]*Z{_escaped(end, _RCLONE)}*",
        "shell_sealed": f"{shlex.quote(stem)}.[0-9]*Z{shlex.quote(end) if end else ''}*",
        "collect": f"{COLLECT} {_argument(into)}", "collect_by_shell": f"{COLLECT} {shlex.quote(into)}",
        "incoming": os.path.join(into, "incoming.jsonl"),
    }  # fmt: skip
    if shipper.moves == "lines":
        host, colon, port = to.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise Unspeakable(f"{to!r} is no HOST:PORT, which is where {shipper.name} sends lines")
        host = host.removeprefix("[").removesuffix("]")
        if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", host):
            raise Unspeakable(f"{host!r} is no name or address of a host")
        shown = f"[{host}]" if ":" in host else host
        values |= {"host": host, "port": port, "hostport": f"{shown}:{port}", "any": f"0.0.0.0:{port}"}
        values["loki"] = f"http://{shown}:{port}/loki/api/v1/push"
        # One pattern for the active and the sealed segments: a shipper that was down reads what was sealed meanwhile.
        values["pattern_name"] = f"{_bracketed(stem)}.*{_bracketed(extension)}"
        values["pattern"] = f"{_bracketed(folder.rstrip('/'))}/{values['pattern_name']}"
        if not extension:
            raise Unspeakable(
                f"{name!r} has no extension, so that one pattern cannot tell its segments from its lock: give the log "
                "a name such as audit.jsonl, or ship files"
            )
    return values


def _escaped(name: str, special: str = "*?[\\") -> str:
    """A name of which no character is a wildcard: with backslashes."""
    return "".join(f"\\{letter}" if letter in special else letter for letter in name)


def _bracketed(name: str) -> str:
    """The same in the brackets that every glob understands."""
    return re.sub(r"[*?\[\]{}]", lambda found: f"[{found[0]}]", name)


def _argument(text: str) -> str:
    """An argument of a command that is split at blanks, where only double quotes are known."""
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else f'"{_without(text, chr(34), chr(92))}"'


def _without(text: str, *forbidden: str) -> str:
    held = [letter for letter in forbidden if letter in text]
    if held:
        raise Unspeakable(f"holds {' and '.join(held)}, which this configuration cannot say: rename it, or link to it")
    return text


def _plain(text: str) -> str:
    return _without(text, " ", '"', "'", "#", "\\", "%", "$", ",")


def _json(text: str, *forbidden: str) -> str:
    """What YAML, TOML and Alloy read in double quotes is what JSON writes there."""
    return json.dumps(_without(text, *forbidden), ensure_ascii=False)


def _backslashed(special: str) -> Callable[[str], str]:
    return lambda text: '"' + _escaped(text, special) + '"'


_QUOTES: dict[str, Callable[[str], str]] = {
    "plain": _plain,
    "sh": shlex.quote,
    "shdot": lambda name: shlex.quote(f"./{name}"),
    "raw": str,
    "json": _json,
    # Those that put variables of the environment, times and members of events into texts.
    "dollars": lambda text: _json(text.replace("$", "$$")),
    "vectortemplate": lambda text: _json(_without(text, "%", "{{").replace("$", "$$")),
    "fluentbit": lambda text: _json(text, "${", ","),
    "filebeat": lambda text: _json(text, "${"),
    "nxlog": lambda text: f'"{_without(text, chr(34), chr(92), "%")}"',
    "lua": _backslashed('"\\'),
    "rsyslog": _backslashed('"\\'),
    "syslogng": lambda text: _backslashed('"\\')(_without(text, "`")),
    "systemd": lambda text: _backslashed('"\\')(text.replace("%", "%%").replace("$", "$$")),
    "words": lambda text: _json(text, " ", '"', "'"),
    "ruby": lambda text: f'"{_without(text, chr(34), chr(92), "${", "%{")}"',
    "quoted": lambda text: f'"{_without(text, chr(34), chr(92))}"',
}
"""How a text stands in the language of a configuration. Each raises Unspeakable for what it cannot say."""
