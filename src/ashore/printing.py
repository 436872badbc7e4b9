"""What the command line says, and where: the only module that prints."""

import contextlib
import json
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ashore.errors import ExitStatus

if TYPE_CHECKING:
    from rich.console import RenderableType


class OutputLostError(Exception):
    """Standard output takes no more."""

    def __init__(self, reason: str | None) -> None:
        self.reason = reason
        """Why; None where whoever read it has gone, and would not read that either."""


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputLostError(None) from error
    except OSError as error:
        raise OutputLostError(error.strerror) from error


def print_lines(*lines: str) -> None:
    """Print lines on standard output."""
    with _writing():
        for line in lines:
            click.echo(line)


def write(text: str) -> None:
    """Write text with its own line ends on standard output."""
    with _writing():
        click.echo(text, nl=False)


def show(what: "RenderableType") -> None:
    """Print a result on standard output."""
    from ashore.display import console

    with _writing():
        console(stderr=False).print(what)


def log_line(line: str) -> None:
    """Write a line for a log on standard error, as it is."""
    click.echo(line, err=True)


def say(text: str) -> None:
    """Tell something on standard error."""
    from ashore.redaction import on_one_line

    click.echo(f"ashore: {on_one_line(text)}", err=True)


def print_json(status: ExitStatus, error: str | None = None, **results: object) -> int:
    """Print the one document that ``--json`` promises."""
    from ashore.documents import plain

    document = {"format": 1, "exit_status": int(status), "error": error, **results}
    print_lines(json.dumps(plain(document), indent=2, sort_keys=True))
    return int(status)


def explain(status: ExitStatus, text: str, *, as_json: bool) -> int:
    """Tell why a command ends as it does, and return the status as a number."""
    for line in text.splitlines():
        say(line)
    if as_json:
        print_json(status, error=text)
    return int(status)


def explain_bug(error: Exception, *, as_json: bool) -> int:
    """Show the developers where it happened; the text of an error may hold anything."""
    from ashore.redaction import printable, without_any

    click.echo(printable(without_any(traceback.format_exc())), err=True, nl=False)
    text = without_any(f"a bug in ashore: {error!r}")
    return explain(ExitStatus.UNEXPECTED, text, as_json=as_json)
