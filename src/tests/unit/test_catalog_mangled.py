"""Whatever a catalog holds: it is right and can be asked, or each mistake is told in one line."""

import datetime as dt
import math
import os
import re
import threading
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.catalog import Source
from ashore.catalog_file import read_catalog, text_of
from ashore.governor import Host
from ashore.naming import Day
from ashore.planning import SetKey, first_request
from tests.support.inside import inside
from tests.support.mangled import ANY, mangled, torn

DAY = Day("api", dt.date(2026, 11, 24))
EVERY_KEY = """
default = ["api"]
[source.api]
base_url = "https://api.example/v1"
error = "error"
rate = "20/10s"
workers = 4
retry = { attempts = 3, max_wait = "8s", max_pause = "10m", statuses = [400], errors = false }
timeout = { connect = "1s", read = "2s", total = "1m30s" }
max_body = "1MiB"
licence = "CC0"
auth = { header = "X-Api-Key", env = "KEY" }
headers = { Accept = "application/json" }
budget = { requests = 5, per = "1d" }
breaker = 3
[[source.api.endpoint]]
name = "things"
path = "things"
params = { format = "json", n = 1, x = 1.5, yes = true }
paging = { kind = "page", param = "page", pages = "pages", max_pages = 9 }
records = "[1]"
total = "total"
key = ["id", "a.b"]
expect = { allow_empty = true, min_records = 1, max_records = 9, unique_key = true, max_drop = 1 }
[[source.api.endpoint]]
name = "thing"
path = "things/{id}"
for_each = { endpoint = "things", select = "[].id", as = "id" }
paging = { kind = "offset", param = "skip", size = 9, size_param = "take" }
expect = { allow_missing = 1 }
[[source.api.endpoint]]
name = "part"
path = "things/{id}/{part}"
params = { of = "{id}" }
for_each = { endpoint = "thing", select = "keys(@)", as = "part" }
paging = { kind = "cursor", next = "next", param = "after" }
[[source.api.endpoint]]
name = "links"
path = ""
paging = { kind = "link" }
"""
CATALOGS = [tomllib.loads(EVERY_KEY), tomllib.loads(text_of(None))]


class Written(NamedTuple):
    """A value as it stands in a catalog."""

    toml: str


HUGE = Written("0x" + "f" * 5_000)  # of more digits than Python writes
BY_THEMSELVES = [
    *(
        "things",
        "api",
        "id",
        "part",
        "{part}",
        "{id}",
        "page",
        "source",
        "cursor",
        "offset",
        "link",
    ),
    *("http://*.example", "http://ä.example", "http://[::1]/", "http://a.example:99999", "ftp://x"),
    *("http://a.example\\@b", "https://a.example/?x=1", "http://.", f"http://{'a' * 64}.b"),
    *("1s", "0s", f"{'9' * 400}s", "3/s", f"{'9' * 400}/s", f"1/{'9' * 400}s", "1/0s", "1000000/d"),
    *("1MiB", f"{'9' * 400}B", "1e400", "0B", "a[", "a.b.c", "[0].x", "`", "length(@)", "nope(@)"),
    *("@" * 99, "a" * 61, "A", "_", "\u0663/s", "X-Api-Key", "Range", "a b", "\x7f", "{id}/{part}"),
    *(dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), HUGE, 99, 400),
]
POOL = [value for value in [*ANY, *BY_THEMSELVES] if value is not None]


def toml(value: Any) -> str:
    """A value as TOML writes it on one line; what TOML cannot say is left out."""
    if isinstance(value, Written):
        return value.toml
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value if item is not None) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        escaped = re.sub(r"[^ !#-[\]-~]", lambda c: f"\\U{ord(c[0]):08X}", value)
        return f'"{escaped}"'
    return str(value).replace(" ", "T")


