"""The command line as scripts and schedulers use it: statuses, streams, variables, signals."""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ashore import display
from ashore.job import Outcome
from tests.support.api import Reply, ScriptedApi, html_reply, json_reply
from tests.support.process import ashore, environment, start
from tests.support.shop import ITEMS, SWIFT, TREE, Shop, read, tree

if TYPE_CHECKING:
    from rich.console import RenderableType


def back(days: int) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).date().isoformat()


def day(shop: Shop) -> set[str]:
    """The extraction dates that anything landed under."""
    return {folder.name.removeprefix("extraction_date=") for folder in shop.landing.glob("raw/*")}


# --- exit statuses


def two_sources(shop: Shop, first: Reply, second: Reply) -> None:
    shop.api.on("/items", first)
    shop.api.on("/others", second)
    other = f'[source.other]\nbase_url = "{shop.api.url}"\n{SWIFT}\n'
    endpoint = ITEMS.replace("shop", "other").replace("items", "others")
    shop.declare(f"{ITEMS}{other}{endpoint}")


GOOD, LOST, VIOLATED = json_reply([1]), html_reply(404), json_reply([])


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [(GOOD, GOOD, 0), (GOOD, LOST, 3), (LOST, VIOLATED, 4), (VIOLATED, LOST, 4)],
    ids=["0", "3", "3 and 4", "4 and 3"],
)
def test_the_gravest_of_several_sources_is_the_status(
    shop: Shop, first: Reply, second: Reply, status: int
) -> None:
    two_sources(shop, first, second)
    ran = shop.extract("--json", "shop", "other", "shop")
    assert ran.status == ran.document["exit_status"] == status
    assert [source["source"] for source in ran.document["sources"]] == ["shop", "other"]
    assert (ran.document["error"] is None) == (status == 0)


def test_the_default_sources_are_extracted_unless_some_are_named(shop: Shop) -> None:
    two_sources(shop, GOOD, GOOD)
    shop.catalog.write_text('default = ["other"]\n' + shop.catalog.read_text())
    assert shop.extract().status == 0
    assert shop.api.paths() == ["/others"]


def test_a_location_that_cannot_be_used_is_5_and_nothing_is_asked(
    shop: Shop, api: ScriptedApi
) -> None:
    shop.declare()
    shop.landing.write_text("a file, no folder")
    for options in ([], ["--check"], ["--json"]):
        ran = shop.extract(*options)
        assert (ran.status, api.calls) == (5, [])
        assert str(shop.landing) in ran.err


def test_a_location_that_fails_in_mid_run_is_5(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])

    def harm(_: object) -> Reply:
        (shop.raw / "endpoint=item").write_text("a file, no folder")
        return json_reply(1)

    api.on("/item/a", harm)
    shop.declare(TREE)
    assert shop.extract().status == 5
    assert shop.attempt()["outcome"]


def test_check_tries_all_but_the_source(shop: Shop, api: ScriptedApi) -> None:
    shop.declare()
    ran = shop.extract("--check", "--json")
    assert (ran.status, api.calls) == (0, [])
    (started,) = shop.manifests.glob("runs/*/started.json")
    assert read(started)["format"] == 1
    api.on("/items", GOOD)
    assert shop.extract().status == 0


