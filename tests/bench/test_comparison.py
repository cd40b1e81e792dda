"""What a comparison makes of the times of its sides."""

import importlib
import importlib.util

import msgspec
import numpy as np
import pytest

from deeptheory import nn
from deeptheory.bench import CASES, Setting, compare, engine_steps
from deeptheory.bench.alternation import Times
from deeptheory.bench.cases import grey_images
from deeptheory.bench.comparison import numbers_of, ratio_interval
from deeptheory.bench.summaries import comparison_summary, write_result
from deeptheory.errors import InputError

KEYS = {
    "ours_s",
    "torch_s",
    "ratio",
    "gflops",
    "peak_bytes",
    "spread",
    "versions",
    "machine",
    "command",
    "quiet",
}
TINY = Setting(network="vgg6", width=1 / 16, size=16, batch=4)
FLOATS = {name: CASES["train-step"].rivals[name] for name in ("torch", "torch channels last")}


def times(seconds, peak=100, rounds=5):
    return Times([(seconds, 2 * seconds, seconds)] * rounds, peak, 60)


def test_the_best_rival_counts():
    found = numbers_of(
        CASES["train-step"],
        {"ours": times(0.5), "torch": times(2.0), "torch channels last": times(1.0, peak=300)},
        Setting(batch=10),
        10**9,
        FLOATS,
    )
    assert (found["ours_s"], found["torch_s"], found["ratio"]) == (0.5, 1.0, 2.0)
    assert found["best_rival"] == "torch channels last"
    assert found["ratio_interval"] == (2.0, 2.0)
    assert found["gflops"] == pytest.approx(2 * 3 * 10 / 0.5)
    assert (found["peak_bytes"], found["torch_peak_bytes"]) == (100, 300)
    assert found["spread"]["torch"] == pytest.approx([2.0, 4.0])
    assert found["sides"]["ours"]["peak_above_imports_bytes"] == 40
    assert found["sides"]["ours"]["steps"] == 15


def test_bfloat16_is_a_rival_of_its_own():
    chosen = CASES["train-step"].rivals
    sides = {"ours": times(0.5), **{name: times(2.0 - 0.1 * i) for i, name in enumerate(chosen)}}
    found = numbers_of(CASES["train-step"], sides, Setting(), 10**6, chosen)
    assert (found["best_rival"], found["ratio"]) == ("torch channels last", pytest.approx(3.8))
    assert found["best_bfloat16_rival"] == "torch channels last bfloat16"
    assert found["bfloat16_ratio"] == pytest.approx(3.4)
    assert found["bfloat16_ratio_interval"] == pytest.approx((3.4, 3.4))


def test_ours_alone_has_no_ratio():
    found = numbers_of(CASES["inference"], {"ours": times(0.5, peak=None)}, Setting(), 10**6, {})
    assert found["torch_s"] is found["ratio"] is found["ratio_interval"] is found["torch_peak_bytes"] is None
    assert found["peak_bytes"] is found["sides"]["ours"]["peak_above_imports_bytes"] is None
    assert found["gflops"] == pytest.approx(1e-9 * 2 * 10**6 * 100 / 0.5)


def test_memory_is_compared_by_the_smallest_peak():
    sides = {"ours": times(1.0, 100), "torch": times(1.0, 400), "torch channels last": times(0.5, 500)}
    found = numbers_of(CASES["memory"], sides, Setting(), 10**6, FLOATS)
    assert (found["best_rival"], found["ratio"], found["ratio_interval"]) == ("torch", 4.0, None)


def test_measuring_is_compared_with_an_inference_pass_too():
    sides = {"ours": times(1.2), "inference pass": times(1.0), "torch": times(12.0)}
    rivals = {"torch": CASES["measure"].rivals["torch"]}
    found = numbers_of(CASES["measure"], sides, Setting(images=500), 10**6, rivals)
    assert found["in_units_of_inference_pass"] == pytest.approx(1.2)
    assert found["ratio"] == pytest.approx(10)
    assert found["gflops"] == pytest.approx(1e-9 * 2 * 10**6 * 500 / 1.2)


