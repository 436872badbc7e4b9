"""Run the command line within this process, as often as a search asks for it."""

from __future__ import annotations

import contextlib
import io

from ashore.cli import main
from tests.support.shop import Ran


def inside(*arguments: str) -> Ran:
    """Run any command line; what it prints is told, and nothing else sees it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    return Ran(status, out.getvalue(), err.getvalue())
