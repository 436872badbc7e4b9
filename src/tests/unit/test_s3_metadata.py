"""What an object in S3 carries is read back as it was written, and garbage counts as nothing."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ashore.s3 import _ascii, _metadata
from tests.support.mangled import torn

NOTES = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(" \t\u00e9\ud800")),
)
WRITTEN = json.dumps({"run": "r1", "bytes": 2, "headers": {"etag": "x"}}).encode()


@given(NOTES)
@example({"a": "  b    c "})
def test_metadata_come_back_as_they_were_written(notes: dict[str, Any]) -> None:
    written = _ascii(notes)
    assert written.isascii()
    assert written.isprintable()
    assert "  " not in written
    assert _metadata({"ashore": written}) == notes


@given(torn(WRITTEN).map(lambda found: found.decode("latin-1")) | st.text())
@example("[" * 100_000)
@example('{"a": ' + "9" * 5_000 + "}")
@example("[]")
@example("null")
def test_garbage_counts_as_no_metadata(found: str) -> None:
    read = _metadata({"ashore": found})
    assert read is None or read == json.loads(found)
    assert _metadata({"Ashore": found}) is None