def test_the_interval_of_the_ratio_covers_it_and_shrinks_with_the_rounds():
    rng = np.random.default_rng(0)

    def width(rounds):
        sides = [Times([(s,) for s in scale * rng.normal(1, 0.1, rounds)], 1, 1) for scale in (3.0, 1.0)]
        low, high = ratio_interval(*sides)
        assert low < 3 < high
        return high - low

    assert width(400) < width(25) / 2


def test_a_slow_spell_that_hits_both_sides_does_not_widen_the_interval():
    spell = np.linspace(1, 3, 11)
    sides = [Times([(scale * s,) for s in spell], 1, 1) for scale in (2.0, 1.0)]
    assert ratio_interval(*sides) == (2.0, 2.0)


def test_without_torch_a_comparison_with_it_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = r"--against torch: expected PyTorch, found none installed; .*pip install 'deeptheory\[torch\]'"
    with pytest.raises(InputError, match=expected):
        compare("train-step", TINY, against="torch")


def test_a_torch_that_does_not_load_is_refused(monkeypatch):
    def broken(name):
        raise OSError("libtorch.so: no such file")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", broken)
    expected = "found one that cannot be imported .libtorch.so: no such file.; install it"
    with pytest.raises(InputError, match=expected):
        compare("train-step", TINY, against="torch")


def test_an_unknown_case_is_refused():
    with pytest.raises(InputError, match=r"case: expected one of .*; did you mean 'inference'"):
        compare("inferense", TINY)


def test_too_few_images_are_refused():
    with pytest.raises(InputError, match="images: expected at least 100, one per label, found 99"):
        grey_images(Setting(images=99))


def test_ours_alone_in_its_own_process():
    found = compare("train-step", TINY, rounds=1, command="deeptheory bench", silent=True)
    assert found.keys() >= KEYS
    assert found["what"] == "training step, vgg6 width 0.0625, 16x16x3, batch 4, float32, 1 thread"
    assert list(found["sides"]) == ["ours"]
    assert found["ours_s"] > 0
    assert found["ratio"] is None
    assert found["versions"]["numba"]
    assert found["command"] == "deeptheory bench"


def test_a_compact_network_beside_the_dense_one(monkeypatch, tmp_path):
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    setting = Setting(network="vgg6", width=0.5, size=16, batch=4, density=0.25, granularity="filter")
    found = compare("compact", setting, rounds=1, silent=True)
    assert list(found["sides"]) == ["ours", "dense network"]
    # half of the filters of a stage is a quarter of its weights; the first stage stays whole
    assert 0.25 < found["multiply_adds_share"] < 0.5
    assert found["in_units_of_dense_network"] > 0
    text = comparison_summary(found).text
    assert "filters at density 0.25" in text.splitlines()[0]
    assert f"share of the multiply-adds: {found['multiply_adds_share']:.3f}" in text
    assert write_result(found, tmp_path).name.endswith("threads1-filter0.25.json")


def test_a_compact_network_of_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    path = tmp_path / "compact-afcc.h5"
    setting = Setting(network="vgg6", width=0.5, size=16, batch=4, density=0.1)
    nn.save_model(path, engine_steps.compacted(setting))
    of_run = Setting(network="vgg6", width=0.5, size=16, batch=4, model=str(path))
    found = compare("compact", of_run, rounds=1, silent=True)
    assert found["multiply_adds_share"] < 0.4
    assert str(path) in comparison_summary(found).text
    assert write_result(found, tmp_path).name.endswith("threads1-compact-afcc.json")
    other = msgspec.structs.replace(of_run, size=32)
    with pytest.raises(
        InputError,
        match="expected images of 32 x 32 x 3, found images of 16 x 16 x 3; give the --size and --ch",
    ):
        compare("compact", other, rounds=1, silent=True)


