"""The command line: from arguments to commands, and from errors to exit statuses."""

import contextlib
import datetime as dt
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ashore import __version__, cli_reading, options
from ashore.errors import AshoreError, ExitStatus, Misconfigured, gravest
from ashore.printing import (
    OutputLostError,
    explain,
    explain_bug,
    log_line,
    print_json,
    print_lines,
    say,
    show,
)
from ashore.signals import (
    Control,
    Terminated,
    ended_by_signals,
    ended_by_sigterm,
    stopped_by_signals,
)

if TYPE_CHECKING:
    from ashore.engine import Engine
    from ashore.job import Job, Outcome
    from ashore.progress import Observer

_DAMAGED = (
    "nothing was changed; where neither the manifest nor the receipts are named, all else is as it "
    "landed; bring what is named back from a copy, or move what is foreign away, and verify again"
)
_UNBEGUN = "a signal came before anything was begun; run the same command again"
_TRUE = {"1", "true", "yes", "on", "t", "y"}


def run() -> None:
    """Run the command, and end the process with its status."""
    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or int(ExitStatus.UNEXPECTED)
    # At once, as a second signal would: a thread may wait for a dead host and hold the process,
    # and taking the interpreter apart takes longer than all else that is left to do.
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; nothing below this exits.

    Args:
        argv: the arguments without the program's name; those of the process unless given.
    """
    try:
        return _answer(list(sys.argv[1:] if argv is None else argv))
    except OutputLostError as lost:
        # What is still buffered must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if lost.reason is not None:
            say(f"standard output cannot be written ({lost.reason}); what was done stands")
        return int(ExitStatus.UNEXPECTED)


def _answer(arguments: list[str]) -> int:
    """Run a command; whatever is raised becomes an exit status, and a line that explains it."""
    as_json = "--json" in arguments or os.environ.get("ASHORE_JSON", "").lower() in _TRUE
    try:
        with ended_by_sigterm():
            return int(cli.main(arguments, prog_name="ashore", standalone_mode=False) or 0)
    except click.ClickException as error:
        return explain(ExitStatus.MISCONFIGURED, _usage(error), as_json=as_json)
    except AshoreError as error:
        return explain(error.status, str(error), as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return explain(ExitStatus.INTERRUPTED, "interrupted", as_json=as_json)
    except Terminated:
        return explain(ExitStatus.TERMINATED, "terminated", as_json=as_json)
    except OutputLostError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug: its traceback is for the developers
        return explain_bug(error, as_json=as_json)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ashore", message="%(prog)s %(version)s")
def cli() -> None:
    """Bring raw answers of JSON APIs ashore once a day, and prove that all of them are there.

    Every option can also come from the environment, as ASHORE_<OPTION>.
    """


for _command in (cli_reading.status, cli_reading.report, cli_reading.diff, cli_reading.query):
    cli.add_command(_command)


@cli.command()
@options.sources
@options.to
@options.date
@options.catalog
@options.workers
@options.deadline
@options.max_requests
@options.allow_backdate
@options.accept
@options.scheduler
@options.try_only
@options.log_level
@options.as_json
def extract(
    sources: tuple[str, ...],
    location: str,
    date: str | None,
    catalog_file: Path | None,
    **more: Any,  # noqa: ANN401 - the other options, by name
) -> int:
    """Extract today of each SOURCE: ask, land, prove.

    \b
    Examples:
      ashore extract
      ashore extract world_bank --to s3://bucket/prefix
      ashore extract --date 2026-11-24 --accept population.max_drop
    """
    control = Control()
    # Heard before anything is loaded: what a signal raises may be lost there, in a callback.
    with stopped_by_signals(control):
        from ashore import command

        todo = _jobs(sources, location, date, catalog_file, **more)
        if control.signal is not None:
            return explain(control.signal, _UNBEGUN, as_json=more["as_json"])
        if more["check"]:
            with ended_by_signals(), _engine(more["scheduler"]):
                return _tell(command.try_out(todo), as_json=more["as_json"])
        with _engine(more["scheduler"]) as engine, _observing(more["log_level"]) as observer:
            outcomes = command.carry_out(todo, observer, control, _metrics_teller(), engine)
        status = gravest([outcome.status for outcome in outcomes])
        not_begun = len(todo) - len(outcomes)
        if control.signal is not None and not_begun:
            status = gravest([status, control.signal])
        # A signal that comes as late as this must not deny a manifest that stands.
        _show_outcomes(outcomes, status, not_begun, as_json=more["as_json"])
    return status


@contextlib.contextmanager
def _engine(scheduler: str | None) -> "Iterator[Engine]":
    """What makes the tries: threads of this process, unless a cluster is asked for."""
    if scheduler is None:
        from ashore.engine import THREADS

        yield THREADS
        return
    from ashore.cluster import reached

    with reached(scheduler) as engine:
        yield engine


def _jobs(
    sources: tuple[str, ...],
    location: str,
    date: str | None,
    catalog_file: Path | None,
    **more: Any,  # noqa: ANN401 - the other options, by name
) -> "list[Job]":
    """What an extraction has to do, once all is known to be right that can be known beforehand."""
    from ashore import command
    from ashore.catalog_file import read_catalog
    from ashore.governor import RequestLimit
    from ashore.location import open_store

    until, limit = time.monotonic() + more["deadline"], more["max_requests"]
    selected = command.chosen(read_catalog(catalog_file), sources)
    moment = command.when(
        date, os.environ, dt.datetime.now(dt.UTC), allow_backdate=more["allow_backdate"]
    )
    accepted = command.acceptances(more["accept"], selected)
    connections = more["workers"] or max(source.workers for source in selected)
    return command.jobs(
        selected,
        open_store(location, connections),
        moment,
        os.environ,
        workers=more["workers"],
        until=until,
        limit=RequestLimit(limit) if limit is not None else None,
        accepted=accepted,
    )


@cli.command()
@options.sources
@options.to
@options.catalog
@options.as_json
def plan(sources: tuple[str, ...], location: str, catalog_file: Path | None, as_json: bool) -> int:
    """Tell what an extraction would request, without sending anything.

    From the catalog and the last complete day: requests per endpoint, minutes at the declared
    pace, objects and bytes, and what all of it costs in AWS, done once a day.

    \b
    Example:
      ashore plan world_bank --to s3://bucket/prefix
    """
    from ashore import cost, display, forecast
    from ashore.catalog_file import read_catalog
    from ashore.command import chosen
    from ashore.location import open_store

    store, today = open_store(location), dt.datetime.now(dt.UTC).date()
    selected = chosen(read_catalog(catalog_file), sources)
    there = location.startswith("s3://") or Path(location).is_dir()
    plans = [forecast.plan(store if there else None, source, today) for source in selected]
    monthly = cost.month(plans)
    if as_json:
        return print_json(ExitStatus.COMPLETE, plans=plans, cost=monthly)
    for each in plans:
        show(display.forecast(each))
    print_lines(*display.bill(monthly))
    return ExitStatus.COMPLETE


@cli.command()
@options.sources
@options.to
@options.date
@options.every_day
@options.as_json
def verify(
    sources: tuple[str, ...], location: str, date: str | None, every_day: bool, as_json: bool
) -> int:
    """Read landed objects back, and hold them against their receipts.

    The last complete day of each SOURCE, unless told otherwise; of every source in the location,
    unless some are named.

    \b
    Examples:
      ashore verify
      ashore verify world_bank --to s3://bucket/prefix --all
    """
    from ashore import display, verify
    from ashore.location import open_store

    if date and every_day:
        raise Misconfigured("--date and --all exclude each other; give one of them")
    store = open_store(location, verify.WORKERS)
    with display.counting("reading") as tell:
        verdicts = verify.verify(store, sources, date, every_day=every_day, tell=tell)
    status = gravest(ExitStatus.COMPLETE if v.holds else ExitStatus.VIOLATED for v in verdicts)
    if as_json:
        error = None if status is ExitStatus.COMPLETE else f"a day does not hold; {_DAMAGED}"
        return print_json(status, error=error, days=verdicts)
    for each in verdicts:
        show(display.shown(display.verdict(each)))
        for problem in each.problems:
            say(problem)
    if status is not ExitStatus.COMPLETE:
        say(_DAMAGED)
    return status


@cli.group()
def catalog() -> None:
    """Look at a catalog, and check one of your own."""


@catalog.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@options.catalog
@options.as_json
def catalog_check(file: Path | None, catalog_file: Path | None, as_json: bool) -> int:
    """Check a catalog FILE: every mistake is one line that names its place and its mend.

    \b
    Example:
      ashore catalog check my.toml
    """
    from ashore import display
    from ashore.catalog_file import PACKAGED, read_catalog

    path = file or catalog_file
    read = read_catalog(path)
    variables = {s.auth.variable: s.name for s in read.sources.values() if s.auth}
    unset = [
        f"{name} is not set; extracting {source} needs it"
        for name, source in variables.items()
        if not os.environ.get(name)
    ]
    if as_json:
        return print_json(ExitStatus.COMPLETE, sources=list(read.sources), warnings=unset)
    for warning in unset:
        say(f"warning: {warning}")
    names, default = ", ".join(read.sources), ", ".join(read.default)
    show(display.shown(f"{path or PACKAGED}: right; sources: {names}; default: {default}"))
    return ExitStatus.COMPLETE


@catalog.command("show")
@options.sources
@options.catalog
@options.as_json
def catalog_show(sources: tuple[str, ...], catalog_file: Path | None, as_json: bool) -> int:
    """Show sources with every default filled in: all of the catalog, unless some are named.

    \b
    Example:
      ashore catalog show world_bank
    """
    from ashore.catalog_file import described, read_catalog
    from ashore.command import chosen
    from ashore.redaction import in_json

    read = read_catalog(catalog_file)
    selected = chosen(read, sources or list(read.sources))
    document = {source.name: described(source) for source in selected}
    if as_json:
        return print_json(ExitStatus.COMPLETE, default=list(read.default), sources=document)
    print_lines(in_json(json.dumps(document, indent=2, ensure_ascii=False)))
    return ExitStatus.COMPLETE


@cli.command()
@options.standin_port
@options.standin_edition
@options.standin_latency
@options.standin_fault
@options.standin_rate
@options.standin_catalog
@options.catalog
def standin(
    catalog_file: Path | None,
    **more: Any,  # noqa: ANN401 - the other options, by name
) -> int:
    """Serve recorded or generated answers on loopback, with faults on request.

    Writes a catalog whose sources point at it, and serves until it is interrupted.

    \b
    Example:
      ashore standin --catalog-to standin.toml --fault "status=503,path=*/indicator/*,first=1"
      ashore extract --catalog standin.toml
    """
    from ashore import display
    from ashore.catalog_file import PACKAGED, text_of
    from ashore.standin import Standin, catalog_text, parse_fault

    rate = more["rate"]
    try:
        faults = [parse_fault(text) for text in more["fault"]]
        server = Standin(
            port=more["port"], edition=more["edition"], latency=more["latency"], faults=faults
        )
    except ValueError as error:
        raise Misconfigured(str(error)) from error
    except OSError as error:
        raise Misconfigured(f"--port {more['port']}: {error.strerror}") from error
    with server:
        try:
            text = catalog_text(server.url, rate and str(rate), text_of(catalog_file))
            more["catalog_to"].write_text(text, encoding="utf-8")
        except ValueError as error:
            raise Misconfigured(f"{catalog_file or PACKAGED}: {error}") from error
        except OSError as error:
            raise Misconfigured(f"{more['catalog_to']}: {error.strerror}") from error
        told = f"serving on {server.url}; try: ashore extract --catalog {more['catalog_to']}"
        show(display.shown(told))
        sys.stdout.flush()
        threading.Event().wait()
    return ExitStatus.COMPLETE


# --- what is shown, and where


@contextlib.contextmanager
def _observing(level: str) -> "Iterator[Observer]":
    """Observe a run: by a progress bar on a terminal, by log lines anywhere else."""
    if sys.stderr.isatty():
        from ashore import display

        yield display.ProgressBar(display.console())
        return
    from ashore import log

    handler = log.start(sys.stderr, level)
    try:
        yield log.LogObserver()
    finally:
        log.logger.removeHandler(handler)


def _metrics_teller() -> Callable[["Outcome"], None]:
    """What tells CloudWatch of each day, on standard error beside the log; often nothing."""
    from ashore import metrics

    namespace = metrics.namespace(os.environ)
    if namespace is None:
        return lambda _: None
    return lambda outcome: log_line(
        json.dumps(metrics.embedded(outcome, namespace, dt.datetime.now(dt.UTC)))
    )


def _tell(lines: list[str], *, as_json: bool) -> int:
    if as_json:
        return print_json(ExitStatus.COMPLETE, checked=lines)
    print_lines(*lines)
    return ExitStatus.COMPLETE


def _usage(error: click.ClickException) -> str:
    """What click found wrong with the command line, on one line, and where its help is."""
    problem = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "ashore"
    return f"{problem[:1].lower()}{problem[1:].rstrip('.')}; see {command} --help"


def _show_outcomes(
    outcomes: "Sequence[Outcome]", status: ExitStatus, not_begun: int, *, as_json: bool
) -> None:
    from ashore import display

    failed = [
        f"{o.day.source}: {o.reason}" for o in outcomes if o.status is not ExitStatus.COMPLETE
    ]
    failed += [f"a signal came before {not_begun} more sources"] if not_begun else []
    if as_json:
        error = "; ".join(failed) or None
        print_json(status, error=error, sources=[display.outcome(each) for each in outcomes])
    for outcome in outcomes:
        if not as_json and outcome.document:
            show(display.ledger(outcome))
        if not as_json and outcome.ran:
            show(display.summary(outcome))
        if not as_json and outcome.status is ExitStatus.COMPLETE:
            show(display.shown(f"{outcome.day.source} {outcome.day.date}: {outcome.reason}"))
