"""Draw every figure of sources.toml whose results are there, with the facts of its caption beside it as text.

What is not there is named with the command that makes it, and the exit code is then 1. Two calls on the same
results write the same bytes.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path

from captions import facts

from deeptheory.errors import InputError
from deeptheory.reports import drawing
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import make_directory
from deeptheory.store.atomic_files import write_text
from deeptheory.system.scripts import run_script

HERE = Path(__file__).parent


def caption(name: str, source: dict[str, str], results: Path) -> str:
    """What the figure shows, of which results, and how to make it again."""
    if results.is_dir():
        of_results = facts(find_runs(results))
    else:
        setting = json.loads(results.read_text(encoding="utf-8"))["setting"]
        of_results = "\n".join(f"{key}: {value}" for key, value in setting.items())
    if "script" in source:
        command = f"python figures/{source['script']} {results}"
    else:
        command = f"deeptheory figure {name} {results} --out figures"
    lines = [name, source["shows"], of_results, f"results: {source['made_by']}", f"figure: {command}"]
    return "\n".join(lines) + "\n"


def run(script: str, results: Path, out: Path) -> None:
    """Draw one figure with its script; what it reports as an error is raised here."""
    command = [sys.executable, str(HERE / script), str(results), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))


def draw(name: str, source: dict[str, str], out: Path) -> str:
    """Draw one figure; returns an empty text, or what is missing or went wrong."""
    results = Path(source["results"])
    if not results.exists():
        return f"no {results}; make it with: {source['made_by']}"
    try:
        if "script" in source:
            run(source["script"], results, out)
        else:
            drawing.draw(name, [results], out)
    except (InputError, RuntimeError) as error:
        return str(error)
    write_text(out / f"{name}.txt", caption(name, source, results))
    return ""


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sources", type=Path, default=HERE / "sources.toml", help="TOML file of the figures"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/figures"), help="directory of the PDF and text files"
    )
    arguments = parser.parse_args()
    make_directory(arguments.out)
    missing = 0
    for name, source in tomllib.loads(arguments.sources.read_text(encoding="utf-8")).items():
        problem = draw(name, source, arguments.out)
        missing += bool(problem)
        print(f"{name}: {problem or arguments.out / f'{name}.pdf'}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    run_script(main)
