"""Print the lowest versions that pyproject.toml admits, of the package and of what its tests need, for pip."""

import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])
sys.stdout.write("\n".join(line.replace(">=", "==") for line in WANTED if ">=" in line) + "\n")
