"""Print the package index that pip uses here, so that Poetry can use the same one.

Poetry asks its own index for a page that a plain mirror does not serve. Asked at run time, the
address of a machine's mirror never reaches a file of this repository. Nothing is printed when pip
does not tell: Poetry then stays as it is.
"""

import subprocess
import sys

KEYS = (":env:.index-url", "install.index-url", "global.index-url")  # pip's own order


def configured(key: str) -> str:
    """Return what pip's configuration says of `key`, or nothing."""
    command = (sys.executable, "-m", "pip", "config", "get", key)
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def default() -> str:
    """Return the index that pip falls back to; its home is private, so it may move."""
    try:
        from pip._internal.models.index import PyPI  # noqa: PLC0415 - absent is an answer here
    except ImportError:
        return ""
    return str(PyPI.simple_url)


def main() -> None:
    """Print the first index found, ending with one slash as the plugin expects."""
    url = next(filter(None, map(configured, KEYS)), "") or default()
    print(f"{url.rstrip('/')}/" if url else "")


if __name__ == "__main__":
    main()
