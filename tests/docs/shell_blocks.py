"""The blocks of code in the pages, and the commands of a shell block as the shell would start them."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
SHELL = "sh", "bash"
STUBS = "deeptheory", "python", "python3", "make", "mpiexec", "srun", "module"
FIELD, RECORD = "\x1f", "\x1e"
STUB = f"""#!/bin/bash
printf '%s{FIELD}' "${{0##*/}}" "$@" >> "$RECORDED"; printf '{RECORD}' >> "$RECORDED"
"""


class Block(NamedTuple):
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(path):
    """All fenced blocks of a page; one without a language whose first line starts a command is shell."""
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language = found[1] or ("sh" if found[2].startswith("deeptheory ") and "\n  " not in found[2] else "")
        yield Block(str(path.relative_to(ROOT)), text[: found.start()].count("\n") + 1, language, found[2])


def shell_blocks(*paths):
    """The shell blocks of some pages."""
    return [block for path in paths for block in blocks(path) if block.language in SHELL]


def started(block, directory):
    """The programs that a block starts, with their arguments: the shell runs it with programs that only record."""
    stubs = directory / "stubs"
    homes = directory / "deeptheory" / "bin", directory / ".venv" / "bin"
    for folder in (stubs, *homes):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*STUBS, "pip"):
            (folder / name).write_text(STUB, encoding="utf-8")
            (folder / name).chmod(0o755)
    recorded = directory / "recorded"
    recorded.write_text("", encoding="utf-8")
    environment = {
        "PATH": f"{stubs}:{os.environ['PATH']}",
        "HOME": str(directory),
        "SCRATCH": str(directory),
        "RECORDED": str(recorded),
    }
    done = subprocess.run(
        ["bash", "-e", "-u"],
        input=block.text,
        env=environment,
        cwd=directory,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), str(block)
    records = recorded.read_text(encoding="utf-8").split(RECORD)
    return [record.split(FIELD)[:-1] for record in records if record]
