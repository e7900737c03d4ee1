"""The forensic report: what it says of a log, that it can be repeated by hand, and what it never does."""

from __future__ import annotations

import html
import html.parser
import json
import os
import re
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from commandline import CommandLine, cli
from examiners import rounds
from logs import Log, build
from second import by_hand, needs_b3sum, repeat

from jsonl_audit import AuditLog, LogError, examine, verify
from jsonl_audit.report import Examination
from jsonl_audit.report.guess import one_byte
from jsonl_audit.verifier.report import VERDICT_OF

__all__ = ["cli"]

EVIL = (
    "<script>alert(1)</script><img src=http://x.example/y>\"'&` [a](http://x) | **b** \x1b[2J\x07 \u202egnp.exe "
    "\u2066\x00\x9b end"
)
FORMS = ("html", "md", "json")


@pytest.fixture
def log(log_dir: Path) -> Log:
    """Three segments with five events each."""
    return build(log_dir)


def damaged(log: Log) -> Log:
    """The log with something of each kind done to it."""
    log.change(1, 2, b'"n":1', b'"n":7')
    log.delete_line(2, 3)
    log.raw(b'{"seq":19,"ts":"2027')
    return log


class Page(html.parser.HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "wbr", "br", "rect", "path", "line", "polyline", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


# -- what it says ---------------------------------------------------------------------------------


def test_a_report_names_the_files_with_sizes_digests_times_owner_and_mode(log: Log) -> None:
    found = examine(log.active)
    assert [each.segment for each in found.files] == [1, 2, 3]
    assert [each.role for each in found.files] == ["sealed", "sealed", "active"]
    for each, path in zip(found.files, log.paths, strict=True):
        data = path.read_bytes()
        assert (each.name, each.bytes, each.blake3) == (path.name, len(data), blake3(data).hexdigest())
        assert each.mode == f"{stat.S_IMODE(path.stat().st_mode):04o}"
        for form in FORMS:
            text = found.render(form)
            told = (each.blake3[:32], each.sha256[32:], each.name, each.modified[:10], each.owner.split()[0])
            assert [word for word in told if word not in text] == []


def test_a_report_says_by_whom_it_was_made_and_with_what_command(log: Log) -> None:
    found = examine(log.active, command="jsonl-audit verify --report r.html x")
    for form in FORMS:
        text = found.render(form)
        for told in ("jsonl-audit verify --report r.html x", found.by["program"], found.by["python"]):
            assert told in text.replace("\\", "")


@pytest.mark.parametrize("form", FORMS)
def test_a_report_rules_in_rules_out_and_says_what_it_does_not_decide(log: Log, form: str) -> None:
    text = re.sub(r"\s+", " ", html.unescape(examine(damaged(log).active).render(form))).replace("\\", "")
    assert "Damage or intent" in text
    assert "A crash or a power cut as the cause" in text
    assert "Whether the whole log, or all of it from some record on, was written anew" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_report_says_at_once_that_nothing_from_elsewhere_vouches_for_the_log(log: Log, form: str) -> None:
    start = examine(log.active).render(form).replace("\\", "")
    assert "Not anchored: that the whole log was rewritten" in start[max(0, start.find("<body")) :][:2500]


def test_an_anchor_takes_doubt_away(log: Log) -> None:
    seq, head = log.seq, log.head
    found = examine(log.active, expect=[(seq, head)])
    assert "written anew" not in found.render()
    assert "Not anchored" not in found.render()
    assert head in found.render("md")


def test_a_changed_byte_is_shown_beside_what_it_was(log: Log) -> None:
    log.change(1, 2, b'"n":1', b'"n":7')
    found = examine(log.active)
    exhibit = next(each for each in found.exhibits if each.finding.kind == "record-modified")
    raw = next(pair for pair in exhibit.pairs if pair.raw)
    assert raw.found is not None
    assert raw.expected == raw.found.replace(b'"n":7', b'"n":1') != raw.found
    assert "One byte explains it" in " ".join(exhibit.remarks)
    assert "names, as its prev, the hash that this line carries" in " ".join(exhibit.remarks)
    assert [line.seq for line in (*exhibit.before, *exhibit.after)] == [1, 2, 4, 5]
    told = next(each for each in json.loads(found.render("json"))["findings"] if each["kind"] == "record-modified")
    assert [pair["found_hex"] for pair in told["compared"] if "found_hex" in pair] == [raw.found.hex()]


def test_a_changed_hash_is_told_from_a_changed_text(log: Log) -> None:
    log.write(3, log.read(3)[:-1] + b"\n")
    lines = log.lines(3)
    lines[2] = lines[2][:-67] + b"0" * 64 + lines[2][-3:]
    log.write(3, lines)
    exhibit = next(each for each in examine(log.active).exhibits if each.finding.kind == "record-modified")
    assert "the hash in the line was changed" in " ".join(exhibit.remarks)


def test_one_changed_byte_is_found_wherever_it_is() -> None:
    right = b'{"seq":7,"ts":"2026-11-21T10:11:12.123456Z","n":[1,2,3]}'
    own = blake3(right).hexdigest()
    for at in range(0, len(right), 5):
        for now in (right[at] ^ 1, right[at] ^ 0x5A):
            changed = right[:at] + bytes([now]) + right[at + 1 :]
            found = one_byte(changed, own)
            assert found is not None
            assert (found.at, found.was, found.now) == (at, right[at], now)
    assert one_byte(right, "0" * 64) is None
    assert one_byte(right, "no hash") is None


# -- that it can be repeated ----------------------------------------------------------------------


@needs_b3sum
@pytest.mark.exhaustive
def test_the_second_examiner_reaches_the_verdict_of_every_vector_from_the_report_alone(
    vectors: Path, tmp_path: Path
) -> None:
    expected: dict[str, dict[str, Any]] = json.loads((vectors / "expected.json").read_text("utf-8"))
    for number, (name, want) in enumerate(expected.items()):
        files = [vectors / name / argument for argument in want["args"]]
        found = examine(files[0] if len(files) == 1 else files)
        report = tmp_path / f"report.{FORMS[number % 3]}"
        found.save(report)
        heard = repeat(report, vectors / name)
        assert (tmp_path / "examine.sh").read_text("ascii") == found.script
        assert heard.errors == ""
        assert (found.exit_code, heard.status, heard.verdict) == (want["exit"], want["exit"], found.verdict), name
        assert found.verdict == (want["verdict"] or "not a log")
        assert "the report says" not in heard.text


@needs_b3sum
@pytest.mark.exhaustive
@pytest.mark.parametrize("form", FORMS)
def test_the_second_examiner_refuses_other_files_than_those_of_the_report(log: Log, tmp_path: Path, form: str) -> None:
    report = tmp_path / f"report.{form}"
    examine(log.active).save(report)
    assert repeat(report, log.directory)[:2] == ("intact", 0)
    log.flip(2, 400)
    heard = repeat(report, log.directory)
    assert heard.status == 5
    assert "the report says" in heard.text
    log.drop(1)
    assert "not here" in repeat(report, log.directory).text


@needs_b3sum
@pytest.mark.exhaustive
def test_every_command_of_a_report_prints_what_the_report_says(log: Log) -> None:
    log.fill(3).seal().fill(4).seal().fill(4)
    log.change(1, 2, b'"n":1', b'"n":7')
    log.delete_line(2, 3)
    log.insert_line(3, 2, b"\x1b[2J junk \xff\xfe\x00 `x` $(y)\n")
    log.swap_lines(4, 2)
    log.raw(b'{"seq":99,"ts":"2027')
    found = examine(log.active)
    kinds = {exhibit.finding.kind for exhibit in found.exhibits}
    assert {"record-modified", "records-missing", "malformed-line", "chain-broken", "segment-altered",
            "torn-tail", "clock-backwards"} <= kinds  # fmt: skip
    assert by_hand(found) > 30


@needs_b3sum
@pytest.mark.exhaustive
def test_odd_file_names_and_compressed_files_can_be_examined_by_hand_too(log: Log, tmp_path: Path) -> None:
    import gzip

    damaged(log)
    names = ["-a b\n['x'].jsonl", "it's \\ $(no).jsonl", "z\udcff\u202e\n"]
    folder = tmp_path / "copies"
    folder.mkdir()
    files = []
    for path, name in zip(log.paths, names, strict=True):
        (folder / name).write_bytes(path.read_bytes())
        files.append(folder / name)
    packed = folder / "packed one.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read(2)))
    files[1] = packed
    found = examine([str(file) for file in files])
    assert by_hand(found) > 5
    for form in FORMS:
        report = tmp_path / f"report.{form}"
        found.save(report)
        heard = repeat(report, folder)
        assert (heard.verdict, heard.status, heard.errors) == ("tampered", 1, "")
        assert os.fsencode("z\udcff") not in report.read_bytes()


@needs_b3sum
@pytest.mark.exhaustive
def test_two_examiners_agree_on_logs_with_all_sorts_of_harm(tmp_path: Path) -> None:
    assert rounds(6, 1000, tmp_path) == []


@needs_b3sum
@pytest.mark.exhaustive
def test_artifacts_and_anchors_are_examined_again_too(log_dir: Path, tmp_path: Path) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path) as written:
        reference = written.artifacts.put(b"x" * 5000)
        receipt = written.append("build.log", details={"log": reference})
    report = tmp_path / "report.html"
    stored = next((log_dir / "audit.jsonl.d" / "artifacts").iterdir())
    for harm, verdict in ((None, "intact"), (b"y" * 5000, "tampered"), ("gone", "incomplete")):
        if isinstance(harm, bytes):
            stored.write_bytes(harm)
        elif harm is not None:
            stored.unlink()
        found = examine(path, expect=receipt)
        assert found.verdict == verdict
        found.save(report)
        assert repeat(report, log_dir).verdict == verdict
    wrong = examine(path, expect=[(receipt.seq, "0" * 64)])
    wrong.save(report)
    assert wrong.verdict == repeat(report, log_dir).verdict == "tampered"
    cut = examine(path, expect=[(receipt.seq + 5, "0" * 64)])
    cut.save(report)
    assert cut.verdict == repeat(report, log_dir).verdict


