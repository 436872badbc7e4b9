"""The benchmark's API with dlt: its REST source into its filesystem destination, as JSON lines."""

from __future__ import annotations

import os
import sys

import dlt
from dlt.sources.rest_api import rest_api_source


def main(url: str, count: int, workers: int, landing: str) -> None:
    """Extract, normalise and load."""
    os.environ["EXTRACT__WORKERS"] = str(workers)
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"  # so that what landed can be looked at
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    items = {"path": "items", "params": {"count": count}, "data_selector": "items"}
    item = {"path": "item/{resources.items.number}", "data_selector": "$"}
    source = rest_api_source(
        {
            "client": {"base_url": url, "paginator": "single_page"},
            "resources": [
                {"name": "items", "endpoint": items},
                {"name": "item", "endpoint": item, "parallelized": True},
            ],
        }
    )
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.filesystem(bucket_url=landing),
        dataset_name="bench",
        pipelines_dir=f"{landing}.work",
    )
    pipeline.run(source, loader_file_format="jsonl")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
