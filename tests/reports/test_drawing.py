"""The figures of runs: what each one shows is what the run files hold."""

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import UNPRUNED
from deeptheory.reports import drawing
from deeptheory.reports.figures import FIGURES
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps import chain
from deeptheory.runs.stored_arrays import over_stages, stage_names
from deeptheory.store import paths
from deeptheory.studies import run_sweep
from deeptheory.studies.branching import branch
from deeptheory.theory import surviving_loss
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def runs(finished_study):
    return [Run(finished_study / "seed-3", quiet=True)]


def points(axes, number=0):
    return axes.containers[number].lines[0].get_xydata()


def test_the_figures_of_a_study_keep_their_order(finished_study, runs, tmp_path):
    drawn = drawing.draw_finished(runs)
    assert list(drawn) == [
        "accuracy-and-snr",
        "field-matrix",
        "cluster-sizes",
        "accuracy-by-arm",
        "predicted-against-measured",
        "predicted-losses",
    ]
    assert drawing.draw_all(runs, tmp_path / "new") == [tmp_path / "new" / f"{name}.pdf" for name in drawn]
    for name in drawn:  # every figure is the same to the byte when it is drawn again
        again = drawing.draw(name, [finished_study], tmp_path)
        assert again.read_bytes() == (tmp_path / "new" / again.name).read_bytes()


def test_only_figures_whose_step_is_done_are_drawn(run_until):
    assert list(drawing.draw_finished([run_until("measure")])) == ["field-matrix", "cluster-sizes"]


def test_accuracy_and_snr_of_every_stage(runs):
    above, below = FIGURES["accuracy-and-snr"].draw(runs).axes
    np.testing.assert_array_equal(points(above)[:, 1], over_stages(runs, "measure", "probe_accuracy")[0])
    np.testing.assert_array_equal(points(above, 1)[:, 1], over_stages(runs, "predict", "accuracy")[0])
    np.testing.assert_array_equal(points(below)[:, 1], over_stages(runs, "measure", "snr_measured")[0])
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["1", "2", "3", "4", "5"]
    assert below.get_ylabel() == r"SNR ($\theta = 0.3$)"