# -- what it never does ---------------------------------------------------------------------------


def test_nothing_of_a_stranger_is_markup_or_steers_a_terminal(log_dir: Path, tmp_path: Path) -> None:
    folder = log_dir / "<b>\x1b[31m\u202e"
    folder.mkdir()
    log = Log(folder, "a<i>`x`.jsonl")
    for _ in range(4):
        log.add({"type": "test.event", "actor": {"id": EVIL}, EVIL: EVIL, "details": {"text": f"\n```\n{EVIL}"}})
    log.insert_line(1, 2, EVIL.encode() + b"\xff\n```\n<pre id=\"script\">\n")
    log.change(1, 5, b"end", b"dne")
    found = examine(log.active, command=EVIL)
    page = found.render()
    for raw in ("\x1b", "\x07", "\x00", "\x9b", "\u202e", "\u2066", "<script", "<img", "\u2028"):
        assert raw not in page
    parsed = Page(page)
    assert parsed.open == []
    words = (
        "html head meta title style body main header section article figure figcaption div p h1 h2 h3 h4 ul ol li "
        "dl dt dd table caption thead tbody tr th td pre code b i s em small mark span a wbr svg g rect text line "
        "path polyline"
    )
    assert {tag for tag, _ in parsed.tags} <= set(words.split())
    for tag, attributes in parsed.tags:
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            assert (tag, str(attributes["href"])[:23]) == ("a", "data:text/plain;base64,")
        assert "src" not in attributes
    markdown = found.render("md")
    for raw in ("\x1b", "\x00", "\x9b", "\u202e"):
        assert raw not in markdown
    outside = re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)  # code, in which nothing is markup
    assert re.findall(r"(?<!\\)[<>*]", outside.replace("**", "").replace("<!-- jsonl-audit-report 1 -->", "")) == []
    assert len(re.findall(r"^```sh examine$", markdown, re.MULTILINE)) == 1
    assert found.render("json").isascii()


