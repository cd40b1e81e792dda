"""Tables of a run that no command prints by itself."""

import numpy as np

from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.tables import Table

SPLITS = {"measure": "held out, not trained on", "test": "read once after training"}


def snr_table(run: Run) -> Table:
    """A line for every measured stage: the mean field beside what was measured."""
    rows = []
    for stage in stage_names(run):
        of_stage = run.read_tree(paths.stage_path("measure", stage))
        mean_field = of_stage.read_numbers("mean_field")
        numbers = (
            *(mean_field[name] for name in ("signal", "internal_noise", "external_noise")),
            of_stage.read_number(paths.SNR_MEAN_FIELD),
            of_stage.read_number(paths.SNR_MEASURED),
            _between_labels(of_stage.read_array("field_snr")),
        )
        rows.append((stage, *(f"{number:.2f}" for number in numbers)))
    header = ("stage", "signal", "internal noise", "external noise", "mean field", "measured", "of fields")
    title = (
        f"threshold {run.config.measure.threshold:g}; signal and noises of the mean field in filters, its SNR;\n"
        "measured: counted filter by filter; of fields: m/sqrt(v) of their margins, median over pairs of labels"
    )
    return Table(title, header, rows)


def accuracy_table(run: Run) -> Table:
    """Accuracy of the trained network on both splits that were not trained on."""
    accuracy = run.read_numbers(paths.join("train", paths.ACCURACY))
    rows = [(name, f"{accuracy[name]:.4f}", what) for name, what in SPLITS.items()]
    where = paths.join("train", paths.CHANCE)
    chance = f"; chance {run.read_number(where):.4f}" if run.has(where) else ""
    return Table(f"accuracy of the trained network{chance}", ("split", "accuracy", ""), rows, left=(0, 2))


def _between_labels(snr: np.ndarray) -> float:
    others = snr[~np.eye(len(snr), dtype=bool)]
    return float(np.median(others))