def test_field_matrix_of_the_median_filter_and_of_a_chosen_one(runs):
    served = runs[0].read_array("measure/stages/stage5/served").sum(axis=1)
    figure = FIGURES["field-matrix"].draw(runs)
    (name,) = (text.get_text() for text in figure.texts)
    index = int(name.split("filter ")[1].split(",")[0])
    assert name == f"stage5, filter {index}, seed 3"
    assert served[index] == np.sort(served)[len(served) // 2]
    chosen = FIGURES["field-matrix"].draw(runs, stage="stage4", filter_index=3)
    assert [text.get_text() for text in chosen.texts] == ["stage4, filter 3, seed 3"]
    assert chosen.axes[0].images[0].get_array().shape == (5, 5)
    assert chosen.axes[0].images[0].get_array().max() == 1


def test_cluster_sizes_add_up_over_runs(runs):
    figure = FIGURES["cluster-sizes"].draw([*runs, *runs])
    for axes, stage in zip(figure.axes, stage_names(runs[0]), strict=True):
        measured = runs[0].read_tree(f"measure/stages/{stage}")
        per_filter = len(measured.read_array("cluster_sizes")) / len(measured.read_array("served"))
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(per_filter)


def test_dilution_and_accuracies_of_the_arms(runs):
    before, after, difference = FIGURES["accuracy-by-arm"].draw(runs).axes
    unpruned = runs[0].read_number(f"retrain/arms/{UNPRUNED}/accuracy")
    for number, arm in enumerate(runs[0].config.prune.arms):
        retrained = runs[0].read_number(f"retrain/arms/{arm}/accuracy")
        np.testing.assert_array_equal(
            points(before, number), [[number, runs[0].read_number(f"prune/arms/{arm}/accuracy")]]
        )
        np.testing.assert_array_equal(points(after, number), [[number, retrained]])
        np.testing.assert_allclose(points(difference, number), [[number, 100 * (retrained - unpruned)]])
    dilution = runs[0].read_number("prune/arms/afcc/dilution")
    assert f"{dilution:.3f}" in "".join(
        [difference.get_xlabel(), *(tick.get_text() for tick in difference.get_xticklabels())]
    )


def test_predictions_of_probes_and_heads(runs):
    (axes,) = FIGURES["predicted-against-measured"].draw(runs).axes
    arms = (UNPRUNED, *runs[0].config.prune.arms)
    assert [len(points(axes, kind)) for kind in range(2)] == [5, len(arms)]
    predicted = [runs[0].read_number(f"predict/arms/{arm}/head/accuracy") for arm in arms]
    measured = [runs[0].read_number(f"prune/arms/{arm}/refit_accuracy") for arm in arms]
    np.testing.assert_array_equal(points(axes, 1), np.column_stack([predicted, measured]))
    (legend,) = axes.figure.legends
    assert legend.get_title().get_text() == "errors in points; bars: 95% binomial, 50 inputs"


def test_predicted_losses_are_those_against_the_unpruned_arm(runs):
    (axes,) = FIGURES["predicted-losses"].draw(runs).axes
    unpruned = runs[0].read_number(f"retrain/arms/{UNPRUNED}/accuracy")
    for number, arm in enumerate(runs[0].config.prune.arms):
        predicted = 100 * runs[0].read_number(f"predict/arms/{arm}/loss")
        measured = 100 * (unpruned - runs[0].read_number(f"retrain/arms/{arm}/accuracy"))
        np.testing.assert_allclose(points(axes, number), [[predicted, measured]])
    assert axes.get_ylabel() == "measured loss (points)"


def test_loss_curves_of_layers_and_of_all_together_with_measured_losses(run):
    with pytest.raises(InputError, match="expected the prunable set at a tolerance, found none"):
        FIGURES["loss-curves"].draw([run])
    curve = {
        "dilution": np.array([0.5, 0.75, 0.25]),
        "refit_loss": np.array([0.2, 0.5, 0.05]),
        "loss": np.array([0.02, 0.2, 0.01]),
        "loss_low": np.array([0.01, 0.1, 0.0]),
        "loss_high": np.array([0.04, 0.3, 0.02]),
        "capacity": np.array([1.0, 0.8, 1.0]),
    }
    found = {"dilution": 0.5, "curve": curve}
    mask = {"head.linear.weight": np.zeros((5, 32), bool)}
    tree = {
        "intact": 0.9,
        "tolerance": 0.02,
        "recovery": {"factor": 0.1, "exponent": 1.0, "calibrations": 2},
        "network": {**found, "prunable": mask},
        "head.linear.weight": {**found, "prunable": mask},
        "finished": "now",
    }
    run.store(paths.budget_path(0.02), tree)
    run.store(f"{paths.COMPARE}/{UNPRUNED}", {"accuracy": 0.9})
    run.store(
        f"{paths.COMPARE}/snr-budget/0.4",
        {"accuracy": 0.8, "density": 0.4, "masks": mask},
    )
    panels = FIGURES["loss-curves"].draw([run]).axes
    assert [panel.get_title() for panel in panels[:2]] == ["head.linear", "all together"]
    assert not any(panel.get_visible() for panel in panels[2:])
    lines = {line.get_label(): line.get_xydata() for line in panels[1].lines}
    epochs = run.config.retrain.epochs
    np.testing.assert_allclose(lines["0 (refit)"], [[0.25, 5], [0.5, 20], [0.75, 50]])
    np.testing.assert_allclose(lines[f"{epochs}"], [[0.25, 1], [0.5, 2], [0.75, 20]])
    np.testing.assert_allclose(lines[f"measured, {epochs}"], [[0.6, 10]])
    longest = lines["10"][:, 1]
    assert longest[-1] == pytest.approx(
        100 * surviving_loss(0.5, 0.9, 0.1 * (10 / epochs) ** -0.72, 1.0, 0.8), rel=1e-6
    )
    assert (lines["1"][:, 1] >= longest).all()
    with pytest.raises(InputError, match="expected one run, found 2"):
        FIGURES["loss-curves"].draw([run, run])


def test_accuracies_of_a_comparison(run):
    run.store(f"{paths.COMPARE}/{UNPRUNED}", {"accuracy": 0.9})
    for density, accuracy in ((0.5, 0.8), (0.2, 0.6)):
        run.store(paths.compare_path("afcc", density), {"accuracy": accuracy})
    above, below = FIGURES["accuracy-against-density"].draw([run]).axes
    np.testing.assert_allclose(points(above), [[0.2, 0.6], [0.5, 0.8]])
    np.testing.assert_allclose(points(below), [[0.2, 30], [0.5, 10]])
    assert below.get_xlabel() == "density of the masked layers (share kept)"
    assert "accuracy-against-density" not in drawing.draw_finished([run])


def test_comparisons_of_different_epochs_share_one_figure(run_until, tmp_path):
    trained = run_until("train")
    short, long = (tmp_path / name for name in ("short", "long"))
    for directory, epochs, accuracy in ((short, 1, 0.7), (long, 3, 0.8)):
        branch(trained.directory, directory, [f"retrain.epochs={epochs}"], quiet=True)
        run = Run(directory, quiet=True)
        run.store(f"{paths.COMPARE}/{UNPRUNED}", {"accuracy": 0.9})
        tree = {paths.ACCURACY: accuracy, paths.ACCURACY_MASKED: 0.5}
        run.store(paths.compare_path("afcc", 0.5), tree)
    figure = FIGURES["accuracy-by-epochs"].draw([Run(long, quiet=True), Run(short, quiet=True)])
    assert [panel.get_title() for panel in figure.axes[:3]] == ["not retrained", "1 epoch", "3 epochs"]
    np.testing.assert_allclose([points(panel)[0, 1] for panel in figure.axes[:3]], [0.5, 0.7, 0.8])
    with pytest.raises(InputError, match="seeds of the comparisons"):
        FIGURES["accuracy-by-epochs"].draw(
            [Run(long, quiet=True), Run(long, quiet=True), Run(short, quiet=True)]
        )


def test_errors_of_a_sweep_over_numbers_of_labels(sweep_of, tmp_path):
    sweep = sweep_of({"data.n_labels": [3, 4, 5]}, train={"epochs": 0}, judge={"seeds": 1})
    run_sweep(sweep, tmp_path / "sweep", quiet=True)
    runs = [Run(path.parent, quiet=True) for path in (tmp_path / "sweep").glob("*/config.toml")]
    (figure,) = drawing.draw_sweep(runs).values()
    by_labels = {
        run.config.data.n_labels: run.read_number("measure/stages/stage5/probe_accuracy") for run in runs
    }
    errors, fits, clusters = figure.axes
    np.testing.assert_allclose(points(errors, 1), [[K, 1 - by_labels[K]] for K in (3, 4, 5)])
    assert (errors.get_ylabel(), fits.get_ylabel()) == ("test error", "maximal error over labels")
    assert clusters.get_ylabel() == "number or SNR, last stage"
    assert drawing.draw_sweep(runs[:2]) == {}  # two numbers of labels make no curve
    with pytest.raises(InputError, match=r"figure: expected runs of one configuration, found data\.n_labels"):
        drawing.draw("cluster-sizes", [tmp_path / "sweep"], tmp_path)


@pytest.mark.parametrize(
    ("name", "choice", "words"),
    [
        ("clusters", {}, "figure: expected one of .*accuracy-and-snr, .*, found 'clusters'"),
        ("field-matrix", {"stage": "stage55"}, "stage: expected one of stage1, .* did you mean 'stage5'"),
        ("field-matrix", {"filter_index": 64}, "--filter: expected 0 to 63 in stage5, found 64"),
        (
            "cluster-sizes",
            {"stage": "stage5"},
            "--stage and --filter: expected figure attention-maps or figure field-matrix, found figure cluster-",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(finished_study, tmp_path, name, choice, words):
    with pytest.raises(InputError, match=words):
        drawing.draw(name, [finished_study], tmp_path, **choice)


@pytest.fixture
def cct(tmp_path, tiny_config):
    """A measured run of a tiny transformer."""
    network = {"name": "cct", "width": 0.125, "blocks": 1}
    tables = {"network": network, "prune": {"stages": ["nodes1"]}, "train": {**TINY["train"], "epochs": 1}}
    run = Run.create(tmp_path / "cct", config_from({**TINY, **tables}), quiet=True)
    chain(run, until="measure")
    return run


def test_attention_of_a_transformer(cct, runs):
    panels = FIGURES["attention-maps"].draw([cct]).axes
    assert [axes.get_title() for axes in panels[1:5]] == [f"head {number}" for number in range(4)]
    above = panels[1].images[0].get_array()
    assert above.shape == (8, 8)  # 16 x 16 pixels behind one pooling
    assert above.mean() == pytest.approx(1)
    one = FIGURES["attention-maps"].draw([cct], filter_index=2).axes
    np.testing.assert_array_equal(one[1].images[0].get_array(), panels[3].images[0].get_array())
    with pytest.raises(InputError, match="--filter: expected 0 to 3 in heads1, found 4"):
        FIGURES["attention-maps"].draw([cct], filter_index=4)
    with pytest.raises(InputError, match="stage: expected one of heads1, found 'nodes1'"):
        FIGURES["attention-maps"].draw([cct], stage="nodes1")
    with pytest.raises(InputError, match="expected a network with heads of attention, found vgg6 in"):
        FIGURES["attention-maps"].draw(runs)


def test_networks_of_different_studies_in_one_frame(cct, runs, finished_study, tmp_path):
    figure = drawing.figure_of("networks-with-depth", [finished_study, cct.directory])
    vgg, tokens, heads, nodes = figure.axes[0].containers
    np.testing.assert_allclose(vgg.lines[0].get_xdata(), [0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_allclose(heads.lines[0].get_xydata()[0, 0], 0.4)  # the second stage of five
    expected = cct.read_number("measure/stages/nodes1/probe_accuracy")
    assert nodes.lines[0].get_xydata()[0].tolist() == pytest.approx([0.8, expected])
    assert tokens.lines[0].get_color() == heads.lines[0].get_color() != vgg.lines[0].get_color()
    with pytest.raises(InputError, match="runs of one configuration"):
        drawing.figure_of("cluster-sizes", [finished_study, cct.directory])
