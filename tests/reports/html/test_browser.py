"""The report in a browser: it shows what Python computes, and requests nothing."""

import shutil

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.reports import html
from deeptheory.reports.html.field_codes import encode
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
    assert tab.evaluate("chosen.stage.measured") == 0.3
    expected = measure.find_clusters(measure.clip(field_of(study, FILTER), 0.3))
    assert tab.evaluate(f"findClusters(fieldOf(loaded, {FILTER}), 0.3)") == expected
    assert tab.evaluate(f"storedClusters(loaded, {FILTER})") == expected


@pytest.mark.parametrize("stage", ["stage1", "stage4", "stage5"])
def test_fields_are_those_of_the_codes_to_the_bit(tab, study, stage):
    show(tab, stage, 0)
    of_stage = Run(study / "seed-3", quiet=True).read_tree(paths.stage_path("measure", stage))
    means = of_stage["class_means"]
    codes = list(encode(means, of_stage["probe_weight"].reshape(means.shape), (0.3, 0.5)))
    for index in (0, 3, len(codes) - 1):
        found = tab.evaluate(f"Array.from(fieldOf(loaded, {index}))")
        np.testing.assert_array_equal(found, codes[index].field((0.3, 0.5)).ravel())
        served = of_stage["strengths"][index] > 0.5
        assert tab.evaluate(f"servedWhenPruned(loaded, {index})") == served.nonzero()[0].tolist()


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
        assert chromium.evaluate("[chosen.stage.name, LABELS.length, fieldOf(loaded, 0).length]") == [
            "stage4",
            n_labels,
            n_labels**2,
        ]
        assert f"of {n_labels}" in " ".join(texts(chromium, "#facts"))
    assert_side_by_side(chromium, sorted((tmp_path / "sweep").glob("n_labels=*")))


def assert_side_by_side(chromium, directories):
    """Two runs of other numbers of labels: means of a stage, their difference, and a filter of either."""
    of_runs = [Run(directory, quiet=True) for directory in directories]
    choose(chromium, "pair-stage", STAGE)
    noise = [run.read_number(paths.stage_path("measure", STAGE, "noise")) for run in of_runs]
    choose(chromium, "right-run", of_runs[1].directory.name)
    row = (
        "[...document.querySelectorAll('#pair-means tr')].find((one) => one.textContent.startsWith('noise'))"
    )
    cells = chromium.evaluate(f"[...{row}.cells].map((one) => one.textContent)")
    assert cells[:3] == ["noise", *(f"{value:.2f}" for value in noise)]
    assert float(cells[3].replace("−", "-")) == pytest.approx(noise[1] - noise[0], abs=0.01)
    for side, run in zip(("left", "right"), of_runs, strict=True):
        choose(chromium, f"{side}-filter", FILTER)
        text = f"document.getElementById('{side}-text').textContent"
        chromium.wait_for(f"{text}.includes('filter {FILTER}:')")
        served = int(run.read_array(paths.stage_path("measure", STAGE, "served"))[FILTER].sum())
        expected = f"{run.directory.name}, {STAGE}, filter {FILTER}: {served} labels served"
        assert chromium.evaluate(text).startswith(expected)


def test_the_definition_of_a_word_is_shown_on_hover_and_on_focus(tab):
    tab.evaluate("document.querySelector('#opening a.term').focus()")
    word = tab.evaluate("document.activeElement.textContent")
    shown = "document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent"
    assert word == "filter"
    assert tab.evaluate(shown).startswith("One output channel of a stage")
    assert tab.evaluate("document.activeElement.getAttribute('aria-describedby')") == "tip"
    tab.press("Escape")
    assert tab.evaluate(shown) == ""
    place = "document.querySelector('#filters a.term[href=\"#term-cluster\"]')"
    tab.evaluate(f"{place}.scrollIntoView({{block: 'center'}})")
    box = tab.evaluate(f"(() => {{ const box = {place}.getBoundingClientRect(); return [box.x, box.y]; }})()")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + 3, y=box[1] + 5)
    tab.wait_for("!document.getElementById('tip').hidden")
    assert tab.evaluate(shown).startswith("A group of served labels")


def test_every_link_in_the_page_leads_somewhere(tab):
    hashes = tab.evaluate("[...document.querySelectorAll('a')].map((one) => one.getAttribute('href'))")
    assert [one for one in set(hashes) if not tab.evaluate(f"!!document.querySelector({one!r})")] == []


def test_two_arms_of_a_filter(tab, study):
    run = Run(study / "seed-3", quiet=True)
    show(tab, STAGE, FILTER)
    kept = [
        run.read_arrays(f"{paths.arm_path('retrain', arm)}/masks")["stage5.conv.weight"][FILTER]
        .reshape(32, -1)
        .any(axis=1)
        for arm in ("afcc", "magnitude")
    ]
    choose(tab, "left-arm", "afcc")
    choose(tab, "right-arm", "magnitude")
    expected = [kept[0] & kept[1], kept[0] & ~kept[1], kept[1] & ~kept[0]]
    texts_of = [", ".join(map(str, one.nonzero()[0])) for one in expected]
    counted = [
        f"{one.sum()}{': ' if one.any() else ''}{text}" for one, text in zip(expected, texts_of, strict=True)
    ]
    assert texts(tab, "#arm-rows tr:first-child td") == counted


def test_negative_fields_have_a_colour_of_their_own(tab):
    show(tab, STAGE, FILTER)
    low, zero, high = tab.evaluate("[0, 128, 256].map((step) => fieldColours()[step])")
    assert len({low, zero, high}) == 3
    assert tab.evaluate("Math.min(...view.field)") < -0.05
    tab.evaluate("document.getElementById('clipped').checked = false; showMatrix()")
    colours = "new Set(new Uint32Array(elementImage(view).data.buffer))"
    assert tab.evaluate(f"[...{colours}].some((one) => fieldColours().slice(0, 120).includes(one))")


@pytest.mark.parametrize("width", [500, 1400])
def test_verdicts_are_read_without_scrolling_sideways(tab, width):
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    of_page = (
        "[...document.querySelectorAll('#opening *, .stacked')].filter((one) => one.scrollWidth > innerWidth)"
    )
    assert tab.evaluate(f"{of_page}.length") == 0
    right = tab.evaluate(
        "[...document.querySelectorAll('.verdict')].map((one) => one.getBoundingClientRect().right)"
    )
    assert len(right) > 5
    assert max(right) <= width
    boxes = "[...document.querySelectorAll('.stacked')].map((one) => one.parentElement)"
    assert tab.evaluate(f"{boxes}.every((one) => one.scrollWidth <= one.clientWidth)")
    tab.call("Emulation.clearDeviceMetricsOverride")


def test_everything_that_takes_the_focus_has_a_name(tab):
    takers = "a, button, select, input, summary, [tabindex='0'], [role='img']"
    named = "one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length"
    nameless = (
        f"""[...document.querySelectorAll("{takers}")].filter((one) => !({named})).map((one) => one.id)"""
    )
    assert tab.evaluate(nameless) == []
    unscoped = "[...document.querySelectorAll('th')].filter((one) => !one.scope).length"
    assert tab.evaluate(unscoped) == 0
    assert tab.evaluate("[...document.querySelectorAll('table')].filter((one) => !one.caption).length") <= 1


def test_the_focus_goes_down_the_page_and_never_back(tab):
    tab.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    last = -1
    for _ in range(40):
        tab.press("Tab")
        order = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
        place = tab.evaluate(order)
        assert place > last
        last = place
