"""The options that commands share, and how their text becomes values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ashore import units

Value = TypeVar("Value")
LEVELS = ("debug", "info", "warning", "error")

Command = TypeVar("Command", bound=Callable[..., Any])


class Written(click.ParamType[Value]):
    """A value as catalogs write it: a duration, in seconds, or a rate."""

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        """Name the kind of value, and how to read it; what cannot be read raises ValueError."""
        self.name = name
        self._parse = parse

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as its base
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Value:
        """Return the value; click asks again for what is one already."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def option(*names: str, **keywords: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click's
    """Return a click option that the environment can give too, as ``ASHORE_<OPTION>``."""
    long = next(name for name in names if name.startswith("--"))
    variable = f"ASHORE_{long[2:].replace('-', '_').upper()}"
    return click.option(*names, envvar=variable, show_envvar=True, **keywords)


sources = click.argument("sources", nargs=-1, metavar="[SOURCE]...")
to = option(
    "--to",
    "location",
    default="landing",
    show_default=True,
    metavar="LOCATION",
    help="Where it lies: a folder, or s3://bucket/prefix.",
)
catalog = option(
    "--catalog",
    "catalog_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The catalog that declares the sources, instead of the packaged one.",
)
date = option("--date", metavar="YYYY-MM-DD", help="The extraction date (UTC), instead of today.")
as_json = option("--json", "as_json", is_flag=True, help="Print one JSON document and no more.")
log_level = option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="How much is told on standard error.",
)
workers = option(
    "--workers", type=click.IntRange(1, 256), help="Threads, instead of the catalog's."
)
deadline = option(
    "--deadline",
    type=Written("duration", units.duration),
    default="6h",
    show_default=True,
    help="When the whole command ends, done or not.",
)
max_requests = option(
    "--max-requests", type=click.IntRange(0), help="Stop after so many requests, done or not."
)
allow_backdate = option(
    "--allow-backdate", is_flag=True, help="Let --date be earlier than yesterday."
)
accept = option(
    "--accept",
    multiple=True,
    metavar="ENDPOINT.CHECK",
    help="Complete the day although this one expectation is not met; the manifest records it.",
)
scheduler = option(
    "--scheduler",
    metavar="ADDRESS",
    help="Extract on a Dask cluster: tcp://host:8786, or local for processes on this machine.",
)
try_only = option(
    "--check", is_flag=True, help="Try the location and the keys, send no request, and end."
)
every_day = option("--all", "every_day", is_flag=True, help="Every complete day.")
days = option(
    "--days", type=click.IntRange(1, 36_500), default=30, show_default=True, help="How many days."
)
report_days = option(
    "--days",
    type=click.IntRange(1, 36_500),
    default=365,
    show_default=True,
    help="How many days, up to today.",
)
output = option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the page; a report that lies there is replaced.",
)
force = option(
    "--force", is_flag=True, help="Replace what lies there, also if it is no report of ashore."
)
check_days = option(
    "--check", is_flag=True, help="Exit with 4 if a day that is due is not complete."
)
standin_port = option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="The port; a free one unless given."
)
standin_edition = option(
    "--edition",
    default="2024-04",
    show_default=True,
    help="Which recorded list to serve: 2024-04 or 2025-01.",
)
standin_latency = option(
    "--latency",
    type=Written("duration", units.duration),
    default=0.0,
    help="How long every answer waits, such as 50ms.",
)
standin_fault = option(
    "--fault",
    multiple=True,
    metavar="FAULT",
    help="What goes wrong, such as status=503,first=1; docs/reference.md has all kinds.",
)
standin_rate = option(
    "--rate",
    type=Written("rate", units.rate),
    metavar="RATE",
    help="The pace that the written catalog declares, such as 50/s.",
)
standin_catalog = option(
    "--catalog-to",
    type=click.Path(path_type=Path),
    default=Path("standin.toml"),
    show_default=True,
    help="Where to write the catalog.",
)
in_csv = option("--csv", "in_csv", is_flag=True, help="Print CSV, with a line of names first.")
latest_day = option(
    "--latest", is_flag=True, help="Ask only the latest complete day of each source."
)
memory = option(
    "--memory",
    type=Written("size", units.size),
    default="512MiB",
    show_default=True,
    help="What the database may use; more than that waits in TMPDIR.",
)
sql = click.argument("sql", metavar="SQL")
earlier = click.argument("earlier", metavar="D1")
later = click.argument("later", metavar="D2")
source = click.argument("source", required=False, metavar="[SOURCE]")
endpoint = option(
    "--endpoint", multiple=True, metavar="NAME", help="Only this endpoint, instead of all."
)
examples = option(
    "--examples",
    type=click.IntRange(0, 100_000),
    default=20,
    show_default=True,
    help="How many records of each kind are shown; figures are of all.",
)
summary = option("--summary", is_flag=True, help="Only figures: no fields, no records.")
