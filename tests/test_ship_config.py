"""The configurations of shippers: each is what its own tool accepts, for any path; the page shows what is printed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from commandline import CommandLine, cli

from jsonl_audit.cli.shippers import SHIPPERS, Unspeakable, configuration

pytestmark = pytest.mark.exhaustive

__all__ = ["cli"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
PLAIN = "/var/log/app/audit.jsonl"
ODD = (
    "/srv/my logs/audit [a]*.jsonl", '/srv/a "b" c/au$dit\'s.jsonl', "/srv/ä ö/审计 🥊.jsonl", "/srv/a\\b/100%s.jsonl",
)  # fmt: skip
ENDS = [(name, end) for name, shipper in SHIPPERS.items() for end in ("send", "receive") if getattr(shipper, end)]


def text(name: str, end: str = "send", path: str = PLAIN) -> str:
    shipper = SHIPPERS[name]
    to = "store.example:5140" if shipper.moves == "lines" else "/srv/audit"
    return configuration(shipper, path=path, to=to, into="/srv/audit", receiver=end == "receive")


def checked(command: list[str], program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    # logrotate says first of all that -d only looks, as a warning.
    assert not re.search(r"\berror\b|warning(?!: logrotate in debug mode)", said, re.IGNORECASE), said


@pytest.mark.parametrize(("name", "end"), ENDS)
def test_every_configuration_names_the_log_or_its_place_and_leaves_nothing_to_fill_in(name: str, end: str) -> None:
    printed = text(name, end)
    assert "@{" not in printed
    assert "audit" in printed
    assert max(map(len, printed.splitlines())) <= 180


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [PLAIN, *ODD])
@pytest.mark.parametrize("name", [name for name, each in SHIPPERS.items() if each.send.endswith(".sh")])
def test_a_script_is_one_for_the_shell(name: str, path: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(text(name, path=path))
    checked(["sh", "-n", str(script)], "sh")


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [PLAIN, *ODD])
@pytest.mark.parametrize("end", ["send", "receive"])
def test_rsyslog_accepts_its_configuration(end: str, path: str, tmp_path: Path) -> None:
    file = tmp_path / "rsyslog.conf"
    file.write_text(text("rsyslog", end, path))
    checked(["rsyslogd", "-N1", "-f", str(file)], "rsyslogd")


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [PLAIN, *ODD])
@pytest.mark.parametrize("end", ["send", "receive"])
def test_syslog_ng_accepts_its_configuration(end: str, path: str, tmp_path: Path) -> None:
    file = tmp_path / "syslog-ng.conf"
    file.write_text(text("syslog-ng", end, path))
    checked(["syslog-ng", "-s", "-f", str(file), "--no-caps"], "syslog-ng")


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [PLAIN, *ODD])
def test_lua_accepts_the_configuration_of_lsyncd(path: str, tmp_path: Path) -> None:
    file = tmp_path / "lsyncd.lua"
    file.write_text(text("lsyncd", path=path))
    checked(["luac", "-p", str(file)], "luac")


@pytest.mark.exhaustive
def test_logrotate_accepts_its_rule(tmp_path: Path) -> None:
    file, stamp = tmp_path / "rule", tmp_path / "stamp"
    stamp.touch()
    file.write_text(text("logrotate").replace("/var/lib/logrotate/audit.jsonl.daily", str(stamp)))
    file.chmod(0o644)
    checked(["logrotate", "-d", "-s", str(tmp_path / "state"), str(file)], "logrotate")


@pytest.mark.parametrize("path", [PLAIN, *ODD])
@pytest.mark.parametrize("name", ["fluent-bit", "vector", "filebeat", "otelcol"])
def test_what_stands_in_quotes_is_the_pattern_whatever_the_path(name: str, path: str) -> None:
    """What YAML reads between double quotes, JSON reads: for these there is no checker here."""
    configured = re.sub(r"(?m)^ *#.*$", "", text(name, path=path))
    quoted = [json.loads(found) for found in re.findall(r'"(?:[^"\\]|\\.)*"', configured)]
    folder, base = os.path.split(path)
    bracketed = re.sub(r"[*?\[\]{}]", lambda found: f"[{found[0]}]", f"{folder}/{base[: -len('.jsonl')]}")
    if name in ("vector", "otelcol"):  # where one dollar begins a variable
        bracketed = bracketed.replace("$", "$$")
    assert f"{bracketed}.*jsonl" in quoted


@pytest.mark.parametrize(("name", "end"), ENDS)
@pytest.mark.parametrize("path", ODD)
def test_a_path_that_a_configuration_cannot_hold_is_refused(name: str, end: str, path: str) -> None:
    cannot = {"fluentd": " \"'\\$%", "nxlog": '"\\%', "logstash": '"\\', "logagent": " \"'"}.get(name, "")
    if end == "send" and set(cannot) & set(path):
        with pytest.raises(Unspeakable, match="rename it"):
            text(name, end, path)
    else:
        assert "@{" not in text(name, end, path)


@pytest.mark.parametrize(
    ("name", "into"),
    [
        ("vector", "/srv/%H"), ("vector", "/srv/{{x}}"), ("filebeat", "/srv/%{x}"), ("filebeat", "/srv/${x}"),
        ("syslog-ng", "/srv/`id`"), ("rsyslog", '/srv/"a"'), ("fluentd", "/srv/${tag}"),
    ],
)  # fmt: skip
def test_a_folder_in_which_the_receiver_would_put_something_is_refused(name: str, into: str) -> None:
    with pytest.raises(Unspeakable, match="rename it"):
        configuration(SHIPPERS[name], path=PLAIN, to="s:1", into=into, receiver=True)


@pytest.mark.parametrize(
    ("name", "path"), [("fluent-bit", "/a,b.jsonl"), ("filebeat", "/${A}.jsonl"), ("nxlog", "/%A%.jsonl")]
)
def test_a_path_in_which_the_sender_would_put_something_is_refused(name: str, path: str) -> None:
    if name == "filebeat":  # the braces are the pattern's, and stand in brackets there
        assert '"/$[{]A[}].*jsonl"' in text(name, path=path)
        return
    with pytest.raises(Unspeakable, match="rename it"):
        text(name, path=path)


@pytest.mark.parametrize("name", ["syslog-ng", "filebeat"])
def test_what_the_receiver_gives_to_a_shell_is_one_argument(name: str) -> None:
    printed = configuration(SHIPPERS[name], path=PLAIN, to="s:1", into="/srv/$(touch x) y;z", receiver=True)
    command = next(found for found in re.findall(r'"((?:[^"\\]|\\.)*)"', printed) if "collect" in found)
    assert shlex.split(command)[-1] == "/srv/$(touch x) y;z"
    assert "collect '/srv/$(touch x) y;z'" in command


def test_a_line_feed_in_a_path_is_refused() -> None:
    for name in SHIPPERS:
        with pytest.raises(Unspeakable, match="cannot be printed"):
            text(name, path="/srv/a\nb.jsonl")


@pytest.mark.parametrize(
    "to", ["store", "store:", ":514", "store:0", "store:65536", "sto re:514", "store:x", "a;b:514", "store:\u0661"]
)
def test_lines_go_to_a_host_and_a_port(to: str) -> None:
    with pytest.raises(Unspeakable):
        configuration(SHIPPERS["rsyslog"], path=PLAIN, to=to, into="/srv")


def test_an_address_of_ipv6_stands_in_brackets_where_a_port_follows() -> None:
    printed = configuration(SHIPPERS["vector"], path=PLAIN, to="[2001:db8::1]:5140", into="/srv")
    assert '"[2001:db8::1]:5140"' in printed
    printed = configuration(SHIPPERS["rsyslog"], path=PLAIN, to="[2001:db8::1]:5140", into="/srv")
    assert 'target="2001:db8::1" port="5140"' in printed


def test_a_log_without_an_extension_is_shipped_by_its_files_and_not_by_a_pattern() -> None:
    with pytest.raises(Unspeakable, match="no extension"):
        text("rsyslog", path="/var/log/audit")
    assert "'/audit.[0-9]*Z*'" in text("rsync", path="/var/log/audit")


# -- the command


def test_without_a_name_all_are_listed(cli: CommandLine) -> None:
    ended = cli("ship-config")
    assert ended.status == 0
    assert [line.split()[0] for line in ended.lines] == ["name", *SHIPPERS]


def test_the_command_prints_the_configuration_and_nothing_else(cli: CommandLine) -> None:
    ended = cli("ship-config", "rsyslog", "--path", PLAIN, "--to", "store.example:5140")
    assert (ended.status, ended.text, ended.err) == (0, text("rsyslog"), "")
    ended = cli("ship-config", "rsyslog", "--receiver", "--to", "store.example:5140", "--into", "/srv/audit")
    assert (ended.status, ended.text) == (0, text("rsyslog", "receive"))


def test_the_path_is_made_absolute(cli: CommandLine) -> None:
    assert shlex.quote(str(cli.folder)) in cli("ship-config", "cp", "--path", "audit.jsonl").text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rsylog"], "did you mean rsyslog?"),
        (["zzz"], "ship-config shows all"),
        (["rsync", "--receiver"], "leave out --receiver"),
        (["vector", "--to", "store"], "HOST:PORT"),
        (["fluentd", "--path", "/srv/a b.jsonl"], "rename it, or link to it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_usage_error_that_says_what_to_do(cli: CommandLine, args: list[str], said: str) -> None:
    ended = cli("ship-config", *args)
    assert ended.status == 2
    assert said.lower() in ended.err.lower()
    assert ended.out == b""


def test_the_page_shows_what_is_printed() -> None:
    spec = importlib.util.spec_from_file_location("generate_shippers", DOCS / "generate_shippers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "reference" / "shippers.md").read_text("utf-8")
    assert written == module.page(), "run `python docs/generate_shippers.py`"
