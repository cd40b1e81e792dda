"""The report of the tiny study."""

import base64
import gzip
import json
import re

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports import html
from deeptheory.reports.html import document
from deeptheory.reports.html.field_codes import arrays_of, encode
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.store import paths
from deeptheory.studies import run_sweep
from deeptheory.studies.sweep import Sweep, SweepOptions
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ["<b>", "&amp;", '"', "</script>", "Ω"]


@pytest.fixture(scope="module")
def text(finished_study, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    html.write_report(finished_study, path)
    return path.read_text(encoding="utf-8")


def numbers_of(text):
    return json.loads(re.search(r'id="filters-data">(.*?)</script>', text)[1])


def bytes_of(text, name):
    return gzip.decompress(base64.b64decode(re.search(rf'id="{name}">(.*?)</script>', text)[1]))


def test_the_report_holds_verdicts_tables_and_figures(text, finished_study):
    for verdict in json.loads((finished_study / paths.VERDICTS).read_text())["hypotheses"]:
        assert f'<td role="cell" class="text" data-name="claim">{verdict["label"]}</td>' in text
    assert text.count("<svg ") == 6
    for words in (
        "deeptheory confirm tiny.toml",
        "label-permuted",
        "git revision",
        "threshold = 0.3",
        "numpy",
    ):
        assert words in text


def test_verdicts_on_hypotheses_are_shown(deeptheory, study, tmp_path):
    assert deeptheory("hypothesis", "test", "H1", "H10", "--runs", study, "--out", study).code == 1
    html.write_report(study, tmp_path / "report.html")
    shown = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'data-name="claim">accuracy rises with depth</td>' in shown
    assert "layers masked alone, found none" in shown


def test_nothing_outside_is_named(text):
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text) == []
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_the_same_results_give_the_same_bytes(study, tmp_path, text):
    html.write_report(study, tmp_path / "again.html")  # a copy, elsewhere
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_fields_and_clusters_of_every_filter_are_those_of_the_run(text, run):
    (of_run,) = numbers_of(text)["runs"]
    for stage in of_run["stages"]:
        found = run.read_tree(paths.stage_path("measure", stage["name"]))
        means = found["class_means"]
        n_labels, n_filters = means.shape[:2]
        content = bytes_of(text, f"fields-0-{stage['name']}")
        stored = np.frombuffer(content, "<u2", n_filters * n_labels).reshape(n_filters, n_labels)
        np.testing.assert_array_equal(stored.astype(np.int16), found["clusters"])
        served = np.frombuffer(content, np.uint8, -(-stored.size // 8), offset=stored.nbytes)
        bits = np.unpackbits(served)[: stored.size].reshape(stored.shape)
        np.testing.assert_array_equal(bits, found["strengths"] > 0.5)
        codes = list(encode(means, found["probe_weight"].reshape(means.shape), (0.3, 0.5)))
        assert content == b"".join(
            one.tobytes() for one in (stored, served, *arrays_of(codes))
        )  # test_field_codes.py: what they are
        assert [stage[name] for name in ("measured", "pruned", "exact")] == [0.3, 0.5, [0.3, 0.5]]
        assert stage["noise"] == found["filter_noise"].tolist()
        assert stage["clusterNoise"] == found["filter_cluster_noise"].tolist()
        assert stage["served"] == found["served"].sum(axis=1).tolist()
        for name, share in (("signal", "signal_share"), ("variance", "variance_share")):  # in four digits
            np.testing.assert_allclose(stage[name], found[share], rtol=5e-4)


def test_the_kept_kernels_are_those_of_the_masks(text, run):
    (of_run,) = numbers_of(text)["runs"]
    content = np.frombuffer(bytes_of(text, "masks-0"), np.uint8)
    start = 0
    assert of_run["arms"] == list(run.config.prune.arms)
    for arm in of_run["arms"]:
        masks = run.read_arrays(f"{paths.arm_path('retrain', arm)}/masks")
        for layer, mask in zip(of_run["layers"], masks.values(), strict=True):
            size = layer["outputs"] * layer["inputs"]
            end = start + -(-size // 8)
            kept = np.unpackbits(content[start:end])[:size].reshape(layer["outputs"], layer["inputs"])
            np.testing.assert_array_equal(kept, mask.reshape(*kept.shape, -1).any(axis=2))
            start = end
    assert start == len(content)
    assert [(layer["from"], layer["to"]) for layer in of_run["layers"]] == [
        ("stage3", "stage4"),
        ("stage4", "stage5"),
        ("stage5", "head"),
    ]


def test_names_of_labels_cannot_break_the_report(study, tmp_path):
    Run(study / "seed-3").add("train", {"label_names": NAMES})
    html.write_report(study, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert numbers_of(text)["runs"][0]["labels"] == NAMES
    assert text.count("</script>") == len(re.findall(r"<script[ >]", text))


def test_a_run_that_is_only_measured_has_a_report(run_until, tmp_path):
    run = run_until("measure")
    written = html.write_report(run.directory, tmp_path / "report.html", ["stage4"])
    assert written.stages == ("stage4",)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No verdicts: this is not a finished study." in text
    assert numbers_of(text)["runs"][0]["arms"] == []
    assert text.count("<svg ") == 2


def test_a_sweep_has_its_means_and_all_measured_members(tmp_path):
    shape = {"seed": 3, "network": {"name": "vgg6", "width": 0.125}, "train": {"epochs": 0}}
    config = config_from({**TINY, **shape, "judge": {"seeds": 1}})
    options = SweepOptions(steps="measure", grid={"data.n_labels": [3, 5]})
    run_sweep(Sweep(config, options), tmp_path / "sweep", quiet=True)
    html.write_report(tmp_path / "sweep", tmp_path / "report.html", ["stage5"])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    runs = numbers_of(text)["runs"]
    assert [len(run["labels"]) for run in runs] == [3, 5]
    assert runs[0]["name"].startswith("n_labels=3-seed-3-")
    assert "last stage (stage5), mean over seeds" in text
    assert '"data.n_labels" = [3, 5]' in text.replace("&quot;", '"')
    assert "<svg " not in text  # two numbers of labels make no curve


def test_a_comparison_has_its_tables_and_its_figure(study, tmp_path):
    accuracy = {"lamp": {"0.5": [0.8], "0.2": [None]}, "afcc": {"0.5": [0.7], "0.2": [0.6]}}
    found = {"seeds": [3], "unpruned": [0.9], "accuracy": accuracy}
    for alone in (False, True):
        (study / paths.comparison_file(alone, "json")).write_text(json.dumps(found))
    html.write_report(study, tmp_path / "report.html", ["stage5"])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "afcc minus the others in percentage points" in text
    assert (
        '<th scope="row" class="text">lamp</th><td class="number">10.00</td><td class="number">-</td>' in text
    )
    assert 'href="#accuracy-against-density-' in text
    assert 'href="#accuracy-against-density-alone-' in text


def test_the_command_says_how_large_the_report_is(deeptheory, finished_study, tmp_path):
    path = tmp_path / "report.html"
    result = deeptheory("report", finished_study, "--out", path, "--stages", "stage5,stage4")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{path}: {path.stat().st_size / 1e6:.1f} MB, filters of stage4, stage5\n"


def test_a_run_that_is_not_measured_is_refused(deeptheory, assert_refused, run_until, tmp_path):
    run = run_until("train")
    result = deeptheory("report", run.directory, "--out", tmp_path / "report.html")
    assert_refused(
        result, "the results of 'measure', found none", f"run 'deeptheory measure {run.directory}'"
    )
    assert not (tmp_path / "report.html").exists()


def test_a_directory_without_runs_is_refused(deeptheory, assert_refused, tmp_path):
    result = deeptheory("report", tmp_path, "--out", tmp_path / "report.html")
    assert_refused(result, f"expected a directory with config.toml, found {tmp_path}, which is empty")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("absent/report.html", "expected an existing directory, found no directory"),
        ("", "expected a file, found a directory; name another file with --out"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused(
    deeptheory, assert_refused, finished_study, tmp_path, out, words
):
    assert_refused(deeptheory("report", finished_study, "--out", tmp_path / out), words)


def test_a_read_only_directory_is_refused(finished_study, tmp_path, monkeypatch):
    monkeypatch.setattr(document.os, "access", lambda *_: False)  # root may write where others may not
    with pytest.raises(InputError, match="expected a directory that can be written, found a read-only one"):
        html.write_report(finished_study, tmp_path / "report.html")


def test_an_unknown_stage_is_refused(deeptheory, assert_refused, finished_study, tmp_path):
    result = deeptheory("report", finished_study, "--out", tmp_path / "report.html", "--stages", "stage55")
    assert_refused(result, "--stages: expected one of stage1, ", "found 'stage55'; did you mean 'stage5'?")


def test_a_report_that_is_too_large_is_refused(finished_study, tmp_path, monkeypatch):
    monkeypatch.setattr(document, "LARGEST", 100)
    with pytest.raises(InputError) as error:
        html.write_report(finished_study, tmp_path / "report.html")
    assert str(error.value) == (
        "report: expected at most 0.0001 MB of fields, found more in 1 of 5 stages of all runs; "
        "choose stages with --stages, or one run of it"
    )


def test_damaged_verdicts_are_refused(study, tmp_path):
    (study / paths.VERDICTS).write_text("{")
    with pytest.raises(InputError, match="expected a readable JSON file, found Expecting property name"):
        html.write_report(study, tmp_path / "report.html")
