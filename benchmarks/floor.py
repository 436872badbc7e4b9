"""The floor of the benchmark: what anybody would write first, and that keeps no promise at all.

One session a thread, an executor, a file or an object for each answer; what lies there already is
left out, by its name alone. Run by ``stage.py`` in a process of its own.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

_here = threading.local()
Put = Callable[[str, bytes], object]


def _session() -> requests.Session:
    session: requests.Session | None = getattr(_here, "session", None)
    if session is None:
        session = _here.session = requests.Session()
    return session


def _folder(location: str) -> tuple[Put, set[str]]:
    folder = Path(location)
    folder.mkdir(parents=True, exist_ok=True)
    there = {file.name for file in folder.iterdir()}
    return lambda name, body: (folder / name).write_bytes(body), there


def _bucket(location: str, workers: int) -> tuple[Put, set[str]]:
    import boto3  # noqa: PLC0415 - a folder does not need it
    from botocore.config import Config  # noqa: PLC0415

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    client = boto3.client("s3", config=Config(max_pool_connections=max(10, workers)))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    there = {key.rpartition("/")[2] for key in keys}

    def put(name: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=body)

    return put, there


def _run(url: str, count: int, workers: int, location: str, most: int | None) -> None:
    put, there = _bucket(location, workers) if "://" in location else _folder(location)
    listing = _session().get(f"{url}/items?count={count}", timeout=60)
    put("items.json", listing.content)
    names = [item["number"] for item in listing.json()["items"]][:most]
    missing = [name for name in names if f"{name}.json" not in there]

    def fetch(name: str) -> None:
        put(f"{name}.json", _session().get(f"{url}/item/{name}", timeout=60).content)

    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(fetch, name) for name in missing]:
            future.result()


def main() -> None:
    """Fetch a listing and all that it names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("workers", type=int)
    parser.add_argument("location")
    parser.add_argument("--most", type=int, help="leave out what comes after so many")
    given = parser.parse_args()
    _run(given.url, given.count, given.workers, given.location, given.most)


if __name__ == "__main__":
    main()
