"""Write into docs/reference.md what the program says of itself: every command's help, the faults.

.venv/bin/python scripts/update_docs.py

The blocks stand between `<!-- shown: COMMAND -->` and `<!-- end -->`; a test compares them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from ashore.cli import cli
from ashore.standin import describe_faults

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
FAULTS = "the kinds of --fault"
_BLOCK = re.compile(r"(<!-- shown: ([^>\n]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_WIDTH = 98  # what help is wrapped at in a terminal of a hundred columns or more


def main() -> int:
    """Rewrite the blocks, and say whether anything changed."""
    before = REFERENCE.read_text(encoding="utf-8")
    after = rewritten(before)
    REFERENCE.write_text(after, encoding="utf-8")
    print(f"{REFERENCE.name}: {'is as it was' if before == after else 'rewritten'}")
    return 0


def rewritten(text: str) -> str:
    """Return a document with every block as the program says it now."""
    said = shown()
    return _BLOCK.sub(lambda block: f"{block[1]}```text\n{said[block[2]]}\n```\n{block[4]}", text)


def blocks(text: str) -> list[str]:
    """Return what the blocks of a document show, in their order."""
    return [block[2] for block in _BLOCK.finditer(text)]


def shown() -> dict[str, str]:
    """Return all that a document may show, by its name."""
    helps = {f"{' '.join(path)} --help": _help(path) for path, _ in commands()}
    return helps | {FAULTS: describe_faults()}


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("ashore",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that name it, groups before what they hold."""
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


def _help(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(
        cli, [*path[1:], "--help"], prog_name=path[0], terminal_width=_WIDTH
    )
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


if __name__ == "__main__":
    sys.exit(main())
