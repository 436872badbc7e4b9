"""The page on security names rows of the fault matrix as its proofs: they have to exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chaos import security  # noqa: F401 - enters its rows
from tests.chaos.matrix import ROWS

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
NAMED = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", PAGE.read_text(encoding="utf-8"))


def test_each_proof_that_the_page_names_is_a_row() -> None:
    faults = [row.fault for row in ROWS if row.area == "security"]
    unknown = [
        name for name in NAMED if not any(fault.startswith(name.rstrip(" …")) for fault in faults)
    ]
    assert len(NAMED) >= 15
    assert not unknown
