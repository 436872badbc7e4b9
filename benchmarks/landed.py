"""Look at what landed, or take a part of it away, in a folder or in S3, whoever landed it.

    landed.py intact COUNT SIZE LOCATION    print how many of the answers lie there, byte for byte
    landed.py undo N LOCATION               take away the manifest, and the last N bodies by name

A process of its own: the one that measures must stay small, and so cannot load boto3.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bodies import digests, md5


def _below(location: str) -> Iterator[tuple[str, Callable[[], str], Callable[[], object]]]:
    """Every file or object by name, with its MD5, and what removes it, both only when called."""
    if "://" not in location:
        for file in (each for each in Path(location).rglob("*") if each.is_file()):
            yield str(file), partial(_md5, file), file.unlink
        return
    import boto3  # noqa: PLC0415 - a folder does not need it

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    client: Any = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    for each in (each for page in pages for each in page.get("Contents", [])):
        # The ETag of an object that was put as a whole is the MD5 that the server itself took.
        remove = partial(client.delete_object, Bucket=bucket, Key=each["Key"])
        yield each["Key"], partial(str.strip, each["ETag"], '"'), remove


def _md5(file: Path) -> str:
    return md5(file.read_bytes())


def intact(count: int, size: int, location: str) -> int:
    """Return how many of the answers, the listing included, lie there byte for byte."""
    return len(digests(count, size) & {digest() for _, digest, _ in _below(location)})


def undo(number: int, location: str) -> int:
    """Make a complete day one whose run was killed before its last answers came."""
    found = {name: remove for name, _, remove in _below(location)}
    manifests = [name for name in found if name.endswith("/manifest.json")]
    items = sorted(name for name in found if "/endpoint=item/" in name)
    for name in (*manifests, *items[-number:]):
        found[name]()
    return len(items) - number


if __name__ == "__main__":
    if sys.argv[1] == "intact":
        print(intact(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
    else:
        print(undo(int(sys.argv[2]), sys.argv[3]))
