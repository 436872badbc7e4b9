"""What rots is found and named; what reads a location full of rubbish says so and goes on."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.api import ScriptedApi, json_reply
from tests.support.inside import inside
from tests.support.mangled import mangled, torn
from tests.support.shop import Ran

TODAY = dt.datetime.now(dt.UTC).date().isoformat()
CATALOG = """
[source.shop]
base_url = "{url}"

[[source.shop.endpoint]]
name = "items"
path = "items"
expect = {{ max_drop = 0.5 }}

[[source.shop.endpoint]]
name = "item"
path = "item/{{id}}"
for_each = {{ endpoint = "items", select = "[].id", as = "id" }}
"""


class Landed:
    """A location with one complete day, and what lies in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "landing"
        self.catalog = folder / "catalog.toml"
        self.day = self.root / f"manifests/extraction_date={TODAY}/source=shop"
        self.manifest = self.day / "manifest.json"
        self.whole = self.manifest.read_bytes()
        (self.run,) = (self.day / "runs").iterdir()
        self.kept = {file: file.read_bytes() for file in self.root.rglob("*") if file.is_file()}

    def ask(self, *arguments: str) -> Ran:
        """Run a command that only reads; it never ends by a bug, and shows no raw bytes."""
        catalog = [] if arguments[0] == "verify" else ["--catalog", str(self.catalog)]
        ran = inside(*arguments, "--to", str(self.root), *catalog)
        assert ran.status in {0, 4, 5}, ran
        assert "Traceback" not in ran.err
        assert not set(ran.out + ran.err) & set("\x00\x1b\x07\r"), ran
        return ran

    def problems(self, *options: str) -> list[str]:
        """What `verify` finds in the day, a line each."""
        ran = self.ask("verify", "--date", TODAY, "--json", *options)
        (day,) = json.loads(ran.out)["days"]
        assert ran.status == (4 if day["problems"] else 0)
        return list(day["problems"])

    def restore(self) -> None:
        """Bring everything back as it was."""
        shutil.rmtree(self.root)
        for file, body in self.kept.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """A day that landed once for all tests here."""
    folder = tmp_path_factory.mktemp("rot")
    with ScriptedApi() as api:
        api.on("/items", json_reply([{"id": "a"}, {"id": "b"}]))
        api.answer(lambda call: json_reply({"asked": call.path}))
        (folder / "catalog.toml").write_text(CATALOG.format(url=api.url))
        options = ["--catalog", str(folder / "catalog.toml"), "--to", str(folder / "landing")]
        assert inside("extract", *options, "--date", TODAY).status == 0
    return Landed(folder)


@pytest.fixture
def landed(first: Landed) -> Iterator[Landed]:
    """That day, as it landed."""
    first.restore()
    yield first
    first.restore()


# --- the manifest


def is_found(landed: Landed, manifest: bytes) -> None:
    landed.manifest.write_bytes(manifest)
    problems = landed.problems()
    assert any("manifest.json" in problem for problem in problems), problems


