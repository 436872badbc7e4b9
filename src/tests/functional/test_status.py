"""The calendar of a location: what it says, what it reads for that, and how quickly."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import pty
import re
import resource
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore import status
from ashore.calendars import DayStatus, State
from ashore.errors import LocationUnusable
from ashore.folder import Folder
from ashore.location import open_store
from ashore.naming import Day
from tests.support.attempts import write_run
from tests.support.process import environment
from tests.support.written import write_day

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOW = dt.datetime(2026, 11, 25, 6, 59, tzinfo=dt.UTC)
TODAY = NOW.date()
SHA256 = "0" * 64
DAY = dt.timedelta(days=1)
EVIL = "\x1b[2J\x1b]0;x\x07\r\x08\x9b31m\u202e[red]\nowned"


def ago(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


def complete(root: Path, back: int, size: int = 2) -> None:
    write_day(root, [("endpoint=items/all.json", size, SHA256)], str(ago(back)))


def calendar(store: Folder, days: int = 30, source: str = "shop") -> list[DayStatus]:
    return list(status.calendar(store, [source], days, NOW))


def states(days: Sequence[DayStatus]) -> list[str]:
    return [each.state.value for each in days]


class Counted(Folder):
    """A folder that tells what was asked of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def read(self, path: str) -> bytes | None:
        self.asked.append(path)
        return super().read(path)

    def list(self, prefix: str) -> Iterator[Any]:
        raise AssertionError(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        self.asked.append(prefix)
        return super().folders(prefix)


class LikeS3(Counted):
    """A folder that is read as S3 is: several manifests at once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = f"s3:/{root}"


def test_each_state_is_told_with_what_is_known(tmp_path: Path) -> None:
    complete(tmp_path, 6, size=1536)
    write_run(tmp_path, Day("shop", ago(5)), 1, "2 of 9 failed: 503")
    write_run(tmp_path, Day("shop", ago(4)), 1, "3 records of 250", "violated")
    write_run(tmp_path, Day("shop", ago(3)), 1)
    write_run(tmp_path, Day("shop", ago(1)), 1, "").joinpath("attempt.json").write_text("{")
    found = calendar(Folder(tmp_path))
    assert states(found) == [
        *("complete", "incomplete", "incomplete", "incomplete", "missing", "damaged"),
        "not yet due",
    ]
    assert [each.day.date for each in found] == [ago(back) for back in range(6, -1, -1)]
    said = [each.said for each in found]
    assert said[:3] == ["1 objects, 1.5 KiB", "2 of 9 failed: 503", "violated: 3 records of 250"]
    assert "under way, or was killed" in said[3]
    assert "attempt.json is damaged" in said[5]
    assert [each.due for each in found] == [True] * 6 + [False]
    assert (found[0].objects, found[0].bytes) == (1, 1536)


def test_the_latest_run_tells_why_a_day_is_incomplete_and_no_other_is_read(tmp_path: Path) -> None:
    day = Day("shop", ago(1))
    for hour in range(1, 9):
        write_run(tmp_path, day, hour, f"run {hour}")
    store = Counted(tmp_path)
    assert calendar(store, 2)[0].said == "run 8"
    assert sum(path.endswith(".json") for path in store.asked) == 3


def test_a_try_of_the_location_is_no_run(tmp_path: Path) -> None:
    day = Day("shop", ago(1))
    write_run(tmp_path, day, 1, "503")
    tried = write_run(tmp_path, day, 2) / "started.json"
    tried.write_text(json.dumps(json.loads(tried.read_text()) | {"check": True}))
    assert calendar(Folder(tmp_path), 2)[0].said == "503"


@pytest.mark.parametrize("kind", [Counted, LikeS3])
def test_of_a_complete_day_only_the_manifest_is_read(tmp_path: Path, kind: type[Counted]) -> None:
    for back in range(40):
        complete(tmp_path, back)
        for hour in (2, 3, 4):
            write_run(tmp_path, Day("shop", ago(back)), hour, "503")
    store = kind(tmp_path)
    assert states(calendar(store, 30)) == ["complete"] * 30
    manifests = [Day("shop", ago(back)).manifest for back in range(29, -1, -1)]
    assert sorted(store.asked) == sorted(["manifests/", *manifests])


@pytest.mark.parametrize("kind", [Counted, LikeS3])
def test_all_sources_are_found_and_nothing_under_raw_is_looked_at(
    tmp_path: Path, kind: type[Counted]
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for source in ("shop", "depot"):
        for back in range(5):
            write_day(tmp_path, [], str(today - back * DAY), source)
    (tmp_path / "raw").mkdir()
    store = kind(tmp_path)
    shown = status.look(store, ["shop"], [], 5)
    assert {each.day.source for each in shown} == {"shop", "depot"}
    assert {each.day.source for each in shown if each.default} == {"shop"}
    assert [each for each in store.asked if not each.startswith("manifests/")] == []
    assert len(store.asked) == 1 + 5 + 2 * 5


@pytest.mark.parametrize("kind", [Folder, LikeS3])
def test_each_manifest_that_was_read_is_handed_on_once(tmp_path: Path, kind: type[Folder]) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for back in (0, 1, 3):
        write_day(tmp_path, [], str(today - back * DAY))
    seen: list[tuple[Day, str]] = []
    status.look(
        kind(tmp_path), ["shop"], [], 9, lambda day, m: seen.append((day, m.extraction_date))
    )
    dates = [today - back * DAY for back in (0, 1, 3)]
    assert {*seen} == {(Day("shop", date), str(date)) for date in dates}
    assert len(seen) == 3


def test_a_name_that_is_no_source_leads_nowhere(tmp_path: Path) -> None:
    complete(tmp_path, 0)
    store = Counted(tmp_path)
    for name in ("../../..", "Shop", "", "x\x00", "x" * 5_000, EVIL):
        assert states(calendar(store, 1, name))[0] == "missing"
    assert set(store.asked) == {"manifests/"}


@pytest.mark.parametrize("kind", [Folder, LikeS3])
def test_a_location_that_cannot_be_read_is_an_error_and_no_missing_day(
    tmp_path: Path, kind: type[Folder]
) -> None:
    for back in range(3):
        complete(tmp_path, back)
    manifest = tmp_path / Day("shop", ago(1)).manifest
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(LocationUnusable, match=r"manifest\.json"):
        calendar(kind(tmp_path))
    with pytest.raises(LocationUnusable, match="no such folder"):
        calendar(kind(tmp_path / "absent"))


KINDS = st.lists(st.sampled_from("cixe "), min_size=1, max_size=12)


@given(KINDS, KINDS, st.integers(1, 14))
def test_named_or_not_and_side_by_side_or_not_the_days_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, shop: list[str], depot: list[str], days: int
) -> None:
    root = tmp_path_factory.mktemp("location")
    (root / "manifests").mkdir()
    expected: dict[str, list[str]] = {}
    for source, kinds in (("shop", shop), ("depot", depot)):
        written = [make(root, Day(source, ago(back)), kind) for back, kind in enumerate(kinds)]
        # Due days are those up to yesterday; a calendar begins where something is stated.
        window = [None, *written[1:]][: max(days, 2)] if not written[0] else written[: max(days, 2)]
        known = [back for back, state in enumerate(window) if state] or [1]
        expected[source] = [
            (window[back] if back < len(window) else None) or ("missing" if back else "not yet due")
            for back in range(max(known), -1, -1)
        ]
    for kind in (Folder, LikeS3):
        both = list(status.calendar(kind(root), ["shop", "depot"], days, NOW))
        for source, told in expected.items():
            assert states([each for each in both if each.day.source == source]) == told
            assert states(calendar(kind(root), days, source)) == told


def make(root: Path, day: Day, kind: str) -> str | None:
    """Make a day: complete, incomplete, damaged, only a folder, or nothing."""
    folder = root / day.manifests
    if kind == "c":
        write_day(root, [], str(day.date), day.source)
        return "complete"
    if kind == "i":
        write_run(root, day, 1, "503")
        return "incomplete"
    if kind == "x":
        folder.mkdir(parents=True)
        (root / day.manifest).write_bytes(b"{")
        return "damaged"
    if kind == "e":
        folder.mkdir(parents=True)
        return "missing" if day.date != TODAY else "not yet due"
    return None


# --- as a command


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A location with a few days up to today, as this machine's clock has it."""
    today = dt.datetime.now(dt.UTC).date()
    for back in (5, 4, 2, 0):
        write_day(tmp_path, [("endpoint=items/all.json", 100, SHA256)], str(today - back * DAY))
    write_run(tmp_path, Day("shop", today - DAY), 1, f"503 Gone: {EVIL}")
    return tmp_path


def run(landing: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ashore", "status", "shop", "--to", str(landing), *arguments]
    return subprocess.run(
        command, env=environment(variables), capture_output=True, text=True, check=False
    )


def test_json_has_the_days_and_what_they_come_to(landing: Path) -> None:
    ran = run(landing, "--json", "--days", "10")
    document = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr, document["exit_status"]) == (0, "", 0)
    assert [day["state"] for day in document["days"]] == [
        *("complete", "complete", "missing", "complete", "incomplete", "complete")
    ]
    (shop,) = document["sources"]
    assert shop["source"] == "shop"
    assert (shop["objects"], shop["bytes"]) == (4, 400)
    assert shop["longest"]["days"] == 2
    assert shop["counts"] == {"complete": 4, "incomplete": 1, "missing": 1}


def test_check_names_what_is_wanting_and_ends_with_4(landing: Path) -> None:
    ran = run(landing, "--check", "--days", "10")
    assert ran.returncode == 4
    assert ran.stderr.count("\n") == 2
    assert "missing: nothing was extracted" in ran.stderr
    assert "owned" in ran.stderr


def test_in_a_pipe_there_are_shapes_and_no_controls(landing: Path) -> None:
    for columns in ("200", "80", "30"):
        ran = run(landing, "--days", "10", "--check", COLUMNS=columns)
        assert not [c for c in ran.stdout + ran.stderr if c != "\n" and not c.isprintable()]
        assert "■ complete 4   ◧ incomplete 1" in ran.stdout
        assert "\\x1b[2J" in ran.stdout or columns == "80"  # folded there


def on_a_terminal(landing: Path, columns: int, **variables: str) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "ashore", "status", "shop", "--to", str(landing)]
    known = environment({"TERM": "xterm-256color", **variables})
    with subprocess.Popen(command, env=known, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = bytearray()
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # nobody holds the other side any more
            pass
        process.wait(60)
    os.close(ours)
    return shown.decode()


def test_a_terminal_gets_colours_and_nothing_else_that_steers_it(landing: Path) -> None:
    shown = on_a_terminal(landing, 100)
    assert "\x1b[32m■" in shown
    left = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert not [c for c in left if c != "\n" and not c.isprintable()]


def test_without_colours_the_shapes_tell_it(landing: Path) -> None:
    shown = on_a_terminal(landing, 50, NO_COLOR="1")
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", shown))
    assert codes <= {"0", "1", "2"}, "bold and dim are no colours"
    assert "■ complete 4" in shown
    assert "◧ incomplete 1" in shown


# --- ten years


@pytest.fixture(scope="module")
def ten_years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ten") / "years"
    today = dt.datetime.now(dt.UTC).date()
    for back in range(3_650):
        day = Day("shop", today - back * DAY)
        if back % 97 != 50:
            write_day(root, [("endpoint=items/all.json", 100, SHA256)], str(day.date))
        write_run(root, day, 2, "503")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "calendar"])
