"""Draw field-theory.pdf from the results of simulations/field_theory.py, one column per data set."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot

# Title of a kind, the head that is predicted, the head that is measured; as in the study.
KINDS = (
    ("as they stand", "standing", "standing"),
    ("refitted", "refitted", "refitted"),
    ("refit predicted", "surrogate", "refitted"),
)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", nargs="+", metavar="TITLE=FILE", help="title of a data set and its JSON file")
parser.add_argument("--out", type=Path, default=Path("figures/field-theory.pdf"), help="PDF or PNG")
arguments = parser.parse_args()
panels = {}
for given in arguments.results:
    title, _, file = given.rpartition("=")
    runs = json.loads(Path(file).read_text(encoding="utf-8"))["runs"]
    heads = [of for run in runs.values() for stage in run.values() for of in stage]
    panels[title] = {
        kind: plot.Heads(
            [of[predicted]["predicted"] for of in heads],
            [of[measured]["measured"] for of in heads],
            [of["criterion"] == "full" for of in heads],
        )
        for kind, predicted, measured in KINDS
    }
arguments.out.parent.mkdir(parents=True, exist_ok=True)
plot.save(plot.draw_head_accuracies(panels), arguments.out)
print(arguments.out)
