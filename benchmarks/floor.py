"""The floor of the benchmark: what anybody would write first, and that keeps no promise at all.

One session a thread, an executor, a file for each answer. Run by ``bench.py`` in a process of its
own; prints the seconds from before the first request to behind the last file.
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

_here = threading.local()


def _session() -> requests.Session:
    session: requests.Session | None = getattr(_here, "session", None)
    if session is None:
        session = _here.session = requests.Session()
    return session


def _fetch(url: str, file: Path) -> None:
    file.write_bytes(_session().get(url, timeout=60).content)


def _run(url: str, count: int, workers: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    listing = _session().get(f"{url}/items?count={count}", timeout=60)
    (folder / "items.json").write_bytes(listing.content)
    ids = [item["id"] for item in listing.json()["items"]]
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(_fetch, f"{url}/item/{i}", folder / f"{i}.json") for i in ids]:
            future.result()


def main() -> None:
    """Fetch a listing and all that it names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("workers", type=int)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    began = time.monotonic()
    _run(given.url, given.count, given.workers, given.folder)
    print(time.monotonic() - began)


if __name__ == "__main__":
    main()
