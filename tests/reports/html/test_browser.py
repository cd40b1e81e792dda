"""The report in a browser: it shows what Python computes, and requests nothing."""

import shutil

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.reports import html
from deeptheory.reports.html.field_levels import edges, marks
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.store import paths
from deeptheory.studies import run_sweep
from deeptheory.studies.sweep import Sweep, SweepOptions
from tests.conftest import TINY
from tests.reports.html.chromium import FOUND, Chromium

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(FOUND is None, reason="Chromium is not installed (apt-get install chromium)"),
]
NAMES = ["<b>", "&amp;", '"', "</script>", "Ω"]
STAGE, FILTER = "stage5", 7


@pytest.fixture(scope="module")
def study(finished_study, tmp_path_factory):
    """The tiny study with labels whose names look like HTML."""
    directory = shutil.copytree(finished_study, tmp_path_factory.mktemp("browser") / "study")
    Run(directory / "seed-3").add("train", {"label_names": NAMES})
    return directory


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium, study):
    path = study / "report.html"
    if not path.exists():
        html.write_report(study, path)
    chromium.events.clear()
    chromium.open(path)
    chromium.wait_for("document.querySelectorAll('#list tbody tr').length > 0")
    yield chromium
    assert chromium.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    asked = {event["request"]["url"].split(":")[0] for event in chromium.named("Network.requestWillBeSent")}
    assert asked <= {"file", "data"}


def choose(tab, name, value):
    tab.evaluate(
        f"(() => {{ const one = document.getElementById('{name}'); one.value = '{value}';"
        f" one.dispatchEvent(new Event(one.type === 'range' ? 'input' : 'change')); }})()"
    )


def show(tab, stage, index):
    choose(tab, "stage", stage)
    tab.wait_for(f"chosen.stage.name === '{stage}'")
    tab.evaluate(f"document.querySelector('#list tr[data-filter=\"{index}\"]').click()")


def texts(tab, selector):
    return tab.evaluate(f"[...document.querySelectorAll('{selector}')].map((one) => one.textContent)")


def field_of(study, index):
    of_stage = Run(study / "seed-3", quiet=True).read_tree(paths.stage_path("measure", STAGE))
    means = of_stage["class_means"]
    weight = of_stage["probe_weight"].reshape(means.shape)
    return measure.fields_from_class_means(means, weight)[index]


def named(clusters):
    return [", ".join(NAMES[label] for label in cluster) for cluster in clusters]


def test_clusters_noise_and_names_are_those_of_python(tab, study):
    for index in (FILTER, 0, 30):
        show(tab, STAGE, index)
        for name, threshold in (("measured", 0.3), ("pruned", 0.5)):
            tab.evaluate(f"document.getElementById('{name}').click()")
            clipped = measure.clip(field_of(study, index), threshold)
            clusters = measure.find_clusters(clipped)
            assert texts(tab, "#threshold-value") == [f"{threshold}"]
            assert texts(tab, "#clusters li") == (named(clusters) or ["none: no label is served"])
            noise = measure.noise(clipped, clusters), measure.cluster_noise(clipped, clusters)
            assert texts(tab, "#facts dd")[1] == "{}, of which {} in columns of a cluster".format(*noise)


def test_stored_clusters_are_those_of_the_fields(tab, study):
    show(tab, STAGE, FILTER)
    level, edge = tab.evaluate("[chosen.stage.measured, edge(chosen.stage, chosen.stage.measured)]")
    assert edge == 0.3
    expected = measure.find_clusters(measure.clip(field_of(study, FILTER), 0.3))
    assert tab.evaluate(f"findClusters(fieldOf(loaded, {FILTER}), {level})") == expected
    assert tab.evaluate(f"storedClusters(loaded, {FILTER})") == expected


def test_edges_are_those_of_the_levels(tab, study):
    run = Run(study / "seed-3", quiet=True)
    expected = edges(marks((run.config.measure.threshold, run.config.prune.threshold)))
    found = tab.evaluate("Array.from({ length: 256 }, (_, level) => edge(chosen.stage, level))")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_clusters_and_noise_of_any_matrix_are_those_of_python(tab):
    # ones on the diagonal as a rule, as in trained filters; not symmetric
    matrices = np.random.default_rng(5).random((200, 5, 5)) < 0.6
    matrices |= np.eye(5, dtype=np.bool_) & (np.random.default_rng(6).random((200, 1, 1)) < 0.7)
    fields = matrices.astype(int).reshape(200, -1).tolist()
    found = tab.evaluate(
        f"{fields}.map((field) => {{ const clusters = findClusters(field, 0);"
        " const found = countNoise(field, 0, clusters); return [clusters, found.noise, found.inColumns]; })"
    )
    for matrix, of_page in zip(matrices, found, strict=True):
        clusters = measure.find_clusters(matrix)
        assert of_page == [clusters, measure.noise(matrix, clusters), measure.cluster_noise(matrix, clusters)]


