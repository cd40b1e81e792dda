"""Draw every figure of sources.toml whose results are there, with the facts of its caption beside it as text.

What is not there is named with the commands that make it, and the exit code is then 1. Two calls on the same
results write the same bytes.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from captions import facts

from deeptheory.errors import InputError
from deeptheory.reports import drawing, plot
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import make_directory
from deeptheory.store.atomic_files import write_text
from deeptheory.system.scripts import run_script

HERE = Path(__file__).parent


def caption(name: str, source: dict[str, Any], results: list[Path], made_by: str, picture_format: str) -> str:
    """What the figure shows, of which results, and how to make it again."""
    if all(each.is_dir() for each in results):
        of_results = "\n".join(facts(find_runs(each)) for each in results)
    else:
        setting = json.loads(results[0].read_text(encoding="utf-8"))["setting"]
        of_results = "\n".join(f"{key}: {value}" for key, value in setting.items())
    if "script" in source:
        command = f"python figures/{source['script']} {results[0]} --out {name}.{picture_format}"
    else:
        command = f"deeptheory figure {name} {' '.join(map(str, results))} --format {picture_format}"
    lines = [name, source["shows"], of_results, f"results: {made_by}", f"figure: {command}"]
    return "\n".join(lines) + "\n"


def run(script: str, results: Path, path: Path) -> None:
    """Draw one figure with its script; what it reports as an error is raised here."""
    command = [sys.executable, str(HERE / script), str(results), "--out", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))


def draw(name: str, source: dict[str, Any], path: Path) -> str:
    """Draw one figure from the first results that are there; returns an empty text, or what is missing."""
    ways = {tuple(map(Path, results.split())): do for results, do in source["results"].items()}
    there = {results: do for results, do in ways.items() if all(each.exists() for each in results)}
    if not there:
        texts = [f"{results}; make it with: {do}" for results, do in source["results"].items()]
        return f"no {', or '.join(texts)}"
    found, made_by = next(iter(there.items()))
    results = list(found)
    try:
        if "script" in source:
            run(source["script"], results[0], path)
        else:
            drawing.draw(name, results, path)
    except (InputError, RuntimeError) as error:
        return str(error)
    write_text(path.with_suffix(".txt"), caption(name, source, results, made_by, path.suffix[1:]))
    return ""


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sources", type=Path, default=HERE / "sources.toml", help="TOML file of the figures"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/figures"), help="directory of the figures and text files"
    )
    parser.add_argument("--format", choices=plot.FORMATS, default="pdf", help="of the figures")
    arguments = parser.parse_args()
    make_directory(arguments.out)
    missing = 0
    for name, source in tomllib.loads(arguments.sources.read_text(encoding="utf-8")).items():
        path = arguments.out / f"{name}.{arguments.format}"
        problem = draw(name, source, path)
        missing += bool(problem)
        print(f"{name}: {problem or path}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    run_script(main)
