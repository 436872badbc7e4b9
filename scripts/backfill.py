"""Extract days of an environment that have no manifest, one after the other, if that is meant.

    make backfill ENV=dev ARGS="--from 2026-11-20 --to 2026-11-24"

Without --yes it only tells which days lack what. A source of the catalog is asked for what it says
now: none can be asked for what it said on a day gone by. Under the date of a day before yesterday
would lie the answers of today; receipts tell so, and yet whoever reads by date is misled. So such
days need --allow-backdate besides, as `ashore extract` itself does.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import tasks
from account import command_line, enter, run
from ashore.catalog_file import read_catalog
from ashore.dates import parse_date
from ashore.naming import Day
from environments import RefusedError, read_environment

if TYPE_CHECKING:
    import boto3

MOST_DAYS = 366


def main(argv: Sequence[str] | None = None) -> int:
    """Tell what lacks, extract it if asked to, and return the status of the last task."""
    options = arguments(argv)
    today = dt.datetime.now(dt.UTC).date()
    days = list(span(options.first, options.last, today))
    environment = read_environment(options.environment)
    session = enter(environment, options.profile)
    task = tasks.scheduled(session, environment)
    lacking = show(session, task, days)
    if not lacking:
        print("Nothing is to be done.")
        return 0
    yesterday = today - dt.timedelta(days=1)
    refuse(options, [day for day in lacking if day < yesterday], len(lacking))
    tasks.require_release(session, environment)
    return extract(session, task, lacking, yesterday)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line(__doc__)
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument("--from", dest="first", required=True, metavar="DATE", help="the first day")
    parser.add_argument("--to", dest="last", required=True, metavar="DATE", help="the last day")
    parser.add_argument("--yes", action="store_true", help="start the tasks, one after the other")
    parser.add_argument(
        "--allow-backdate", action="store_true", help="also land today's answers under earlier days"
    )
    return parser.parse_args(argv)


def span(first: str, last: str, today: dt.date) -> Iterator[dt.date]:
    """Yield the days from one to another.

    Raises:
        Misconfigured: one of them is no date.
        RefusedError: they are in the wrong order, too many, or to come.
    """
    begin, end = parse_date(first, "--from"), parse_date(last, "--to")
    count = (end - begin).days + 1
    if end > today:
        raise RefusedError(f"--to: {end} is in the future; in UTC it is {today}")
    if not 1 <= count <= MOST_DAYS:
        raise RefusedError(f"--from {begin} --to {end}: give 1 to {MOST_DAYS} days, in their order")
    yield from (begin + dt.timedelta(days=index) for index in range(count))


def show(session: boto3.Session, task: tasks.Task, days: Sequence[dt.date]) -> list[dt.date]:
    """Tell of each day which sources have no manifest, and return the days that lack one."""
    sources = sources_of(task)
    lacking = []
    for date in days:
        missing = [name for name in sources if not is_complete(session, task, Day(name, date))]
        print(f"{date}  {'no manifest of ' + ', '.join(missing) if missing else 'complete'}")
        if missing:
            lacking.append(date)
    return lacking


def sources_of(task: tasks.Task) -> Sequence[str]:
    """Return what a task extracts: the sources that its command names, or the catalog's default."""
    _, *named = task.container["command"]
    return named or read_catalog(None).default


def is_complete(session: boto3.Session, task: tasks.Task, day: Day) -> bool:
    """Tell whether the manifest of a day stands."""
    bucket, _, prefix = task.location.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/{day.manifest}".lstrip("/")
    found = session.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return found["KeyCount"] > 0


def refuse(options: argparse.Namespace, past: Sequence[dt.date], count: int) -> None:
    """Return if what lacks is to be extracted.

    Raises:
        RefusedError: it is not said that it is meant.
    """
    if past and not options.allow_backdate:
        raise RefusedError(
            f"nothing was started: {len(past)} of these days are before yesterday, and no source "
            "of the catalog can be asked for a day gone by: today's answers would land under their "
            "dates; add --allow-backdate if that is what you want"
        )
    if not options.yes:
        raise RefusedError(f"nothing was started: add --yes to extract {count} day(s)")


def extract(
    session: boto3.Session, task: tasks.Task, days: Sequence[dt.date], yesterday: dt.date
) -> int:
    """Run a task a day, until one fails, and return the status of the last."""
    for done, date in enumerate(days):
        started = tasks.start(session, task, variables(date, yesterday), "backfill")
        status = tasks.follow(session, started)
        if status:
            print(f"backfill: {date} failed; {len(days) - done - 1} day(s) left", file=sys.stderr)
            return status
    return 0


def variables(date: dt.date, yesterday: dt.date) -> Mapping[str, str]:
    """Return what a task is told of its day."""
    leave = {"ASHORE_ALLOW_BACKDATE": "1"} if date < yesterday else {}
    return {"ASHORE_DATE": date.isoformat(), **leave}


if __name__ == "__main__":
    sys.exit(run(main))
