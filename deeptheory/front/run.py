"""A run as an object: what its file holds, as tables and arrays."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import data, nn, runs
from deeptheory import measure as measuring
from deeptheory import prune as pruning
from deeptheory.errors import InputError, unknown_name
from deeptheory.front import frames
from deeptheory.front.places import Place
from deeptheory.runs.configuration import Config
from deeptheory.runs.exports import masks_back, tensors_of_arm
from deeptheory.runs.steps.compaction import retrained_masks, retrained_network
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.runs.summaries import prediction_summaries, run_tables, step_summaries
from deeptheory.store import paths
from deeptheory.store.typed_readers import Entry
from deeptheory.tables import Table


def open_run(path: str | os.PathLike[str], *, quiet: bool = False) -> "Run":
    """The run in a directory, whoever made it: `train`, or the command line.

    Parameters
    ----------
    path : str or path
    quiet : bool
        No progress on standard error when steps go on with it.

    Raises
    ------
    InputError
        There is no run; what is there instead is said.

    Examples
    --------
    >>> dt.open_run("study/seed-3")
    Run study/seed-3
    vgg6, width 0.125; seed 3; glyphs, 5 labels
    done: train, measure, predict, prune, retrain; test accuracy ...
    """
    return Run(runs.Run(Path(path).expanduser(), quiet), Place(path))


class Run:
    """One trained network with everything that was measured, predicted and pruned of it.

    `dt.train` and `dt.open_run` make it, `dt.measure`, `dt.predict`, `dt.prune` and `dt.retrain` compute with it.
    What it gives is read from `run.h5` at every call, so it sees what other programs added. ``run[PATH]`` is any
    entry of the file, as ``run["measure/stages/stage3/served"]`` (docs/run-file.md lists them).

    Attributes
    ----------
    stored : deeptheory.runs.Run
        The same run as the rooms of the package take it.
    """

    def __init__(self, stored: runs.Run, place: Place) -> None:
        self.stored, self._place = stored, place

    def __repr__(self) -> str:
        config, done = self.config, self.done
        source = Path(config.data.path).name if config.data.path else config.data.source
        lines = [f"Run {self._place.text}"]
        if "train" in done:
            n_labels = len(self.stored.read_names(paths.join("train", paths.LABEL_NAMES)))
            accuracy = self.stored.read_number(paths.join("train", paths.ACCURACY, "test"))
            source, last = f"{source}, {n_labels} labels", f"; test accuracy {accuracy:.4f}"
        else:
            last = ""
        lines.append(f"{config.network.title}; seed {config.seed}; {source}")
        return "\n".join([*lines, f"done: {', '.join(done) or 'nothing'}{last}"])

    @property
    def directory(self) -> Path:
        """Where it lies: `config.toml`, `run.h5`, `log.txt`."""
        return self.stored.directory

    @property
    def config(self) -> Config:
        """All its options; `run.config.prune.threshold` is one."""
        return self.stored.config

    @property
    def done(self) -> tuple[str, ...]:
        """The steps that are done."""
        return tuple(step for step in paths.STEPS if self.stored.done(step))

    def require(self, step: str) -> None:
        """Raise an `InputError` if a step is not done."""
        if not self.stored.done(step):
            do = f"call dt.{step}(run) first" if step != "train" else "train it with dt.train"
            raise InputError(f"run {self.directory}", f"the results of '{step}'", "none", do)

    @property
    def dataset(self) -> data.Dataset:
        """The data set, with the labels that the run used."""
        return self.stored.dataset

    @property
    def splits(self) -> data.Splits:
        """Which inputs were trained on, measured and tested."""
        self.require("train")
        return stored_splits(self.stored)

    @property
    def stages(self) -> Table:
        """A line for every measured stage: probe, single filters, clusters, noise and SNR.

        Examples
        --------
        >>> run.stages.header[:4]
        ('stage', 'probe', 'alone', 'AUC')
        >>> [row[0] for row in run.stages.rows]
        ['stage1', 'stage2', 'stage3', 'stage4', 'stage5']
        """
        self.require("measure")
        return step_summaries.measured(self.stored).tables[0]

    def fields(self, stage: str) -> NDArray[np.float64]:
        """Field matrices of the filters of a stage, (C, K, K): rows = label of the input, columns = output unit.

        In the units of the logits. A large field does NOT mean that the filter alone recognises the label
        (`dt.measure.fields_from_class_means`).

        Parameters
        ----------
        stage : str
            A measured stage.

        Raises
        ------
        InputError
            The run is not measured, or has no such stage.

        Examples
        --------
        >>> fields = run.fields("stage5")
        >>> fields.shape
        (64, 5, 5)
        >>> dt.measure.clip(fields, run.config.measure.threshold).dtype
        dtype('bool')
        """
        means, weight = self._of_stage(stage, paths.CLASS_MEANS), self._of_stage(stage, paths.PROBE_WEIGHT)
        return measuring.fields_from_class_means(means, weight.reshape(means.shape))

    def clusters(self, stage: str) -> list[list[list[int]]]:
        """The clusters of labels of every filter of a stage, at the threshold of the run.

        Parameters
        ----------
        stage : str
            A measured stage.

        Returns
        -------
        list of lists of lists of int
            ``clusters[f]`` are those of filter f, each with its labels 0 to K-1 in increasing order, whose names
            are ``run.dataset.label_names``; empty for a filter that serves no label. They depend on the order of
            the labels (`relabelled_clusters` says how much).

        Examples
        --------
        >>> clusters = run.clusters("stage5")
        >>> len(clusters)
        64
        >>> sum(len(of_filter) for of_filter in clusters) == len(run["measure/stages/stage5/cluster_sizes"])
        True
        """
        numbers = self._of_stage(stage, paths.CLUSTERS)
        return [
            [np.flatnonzero(of_filter == number).tolist() for number in range(of_filter.max() + 1)]
            for of_filter in numbers
        ]

    @property
    def snr(self) -> Table:
        """Signal-to-noise ratio of every stage, the mean field beside what was measured.

        Examples
        --------
        >>> run.snr.header
        ('stage', 'signal', 'internal noise', 'external noise', 'mean field', 'measured', 'of fields')
        """
        self.require("measure")
        return run_tables.snr_table(self.stored)

    @property
    def predictions(self) -> Table:
        """The loss of every arm after retraining, predicted before it was pruned.

        Examples
        --------
        >>> [row[0] for row in run.predictions.rows]
        ['unpruned', 'afcc', 'random', 'label-permuted', 'magnitude']
        """
        self.require("predict")
        return prediction_summaries.predicted(self.stored).tables[1]

    @property
    def accuracies(self) -> Table:
        """Test accuracy of every arm, masked and retrained; of the trained network alone before it is pruned."""
        self.require("train")
        for step in ("retrain", "prune"):
            if self.stored.done(step):
                return step_summaries.SUMMARIES[step](self.stored).tables[0]
        return run_tables.accuracy_table(self.stored)

    def network(self, arm: str | None = None) -> nn.Network:
        """The trained network, or that of an arm after retraining, with zeros where its mask removed weights.

        Parameters
        ----------
        arm : str, optional
            "afcc", "unpruned", or another arm of the run.

        Raises
        ------
        InputError
            An unknown arm, or one that is not retrained.

        Examples
        --------
        >>> network = run.network("afcc")
        >>> float((network.parameters()["stage5.conv.weight"] != 0).mean()) < 1
        True
        """
        if arm is None:
            self.require("train")
            return trained_network(self.stored)
        self._check_arm(arm, (pruning.UNPRUNED, *self.config.prune.arms))
        self.require("retrain")
        return retrained_network(self.stored, arm)

    def masks(self, arm: str) -> pruning.Masks:
        """The masks of an arm, as they were at the end of retraining, or before it.

        Parameters
        ----------
        arm : str
            "afcc", or another arm with a mask.

        Returns
        -------
        Masks
            Weight name to a Boolean array of the weight's shape, True where a weight is kept.

        Examples
        --------
        >>> run.masks("afcc")["stage5.conv.weight"].shape
        (64, 32, 3, 3)
        """
        self._check_arm(arm, self.config.prune.arms)
        self.require("prune")
        return retrained_masks(self.stored, trained_network(self.stored), arm)

    def masks_back(self, arm: str) -> dict[str, NDArray[np.bool_]]:
        """The masks of an arm under the names of the PyTorch model that the network was imported from.

        Parameters
        ----------
        arm : str
            As in `masks`.

        Returns
        -------
        dict of str to bool array
            For `interop.torch.apply_masks`, to fine-tune the model in PyTorch.

        Raises
        ------
        InputError
            The run was not imported from a state dictionary.
        """
        self._check_arm(arm, self.config.prune.arms)
        self.require("prune")
        return masks_back(self.stored, arm)

    def load_into(self, model: Any, arm: str | None = None) -> None:
        """Load the network, or an arm after retraining, into the PyTorch model that it was imported from.

        Parameters
        ----------
        model : torch.nn.Module
            Changed in place (`interop.torch.load_back`): tensors by its own names, masks that hold in training.
        arm : str, optional
            As in `network`.

        Raises
        ------
        InputError
            The run was not imported from a state dictionary, or the model is another one.
        """
        from deeptheory.interop.torch import load_back

        self.network(arm)
        load_back(model, *tensors_of_arm(self.stored, arm or ""))

    def to_frame(self, of: str = "stages") -> Any:
        """Numbers of the run as a pandas DataFrame (``pip install 'deeptheory[notebook]'``).

        Parameters
        ----------
        of : str
            "stages": a row for every measured stage; "filters": for every filter of these; "arms"; "layers": those
            that are masked; "history": epochs of the training.

        Examples
        --------
        >>> run.to_frame("filters").loc["stage5"].columns[:3].tolist()
        ['labels_served', 'filter_noise', 'signal_share']
        """
        self.require(frames.step_of(of))
        return frames.frame_of(self.stored, of)

    def __getitem__(self, path: str) -> Entry:
        return self.stored.entry(path)

    @cached_property
    def _stage_names(self) -> list[str]:
        self.require("measure")
        return stage_names(self.stored)

    def _of_stage(self, stage: str, entry: str) -> NDArray[Any]:
        if stage not in self._stage_names:
            raise unknown_name("stage", stage, self._stage_names)
        return self.stored.read_array(paths.stage_path("measure", stage, entry))

    def _check_arm(self, arm: str, arms: tuple[str, ...]) -> None:
        if arm not in arms:
            raise unknown_name("arm", arm, arms)