def text(document: dict[str, Any]) -> str:
    """A catalog with a line for each key, so that lines can be doubled and swapped."""
    lines = []
    for key, value in document.items():
        tables = value.items() if key == "source" and isinstance(value, dict) else ()
        lines += [] if tables else [f"{toml(key)} = {toml(value)}"]
        for name, table in tables:
            if isinstance(table, dict):
                lines += [
                    f"[source.{toml(name)}]",
                    *(f"{toml(k)} = {toml(v)}" for k, v in table.items()),
                ]
            else:
                lines.insert(0, f"source.{toml(name)} = {toml(table)}")
    return "\n".join(lines) + "\n"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    lines = text(draw(mangled(draw(st.sampled_from(CATALOGS)), POOL))).splitlines()
    if lines and draw(st.integers(0, 5)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
    return "\n".join(lines).encode()


DEEP = "[source.api]\nretry" + ".a" * 3_000 + " = 1\n"
CHAIN = EVERY_KEY + "".join(
    f'[[source.api.endpoint]]\nname = "e{n}"\npath = "{{v{n}}}"\n'
    f'for_each = {{ endpoint = "{"e" if n else "things"}{n - 1 if n else ""}", select = "[]", '
    f'as = "v{n}" }}\n'
    for n in range(1_100)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mangled")


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@given(documents() | torn(EVERY_KEY.encode()))
@example(b"source.api.workers = 0x" + b"f" * 5_000)
@example(b"a = " + b"9" * 5_000)
@example(DEEP.encode())
@example(b"[source.api]\na = " + b"[" * 250 + b"]" * 250)
@example(b"\x80\x03}q\x00.")
@example(b"[source.api]\r\nworkers = '\r\n'\r\n")
@example(b"[source.api]\n" + b"k" * 500_000 + b" = 1")
@example(b"[source.api]\nmax_body = '" + b"9" * 1_000_030 + b"B'")
def test_a_catalog_is_right_and_can_be_asked_or_each_mistake_is_a_line(
    folder: Path, document: bytes
) -> None:
    path = folder / "[b].toml"
    path.write_bytes(document)
    checked = inside("catalog", "check", str(path))
    assert "Traceback" not in checked.err
    if checked.status == 0:
        assert f"{path}: right" in checked.out
        can_be_asked(path)
        return
    assert checked.status == 2
    assert checked.out == ""
    lines = checked.err.splitlines()
    assert lines
    for line in lines:
        place = line.removeprefix(f"ashore: {path}: ")
        assert len(line) - len(place) > len("ashore: "), line
        assert re.search(r"\w\w", place)
        assert not re.search(r"Input should|ctx|\[type=", place), "pydantic's words"
        assert len(line) < 1_200


def can_be_asked(path: Path) -> None:
    """Plan an accepted catalog, show it, and make its first requests as they would be sent."""
    where = ["--catalog", str(path), "--json"]
    shown = inside("catalog", "show", *where)
    assert (shown.status, shown.document["error"]) == (0, None)
    planned = inside("plan", "--to", str(path.parent / "absent"), *where)
    assert (planned.status, len(planned.document["plans"]) > 0) == (0, True)
    for source in read_catalog(path).sources.values():
        Host([source.rate] if source.rate else []).schedule.record(0.0)
        make_requests(source)


def make_requests(source: Source) -> None:
    headers = requests.Request("GET", source.base_url, headers=dict(source.headers)).prepare()
    for endpoint in source.endpoints:
        values = tuple((name, "a b/ä") for name in source.lineage(endpoint))
        request = first_request(source, DAY, SetKey(endpoint.name, values))
        sent = headers.copy()
        sent.prepare_url(request.url, None)
        assert str(sent.url).startswith(str(headers.url).rstrip("/"))


@pytest.mark.slow
def test_a_chain_of_a_thousand_endpoints_can_be_read(folder: Path) -> None:
    path = folder / "chain.toml"
    path.write_text(CHAIN, encoding="utf-8")
    assert inside("catalog", "check", str(path)).status == 0


def test_a_file_without_an_end_is_no_catalog() -> None:
    checked = inside("catalog", "check", "/dev/zero")
    assert checked.status == 2
    assert "/dev/zero: this is larger than 1 MiB" in checked.err


def test_a_catalog_can_come_through_a_pipe(folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(EVERY_KEY,))
    writer.start()
    checked = inside("catalog", "check", str(pipe))
    writer.join(10)
    assert (checked.status, checked.err.startswith("ashore: warning: KEY")) == (0, True)


def test_a_folder_is_no_catalog(folder: Path) -> None:
    checked = inside("catalog", "check", str(folder))
    assert checked.status == 2
    assert checked.err == f"ashore: {folder}: the catalog cannot be read: Is a directory\n"


@pytest.mark.parametrize("name", [b"\xff.toml", b"[bold].toml", b"[.toml"])
def test_a_catalog_may_have_any_name(folder: Path, name: bytes) -> None:
    path = folder / os.fsdecode(name)
    path.write_text(EVERY_KEY, encoding="utf-8")
    checked = inside("catalog", "check", str(path))
    assert checked.status == 0
    path.write_text("[", encoding="utf-8")
    assert inside("catalog", "check", str(path)).status == 2
