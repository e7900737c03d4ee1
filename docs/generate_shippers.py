"""Writes the configurations of all shippers, docs/reference/shippers.md, as `jsonl-audit ship-config` prints them.

python docs/generate_shippers.py            writes the page
python docs/generate_shippers.py --check    says whether the committed page is up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from jsonl_audit.cli.shippers import SHIPPERS, Shipper, configuration

PAGE = Path(__file__).resolve().parent / "reference" / "shippers.md"
LOG, FOLDER, ADDRESS = "/var/log/app/audit.jsonl", "/srv/audit", "store.example:5140"
INTRODUCTION = f"""\
# Configurations of shippers

<!-- Written by docs/generate_shippers.py from what `jsonl-audit ship-config` prints: do not edit. -->

As `jsonl-audit ship-config NAME` prints them for a log at `{LOG}`, shipped to the folder
`{FOLDER}` or the address `{ADDRESS}`; give `--path`, `--to` and `--into` for your own. Which to
choose, and what was tried with which: [](../howto/shippers.md).
"""
LANGUAGES = {".sh": "sh", ".yaml": "yaml", ".yml": "yaml", ".lua": "lua", ".service": "ini"}


def page() -> str:
    """The whole page, ending in one newline."""
    sections = [INTRODUCTION]
    for shipper in SHIPPERS.values():
        what = f"{shipper.what[0].upper()}{shipper.what[1:]}"
        sections.append(f"## {shipper.name}\n\n{what}. Check it: `{shipper.check}`.")
        sections.append(_block(shipper, receiver=False))
        if shipper.receive is not None:
            sections += ["At the receiving end:", _block(shipper, receiver=True)]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def _block(shipper: Shipper, *, receiver: bool) -> str:
    to = ADDRESS if shipper.moves == "lines" else FOLDER
    text = configuration(shipper, path=LOG, to=to, into=FOLDER, receiver=receiver)
    return f"```{LANGUAGES.get(Path(shipper.send).suffix, 'text') if not receiver else 'text'}\n{text}```"


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text("utf-8") != text:
            print(f"{PAGE} is not up to date: run `python docs/generate_shippers.py`", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
