"""How the documentation is built: `python -m sphinx -W --keep-going -b html docs docs/_build`."""

from __future__ import annotations

import re
from pathlib import Path

_package = Path(__file__).resolve().parent.parent / "jsonl_audit"

project = "jsonl-audit"
author = "jsonl_audit authors"
copyright = f"2026, {author}"  # noqa: A001 - the name that Sphinx reads
release = re.search(r'^__version__ = "(.+)"', (_package / "__init__.py").read_text(), re.MULTILINE)[1]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "**/_*"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3  # so that pages can link to each other's headings

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
default_role = "code"  # single backquotes in docstrings are code

suppress_warnings = ["ref.python"]  # members of two classes may have one name, and that of a type: `bytes`

smartquotes = False  # `--type` is two hyphens

html_theme = "furo"
html_title = "jsonl-audit"
html_copy_source = False
html_show_sphinx = False
# A line of a log is not Python or JSON to a highlighter once it is shortened with an ellipsis.
highlight_language = "text"
