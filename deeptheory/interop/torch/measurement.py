"""Measure a PyTorch model in place."""

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import judge, prune
from deeptheory import measure as measuring
from deeptheory.errors import InputError
from deeptheory.interop.torch.connections import default_stages
from deeptheory.interop.torch.inputs import Inputs, Pool
from deeptheory.interop.torch.live_model import LiveModel, to_numpy
from deeptheory.interop.torch.measured import Measured

if TYPE_CHECKING:
    import torch

AGREEMENT = 1e-4  # of the largest output, between the product of a classifier and the output of the model


def measure(
    model: "torch.nn.Module",
    loader: Iterable[Any],
    stages: Sequence[str] | None = None,
    *,
    probe_loader: Iterable[Any] | None = None,
    test_loader: Iterable[Any] | None = None,
    probe_options: measuring.ProbeOptions | None = None,
    threshold: float = measuring.MeasureOptions().threshold,
    seed: int = 0,
    quiet: bool = False,
) -> Measured:
    """Measure the filters of some modules of a model: probes, fields, clusters, noise, SNR, specialisation.

    The functions that measure networks of this package get the outputs of the modules through forward hooks, in
    evaluation mode, without gradients, on the device of the model. Afterwards, also after an error, the hooks are
    removed and every module is in its former mode.

    Parameters
    ----------
    model : torch.nn.Module
        Its outputs are (N, K), one per label, by themselves, first of a tuple, or ``logits`` of a `ModelOutput`.
    loader : iterable of (images, labels)
        Inputs to measure on, used in fitting neither the model nor the probes: floats as the model takes them, or
        numbers of tokens, and integers from 0 to K-1. A dictionary has the inputs by name and ``labels``. Masks
        depend on them, so they must not be the test set. Without augmentation. Labels that have no input here are
        left out, here and in the other loaders.
    stages : sequence of str, optional
        Names of modules (``model.named_modules()``), from the input upwards, whose outputs are (N, C, H, W),
        (N, H, W, C), (N, T, C) or (N, C): a convolution, the ReLU that follows it, a block; "layer1.0.relu#2" for
        the second call of a module, "attn.proj:input" for what a layer reads, heads in this case. Which axis is
        that of the filters follows from the layers before it. By default all that `stages` lists.
    probe_loader : iterable of (images, labels), optional
        Inputs to fit the probes to: the training inputs of the model. Needed for `Measured.predict`, and unless
        the classifier is the probe of the only stage.
    test_loader : iterable of (images, labels), optional
        Inputs for the accuracies of the probes, by default those of `loader`. A warning is given where the model
        is far better on those of `loader`, which it has then probably been trained on.
    probe_options : ProbeOptions, optional
        How the probes are fitted.
    threshold : float
        Fields are clipped above this share of the filter's largest.
    seed : int
        Of the random numbers of probes, bootstrap, relabellings, controls and predictions.
    quiet : bool
        Show no progress.

    Returns
    -------
    Measured
        Holds the inputs of all loaders in their own precision, above 256 MiB in a temporary file.

    Raises
    ------
    InputError
        PyTorch is not installed, or it is no model that can be followed; a stage does not exist, is one of several
        calls, or has outputs of another form or whose axis of filters is not known; batches or labels do not fit;
        there are no inputs to fit a probe to; as `measure.fit_probe` and `measure.filter_statistics`.

    Notes
    -----
    If one bias-free linear layer computes the outputs from the flattened last stage, it is the probe of that
    stage. With any other classifier a probe is fitted as for all stages, whose fields may differ from those of the
    classifier.

    Probes at the default tolerance are near the optimum of their loss, but single weights are less certain: other
    rounding, on another device or in the imported network, changed strengths by up to 4 % of the largest on a
    small network. Between fits at ``l2=0.1, tolerance=1e-6`` it was 0.002 %, and with one probe for both 0.00004
    %.
    """
    live = LiveModel(model)
    live.pool = pool = Pool(live.torch)
    if stages is not None:
        _check_stages(stages)
    given = pool.read(loader, "batches to measure on")
    stages = _every_stage(live, given) if stages is None else stages
    for stage in stages:
        live.call(stage, given.images)
    n_outputs = live.logits(given.images[:1]).shape[1]
    fitting = None if probe_loader is None else pool.read(probe_loader, "batches for the probes")
    tested = given if test_loader is None else pool.read(test_loader, "batches to test on")
    for inputs in (given, fitting, tested):
        if inputs is not None:
            _check_labels(inputs, n_outputs)
    if test_loader is not None:
        _warn_of_seen(live, given, tested)
    labels = np.unique(given.labels)
    if len(labels) < 2:
        raise InputError(f"labels of {given.what}", "two at least", f"label {labels[0]} alone")
    given, tested = _of_labels(given, labels), _of_labels(tested, labels)
    fitting = fitting and _of_labels(fitting, labels)
    streams = np.random.default_rng(seed).spawn(2)
    classifier = _classifier(live, stages[-1], given, n_outputs)
    solver = probe_options or measuring.ProbeOptions()
    probes = _probes(live, stages, classifier, fitting, labels, solver, streams[0], quiet)
    weights = {stage: tree["probe_weight"] for stage, tree in probes.items()}
    statistics = measuring.filter_statistics(live, given.images, given.labels, weights, quiet=quiet)
    if test_loader is None:
        fields = {stage: measured.complete_fields for stage, measured in statistics.items()}
    else:
        fields = measuring.complete_fields(live, tested.images, weights, quiet=quiet)
    options = measuring.MeasureOptions(threshold=threshold)
    records = {}
    for stage in stages:
        test_fields = fields[stage], tested.labels
        records[stage] = probes[stage] | measuring.stage_record(
            statistics[stage], weights[stage], given.labels, test_fields, options, streams[1]
        )
    return Measured(live.model, records, classifier, given, fitting, pool, labels, n_outputs, seed)