def test_ten_years_are_told_in_two_seconds(ten_years: Path, options: list[str]) -> None:
    # It has one thread and waits for nobody: what it takes is what it computes, whoever else does.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = run(ten_years, "--days", "3650", *options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    if not options:
        years = re.findall(r"^(20\d\d) [A-Z]", ran.stdout, re.MULTILINE)
        assert years == sorted(set(years))
        assert len(years) in {10, 11}
        assert "■ complete 3612   ◧ incomplete 38   □ missing 0" in ran.stdout


# --- in S3


def test_a_location_in_s3_has_the_same_calendar(
    landing: Path, s3_location: str, s3_client: S3Client
) -> None:
    write_run(landing, Day("depot", dt.datetime.now(dt.UTC).date() - 3 * DAY), 1, "503")
    bucket, prefix = s3_location.removeprefix("s3://").split("/")
    for file in landing.rglob("*"):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(landing).as_posix()}"
            s3_client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    store = open_store(s3_location, status.READERS)
    for sources in ([], ["shop"], ["depot", "shop"]):
        in_s3 = status.look(store, ["shop"], sources, 10)
        assert in_s3 == status.look(Folder(landing), ["shop"], sources, 10)
        assert {each.state for each in in_s3} >= {State.COMPLETE, State.INCOMPLETE, State.MISSING}