def test_the_page_needs_nothing_from_elsewhere_and_no_script(log: Log) -> None:
    page = examine(damaged(log).active).render()
    visible = re.sub(r'<pre id="script">.*?</pre>', "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\(|<script|<link|<iframe", visible)
    assert "default-src 'none'" in page


def test_a_report_is_whole_private_and_replaces_only_reports(log: Log, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    found = examine(log.active)
    digest = found.save(report)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert digest == blake3(report.read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]
    for form in FORMS:
        found.save(tmp_path / f"report.{form}")
        found.save(tmp_path / f"report.{form}")  # an earlier report is replaced
    other = tmp_path / "notes.md"
    other.write_text("my notes")
    with pytest.raises(LogError, match="no report lies there"):
        found.save(other)
    assert other.read_text() == "my notes"
    with pytest.raises(LogError, match="ends in"):
        found.save(tmp_path / "report.pdf")
    with pytest.raises(OSError, match="no such folder"):
        found.save(tmp_path / "nowhere" / "report.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(LogError):
        found.save(tmp_path / "folder.html")


def test_a_report_never_takes_the_place_of_a_file_of_the_log(log_dir: Path) -> None:
    log = Log(log_dir, "audit.json")
    log.add({"type": "a.b", "details": {"kind": "jsonl-audit-report"}})
    log.fill(3).seal().fill(3)
    before = {path: path.read_bytes() for path in log_dir.iterdir()}
    found = examine(log.active)
    link, hard = log_dir / "link.json", log_dir / "hard.json"
    link.symlink_to(log.active)
    os.link(log.paths[0], hard)
    for path in (log.active, log.paths[0], link, hard):
        with pytest.raises(LogError):
            found.save(path)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_full_disk_leaves_an_earlier_report_as_it_was(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jsonl_audit import storage

    report = tmp_path / "report.html"
    found = examine(log.active)
    found.save(report)
    before = report.read_bytes()

    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write", full)
    with pytest.raises(OSError, match="cannot be written"):
        found.save(report)
    assert report.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]


def test_a_report_among_copies_of_the_log_is_none_of_them(log: Log) -> None:
    log.change(1, 2, b'"n":1', b'"n":7')
    before = examine(log.directory, copy=True)
    for form in FORMS:
        before.save(log.directory / f"report.{form}")
    after = examine(log.directory, copy=True)
    assert [each.kind for each in after.findings] == [each.kind for each in before.findings]


def test_a_log_that_is_rotated_and_purged_meanwhile_is_examined(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jsonl_audit.report import examination

    path = log_dir / "audit.jsonl"
    with AuditLog(path, backup_count=2, fsync="never") as written:
        written.append("a.b")
        written.rotate()
        moves = iter(range(3))
        right = examination.look_at

        def moved(collected: Any, took: Any) -> Any:
            for _ in moves:
                written.append("a.b")
                written.rotate()
            return right(collected, took)

        monkeypatch.setattr(examination, "look_at", moved)
        found = examine(path)
    assert found.verdict == "intact"
    assert [each.inode.split(":")[1] for each in found.files] == [
        str((log_dir / each.name).stat().st_ino) for each in found.files
    ]


# -- on the command line --------------------------------------------------------------------------


def test_verify_says_the_same_with_a_report_and_without(cli: CommandLine) -> None:
    log = build(cli.folder)
    for harm in (lambda: None, lambda: log.raw(b'{"seq":1'), lambda: log.drop(2), lambda: log.flip(1, 500)):
        harm()
        plain, kept = cli("verify"), cli("verify", "--report", "r.html")
        assert (kept.status, kept.text) == (plain.status, plain.text)
        assert "the report is in r.html (BLAKE3 " in kept.err
        assert json.loads(cli("verify", "--json", "--report", "r.json").out) == json.loads(cli("verify", "--json").out)
        told = json.loads(Path("r.json").read_text("ascii"))
        assert (told["exit"], told["verdict"]) == (plain.status, plain.text.split(":")[0])


def test_verify_refuses_a_report_in_the_place_of_the_log(cli: CommandLine) -> None:
    build(cli.folder, name="audit.json")
    before = Path("audit.json").read_bytes()
    ended = cli("verify", "audit.json", "--report", "audit.json")
    assert (ended.status, ended.out) == (2, b"")
    assert "no report lies there" in ended.err
    assert cli("verify", "--each", "audit.json", "--report", "r.html").status == 2
    assert cli("verify", "audit.json", "--report", "nowhere/r.html").status == 4
    assert Path("audit.json").read_bytes() == before


def test_what_is_no_log_is_reported_as_such(cli: CommandLine) -> None:
    Path("audit.jsonl").write_text('{"a": 1}\n')
    ended = cli("verify", "--report", "r.html")
    assert (ended.status, ended.out) == (2, b"")
    assert "Not a log" in Path("r.html").read_text("utf-8")
    assert ended.err.splitlines()[-1] == cli("verify").err.strip()
    assert cli("verify", "nothing.jsonl", "--report", "n.html").status == 4
    assert not Path("n.html").exists()


def test_ten_thousand_findings_make_a_page_that_can_be_read(log: Log) -> None:
    found = examine(damaged(log).active)
    assert found.report is not None
    findings = found.findings * (10_000 // len(found.findings) + 1)
    found = replace(found, report=replace(found.report, findings=findings[:10_000]))
    page = found.render()
    assert len(page) < 8 << 20
    assert page.count('<li value="') == 10_000 - len(found.exhibits)
    assert len(json.loads(found.render("json"))["findings"]) == 10_000
    assert len(found.render("md")) < 8 << 20


def test_every_kind_of_finding_has_words(log: Log) -> None:
    from jsonl_audit.verifier import explain

    for kind in VERDICT_OF:
        means, then = explain.meaning(kind)
        assert means
        assert then.endswith((".", "?"))
    assert isinstance(examine(log.active), Examination)
    assert verify(log.active).verdict == "intact"


@needs_b3sum
@pytest.mark.exhaustive
def test_copies_that_were_merged_and_split_are_reported_and_examined_again(log: Log, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    data = [log.read(number) for number in (1, 2, 3)]
    (folder / "both.txt").write_bytes(data[2] + data[0])
    (folder / "half").write_bytes(data[1][:700])
    (folder / "other half").write_bytes(data[1][700:])
    found = examine(folder, copy=True)
    assert found.verdict == "intact"
    assert Counter(each.role for each in found.files) == {"piece": 3, "joined": 3}
    assert [span.segment for span in found.spans] == [1, 2, 3]
    for form in FORMS:
        report = tmp_path / f"report.{form}"
        found.save(report)
        assert repeat(report, folder)[:2] == ("intact", 0)
    assert "Put together from bytes 0 to 700 of file" in found.render()
    (folder / "other half").unlink()
    (folder / "both.txt").write_bytes((data[2] + data[0]).replace(b'"n":1', b'"n":2', 1))
    found = examine(folder, copy=True)
    assert found.verdict == "tampered"
    found.save(tmp_path / "report.html")
    assert repeat(tmp_path / "report.html", folder).verdict == "tampered"
    assert by_hand(found) > 3
