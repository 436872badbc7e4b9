"""The benchmark's API with Scrapy: a spider that follows the listing and writes each body."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess


class Bench(scrapy.Spider):
    """One listing, and all that it names."""

    name = "bench"

    async def start(self) -> AsyncIterator[Any]:
        """Ask for the listing."""
        yield scrapy.Request(f"{self.url}/items?count={self.count}")

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow each item of the listing."""
        (self.landing / "items.json").write_bytes(response.body)
        for item in response.json()["items"]:
            yield scrapy.Request(f"{self.url}/item/{item['number']}", callback=self.save)

    def save(self, response: Any) -> None:
        """Write a body as it came."""
        number = response.url.rpartition("/")[2]
        (self.landing / f"{number}.json").write_bytes(response.body)


def main(url: str, count: int, workers: int, landing: str) -> None:
    """Crawl."""
    Path(landing).mkdir(exist_ok=True)
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": workers,
            "CONCURRENT_REQUESTS_PER_DOMAIN": workers,
            "LOG_LEVEL": "ERROR",
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Bench, url=url, count=count, landing=Path(landing))
    process.start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
