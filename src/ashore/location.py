"""Open the store of a location: a folder, or ``s3://bucket/prefix``."""

from pathlib import Path

from ashore.errors import Misconfigured
from ashore.store import Store


def open_store(location: str, connections: int = 10) -> Store:
    """Return the store of a location: ``s3://bucket/prefix``, or else a folder.

    Raises:
        Misconfigured: when the location is not one, or AWS is configured wrongly.
    """
    if not location.startswith("s3://"):
        if "://" in location or not location:
            raise Misconfigured(f"--to {location!r}: a location is a folder or s3://bucket/prefix")
        from ashore.folder import Folder  # noqa: PLC0415 - only what is used

        return Folder(Path(location))
    # boto3 is not even imported for a folder: it doubles the time to start.
    from ashore.s3 import S3  # noqa: PLC0415 - as the line above says

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return S3(bucket, prefix.strip("/"), connections)