@given(data=st.data())
def test_any_flipped_bit_of_a_manifest_is_found(landed_once: Landed, data: st.DataObject) -> None:
    landed = landed_once
    bit = data.draw(st.integers(0, len(landed.whole) * 8 - 1))
    changed = bytearray(landed.whole)
    changed[bit // 8] ^= 1 << bit % 8
    is_found(landed, bytes(changed))
    for command in (["status"], ["status", "--check"], ["plan"], ["verify", "--all"]):
        landed.ask(*command)


@given(data=st.data())
def test_any_line_of_a_manifest_that_is_gone_or_new_is_found(
    landed_once: Landed, data: st.DataObject
) -> None:
    landed = landed_once
    lines = landed.whole.splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    is_found(landed, b"".join(lines[:number] + lines[number + 1 :]))
    line = data.draw(st.sampled_from(lines) | st.text().map(lambda text: f"{text}\n".encode()))
    is_found(landed, b"".join([*lines[:number], line, *lines[number:]]))


@pytest.fixture(scope="module")
def landed_once(first: Landed) -> Iterator[Landed]:
    """That day, for searches, which bring back themselves what they change."""
    first.restore()
    yield first
    first.restore()


@given(data=st.data())
def test_whatever_is_no_manifest_is_named(landed_once: Landed, data: st.DataObject) -> None:
    landed = landed_once
    document = st.just(json.loads(landed.whole)).flatmap(mangled)
    written = data.draw(document.map(_written) | torn(landed.whole) | st.binary())
    landed.manifest.write_bytes(written)
    shown = landed.problems()
    assert (shown == []) == (written == landed.whole)
    assert all(str(landed.manifest.relative_to(landed.root)) in shown[0] for _ in shown[:1])
    for command in (["status"], ["status", "--check"], ["plan"], ["verify", "--all"]):
        landed.ask(*command)


def _written(document: Any) -> bytes:
    return json.dumps(document, indent=2, sort_keys=False).encode("utf-8", "surrogatepass")


def test_a_day_whose_manifest_is_gone_is_not_complete(landed: Landed) -> None:
    landed.manifest.unlink()
    for options in ([], ["--all"], ["shop"], ["--date", TODAY]):
        ran = landed.ask("verify", *options)
        assert ran.status == 4
        assert "manifest.json: it is missing" in ran.err


def test_a_source_without_a_complete_day_keeps_no_other_from_being_read(landed: Landed) -> None:
    other = landed.root / f"manifests/extraction_date={TODAY}/source=other/runs/x/started.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    ran = landed.ask("verify", "--json")
    days = {day["day"]["source"]: day for day in json.loads(ran.out)["days"]}
    assert ran.status == 4
    assert (days["shop"]["problems"], days["shop"]["objects"]) == ([], 3)
    assert "source=other/manifest.json: it is missing" in days["other"]["problems"][0]


# --- receipts and sums


@given(data=st.data())
def test_whatever_changes_in_receipts_or_sums_is_named(
    landed_once: Landed, data: st.DataObject
) -> None:
    landed = landed_once
    landed.manifest.write_bytes(landed.whole)
    file = landed.run / data.draw(st.sampled_from(["receipts.jsonl", "SHA256SUMS"]))
    whole = landed.kept[file]
    lines = [json.loads(line) for line in landed.kept[landed.run / "receipts.jsonl"].splitlines()]
    document = st.just(lines).flatmap(mangled).map(_lines)
    written = data.draw(document | torn(whole) | st.binary())
    file.write_bytes(written)
    problems = landed.problems()
    assert (problems == []) == (written == whole)
    if problems:
        assert file.name in problems[0]
        # On the word of damaged receipts nothing is to be moved away.
        assert not any(" mv " in problem for problem in problems)
    file.write_bytes(whole)


def _lines(document: Any) -> bytes:
    lines = document if isinstance(document, list) else [document]
    return b"".join(json.dumps(line).encode("utf-8", "surrogatepass") + b"\n" for line in lines)


ODD_RECEIPTS = [
    {"path": "../../../etc/passwd", "bytes": 1, "sha256": "0"},
    {"path": "raw/\0", "bytes": 1, "sha256": "0"},
    {"path": "raw/" + "x" * 5_000, "bytes": 1, "sha256": "0"},
    {"path": f"raw/extraction_date={TODAY}/source=shop/../../x", "bytes": 1, "sha256": "0"},
    {"path": f"raw/extraction_date={TODAY}/source=shop/x", "bytes": 1e400, "sha256": "0"},
    {"path": f"raw/extraction_date={TODAY}/source=shop/\ud800", "bytes": 1, "sha256": "0"},
    {"path": ["raw"], "bytes": {}, "sha256": None},
    [],
    7,
]


@pytest.mark.parametrize("receipt", ODD_RECEIPTS, ids=range(len(ODD_RECEIPTS)))
def test_a_receipt_that_cannot_be_one_is_damaged(landed: Landed, receipt: Any) -> None:
    file = landed.run / "receipts.jsonl"
    file.write_bytes(landed.kept[file] + json.dumps(receipt).encode() + b"\n" + b"[" * 100_000)
    problems = landed.problems()
    assert [p.split("receipts.jsonl: ")[1] for p in problems[1:3]] == [
        "line 4 is damaged",
        "line 5 is damaged",
    ]


def test_a_receipt_that_comes_twice_is_found(landed: Landed) -> None:
    file = landed.run / "receipts.jsonl"
    first, *_ = landed.kept[file].splitlines(keepends=True)
    file.write_bytes(landed.kept[file] + first)
    assert "receipts.jsonl" in landed.problems()[0]


@pytest.mark.parametrize("path", ["/etc/hostname", "../x", "raw/x\0", "manifests/another", ""])
def test_a_manifest_that_names_what_is_not_of_its_day_is_found(landed: Landed, path: str) -> None:
    document = json.loads(landed.whole)
    document["receipts"]["path"] = path
    landed.manifest.write_text(json.dumps(document))
    problems = landed.problems()
    assert any("not of this day" in problem for problem in problems)
    assert not any(" mv " in problem for problem in problems)


# --- the reports of runs, and rubbish


@given(data=st.data())
def test_whatever_is_no_report_is_named_by_status(landed_once: Landed, data: st.DataObject) -> None:
    landed = landed_once
    landed.manifest.unlink(missing_ok=True)
    try:
        report = {**json.loads(landed.whole), "outcome": "incomplete", "reason": "no \x1b answer"}
        whole = json.dumps(report, indent=2).encode()
        document = st.just(report).flatmap(mangled).map(_written)
        name = data.draw(st.sampled_from(["attempt.json", "started.json"]))
        (landed.run / "attempt.json").write_bytes(whole)
        (landed.run / name).write_bytes(data.draw(document | torn(whole) | st.binary()))
        ran = landed.ask("status", "--json", "--days", "2")
        said = {day["day"]["extraction_date"]: day for day in json.loads(ran.out)["days"]}
        day = said[TODAY]
        if day["state"] == "damaged":
            assert name in day["said"]
            assert " mv " in day["said"]
        else:
            assert day["state"] in {"incomplete", "missing", "not yet due"}
        landed.ask("status", "--check")
        landed.ask("plan")
        landed.ask("verify")
    finally:
        landed.restore()


def test_the_calendar_shows_a_damaged_report_with_its_whole_path(landed: Landed) -> None:
    landed.manifest.unlink()
    report = landed.run / "started.json"
    report.write_bytes(b"{")
    shown = landed.ask("status", "--days", "1").out
    cells = [line.split("│")[-2].strip() for line in shown.splitlines() if line.count("│") > 3]
    assert str(report.relative_to(landed.root)) in "".join(cells)


RUBBISH = [
    "manifests/extraction_date=2026-13-45/source=shop/manifest.json",
    "manifests/extraction_date=today/source=shop/manifest.json",
    "manifests/extraction_date=2026-11-2/source=shop/manifest.json",
    "manifests/extraction_date=/source=/manifest.json",
    "manifests/extraction_date={day}/source=/manifest.json",
    "manifests/extraction_date={day}/source=Shop/manifest.json",
    "manifests/extraction_date={day}/source=[b]x[/]/manifest.json",
    "manifests/extraction_date={day}/source=a\x1b[2Jb/manifest.json",
    "manifests/extraction_date={day}/source=a\nb/manifest.json",
    "manifests/extraction_date={day}/source=\udcff/manifest.json",
    "manifests/extraction_date={day}/source=other/manifest.json",
    "manifests/extraction_date={day}/source=shop/runs/x/started.json",
    "manifests/extraction_date={day}/source=shop/runs/[b]\x1b\udcff/started.json",
    "manifests/extraction_date={day}/source=shop/runs/started.json",
    "manifests/extraction_date={day}/manifest.json",
    "manifests/source=shop/manifest.json",
    "manifests/manifest.json",
    "manifest.json",
    "manifests/.x/manifest.json",
    "raw/extraction_date={day}/source=shop/.hidden",
    "raw/extraction_date={day}/source=shop/_SUCCESS",
    "raw/extraction_date={day}/source=shop_$folder$",
    "state/source=shop/budget.json",
]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[" * 50_000, b'{"format": 1}', b"\xff\xfe"],
    ids=["empty", "torn", "null", "deep", "short", "binary"],
)
def test_rubbish_beside_a_day_makes_no_command_fail(landed: Landed, body: bytes) -> None:
    for name in RUBBISH:
        file = landed.root / name.format(day=TODAY)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    assert landed.problems("shop") == []
    shown = landed.ask("status", "--json", "--days", "2").out
    states = {
        (day["day"]["source"], day["day"]["extraction_date"]): day["state"]
        for day in json.loads(shown)["days"]
    }
    assert states["shop", TODAY] == "complete"
    assert states["other", TODAY] == "damaged"
    assert {source for source, _ in states} == {"shop", "other"}
    assert landed.ask("status").status == landed.ask("status", "--check").status == 0
    assert landed.ask("plan").status == 0
    assert landed.ask("verify", "--all").status == 4
    assert landed.ask("verify", "shop", "--all").status == 0


def test_folders_and_links_where_files_are_expected_are_told(landed: Landed) -> None:
    for name in ("manifest.json", "runs"):
        _make_way(landed.day / name)
        (landed.day / name).symlink_to(landed.root / "nowhere")
        for command in (["status"], ["plan"], ["verify"], ["verify", "--date", TODAY]):
            landed.ask(*command)
        (landed.day / name).unlink()
        landed.restore()
    landed.manifest.unlink()
    landed.manifest.mkdir()
    for command in (["status"], ["plan"], ["verify"]):
        ran = landed.ask(*command)
        assert (ran.status, "manifest.json" in ran.err) == (5, True), (command, ran)
    landed.manifest.rmdir()


def _make_way(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
