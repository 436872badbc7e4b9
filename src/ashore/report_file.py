"""Where a report is written: beside the location, at once and whole, over nothing but a report."""

import contextlib
import os
import tempfile
from pathlib import Path

from ashore.errors import Misconfigured
from ashore.page import GENERATOR
from ashore.store import Store

_BEGINNING = 1_000


def check(output: Path, store: Store, *, force: bool) -> None:
    """Make sure that a report may be written there.

    Raises:
        Misconfigured: when it lies in the location, is no file, or is one of somebody else's.
    """
    place = f"--output {output}"
    if not output.parent.is_dir():
        raise Misconfigured(f"{place}: there is no folder {output.parent}; make it first")
    if _is_within(output, store):
        raise Misconfigured(
            f"{place}: it lies in the location {store.root}, where nothing is written but what "
            "lands; choose a place outside of it"
        )
    if output.is_file() and not output.is_symlink():
        if not (force or is_report(output)):
            raise Misconfigured(
                f"{place}: a file lies there that is no report of ashore; "
                "name another one, or add --force to replace it"
            )
    elif os.path.lexists(output):
        raise Misconfigured(f"{place}: it is no plain file; name another one")


def is_report(file: Path) -> bool:
    """Tell whether a file is a report that ashore made."""
    try:
        with file.open("rb") as content:
            return GENERATOR.encode() in content.read(_BEGINNING)
    except OSError:
        return False


def write(page: str, output: Path) -> int:
    """Write a page aside, and give it its name when it is whole; return its size in bytes.

    Raises:
        Misconfigured: when it cannot be written there.
    """
    body = page.encode()
    aside = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=".ashore-report-", delete=False
        ) as file:
            aside = Path(file.name)
            file.write(body)
        # As any file that is made: a temporary one could be read by its owner alone.
        aside.chmod(0o666 & ~_umask())
        aside.replace(output)
    except OSError as error:
        raise Misconfigured(f"--output {output}: {error.strerror}; name another place") from error
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
    return len(body)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _is_within(output: Path, store: Store) -> bool:
    if store.root.startswith("s3://"):
        return False
    return (output.parent.resolve() / output.name).is_relative_to(Path(store.root).resolve())
