"""What `compact` and `cost` print of a run."""

from collections.abc import Sequence
from typing import Any

from deeptheory.bench.energy import COUNTED, ESTIMATE
from deeptheory.runs.run import Run
from deeptheory.runs.steps.compaction import chosen_arms
from deeptheory.runs.steps.inference_cost import BATCHES, SIDES
from deeptheory.store import paths
from deeptheory.tables import Summary, text_table

COUNTS = {
    "parameters": "parameters",
    "nonzero": "non-zero parameters",
    "multiply_adds": "multiply-adds per image",
    "saved_bytes": "bytes of the saved model",
}
ENERGIES = {
    COUNTED: "energy RAPL: counters of all processors and their memory, idle power and other programs included",
    ESTIMATE: "energy ESTIMATE, not measured: 4.6 pJ per multiply-add, 12.5 pJ per byte of activations, 163 pJ "
    "per byte of the network once per batch (45 nm; Horowitz, ISSCC 2014)",
}


def compacted(run: Run, arms: Sequence[str] = ()) -> Summary:
    """A line for every layer of every arm: filters and kernels left, and why filters went."""
    header = ("layer", "filters", "left", "no input", "unread", "kernels", "left", "stored")
    columns = ("filters", "filters_left", "constant", "unread", "kernels", "kernels_left")
    lines, numbers = list[str](), {}
    for arm in chosen_arms(run, arms):
        found, path = run.read(paths.compact_path(arm)), paths.compact_file(run.directory, arm)
        rows = [
            (name, *(str(layer[column]) for column in columns), "sparse" if layer["sparse"] else "dense")
            for name, layer in found["layers"].items()
        ]
        lines += [f"{arm}: {path}, {found['saved_bytes']} bytes", *text_table(header, rows), ""]
        numbers[arm] = {"file": str(path), "saved_bytes": found["saved_bytes"], "layers": found["layers"]}
    lines.append(
        "no input: constant filters, cut and folded into what reads them; unread: nothing reads them"
    )
    lines.append("a dense layer is filled up with idle filters to a whole number of vectors")
    return Summary("\n".join(lines), numbers)


def costed(run: Run, arms: Sequence[str] = ()) -> Summary:
    """Dense, masked and compact network of every arm side by side."""
    lines, numbers = list[str](), {}
    for arm in chosen_arms(run, arms):
        found = numbers[arm] = run.read(paths.cost_path(arm))
        sides = found["sides"]
        lines += [f"{arm}:", *text_table(("", *SIDES, "compact/dense"), _rows(sides))]
        for batch in BATCHES:
            of = found["speedup"][f"batch{batch}"]
            lines.append(
                f"batch {batch}: the compact network is {of['ratio']:.2f} ({of['low']:.2f} to {of['high']:.2f}) "
                "times as fast as the dense one"
            )
        if found["quiet"] != "yes":
            lines.append("The machine was not known to be quiet: repeat this when nothing else runs.")
        lines.append("")
    lines += [
        "latency: median, in brackets 10 % to 90 %; activations: computed, the most that is needed at a time",
        ENERGIES[sides[SIDES[0]][f"batch{BATCHES[0]}"]["energy_source"]],
    ]
    return Summary("\n".join(lines), numbers)


def _rows(sides: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [_row(name, [sides[side][key] for side in SIDES]) for key, name in COUNTS.items()]
    for batch in BATCHES:
        of = [sides[side][f"batch{batch}"] for side in SIDES]
        spreads = [
            f" ({1e3 * side['latency_low_s']:.3g} to {1e3 * side['latency_high_s']:.3g})" for side in of
        ]
        rows += [
            _row(f"batch {batch}: activation bytes", [side["activation_bytes"] for side in of]),
            _row("  latency in ms", [1e3 * side["latency_s"] for side in of], ".3g", spreads),
            _row("  images per second", [side["images_per_s"] for side in of]),
            _row(
                f"  energy ({of[0]['energy_source']}), mJ per image",
                [1e3 * side["joules_per_image"] for side in of],
                ".3g",
            ),
        ]
    return rows


def _row(
    name: str, values: Sequence[float], shown: str = ".0f", notes: Sequence[str] = ("",) * len(SIDES)
) -> tuple[str, ...]:
    cells = (f"{value:{shown}}{note}" for value, note in zip(values, notes, strict=True))
    return name, *cells, f"{values[-1] / values[0]:.3f}"
