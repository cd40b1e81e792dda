"""What a benchmark prints, and the file that keeps its numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeptheory.store.atomic_files import write_text
from deeptheory.tables import Summary, text_table

Result = dict[str, Any]  # as JSON holds it


def write_result(result: Result, directory: Path) -> Path:
    """Write the numbers as JSON into a directory, under a name that says what was timed; returns the path."""
    setting = result["setting"]
    name = "{case}-{network}-width{width:g}-size{size}-batch{batch}-threads{threads}"
    if result["case"] == "compact":
        name += "-" + Path(setting["model"]).stem if setting["model"] else "-{granularity}{density:g}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json".format(case=result["case"], **setting)
    write_text(path, json.dumps(result, indent=2, allow_nan=False) + "\n")
    return path


def comparison_summary(result: Result) -> Summary:
    """All sides of `bench.compare` in a short table, and the ratio."""
    rows = [
        (
            name,
            f"{1e3 * side['median_s']:.2f}",
            "{:.2f} to {:.2f}".format(*(1e3 * seconds for seconds in side["spread_s"])),
            str(side["steps"]),
            _mebibytes(side["peak_bytes"]),
            _mebibytes(side["peak_above_imports_bytes"]),
        )
        for name, side in result["sides"].items()
    ]
    header = ("", "median ms", "10 % to 90 %", "steps", "peak MiB", "above imports")
    lines = [
        result["what"],
        "",
        *text_table(header, rows),
        "",
        f"{result['gflops']:.1f} GFLOP/s (as direct convolutions)",
    ]
    for precision in ("", "bfloat16_"):
        if result.get(f"{precision}ratio") is None:
            continue
        line = f"{result[f'best_{precision}rival']} / ours: {result[f'{precision}ratio']:.2f}"
        if interval := result[f"{precision}ratio_interval"]:
            line += " ({:.2f} to {:.2f})".format(*interval)
        lines.append(line)
    if "race" in result:
        forms = sorted(result["race"].items(), key=lambda form: form[1])
        lines.append("one block of each form: " + "; ".join(f"{name} {1e3 * s:.2f} ms" for name, s in forms))
        if result["race_left_out"]:
            lines.append(result["race_left_out"])
    for name, value in result.items():
        if name.startswith("in_units"):
            lines.append(f"ours {name.replace('_', ' ')}: {value:.2f}")
    if "multiply_adds_share" in result:
        lines.append(f"share of the multiply-adds: {result['multiply_adds_share']:.3f}")
    if result["quiet"] is not True:
        lines.append("The machine was not known to be quiet: repeat this when nothing else runs.")
    return Summary("\n".join(lines), result)


def layer_summary(result: Result) -> Summary:
    """The layers of `layer_times.measure_layers` as a table.

    Loss and optimiser are the difference of the last two lines.
    """
    layers: dict[str, dict[str, float]] = result["layers"]
    total = {key: sum(layer[key] for layer in layers.values()) for key in next(iter(layers.values()))}
    total["in_units_of_floor"] = (total["forward_s"] + total["backward_s"]) / total["floor_s"]
    header = ("", "forward ms", "backward ms", "GFLOP direct", "fewest", "MB", "floor ms", "time / floor")
    rows = [_layer_row(name, layer) for name, layer in {**layers, "all layers": total}.items()]
    lines = [
        result["what"],
        f"peak {result['peak_gflops']:.0f} GFLOP/s, memory {result['bandwidth_gb_s']:.1f} GB/s, as measured",
        "",
        *text_table(header, rows),
        f"whole step {1e3 * result['step_s']:.2f} ms",
    ]
    return Summary("\n".join(lines), result)


def _layer_row(name: str, layer: Mapping[str, float]) -> tuple[str, ...]:
    return (
        name,
        f"{1e3 * layer['forward_s']:.2f}",
        f"{1e3 * layer['backward_s']:.2f}",
        f"{layer['direct_gflop']:.2f}",
        f"{layer['fewest_gflop']:.2f}",
        f"{layer['megabytes']:.1f}",
        f"{1e3 * layer['floor_s']:.2f}",
        f"{layer['in_units_of_floor']:.1f}",
    )


def _mebibytes(n: int | None) -> str:
    return "" if n is None else f"{n / 2**20:.0f}"