def test_keys_move_through_the_filters_as_they_are_sorted(tab):
    show(tab, STAGE, FILTER)
    tab.evaluate("document.querySelector('#list tr[aria-current] button').focus()")
    tab.press("ArrowDown")
    assert texts(tab, "#name") == ["stage5, filter 8, seed 3"]
    tab.press("ArrowUp")
    tab.press("ArrowUp")
    assert texts(tab, "#name") == ["stage5, filter 6, seed 3"]
    tab.evaluate("document.querySelectorAll('#list thead button')[2].click()")
    tab.evaluate("document.getElementById('matrix').focus()")
    tab.press("Home")
    best = tab.evaluate("chosen.stage.snr.indexOf(Math.max(...chosen.stage.snr))")
    assert texts(tab, "#name") == [f"stage5, filter {best}, seed 3"]
    assert tab.evaluate("document.querySelectorAll('#list th')[2].getAttribute('aria-sort')") == "descending"


def pixels(tab):
    return tab.evaluate("document.getElementById('matrix').toDataURL()")


def test_clipping_sorting_and_colours_change_the_picture(tab):
    show(tab, STAGE, FILTER)
    tab.prefer("light")
    seen = [pixels(tab)]
    for switch in ("clipped", "sorted"):
        tab.evaluate(f"document.getElementById('{switch}').click()")
        seen.append(pixels(tab))
    assert "one outside: noise" in " ".join(texts(tab, "#legend"))
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.prefer("dark")
    tab.wait_for(f"document.getElementById('matrix').toDataURL() !== {seen[-1]!r}")
    assert tab.evaluate(background) != light
    seen.append(pixels(tab))
    assert len(set(seen)) == len(seen)
    tab.prefer("light")


def test_what_pruning_keeps_is_that_of_the_masks(tab, study):
    run = Run(study / "seed-3", quiet=True)
    show(tab, STAGE, FILTER)
    masks = run.read_arrays(f"{paths.arm_path('retrain', 'magnitude')}/masks")
    inputs = masks["stage5.conv.weight"][FILTER].nonzero()[0]
    outputs = masks["head.linear.weight"].reshape(5, 64, -1).any(axis=2)[:, FILTER].nonzero()[0]
    choose(tab, "arm", "magnitude")
    listed = "[...document.querySelectorAll('.neighbours button')].map((one) => one.textContent)"
    expected = sorted(f"filter {index}" for index in inputs)
    tab.wait_for(f"{listed}.sort().join() === {','.join(expected)!r}")
    shown = [int(text.removeprefix("filter ")) for text in texts(tab, ".neighbours button")]
    assert texts(tab, "#kept p") == [", ".join(NAMES[label] for label in outputs) or "none"]
    row = texts(tab, '#arms tr:has(button[aria-pressed="true"]) > *')
    assert row == ["magnitude", f"{len(inputs)} of 32", f"{len(outputs)} of 5"]
    tab.evaluate("document.querySelector('.neighbours button').click()")
    tab.wait_for(f"chosen.stage.name === 'stage4' && chosen.filter === {shown[0]}")


def test_neighbours_whose_stage_is_left_out_are_named(chromium, study, tmp_path):
    html.write_report(study, tmp_path / "report.html", ["stage5"])
    chromium.events.clear()
    chromium.open(tmp_path / "report.html")
    chromium.wait_for("document.querySelectorAll('#kept p').length === 2")
    assert texts(chromium, "#stage option") == ["stage5"]
    assert texts(chromium, "#kept p")[0].endswith(" (the fields of stage4 are not in this report)")


def test_nothing_is_wider_than_a_telephone(tab):
    tab.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=2, mobile=True)
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    tab.call("Emulation.clearDeviceMetricsOverride")


def test_members_of_a_sweep_have_their_own_labels(chromium, tmp_path):
    config = config_from({**TINY, "train": {"epochs": 0}, "judge": {"seeds": 1}})
    sweep = Sweep(config, SweepOptions(steps="measure", grid={"data.n_labels": [3, 5]}))
    run_sweep(sweep, tmp_path / "sweep", quiet=True)
    html.write_report(tmp_path / "sweep", tmp_path / "report.html", ["stage4", "stage5"])
    chromium.open(tmp_path / "report.html")
    chromium.wait_for("document.querySelectorAll('#list tbody tr').length > 0")
    names = chromium.evaluate("DATA.runs.map((run) => run.name)")
    choose(chromium, "stage", "stage4")
    chromium.wait_for("chosen.stage.name === 'stage4'")
    for name, n_labels in zip(names, (3, 5), strict=True):
        choose(chromium, "run", name)
        chromium.wait_for(f"chosen.run.name === '{name}'")
        assert chromium.evaluate("[chosen.stage.name, LABELS.length, loaded.levels.length]") == [
            "stage4",
            n_labels,
            n_labels**2 * chromium.evaluate("chosen.stage.served.length"),
        ]
        assert f"of {n_labels}" in " ".join(texts(chromium, "#facts"))
