"""Fixtures of the tests that run the whole program."""

from pathlib import Path

import pytest

from tests.support.api import ScriptedApi
from tests.support.shop import Shop


@pytest.fixture
def shop(api: ScriptedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """A source that talks to the scripted API and lands in a folder."""
    return Shop(api, tmp_path, capsys)