def _check_labels(inputs: Inputs, n_outputs: int) -> None:
    """Raise for labels outside 0..K-1."""
    outside = inputs.labels[(inputs.labels < 0) | (inputs.labels >= n_outputs)]
    if len(outside):
        expected = f"0 to {n_outputs - 1}, as the model has {n_outputs} outputs"
        raise InputError(f"labels of {inputs.what}", expected, f"label {outside[0]}")


def _of_labels(inputs: Inputs, labels: NDArray[np.int64]) -> Inputs:
    """The inputs of some labels, numbered in their order; raises where one has none."""
    chosen = np.isin(inputs.labels, labels)
    if len(missing := np.setdiff1d(labels, inputs.labels)):
        expected = f"inputs of all {len(labels)} labels that are measured on"
        raise InputError(f"labels of {inputs.what}", expected, f"none of label {missing[0]}")
    return Inputs(inputs.what, inputs.images[chosen], np.searchsorted(labels, inputs.labels[chosen]))


def _warn_of_seen(live: LiveModel, given: Inputs, tested: Inputs) -> None:
    found = [_accuracy(live, inputs) for inputs in (given, tested)]
    if judge.far_above(found[0], len(given.labels), found[1], len(tested.labels)):
        text = (
            f"accuracy {found[0]:.3f} on the inputs to measure on, {found[1]:.3f} on the test inputs: the model "
            "seems to have been trained on the first, so noise, SNR and predictions are not those of new inputs"
        )
        warnings.warn(text, stacklevel=3)


def _accuracy(live: LiveModel, inputs: Inputs) -> float:
    per_pass = live.inputs_per_pass
    starts = range(0, len(inputs.labels), per_pass)
    right = [
        live.logits(inputs.images[i : i + per_pass]).argmax(axis=1) == inputs.labels[i : i + per_pass]
        for i in starts
    ]
    return float(np.concatenate(right).mean())


def _every_stage(live: LiveModel, given: Inputs) -> list[str]:
    names = default_stages(live, given.images)
    if not names:
        do = "name a module whose output is one of these"
        raise InputError(
            "stages", "outputs of layers, (N, C, H, W), (N, H, W, C), (N, T, C) or (N, C)", "none", do
        )
    return names


def _check_stages(stages: Sequence[str]) -> None:
    if isinstance(stages, str) or not stages:
        raise InputError(
            "stages", "names of modules", f"'{stages}'" if stages else "none", "name them in a list"
        )
    for stage in stages:
        if stage == prune.HEAD:
            raise InputError(
                "stage", "a module before the outputs", f"'{stage}'", "name what it reads instead"
            )
    if twice := sorted({stage for stage in stages if list(stages).count(stage) > 1}):
        raise InputError("stages", "every module once", f"{', '.join(twice)} more than once", "name it once")


def _classifier(live: LiveModel, stage: str, given: Inputs, n_outputs: int) -> str:
    """Name of the bias-free linear layer that computes the outputs from the flattened stage; "" without one."""
    x = given.images[: live.inputs_per_pass]
    features, logits = measuring.stage_features(live, x, stage, quiet=True), live.logits(x)
    for name, module in live.modules.items():
        is_linear = isinstance(module, live.torch.nn.Linear) and module.bias is None
        if is_linear and module.weight.shape == (n_outputs, features.shape[1]):
            product = features @ to_numpy(module.weight).T
            if np.abs(product - logits).max() <= AGREEMENT * np.abs(logits).max():
                return name
    return ""


def _probes(
    live: LiveModel,
    stages: Sequence[str],
    classifier: str,
    fitting: Inputs | None,
    labels: NDArray[np.int64],
    options: measuring.ProbeOptions,
    rng: np.random.Generator,
    quiet: bool,
) -> dict[str, dict[str, Any]]:
    """The probe of every stage, (K, C*P), with the end of its fit if it was fitted."""
    probes: dict[str, dict[str, Any]] = {stage: {} for stage in stages}
    if classifier:
        probes[stages[-1]] = {"probe_weight": to_numpy(live.modules[classifier].weight)[labels]}
    missing = [stage for stage, tree in probes.items() if not tree]
    if not missing:
        return probes
    if fitting is None:
        do = "pass probe_loader, the inputs that the model was trained on"
        raise InputError(f"probe of stage '{missing[0]}'", "inputs to fit it on", "none", do)
    images, given = fitting.images, fitting.labels
    if options.inputs:
        chosen = measuring.balanced_subset(given, options.inputs, rng)
        images, given = images[chosen], given[chosen]
    fits = measuring.iterate_probes(live, images, given, len(labels), missing, options, rng, quiet=quiet)
    for stage, fit in fits:
        solved = {"loss": fit.loss, "iterations": fit.iterations, "gradient_norm": fit.gradient_norm}
        probes[stage] = {"probe_weight": fit.weight, "probe": solved}
    return probes
