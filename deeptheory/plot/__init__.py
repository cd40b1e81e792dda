"""Drawing: plain arrays in, a matplotlib figure in the style of the package out, `save` to PDF or PNG."""

from deeptheory.plot.accuracy_against_density import accuracy_against_density
from deeptheory.plot.accuracy_against_dilution import accuracy_against_dilution
from deeptheory.plot.accuracy_and_snr import accuracy_and_snr
from deeptheory.plot.cluster_sizes import cluster_sizes
from deeptheory.plot.committee import committee
from deeptheory.plot.committee_scatter import committee_scatter
from deeptheory.plot.field_matrix import field_matrix
from deeptheory.plot.from_runs import FIGURES, draw, draw_all, draw_finished, draw_sweep
from deeptheory.plot.head_accuracies import Heads, head_accuracies
from deeptheory.plot.hypothesis import draw_hypotheses, hypothesis_verdict
from deeptheory.plot.magnitude_overlap import magnitude_overlap
from deeptheory.plot.margin_certificate import margin_certificate
from deeptheory.plot.number_of_labels import LabelCurves, number_of_labels
from deeptheory.plot.perceptron_capacity import CapacityPoints, perceptron_capacity
from deeptheory.plot.predicted_against_measured import predicted_against_measured
from deeptheory.plot.rank_truncation import Truncation, rank_truncation
from deeptheory.plot.save import save
from deeptheory.plot.svg import svg

__all__ = [
    "FIGURES",
    "CapacityPoints",
    "Heads",
    "LabelCurves",
    "Truncation",
    "accuracy_against_density",
    "accuracy_against_dilution",
    "accuracy_and_snr",
    "cluster_sizes",
    "committee",
    "committee_scatter",
    "draw",
    "draw_all",
    "draw_finished",
    "draw_hypotheses",
    "draw_sweep",
    "field_matrix",
    "head_accuracies",
    "hypothesis_verdict",
    "magnitude_overlap",
    "margin_certificate",
    "number_of_labels",
    "perceptron_capacity",
    "predicted_against_measured",
    "rank_truncation",
    "save",
    "svg",
]
