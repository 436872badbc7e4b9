"""A manifest seals itself, and what is no manifest is named as such."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ashore.manifest import encode, is_sealed, sealed

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