@pytest.mark.parametrize("bug", [ZeroDivisionError, TimeoutError])
def test_a_bug_is_1_and_still_one_document_and_an_attempt(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, bug: type[Exception]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise bug

    shop.declare()
    monkeypatch.setattr("ashore.run.Run.drive", broken)
    ran = shop.extract("--json")
    assert (ran.status, ran.document["exit_status"], "Traceback" in ran.err) == (1, 1, True)
    assert shop.attempt()["outcome"] == "unexpected"


def test_a_location_that_fails_while_a_limit_ends_the_run_is_5(
    shop: Shop, api: ScriptedApi
) -> None:
    tree(api, ["a", "b", "c", "d"])

    def harm(_: object) -> Reply:
        (shop.raw / "endpoint=item").write_text("a file, no folder")
        return json_reply(1, delay=0.1)

    api.on("/item/a", harm)
    shop.declare(TREE, source="workers = 4")
    assert shop.extract("--max-requests", "2").status == 5


def test_what_is_violated_while_a_limit_ends_the_run_is_4(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    api.on("/item/a", json_reply([], delay=0.2))
    shop.declare(TREE, source="workers = 4", retry="retry = { attempts = 1 }")
    assert shop.extract("--max-requests", "3").status == 4


# --- the environment


def test_every_option_can_come_from_the_environment(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("/items", json_reply([{"id": 1}]))
    shop.declare(ITEMS + 'key = "id"\nexpect = { min_records = 2, max_drop = 0 }\n')
    given = {
        "TO": str(shop.landing),
        "CATALOG": str(shop.catalog),
        "DATE": back(9),
        "ALLOW_BACKDATE": "yes",
        "ACCEPT": "items.min_records items.max_drop",
        "WORKERS": "2",
        "DEADLINE": "1m",
        "MAX_REQUESTS": "5",
        "LOG_LEVEL": "error",
        "JSON": "true",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"ASHORE_{name}", value)
    ran = shop.run("extract")
    assert (ran.status, ran.err, ran.document["exit_status"]) == (0, "", 0)
    assert day(shop) == {back(9)}


def test_the_command_line_wins_and_an_empty_variable_is_unset(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("/items", GOOD)
    shop.declare()
    for name in ("DATE", "WORKERS", "ACCEPT", "JSON", "DEADLINE", "CHECK", "MAX_REQUESTS"):
        monkeypatch.setenv(f"ASHORE_{name}", "")
    monkeypatch.setenv("ASHORE_TO", "/dev/null/nowhere")
    monkeypatch.setenv("ASHORE_SCHEDULED_AT", "")
    assert shop.extract().status == 0


@pytest.mark.parametrize("value", ["0", "false", "no", "False", "NO"])
def test_a_flag_can_be_off(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    api.on("/items", GOOD)
    shop.declare()
    monkeypatch.setenv("ASHORE_JSON", value)
    monkeypatch.setenv("ASHORE_CHECK", value)
    ran = shop.extract()
    assert (ran.status, len(api.calls), ran.out.startswith("{")) == (0, 1, False)


# --- dates


@pytest.mark.parametrize("form", ["{}T00:30:00Z", "{}T00:30:00+00:00", "{}T23:59:59.999-00:00"])
def test_the_scheduled_moment_gives_the_date_in_utc(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    api.on("/items", GOOD)
    shop.declare()
    monkeypatch.setenv("ASHORE_SCHEDULED_AT", form.format(back(1)))
    where = ["--catalog", str(shop.catalog), "--to", str(shop.landing)]
    assert shop.run("extract", *where).status == 0
    assert day(shop) == {back(1)}
    (manifest,) = shop.landing.rglob("manifest.json")
    assert read(manifest)["scheduled_at"].startswith(back(1))


def test_an_offset_moves_the_scheduled_moment_to_its_day_in_utc(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("/items", GOOD)
    shop.declare()
    monkeypatch.setenv("ASHORE_SCHEDULED_AT", f"{back(0)}T01:00:00+05:30")
    where = ["--catalog", str(shop.catalog), "--to", str(shop.landing)]
    assert shop.run("extract", *where).status == 0
    assert day(shop) == {back(1)}


def test_beside_a_date_the_scheduled_moment_is_not_looked_at(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("/items", GOOD)
    shop.declare()
    monkeypatch.setenv("ASHORE_SCHEDULED_AT", "nonsense")
    shop.date = back(1)
    assert shop.extract().status == 0
    assert shop.manifest()["scheduled_at"] is None


def test_a_long_past_date_needs_leave_and_receipts_stay_true(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", GOOD)
    shop.declare()
    shop.date = back(40)
    assert shop.extract().status == 2
    assert shop.extract("--allow-backdate").status == 0
    assert shop.receipts()["items/all.json"]["fetched_at"][:10] in (back(0), back(1))


# --- streams


def test_results_go_to_stdout_and_json_log_lines_to_stderr(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    finished = ashore(*shop.arguments(), "--log-level", "debug")
    assert finished.status == 0
    assert "items" in finished.out
    events = [json.loads(line) for line in finished.err.splitlines()]
    assert {"run_began", "landed", "run_ended"} <= {event["event"] for event in events}
    assert all({"time", "level", "event"} <= event.keys() for event in events)


def test_a_day_that_fails_tells_why_on_stderr_alone(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(404))
    shop.declare()
    ran = shop.extract()
    assert ran.status == 3
    assert "404" in ran.err


def on_a_terminal(arguments: list[str]) -> tuple[int, str]:
    """Run with standard error on a terminal; return the status and what was shown there."""
    reader, terminal = pty.openpty()
    command = [sys.executable, "-m", "ashore", *arguments]
    shown = b""
    with subprocess.Popen(
        command, env=environment({"TERM": "xterm"}), stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        os.close(terminal)
        while piece := _read(reader):
            shown += piece
    os.close(reader)
    return process.returncode, shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end of a terminal is closed
        return b""


def test_a_terminal_shows_a_progress_bar_and_no_log_lines(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    api.on("/item/b", [Reply(503), json_reply(1)])
    shop.declare(TREE)
    status, shown = on_a_terminal(shop.arguments())
    assert status == 0
    assert "4/4" in shown
    assert "1 retries" in shown or "1 retry" in shown
    assert '"event"' not in shown


def test_a_terminal_shows_how_far_verify_is(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b", "c"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    status, shown = on_a_terminal(["verify", "--to", shop.to])
    assert status == 0
    assert "reading" in shown
    assert "4/4" in shown


# --- deadlines and signals


def test_a_deadline_ends_the_run_in_time(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b"])
    api.on("/item/b", Reply(delay=60))
    shop.declare(TREE)
    began = time.monotonic()
    ran = shop.extract("--deadline", "500ms", "--json")
    assert (ran.status, time.monotonic() - began < 3) == (3, True)
    assert "deadline" in shop.attempt()["reason"]
    assert sorted(shop.landed()) == ["item/id=a.json", "items/all.json"]


def test_a_deadline_is_of_all_sources(shop: Shop) -> None:
    two_sources(shop, Reply(delay=60), GOOD)
    ran = shop.extract("shop", "other", "--deadline", "500ms", "--json")
    assert ran.status == 3
    assert len(ran.document["sources"]) == 2


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_ends_the_run_in_order(
    shop: Shop, api: ScriptedApi, number: int, status: int
) -> None:
    tree(api, [f"v{number:03}" for number in range(300)])
    api.answer(lambda call: json_reply({}, delay=0.05))
    shop.declare(TREE, source="workers = 2")
    with start(*shop.arguments(), "--json") as running:
        running.wait_for(lambda: len(shop.landed()) > 3)
        running.kill(number)
        finished = running.finish()
    assert finished.status == json.loads(finished.out)["exit_status"] == status
    assert shop.attempt()["outcome"] in ("terminated", "interrupted")
    asked = {path for path in api.paths() if path != "/items"}
    assert len(shop.landed()) == len(asked) + 1, "what was under way came in"
    assert not shop.manifest_file.exists()


def test_a_second_signal_ends_at_once(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(delay=60))
    shop.declare()
    with start(*shop.arguments()) as running:
        running.wait_for(lambda: bool(api.calls))
        running.kill(signal.SIGTERM)
        time.sleep(0.3)  # the system may join two signals of a kind that come at once
        began = time.monotonic()
        running.kill(signal.SIGTERM)
        finished = running.finish()
    assert finished.status == 143
    assert time.monotonic() - began < 2


def test_a_signal_in_a_pause_does_not_wait_for_its_end(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", Reply(503, headers={"Retry-After": "60"}))
    shop.declare(retry='retry = { max_pause = "2m" }')
    with start(*shop.arguments()) as running:
        running.wait_for(lambda: "tried_again" in running.err)
        running.kill(signal.SIGTERM)
        finished = running.finish()
    assert (finished.status, finished.seconds < 5) == (143, True)


def test_a_signal_while_a_complete_day_is_shown_changes_nothing(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def summary(outcome: Outcome) -> RenderableType:
        os.kill(os.getpid(), signal.SIGTERM)
        return shown(outcome)

    api.on("/items", json_reply([1]))
    shop.declare()
    shown = display.summary
    monkeypatch.setattr(display, "summary", summary)
    ran = shop.extract()
    assert (ran.status, shop.manifest_file.exists()) == (0, True)
    assert "complete: 1 objects" in ran.out


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_while_the_program_is_loaded_ends_it_in_silence(
    tmp_path: Path, number: int, status: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        f"        if name == 'click': os.kill(os.getpid(), {number:d})\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ended = ashore("extract", env={"PYTHONPATH": path}, cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (status, "", "")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_in_a_callback_while_modules_are_loaded_is_not_lost(
    shop: Shop, api: ScriptedApi, tmp_path: Path, number: int, status: int
) -> None:
    """Python tells of what is raised in a callback, and goes on as if it had not been."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, weakref\n"
        "def signalled(_):\n"
        f"    os.kill(os.getpid(), {number:d})\n"
        "    return [_ for _ in range(9)]\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'ashore.command':\n"
        "            gone = type('Gone', (), {})()\n"
        "            reference = weakref.ref(gone, signalled)\n"
        "            del gone\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    shop.declare()
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ended = ashore(*shop.arguments("--json"), env={"PYTHONPATH": path}, cwd=tmp_path)
    assert ended.status == json.loads(ended.out)["exit_status"] == status, ended
    assert (
        ended.err == "ashore: a signal came before anything was begun; run the same command again\n"
    )
    assert (api.calls, shop.landing.exists()) == ([], False)


def test_the_version_and_help_go_to_stdout(tmp_path: Path) -> None:
    for option in ("--version", "--help"):
        finished = ashore(option, cwd=tmp_path)
        assert (finished.status, finished.err) == (0, "")
        assert "ashore" in finished.out
    assert list(tmp_path.iterdir()) == []
