import copy
import itertools
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ashore.s3 import S3
from tests.support.store_model import Reopen, is_a_dictionary_that_never_forgets


@pytest.mark.hypothesis
def test_s3_is_a_dictionary_that_never_forgets(
    s3_location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    parts = urlsplit(s3_location)
    # Of a client, which takes long to make, there are two; of stores as many as are opened.
    clients = itertools.cycle([S3(parts.netloc, "", 10), S3(parts.netloc, "", 10)])

    def anew() -> Reopen:
        prefix = f"{parts.path.strip('/')}/{uuid.uuid4().hex}"

        def reopen() -> S3:
            store = copy.copy(next(clients))
            store.root, store._prefix = f"s3://{parts.netloc}/{prefix}", f"{prefix}/"
            return store

        return reopen

    is_a_dictionary_that_never_forgets(anew, tmp_path, 0.2)
