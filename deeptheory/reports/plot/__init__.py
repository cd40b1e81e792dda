"""Drawing: plain arrays in, a matplotlib figure in the style of the package out, `save` to PDF or PNG."""

from deeptheory.reports.plot.accuracy_against_density import draw_accuracy_against_density
from deeptheory.reports.plot.accuracy_against_dilution import draw_accuracy_against_dilution
from deeptheory.reports.plot.accuracy_and_snr import draw_accuracy_and_snr
from deeptheory.reports.plot.cluster_sizes import draw_cluster_sizes
from deeptheory.reports.plot.committee import draw_committee
from deeptheory.reports.plot.committee_scatter import draw_committee_scatter
from deeptheory.reports.plot.field_matrix import draw_field_matrix
from deeptheory.reports.plot.files import save
from deeptheory.reports.plot.head_accuracies import Heads, draw_head_accuracies
from deeptheory.reports.plot.hypotheses import draw_hypotheses, hypothesis_verdict
from deeptheory.reports.plot.magnitude_overlap import draw_magnitude_overlap
from deeptheory.reports.plot.margin_certificate import draw_margin_certificate
from deeptheory.reports.plot.number_of_labels import LabelCurves, draw_number_of_labels
from deeptheory.reports.plot.perceptron_capacity import CapacityPoints, draw_perceptron_capacity
from deeptheory.reports.plot.predicted_against_measured import draw_predicted_against_measured
from deeptheory.reports.plot.rank_truncation import Truncation, draw_rank_truncation
from deeptheory.reports.plot.run_figures import FIGURES, draw, draw_all, draw_finished, draw_sweep
from deeptheory.reports.plot.svg_text import svg

__all__ = [
    "FIGURES",
    "CapacityPoints",
    "Heads",
    "LabelCurves",
    "Truncation",
    "draw",
    "draw_accuracy_against_density",
    "draw_accuracy_against_dilution",
    "draw_accuracy_and_snr",
    "draw_all",
    "draw_cluster_sizes",
    "draw_committee",
    "draw_committee_scatter",
    "draw_field_matrix",
    "draw_finished",
    "draw_head_accuracies",
    "draw_hypotheses",
    "draw_magnitude_overlap",
    "draw_margin_certificate",
    "draw_number_of_labels",
    "draw_perceptron_capacity",
    "draw_predicted_against_measured",
    "draw_rank_truncation",
    "draw_sweep",
    "hypothesis_verdict",
    "save",
    "svg",
]
