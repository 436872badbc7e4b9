"""The benchmark's API with Airbyte's CDK: a declared source whose messages go into a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)


def stream(url: str, name: str, path: str, fields: list[str], router: dict[str, Any]) -> Any:
    """Declare a stream."""
    return {
        "type": "DeclarativeStream",
        "name": name,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object"}},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": url, "path": path},
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": fields},
            },
            **router,
        },
    }


def manifest(url: str, count: int, workers: int) -> dict[str, Any]:
    """Declare both streams."""
    items = stream(url, "items", f"/items?count={count}", ["items"], {})
    parent = {
        "type": "ParentStreamConfig",
        "stream": items,
        "parent_key": "number",
        "partition_field": "number",
    }
    router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]}
    path = "/item/{{ stream_partition.number }}"
    item = stream(url, "item", path, [], {"partition_router": router})
    return {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["items"]},
        "streams": [items, item],
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": workers},
        "spec": {
            "type": "Spec",
            "connection_specification": {"type": "object", "properties": {}},
        },
    }


def catalog() -> dict[str, Any]:
    """Choose both streams."""
    chosen = [
        {
            "stream": {"name": n, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
        for n in ("items", "item")
    ]
    return {"streams": chosen}


def main(url: str, count: int, workers: int, landing: str) -> None:
    """Read both streams."""
    Path(landing).mkdir(exist_ok=True)
    config, chosen = Path(f"{landing}.config.json"), Path(f"{landing}.catalog.json")
    config.write_text("{}")
    chosen.write_text(json.dumps(catalog()))
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(catalog()),
        config={},
        state=[],
        source_config=manifest(url, count, workers),
    )
    messages = os.open(f"{landing}/messages.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(messages, sys.stdout.fileno())
    launch(source, ["read", "--config", str(config), "--catalog", str(chosen)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
