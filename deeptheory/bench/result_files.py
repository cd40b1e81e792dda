"""A result as text and as JSON."""

import json
from pathlib import Path
from typing import Any

from deeptheory.tables import text_table


def as_json(result: dict[str, Any]) -> str:
    """The result as JSON."""
    return json.dumps(result, indent=2, allow_nan=False)


def write(result: dict[str, Any], directory: Path) -> Path:
    """Write the result into a directory, under a name that says what was timed; returns the path."""
    setting = result["setting"]
    name = "{case}-{network}-width{width:g}-size{size}-batch{batch}-threads{threads}"
    if result["case"] == "compact":
        name += "-" + Path(setting["model"]).stem if setting["model"] else "-{granularity}{density:g}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json".format(case=result["case"], **setting)
    path.write_text(as_json(result) + "\n", encoding="utf-8")
    return path


def text(result: dict[str, Any]) -> str:
    """A short table of all sides, and the ratio.

    Parameters
    ----------
    result : dict
        Of `compare`.
    """
    rows = [
        (name, f"{1e3 * of['median_s']:.2f}", "{:.2f} to {:.2f}".format(*(1e3 * s for s in of["spread_s"])),
         str(of["steps"]), _mebibytes(of["peak_bytes"]), _mebibytes(of["peak_above_imports_bytes"]))
        for name, of in result["sides"].items()
    ]  # fmt: skip
    header = ("", "median ms", "10 % to 90 %", "steps", "peak MiB", "above imports")
    lines = [
        result["what"],
        "",
        *text_table(header, rows),
        "",
        f"{result['gflops']:.1f} GFLOP/s (as direct convolutions)",
    ]
    if result["ratio"] is not None:
        line = f"{result['best_rival']} / ours: {result['ratio']:.2f}"
        if result["ratio_interval"]:
            line += " ({:.2f} to {:.2f})".format(*result["ratio_interval"])
        lines.append(line)
    for name, value in result.items():
        if name.startswith("in_units"):
            lines.append(f"ours {name.replace('_', ' ')}: {value:.2f}")
    if "multiply_adds_share" in result:
        lines.append(f"share of the multiply-adds: {result['multiply_adds_share']:.3f}")
    if result["quiet"] is not True:
        lines.append("The machine was not known to be quiet: repeat this when nothing else runs.")
    return "\n".join(lines)


def _mebibytes(n: int | None) -> str:
    return "" if n is None else f"{n / 2**20:.0f}"
