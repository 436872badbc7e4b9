"""The commands that read what landed, and change nothing: status, report, diff, query."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ashore import options
from ashore.errors import ExitStatus, Misconfigured
from ashore.printing import print_json, print_lines, say, show, write

if TYPE_CHECKING:
    from ashore.query import Answer


@click.command()
@options.sources
@options.to
@options.catalog
@options.days
@options.check_days
@options.as_json
def status(
    sources: tuple[str, ...],
    location: str,
    catalog_file: Path | None,
    days: int,
    check: bool,
    as_json: bool,
) -> int:
    """Show a calendar of days: complete, incomplete and why, missing, not yet due.

    Of the catalog's default sources and all sources in the location, unless some are named.

    \b
    Examples:
      ashore status --days 7
      ashore status --check     # for monitoring: 4 if a day that is due is not complete
    """
    from ashore.calendar_view import Calendars, Remarks
    from ashore.calendars import by_source, summary
    from ashore.catalog_file import read_catalog
    from ashore.location import open_store
    from ashore.status import READERS, look

    default = read_catalog(catalog_file).default
    shown = look(open_store(location, READERS), default, sources, days)
    wanting = [
        f"{d.day.source} {d.day.date}: {d.state.value}: {d.said}" for d in shown if d.wanting
    ]
    result = ExitStatus.VIOLATED if check and wanting else ExitStatus.COMPLETE
    if as_json:
        error = "; ".join(wanting) if result else None
        summaries = [summary(of_it) for of_it in by_source(shown).values()]
        return print_json(result, error=error, days=shown, sources=summaries)
    show(Calendars(shown))
    show(Remarks(shown))
    for line in wanting if check else ():
        say(line)
    return result


@click.command()
@options.sources
@options.to
@options.catalog
@options.report_days
@options.output
@options.force
@options.as_json
def report(
    sources: tuple[str, ...],
    location: str,
    catalog_file: Path | None,
    days: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> int:
    """Write a page about a location: calendar, figures over time, the last days in full.

    One HTML file that needs no network and runs no script. Of the catalog's default sources and
    all sources in the location, unless some are named. Nothing in the location is changed.

    \b
    Examples:
      ashore report
      ashore report world_bank --to s3://bucket/prefix --days 3650 --output world_bank.html
    """
    from ashore import display, page, report, report_file
    from ashore.catalog_file import read_catalog
    from ashore.location import open_store
    from ashore.units import human_bytes

    catalog, store = read_catalog(catalog_file), open_store(location, report.READERS)
    report_file.check(output, store, force=force)
    gathered = report.gather(store, catalog, sources, days)
    size = report_file.write(page.render(gathered, page.linker_of(store, output)), output)
    if as_json:
        shown = [each.summary for each in gathered.sources]
        return print_json(ExitStatus.COMPLETE, output=output, bytes=size, sources=shown)
    show(display.shown(f"{output}: {human_bytes(size)}; open it in a browser"))
    return ExitStatus.COMPLETE


@click.command()
@options.earlier
@options.later
@options.source
@options.to
@options.catalog
@options.endpoint
@options.examples
@options.summary
@options.as_json
def diff(
    earlier: str,
    later: str,
    source: str | None,
    location: str,
    catalog_file: Path | None,
    **more: Any,  # noqa: ANN401 - the other options, by name
) -> int:
    """Tell what changed from day D1 to day D2: records, fields, shape, bytes.

    Of SOURCE, or of the catalog's default ones. Records belong together by the catalog's key;
    where an endpoint has none, whole records are compared. Nothing in the location is changed.

    \b
    Examples:
      ashore diff 2026-11-24 2026-11-25
      ashore diff 2026-11-24 2026-11-25 world_bank --endpoint countries --json
    """
    from ashore import diff_view, display
    from ashore.catalog_file import read_catalog
    from ashore.command import chosen
    from ashore.dates import parse_date
    from ashore.diff import compare
    from ashore.location import open_store
    from ashore.read_ahead import READERS

    days = parse_date(earlier, "D1"), parse_date(later, "D2")
    selected = chosen(read_catalog(catalog_file), [source] if source else [])
    store, most = open_store(location, READERS), 0 if more["summary"] else more["examples"]
    with display.counting("reading") as tell:
        compared = [
            compare(store, each, *days, more["endpoint"], examples=most, tell=tell)
            for each in selected
        ]
    if more["as_json"]:
        return print_json(ExitStatus.COMPLETE, sources=compared)
    for each in compared:
        for shown in diff_view.tables(each, summary=more["summary"]):
            show(shown)
        for note in diff_view.notes(each):
            say(note)
    return ExitStatus.COMPLETE


@click.command()
@options.sql
@options.to
@options.catalog
@options.date
@options.latest_day
@options.memory
@options.in_csv
@options.as_json
def query(
    sql: str,
    location: str,
    catalog_file: Path | None,
    date: str | None,
    latest: bool,
    memory: int,
    in_csv: bool,
    as_json: bool,
) -> int:
    """Ask the records of complete days in SQL.

    One SELECT, or DESCRIBE; with - it is read from standard input. Each endpoint is a view called
    SOURCE.ENDPOINT. Its columns are extraction_date, the values of for_each, and the fields of the
    records. Needs DuckDB: pip install 'ashore[query]'

    \b
    Examples:
      ashore query "select date, sum(value) from world_bank.population group by date" --latest
      ashore query "describe world_bank.countries" --latest
      ashore query - --csv < question.sql
    """
    from ashore import display
    from ashore.catalog_file import read_catalog
    from ashore.dates import parse_date
    from ashore.location import open_store
    from ashore.query import Question, ask
    from ashore.read_ahead import READERS

    if in_csv and as_json:
        raise Misconfigured("--csv and --json exclude each other; give one of them")
    if date and latest:
        raise Misconfigured("--date and --latest exclude each other; give one of them")
    text = sys.stdin.read() if sql == "-" else sql
    question = Question(text, parse_date(date, "--date") if date else None, latest, memory)
    declared, store = read_catalog(catalog_file), open_store(location, READERS)
    with contextlib.ExitStack() as stack:
        with display.counting("reading") as tell:
            answer = stack.enter_context(ask(store, declared, question, tell))
        if answer.reading.otherwise:
            say(answer.reading.said)
        _show_answer(answer, in_csv=in_csv, as_json=as_json)
    return ExitStatus.COMPLETE


def _show_answer(answer: "Answer", *, in_csv: bool, as_json: bool) -> None:
    """Show what a query found: as a table, unless asked for otherwise."""
    from ashore import display, results

    if as_json:
        head = {"format": 1, "exit_status": 0, "error": None, "read": answer.reading.told}
        print_lines(*results.json_lines(answer.result, head))
    elif in_csv:
        for lines in results.csv_lines(answer.result, on_terminal=sys.stdout.isatty()):
            write(lines)
    else:
        drawn, said = results.table(answer.result, display.console(stderr=False).width)
        show(drawn)
        print_lines(said)
