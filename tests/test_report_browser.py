"""The report in a real browser: it fits a telephone, follows light and dark, prints, and opens with many findings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from logs import Log

from jsonl_audit import examine

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--allow-file-access-from-files",
]  # fmt: skip
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(BROWSER is None, reason="needs a Chromium, which is not here (apt-get install chromium)"),
]
# A page around the report, since the report itself must not run anything: it measures it at a width.
LOOK = """<!DOCTYPE html><iframe id="it" width="WIDTH" height="900" src="report.html"></iframe>
<pre id="told"></pre><script>
it.onload = () => {
  const page = it.contentDocument, root = page.documentElement, view = it.contentWindow;
  const wide = [...page.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > WIDTH + 1
    && !each.closest("pre") && getComputedStyle(each).display !== "none").map(each => each.outerHTML.slice(0, 80));
  told.textContent = JSON.stringify({
    wide: root.scrollWidth, over: wide.slice(0, 5), paper: view.getComputedStyle(page.body).backgroundColor,
    ink: view.getComputedStyle(page.body).color, drawings: [...page.querySelectorAll("svg")].map(
      each => each.getBoundingClientRect().width > 0), findings: page.querySelectorAll("article").length,
    others: page.querySelectorAll(".others li").length, scripts: page.scripts.length,
    height: root.scrollHeight});
};
</script>"""


def browse(folder: Path, *flags: str, page: str = "look.html") -> str:
    """What the browser says of a page in the folder."""
    assert BROWSER is not None
    ran = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, (folder / page).as_uri()],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-500:]
    return ran.stdout


def looked_at(folder: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """The report in the folder as a reader with so wide a window has it."""
    (folder / "look.html").write_text(LOOK.replace("WIDTH", str(width)))
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    shown = browse(folder, scheme, "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom")
    found = re.search(r'<pre id="told">(\{.*?\})</pre>', shown, re.DOTALL)
    assert found is not None, shown[-1000:]
    told: dict[str, Any] = json.loads(found[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
    return told


@pytest.fixture
def report(log_dir: Path, tmp_path: Path) -> Path:
    """The folder of a report on a log with harm of many kinds, and long words of a stranger in it."""
    log = Log(log_dir)
    for number in range(6):
        log.add({"type": "a.b", "actor": {"id": "u" * 300}, "details": {"text": "<b>\x1b\u202e" + "x" * 3000}})
        log.fill(4)
        log.us += 3600 * 10**6 * number
        log.seal()
    log.fill(5)
    log.change(1, 3, b'"n":1', b'"n":7')
    log.delete_line(2, 3)
    log.insert_line(3, 2, b"\xff" * 900 + b"\n")
    log.swap_lines(4, 2)
    log.drop(5)
    log.raw(bytes(300))
    examine(log.active, command="x" * 400).save(tmp_path / "report.html")
    return tmp_path


def test_a_report_fits_a_telephone_and_a_desk_in_light_and_dark(report: Path) -> None:
    papers = set()
    for width, drawing in ((390, [False, True]), (1280, [True, False])):
        for dark in (False, True):
            told = looked_at(report, width, dark=dark)
            assert (told["wide"], told["over"]) == (width, [])
            assert told["drawings"] == drawing
            assert told["scripts"] == 0
            assert told["findings"] >= 7
            papers.add((dark, told["paper"], told["ink"]))
    assert len(papers) == 2


def test_a_report_prints(report: Path) -> None:
    browse(report, "--no-pdf-header-footer", f"--print-to-pdf={report / 'out.pdf'}", page="report.html")
    assert (report / "out.pdf").read_bytes().startswith(b"%PDF-")


def test_ten_thousand_findings_open(log_dir: Path, tmp_path: Path) -> None:
    log = Log(log_dir).fill(10_000)
    log.write(1, [log.lines(1)[0], *(line.replace(b'"n":', b'"m":') for line in log.lines(1)[1:])])
    found = examine(log.active)
    assert len(found.findings) == 10_000
    found.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 8 << 20
    told = looked_at(tmp_path, 390)
    assert (told["findings"], told["others"], told["wide"]) == (100, 9_900, 390)
