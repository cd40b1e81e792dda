"""Drawing: plain arrays in, a matplotlib figure in the style of the package out, `save` to a file."""

from deeptheory.reports.plot.accuracy_against_density import draw_accuracy_against_density
from deeptheory.reports.plot.accuracy_and_snr import draw_accuracy_and_snr
from deeptheory.reports.plot.accuracy_by_arm import draw_accuracy_by_arm
from deeptheory.reports.plot.accuracy_by_epochs import draw_accuracy_by_epochs
from deeptheory.reports.plot.attention_maps import draw_attention_maps
from deeptheory.reports.plot.cluster_sizes import draw_cluster_sizes
from deeptheory.reports.plot.error_against_labels import draw_error_against_labels
from deeptheory.reports.plot.field_matrix import draw_field_matrix
from deeptheory.reports.plot.files import FORMATS, picture_path, save
from deeptheory.reports.plot.hypotheses import draw_hypotheses, hypothesis_verdict
from deeptheory.reports.plot.loss_curves import LossCurve, draw_loss_curves
from deeptheory.reports.plot.networks_with_depth import DepthCurve, draw_networks_with_depth
from deeptheory.reports.plot.predicted_against_measured import draw_predicted_against_measured
from deeptheory.reports.plot.predicted_losses import Losses, draw_predicted_losses
from deeptheory.reports.plot.svg_text import svg

__all__ = [
    "FORMATS",
    "DepthCurve",
    "LossCurve",
    "Losses",
    "draw_accuracy_against_density",
    "draw_accuracy_and_snr",
    "draw_accuracy_by_arm",
    "draw_accuracy_by_epochs",
    "draw_attention_maps",
    "draw_cluster_sizes",
    "draw_error_against_labels",
    "draw_field_matrix",
    "draw_hypotheses",
    "draw_loss_curves",
    "draw_networks_with_depth",
    "draw_predicted_against_measured",
    "draw_predicted_losses",
    "hypothesis_verdict",
    "picture_path",
    "save",
    "svg",
]
