"""A report as one page of HTML: no script, nothing from elsewhere, all text escaped.

Whatever an API sent may stand in names, reasons and values. Jinja2 escapes all that a template
shows; control characters, those of direction among them, are written out before. The page's own
content security policy allows its one style sheet and nothing else.
"""

import base64
import datetime as dt
import functools
import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ashore import charts
from ashore.calendars import State
from ashore.redaction import printable
from ashore.report import Report
from ashore.store import Store
from ashore.units import human_bytes, human_seconds

GENERATOR = '<meta name="generator" content="ashore report'
"""What tells a report from any other file, near its beginning."""
_LONGEST = 300
_MOST_ENDPOINTS = 12

Linker = Callable[[str], str | None]


def render(report: Report, linker: Linker) -> str:
    """Return the page; ``linker`` gives the address of an object, or None where it has none."""
    style = files("ashore").joinpath("pages/report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("report.html")
    return template.render(
        report=report,
        location=report.location,
        href=linker,
        generator=Markup(GENERATOR),  # noqa: S704 - our own words
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
    )


def linker_of(store: Store, output: Path) -> Linker:
    """Return what makes addresses of objects, as seen from where the page will lie.

    Relative ones into a folder, so that both can be moved together; none into S3, whose objects
    no browser can open.
    """
    if store.root.startswith("s3://"):
        return lambda _path: None
    root, above = Path(store.root).resolve(), output.resolve().parent
    try:
        way = os.path.relpath(root, above)
    except ValueError:  # another drive
        return lambda _path: None
    # A name that begins with a scheme, such as "javascript:", must not be taken for one.
    return lambda path: f"./{quote(way, errors='surrogateescape')}/{quote(path)}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ashore", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "charts": charts,
        "State": State,
        "most_endpoints": _MOST_ENDPOINTS,
    }
    environment.filters |= {
        "size": human_bytes,
        "took": human_seconds,
        "count": _count,
        "clip": _clip,
        "clock": _clock,
        "moment": _moment,
        "css": _css,
        "name": _name,
        "decimal": _decimal,
    }
    return environment


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    """Write out what could steer a reader's eye; what is markup already was seen before."""
    return printable(value) if type(value) is str else value


def _count(number: int) -> str:
    return f"{number:,}"


def _clip(text: object, length: int = _LONGEST) -> str:
    whole = str(text)
    return whole if len(whole) <= length else f"{whole[:length]}… ({len(whole):,} characters)"


def _clock(seconds: float) -> str:
    """A moment of a day, from seconds since the epoch."""
    return _utc(seconds).strftime("%H:%M:%S.%f")[:-3]


def _moment(seconds: float) -> str:
    return _utc(seconds).strftime("%Y-%m-%d %H:%M:%S")


def _utc(seconds: float) -> dt.datetime:
    latest = dt.datetime.max.replace(tzinfo=dt.UTC)
    # A damaged receipt may name a moment, or a length, beyond all calendars.
    return dt.datetime.fromtimestamp(min(seconds, latest.timestamp() - 1), dt.UTC)


def _css(state: State) -> str:
    return state.value.replace(" ", "-")


def _name(path: str) -> str:
    """An object's name within its day: what follows ``endpoint=``."""
    return path.partition("/endpoint=")[2] or path


def _decimal(number: float) -> str:
    return f"{number:,.1f}" if number % 1 else f"{number:,.0f}"
