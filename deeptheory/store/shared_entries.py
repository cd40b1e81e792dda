"""Groups of entries that a run file has in several places, or that are long (`run_entries`)."""

from deeptheory.store.entries import BYTES, SECONDS, SHARE, UTC, Entry, Group

STAMP: Group = {
    "finished": Entry("text", UTC, "when the step ended: without it the step is not done"),
    "wall_seconds": Entry("float64", SECONDS, "wall time of the step, of its last call"),
    "peak_bytes": Entry("int64", BYTES, "largest memory of the process during the step; 0 if unknown"),
}
PROVENANCE: Group = {
    "host": Entry("text", "", "name of the machine"),
    "system": Entry("text", "", "operating system"),
    "processor": Entry("text", "", "model of the processor"),
    "threads": Entry("int64", "", "threads that were computed with"),
    "processes": Entry("int64", "", "processes that trained together"),
    "vectors": Entry("text", "", "instruction set of the compiled kernels"),
    "python": Entry("text", "", "version of Python"),
    "packages": {"PACKAGE": Entry("text", "", "its version")},
    "git_revision": Entry("text", "", "revision of the checkout, empty for an installed package"),
    "git_dirty": Entry("bool", "", "whether tracked files were changed"),
    "slurm": {"VARIABLE": Entry("text", "", "its value, where there is one")},
}
HISTORY: Group = {
    "loss": Entry("float64 (E)", "nats", "mean cross-entropy of the epoch, augmented, in training mode"),
    "accuracy": Entry("float64 (E)", SHARE, "of the same passes, not of the network at the end of the epoch"),
    "learning_rate": Entry("float64 (E)", "", "of the first step of the epoch"),
    "seconds": Entry("float64 (E)", SECONDS, "wall time"),
}
STATE: Group = {
    "ARRAY": Entry("array (...)", "", "as `Network.state` names it; weights (O, I, height, width)")
}
MASKS: Group = {
    "WEIGHT": Entry("bool (...)", "", "True where kept; (O, I) for whole kernels, else its shape")
}
REFIT: Group = {
    "refitted": Entry("float64", SHARE, "accuracy of the masked network refitted in closed form, counted"),
    "refitted_theory": Entry("float64", SHARE, "the same by the theory of Gaussian fields"),
    "refit_loss": Entry("float64", SHARE, "loss of accuracy after the refit, before retraining"),
    "refit_error": Entry("float64", SHARE, "its standard error by the number of inputs counted"),
    "capacity": Entry("float64", SHARE, "labels that the masked head can tell apart: `theory.head_capacity`"),
}
PREDICTION: Group = {
    **REFIT,
    "loss": Entry("float64", SHARE, "predicted loss of accuracy after retraining, against the unpruned arm"),
    "loss_low": Entry("float64", SHARE, "lower end of its 95 % interval"),
    "loss_high": Entry("float64", SHARE, "upper end"),
}
RECOVERY: Group = {
    "factor": Entry("float64", "", "a of the recovery law -ln((P - L)/CP) = a (-ln((P - R)/CP))^k"),
    "exponent": Entry("float64", "", "k"),
    "calibrations": Entry("int64", "", "masks that it was found by; 0: the training of the network alone"),
}
CALIBRATION: Group = {
    "refit_loss": Entry("float64", SHARE, "loss after the refit of a mask of no arm"),
    "loss": Entry("float64", SHARE, "its loss after retraining, counted on the measure split"),
    "loss_error": Entry("float64", SHARE, "standard error of that"),
    "capacity": Entry("float64", SHARE, "labels that the masked head can tell apart: `theory.head_capacity`"),
}
HEAD: Group = {
    "accuracy": Entry("float64", SHARE, "predicted from means and covariances of the fields, measure split"),
    "integration_error": Entry("float64", SHARE, "standard error of the numerical integration alone"),
    "counted": Entry("float64", SHARE, "counted on the same inputs"),
}
ARM_COST: Group = {
    "parameters": Entry("int64", "", "of the network"),
    "parameters_left": Entry("int64", "", "under the mask"),
    "parameters_share": Entry("float64", SHARE, "their ratio"),
    "multiply_adds": Entry("int64", "", "per input, of the network"),
    "multiply_adds_left": Entry("int64", "", "under the mask; a masked network computes them all the same"),
    "multiply_adds_share": Entry("float64", SHARE, "their ratio"),
}
TESTED: Group = {
    "accuracy": Entry("float64", SHARE, "on the test split"),
    "correct": Entry("bool (T)", "", "which test inputs are labelled correctly"),
}
COMPARED: Group = {
    **TESTED,
    "accuracy_masked": Entry("float64", SHARE, "on the test split, before retraining"),
    "density": Entry("float64", SHARE, "kept of the weights of all masked layers"),
    "densities": {"WEIGHT": Entry("float64", SHARE, "kept of one layer")},
    "cost": ARM_COST,
    "masks": MASKS,
    "not_reached": Entry("text", "", "why a criterion cannot reach the density; then nothing else is there"),
}
ESTIMATE: Group = {
    name: Entry("float64 (2)", "", "95 % interval over filters, not over seeds")
    for name in ("clusters_per_filter", "cluster_size", "noise", "share_without_label")
}
MEASURED: Group = {
    "class_means": Entry("float64 (K, C, P)", "of activations", "mean activations by label of the input"),
    "probe_weight": Entry("float32 (K, D)", "", "weights of the probe: (K, C, P) after a reshape"),
    "probe": {
        "loss": Entry("float64", "nats", "cross-entropy with L2, where the solver stopped"),
        "iterations": Entry("int64", "", "of the solver"),
        "gradient_norm": Entry("float64", "", "relative norm of the gradient there"),
    },
    "probe_accuracy": Entry("float64", SHARE, "of the probe on the test split"),
    "label_accuracy": Entry("float64 (K)", SHARE, "the same by label; NaN for a label without test inputs"),
    "strengths": Entry(
        "float64 (C, K)", "of the largest element", "diagonal of each field, h_f[i,i]/max h_f"
    ),
    "served": Entry("bool (C, K)", "", "labels that a filter serves"),
    "clusters": Entry("int32 (C, K)", "", "number of the cluster of a label in its filter, -1: not served"),
    "cluster_sizes": Entry("int64 (n)", "labels", "of every cluster, filter by filter"),
    "filter_noise": Entry("int64 (C)", "", "ones outside the cluster squares"),
    "filter_cluster_noise": Entry("int64 (C)", "", "those of them in columns of a cluster"),
    "clusters_per_filter": Entry("float64", "", "N_c, mean over filters"),
    "cluster_size": Entry("float64", "labels", "C_s, mean over clusters"),
    "noise": Entry("float64", "", "n, mean of the noise over filters"),
    "share_without_label": Entry("float64", SHARE, "filters that serve no label"),
    "intervals": ESTIMATE,
    "relabelled_clusters": Entry("float64 (n)", "", "N_c with the labels in random orders, one each"),
    "snr_mean_field": Entry("float64", "", "signal over both noises of the mean field"),
    "mean_field": {
        "signal": Entry("float64", "filters", "C N_c C_s / K"),
        "internal_noise": Entry("float64", "filters", "S (C_s - 1)/(K - 1)"),
        "external_noise": Entry("float64", "filters", "C n/(K (K - 1))"),
    },
    "snr_measured": Entry("float64", "", "mean signal over mean noise, counted filter by filter"),
    "signal_per_label": Entry("int64 (K)", "filters", "that serve the label"),
    "noise_per_pair": Entry(
        "int64 (K, K)", "filters", "with a one at input label i and output j; diagonal 0"
    ),
    "labels_unserved": Entry("int64 (n)", "", "labels that no filter serves"),
    "field_snr": Entry("float64 (K, K)", "", "mean over standard deviation of the margin of i over j"),
    "signal_share": Entry(
        "float64 (C)", "share", "of a filter in the mean margin; sums to 1, may be negative"
    ),
    "variance_share": Entry("float64 (C)", "share", "of a filter in the variance of the margin; sums to 1"),
    "single_filter_accuracy": Entry("float64 (C)", SHARE, "with all probe weights but the filter's at zero"),
    "mutual_information": Entry("float64 (C)", "bits", "between the label and the binned response"),
    "participation_ratio": Entry("float64 (C)", "labels", "of the diagonal of the field"),
    "class_selectivity_index": Entry("float64 (C)", "", "(mu_max - mu_rest)/(mu_max + mu_rest)"),
    "served_label_auc": Entry("float64 (C)", SHARE, "area under the curve, served labels against the others"),
}
BUDGET_SET: Group = {
    "dilution": Entry("float64", SHARE, "removed of the weights among which was searched"),
    "dilution_by_margins": Entry("float64", SHARE, "the same if the noise of the margins is trusted"),
    "prunable": {"WEIGHT": Entry("bool (O, I)", "", "kernels that may go")},
    "prediction": PREDICTION,
    "curve": {
        "dilution": Entry("float64 (n)", SHARE, "of every trial, in the order of the search"),
        **{
            name: Entry("float64 (n)", SHARE, f"`{name}` of the prediction of every trial")
            for name in PREDICTION
        },
    },
}
SENSITIVITY: Group = {
    name: MEASURED[name]
    for name in (
        "clusters_per_filter",
        "cluster_size",
        "noise",
        "share_without_label",
        "snr_mean_field",
        "snr_measured",
    )
} | {
    "relabelled_clusters": Entry("float64", "", "mean of N_c over random orders of the labels"),
    "relabelled_spread": Entry("float64", "", "their standard deviation"),
}
