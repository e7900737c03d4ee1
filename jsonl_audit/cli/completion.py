"""`jsonl-audit completion`: the script by which a shell completes commands, options and paths."""

from __future__ import annotations

import click

from jsonl_audit.cli import app
from jsonl_audit.cli.streams import Output

EXAMPLES = """\
\b
Examples:
  eval "$(jsonl-audit completion bash)"        in ~/.bashrc
  eval "$(jsonl-audit completion zsh)"         in ~/.zshrc
  jsonl-audit completion fish > ~/.config/fish/completions/jsonl-audit.fish
"""
SHELLS = ("bash", "zsh", "fish")


@click.command(epilog=EXAMPLES)
@click.argument("shell", required=False, type=click.Choice(SHELLS), metavar="bash|zsh|fish")
def command(shell: str | None) -> int:
    """Print the completion script of a shell.

    Bash from 4.4 on.
    """
    from click.shell_completion import get_completion_class

    if shell is None:
        raise click.UsageError(f"no shell is given; name one of {', '.join(SHELLS)}.")
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this version of click has no completion for {shell}.")
    script = kind(app.jsonl_audit, {}, app.NAME, app.COMPLETION)
    out = Output()
    # Not source(): for bash that would run bash, to complain about its version.
    out.line((script.source_template % script.source_vars()).rstrip("\n"))
    out.flush()
    return 0
