"""Write the tables of variables and outputs into the READMEs of terraform/, from the configuration.

python scripts/terraform_readmes.py            writes them
python scripts/terraform_readmes.py --check    fails where one is not what it would write
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TERRAFORM = Path(__file__).resolve().parent.parent / "terraform"
BLOCK = re.compile(r'^(variable|output) "([a-z_]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
SETTING = r"^  {name} += (.+)$"
TABLE = re.compile(r"(<!-- tables: begin -->\n).*?(<!-- tables: end -->)", re.DOTALL)


def main() -> int:
    """Write, or look; return 1 where something is out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail instead")
    check = parser.parse_args().check
    stale = [file for file in readmes() if file.read_text("utf-8") != up_to_date(file)]
    for file in stale:
        if not check:
            file.write_text(up_to_date(file), encoding="utf-8")
        print(f"{'out of date' if check else 'written'}: {file.relative_to(TERRAFORM.parent)}")
    if stale and check:
        print("python scripts/terraform_readmes.py brings them up to date")
    return 1 if stale and check else 0


def readmes() -> Iterator[Path]:
    """The READMEs of folders that have variables."""
    for variables in sorted(TERRAFORM.rglob("variables.tf")):
        if ".terraform" not in variables.parts:
            yield variables.parent / "README.md"


def up_to_date(readme: Path) -> str:
    """A README with tables that fit the configuration beside it."""
    text = readme.read_text(encoding="utf-8")
    made = "\n".join([*table(readme.parent, "variable"), "", *table(readme.parent, "output"), ""])
    if not TABLE.search(text):
        raise SystemExit(f"{readme}: no place for tables (<!-- tables: begin --> and end)")
    return TABLE.sub(lambda found: found[1] + made + found[2], text)


def table(folder: Path, kind: str) -> Iterator[str]:
    """One table: of variables with their defaults, or of outputs."""
    blocks = [
        (name, body)
        for file in sorted(folder.glob("*.tf"))
        for found, name, body in BLOCK.findall(file.read_text(encoding="utf-8"))
        if found == kind
    ]
    yield "| variable | default | what it is |" if kind == "variable" else "| output | what it is |"
    yield "|---|---|---|" if kind == "variable" else "|---|---|"
    for name, body in blocks:
        what = setting(body, "description").strip('"')
        default = setting(body, "default")
        shown = f"`{default}`" if default else "must be given"
        yield f"| `{name}` | {shown} | {what} |" if kind == "variable" else f"| `{name}` | {what} |"


def setting(body: str, name: str) -> str:
    """What a block says of something; empty when it says nothing."""
    found = re.search(SETTING.format(name=name), body, re.MULTILINE)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(main())
