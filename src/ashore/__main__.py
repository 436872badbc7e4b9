"""``python -m ashore`` is the command ``ashore``."""

from ashore.cli import run

if __name__ == "__main__":
    run()
