import tempfile
from pathlib import Path

import pytest

from ashore.folder import Folder
from tests.support.store_model import Reopen, is_a_dictionary_that_never_forgets


@pytest.mark.hypothesis
def test_a_folder_is_a_dictionary_that_never_forgets(tmp_path: Path) -> None:
    def anew() -> Reopen:
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        return lambda: Folder(root)

    is_a_dictionary_that_never_forgets(anew, tmp_path, 0.5)