def test_a_compact_network_says_the_size_and_channels_of_its_images(monkeypatch, tmp_path, deeptheory):
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    path = tmp_path / "compact-afcc.h5"
    setting = Setting(network="vgg6", width=0.5, size=16, channels=1, batch=4, density=0.1)
    nn.save_model(path, engine_steps.compacted(setting))
    of_run = "--model", path, "--network", "vgg6", "--width", 0.5
    found = deeptheory("bench", "compact", *of_run, "--batch", 4, "--rounds", 1, "--quiet")
    assert found.code == 0
    assert "16x16x1" in found.out
    refused = deeptheory("bench", "compact", *of_run, "--channels", 3, "--quiet")
    assert refused.code == 2
    assert "expected images of 16 x 16 x 3, found images of 16 x 16 x 1" in refused.err
    refused = deeptheory("bench", "compact", *of_run, "--density", 0.5, "--quiet")
    assert refused.code == 2
    assert f"--density: expected no --model beside it, found {path}; its masks are in the file" in refused.err


def test_a_compact_network_is_compared_with_the_network_of_its_run_alone(tmp_path, deeptheory):
    path = tmp_path / "compact-afcc.h5"
    setting = Setting(network="vgg6", width=0.5, size=16, channels=1, batch=4, density=0.1)
    nn.save_model(path, engine_steps.compacted(setting))
    (tmp_path / "config.toml").write_text('[network]\nname = "vgg6"\nwidth = 0.5\n')
    refused = deeptheory("bench", "compact", "--model", path, "--network", "vgg6", "--quiet")
    assert refused.code == 2
    assert "expected --network vgg6 --width 0.5, as its run, found --network vgg6 --width 1" in refused.err


def test_the_memory_of_ours_is_that_of_a_process_that_does_not_compile(monkeypatch):
    started = []
    alternate = compare.__globals__["alternate"]

    def counted(tasks, *rest):
        started.append(list(tasks))
        return alternate(tasks, *rest)

    monkeypatch.setitem(compare.__globals__, "alternate", counted)
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    found = compare("memory", TINY, rounds=1, silent=True)
    assert started == [["ours"], ["ours"]]
    assert 2**26 < found["peak_bytes"] < 2**31


def test_every_side_of_every_case_exists():
    pytest.importorskip("torch")
    for case in CASES.values():
        for side in (case.ours, *case.beside.values(), *case.rivals.values()):
            assert callable(getattr(importlib.import_module(side.module), side.step))


def test_the_winners_of_the_race_take_turns_with_ours(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    found = compare("inference", TINY, against="torch-eager", rounds=1, silent=True)
    assert list(found["race"]) == list(CASES["inference"].rivals)
    assert list(found["sides"]) == ["ours", found["best_rival"], found["best_bfloat16_rival"]]
    text = comparison_summary(found).text
    assert f"{found['best_bfloat16_rival']} / ours: {found['bfloat16_ratio']:.2f}" in text
    assert text.splitlines()[-1 - (found["quiet"] is not True)] == "torch.compile not tried: not asked for"


def test_measuring_against_torch(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("deeptheory.bench.alternation.BLOCK_SECONDS", 0.0)
    setting = Setting(network="vgg6", width=1 / 16, size=16, batch=25, images=100)
    found = compare("measure", setting, against="torch", rounds=1, silent=True)
    assert list(found["sides"]) == ["ours", "inference pass", "torch", "torch channels last"]
    assert found["ratio"] > 0
    assert found["versions"]["torch"]
    lines = comparison_summary(found).text.splitlines()
    assert lines[0] == found["what"]
    assert lines[0].endswith("100 images (PyTorch: 100, scaled)")
    assert any(line.startswith(f"{found['best_rival']} / ours: ") for line in lines)
    assert any(line.startswith("ours in units of inference pass: ") for line in lines)
