"""A manifest seals itself, and what is no manifest is named as such."""

import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ashore.display import console, ledger, summary
from ashore.errors import ExitStatus, Violated
from ashore.folder import Folder
from ashore.job import Outcome
from ashore.manifest import Manifest, encode, is_sealed, read_manifest, sealed
from ashore.naming import Day
from ashore.units import human_bytes
from tests.support.mangled import mangled, torn

DOCUMENT: dict[str, Any] = {
    "accepted": [],
    "ashore": "0.1.0",
    "bytes": 1234,
    "extraction_date": "2026-11-24",
    "finished_at": "2026-11-24T01:05:00.000Z",
    "format": 1,
    "ledger": {"manifest_sha256": {"expected": 1, "landed": 1, "checks": [{"said": "caf\u00e9"}]}},
    "licence": '"manifest_sha256"\ud800',
    "missing_objects": [],
    "objects": 1,
    "source": "manifest_sha256",
}
MANIFEST = encode(sealed(DOCUMENT))
LINES = MANIFEST.splitlines(keepends=True)


def test_a_manifest_is_sealed_as_it_is_written() -> None:
    assert is_sealed(MANIFEST)
    assert sealed(DOCUMENT) == json.loads(MANIFEST)


def test_the_seal_is_the_sha256_of_all_other_lines() -> None:
    others = [line for line in LINES if not line.startswith(b'  "manifest_sha256"')]
    assert len(others) == len(LINES) - 1
    assert json.loads(b"".join(others)) == DOCUMENT
    seal = hashlib.sha256(b"".join(others)).hexdigest()
    assert json.loads(MANIFEST)["manifest_sha256"] == seal


@given(st.integers(0, len(MANIFEST) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    changed = bytearray(MANIFEST)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_sealed(bytes(changed))


def test_every_flipped_bit_of_the_seal_is_found() -> None:
    begin = MANIFEST.index(b'\n  "manifest_sha256"')
    for bit in range(begin * 8, (begin + 90) * 8):
        changed = bytearray(MANIFEST)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_sealed(bytes(changed)), bit


@pytest.mark.parametrize("number", range(len(LINES)))
def test_any_line_that_is_gone_is_found(number: int) -> None:
    assert not is_sealed(b"".join(LINES[:number] + LINES[number + 1 :]))


@given(st.integers(0, len(LINES)), st.sampled_from(LINES) | st.binary().map(lambda b: b + b"\n"))
def test_any_line_that_was_put_in_is_found(number: int, line: bytes) -> None:
    assert not is_sealed(b"".join([*LINES[:number], line, *LINES[number:]]))


@given(st.integers(0, len(MANIFEST) - 1))
def test_a_manifest_that_was_cut_is_found(size: int) -> None:
    assert not is_sealed(MANIFEST[:size])


@given(st.binary())
def test_bytes_that_are_no_manifest_are_not_sealed(garbage: bytes) -> None:
    assume(garbage != MANIFEST)
    assert not is_sealed(garbage)
    assert not is_sealed(MANIFEST + garbage + b"x")


def test_other_line_ends_are_found() -> None:
    assert not is_sealed(MANIFEST.replace(b"\n", b"\r\n"))


ENTRY = {"expected": 1, "landed": 1, "missing": 0, "objects": 1, "records": 3}
CHECKED = {"name": "min_records", "verdict": "met", "expected": 1, "found": 3}
STATED: dict[str, Any] = {
    "format": 1,
    "source": "shop",
    "extraction_date": "2026-11-24",
    "run_id": "r1",
    "started_at": "2026-11-24T01:00:00.000Z",
    "finished_at": "2026-11-24T01:05:00.000Z",
    "requests": {"sent": 1, "retried": 0, "adopted": 0},
    "objects": 1,
    "bytes": 1234,
    "source_sha256": "0" * 64,
    "accepted": [],
    "ledger": {"items": {**ENTRY, "declared_total": None, "checks": [CHECKED]}},
    "receipts": {"path": "manifests/x", "sha256": "0" * 64},
    "sums": {"path": "manifests/y", "sha256": "0" * 64},
}
DAY = Day("shop", dt.date(2026, 11, 24))


def stated(root: Path, content: bytes) -> Manifest | None:
    file = root / DAY.manifest
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return read_manifest(Folder(root), DAY)


def test_of_a_manifest_what_is_known_is_read_and_the_figures_of_checks_are_kept(
    tmp_path: Path,
) -> None:
    manifest = stated(tmp_path, encode({**STATED, "new": 1}))
    assert manifest is not None
    assert manifest.model_dump(mode="json") == {**STATED, "missing_objects": []}


@given(mangled(STATED).map(lambda found: json.dumps(found).encode()) | torn(encode(STATED)))
@example(json.dumps({**STATED, "bytes": 10**400}).encode())
@example(json.dumps({**STATED, "objects": -1}).encode())
@example(json.dumps({**STATED, "ledger": {"items": {**ENTRY, "checks": [{}]}}}).encode())
@example(json.dumps({**STATED, "ledger": {"[/b]": ENTRY}}).encode())
@example(b"[" * 100_000)
def test_a_manifest_is_damaged_or_all_that_is_shown_of_it_can_be_shown(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.getbasetemp() / "stated"
    manifest, problem = None, ""
    try:
        manifest = stated(root, content)
    except Violated as violated:
        problem = str(violated)
    if manifest is None:
        assert re.search(r"is damaged \(.+: .+\)|manifest of another day", problem)
        return
    document = manifest.model_dump(mode="json")
    json.dumps(document, allow_nan=False)
    outcome = Outcome(ExitStatus.COMPLETE, "complete", manifest.finished_at, DAY, "r1", document)
    told = console()
    with told.capture() as shown:
        told.print(ledger(outcome))
    assert all(shown_name in shown.get() for shown_name in ("expected", "checks"))
    assert human_bytes(manifest.bytes)
    assert manifest.objects / 7 >= 0
    assert summary(outcome)
