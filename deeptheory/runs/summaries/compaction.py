"""Summaries of compact networks and of the cost of inference."""

from collections.abc import Sequence

from deeptheory.bench.energy import COUNTED, ESTIMATE
from deeptheory.runs.run import Run
from deeptheory.runs.steps.compaction import chosen_arms
from deeptheory.runs.steps.inference_cost import BATCHES, SIDES
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree
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
        layers = run.read_trees(paths.compact_path(arm, paths.LAYERS))
        size = int(run.read_number(paths.compact_path(arm, paths.SAVED_BYTES)))
        path = paths.compact_file(run.directory, arm)
        rows = [
            (name, *(str(layer[column]) for column in columns), "sparse" if layer["sparse"] else "dense")
            for name, layer in layers.items()
        ]
        lines += [f"{arm}: {path}, {size} bytes", *text_table(header, rows), ""]
        numbers[arm] = {"file": str(path), "saved_bytes": size, "layers": layers}
    lines.append(
        "no input: constant filters, cut and folded into what reads them; unread: nothing reads them"
    )
    lines.append("a dense layer is filled up with idle filters to a whole number of vectors")
    return Summary("\n".join(lines), numbers)


def costed(run: Run, arms: Sequence[str] = ()) -> Summary:
    """Dense, masked and compact network of every arm side by side."""
    lines, numbers = list[str](), {}
    for arm in chosen_arms(run, arms):
        stored = numbers[arm] = run.read_tree(paths.cost_path(arm))
        sides = stored.read_trees(paths.SIDES)
        lines += [f"{arm}:", *text_table(("", *SIDES, "compact/dense"), _rows(sides))]
        for batch in BATCHES:
            ratio = stored.read_numbers(f"speedup/batch{batch}")
            lines.append(
                f"batch {batch}: the compact network is {ratio['ratio']:.2f} "
                f"({ratio['low']:.2f} to {ratio['high']:.2f}) times as fast as the dense one"
            )
        if stored[paths.QUIET] != "yes":
            lines.append("The machine was not known to be quiet: repeat this when nothing else runs.")
        lines.append("")
    lines += [
        "latency: median, in brackets 10 % to 90 %; activations: computed, the most that is needed at a time",
        ENERGIES[sides[SIDES[0]].read_text(f"batch{BATCHES[0]}/energy_source")],
    ]
    return Summary("\n".join(lines), numbers)


def _rows(sides: dict[str, StoredTree]) -> list[tuple[str, ...]]:
    rows = [_row(name, [sides[side].read_number(key) for side in SIDES]) for key, name in COUNTS.items()]
    for batch in BATCHES:
        of_batch = [sides[side].read_tree(f"batch{batch}") for side in SIDES]

        def over_sides(name: str, scale: float = 1.0, of_batch: list[StoredTree] = of_batch) -> list[float]:
            return [scale * side.read_number(name) for side in of_batch]

        spreads = [
            f" ({low:.3g} to {high:.3g})"
            for low, high in zip(
                over_sides("latency_low_s", 1e3), over_sides("latency_high_s", 1e3), strict=True
            )
        ]
        rows += [
            _row(f"batch {batch}: activation bytes", over_sides("activation_bytes")),
            _row("  latency in ms", over_sides("latency_s", 1e3), ".3g", spreads),
            _row("  images per second", over_sides("images_per_s")),
            _row(
                f"  energy ({of_batch[0].read_text('energy_source')}), mJ per image",
                over_sides("joules_per_image", 1e3),
                ".3g",
            ),
        ]
    return rows


def _row(
    name: str, values: Sequence[float], shown: str = ".0f", notes: Sequence[str] = ("",) * len(SIDES)
) -> tuple[str, ...]:
    cells = (f"{value:{shown}}{note}" for value, note in zip(values, notes, strict=True))
    return name, *cells, f"{values[-1] / values[0]:.3f}"
