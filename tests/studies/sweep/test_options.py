import pytest

from deeptheory.errors import InputError
from deeptheory.studies.sweep import read_sweep
from deeptheory.studies.sweep.options import nested, sweep_to_toml

TEXT = """
seed = 2
[data]
size = 16
[judge]
seeds = 2
[sweep]
steps = "measure"
[sweep.grid]
"data.n_labels" = [3, 10]
"prune.stages" = [["stage4"], ["stage4", "stage5"]]
[[sweep.variants]]
name = "short"
"train.epochs" = 1
[[sweep.variants]]
name = "tilted"
"data.measure_from" = 'a "quoted" \\ path'
"train.flip" = false
"""


def read(tmp_path, text, *overrides):
    path = tmp_path / "sweep-file.toml"
    path.write_text(text, encoding="utf-8")
    return read_sweep(path, overrides)


def grid(text):
    return f"[sweep.grid]\n{text}"


def variant(text):
    return f"[sweep.grid]\n'train.batch' = [10, 20]\n[[sweep.variants]]\n{text}"


def test_the_common_configuration_and_what_differs_are_read(tmp_path):
    sweep = read(tmp_path, TEXT)
    assert (sweep.config.seed, sweep.config.data.size, sweep.options.steps) == (2, 16, "measure")
    assert sweep.options.grid["data.n_labels"] == [3, 10]
    assert sweep.varied == (
        "data.n_labels",
        "prune.stages",
        "train.epochs",
        "data.measure_from",
        "train.flip",
    )


@pytest.mark.parametrize(
    "text", [TEXT, "[sweep]", "[sweep]\nsteps = 'train'\n[[sweep.variants]]\nname = 'a'"]
)
def test_a_sweep_written_as_toml_reads_back_equal(tmp_path, text):
    sweep = read(tmp_path, text)
    assert read(tmp_path, sweep_to_toml(sweep)) == sweep


def test_options_may_be_dotted_or_tables_in_tables(tmp_path):
    dotted = read(tmp_path, grid("'data.n_labels' = [3, 10]\n'data.size' = [16, 32]"))
    assert read(tmp_path, "[sweep.grid.data]\nn_labels = [3, 10]\nsize = [16, 32]") == dotted


def test_overrides_reach_the_configuration_and_the_sweep(tmp_path):
    overrides = "train.epochs=3", "sweep.steps=train", "sweep.grid.data.n_labels=[5]"
    sweep = read(tmp_path, TEXT, *overrides, "sweep.grid.train.batch=[10]")
    assert (sweep.config.train.epochs, sweep.options.steps) == (3, "train")
    assert sweep.options.grid["data.n_labels"] == [5]
    assert sweep.options.grid["train.batch"] == [10]


def test_options_that_the_data_do_not_read_are_refused(tmp_path):
    text = grid("'data.n_labels' = [3, 10]")
    for_files = "data.source=files", "data.path=own.npz"
    with pytest.raises(InputError, match=r"^data.n_labels: .* data.source = files reads"):
        read(tmp_path, text, *for_files)
    sources = read(tmp_path, text, "sweep.grid.data.source=glyphs,sentences")
    assert sources.options.grid["data.source"] == ["glyphs", "sentences"]


def test_nested_is_what_a_configuration_looks_like():
    assert nested({"seed": 1, "a.b": 2, "a.c": {"d": 3}}) == {"seed": 1, "a": {"b": 2, "c": {"d": 3}}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1", r"^configuration: expected a table \[sweep\], found none in .*sweep-file.toml; add"),
        ("sweep = 3", "^sweep: expected a table of options, found 3$"),
        ("[sweep]\nstep = 'train'", r"^option 'sweep.step': .* found 'step'; did you mean 'steps'\?$"),
        ("[sweep]\nsteps = 'mesure'", r"^sweep.steps: .* found 'mesure'; did you mean 'measure'\?$"),
        ("[sweep]\ngrid = 3", "^sweep.grid: expected a table of options, found 3$"),
        ("[sweep]\nvariants = 3", "^sweep.variants: expected a list, found 3$"),
        ("[sweep]\nvariants = [3]", r"^sweep.variants\[0\]: expected a table of options, found 3$"),
        (grid("'data.n_label' = [3]"),
         r"^sweep.grid: option 'data.n_label': .* found 'n_label'; did you mean 'n_labels'\?$"),
        (grid("'dta.n_labels' = [3]"), r"^sweep.grid: option 'dta': .* found 'dta'; did you mean 'data'\?$"),
        (grid("'data.n_labels' = 3"), "^sweep.grid 'data.n_labels': expected a list of values, found 3$"),
        (grid("'data.n_labels' = []"), r"^sweep.grid 'data.n_labels': expected a list of values, found \[\]$"),
        (grid("'train.l2' = [1, 2, 1.0]"), "^sweep.grid 'train.l2': expected every value once, found 1.0 twice$"),
        (grid("'data.size' = [16]\n[sweep.grid.data]\nsize = [32]"),
         "^option 'data.size': expected one place for every option, found it is given twice$"),
        (grid("'data' = [16]\n'data.size' = [32]"), "^option 'data.size': expected one place for every option"),
        (grid("'seed' = [1, 2]"), "^sweep.grid: expected options other than the seeds, found 'seed'; set seed"),
        (grid("'judge.seeds' = [1, 2]"), "found 'judge.seeds'; set seed"),
        (variant("'train.epochs' = 1"), r"^sweep.variants: expected a name of up to 40 .*, found none$"),
        (variant("name = 'a/b'"), "found 'a/b'$"),
        (variant("name = '-a'"), "found '-a'$"),
        (variant("name = 'a'\n[[sweep.variants]]\nname = 'a'"),
         "^sweep.variants: expected names that differ, found 'a' twice$"),
        (variant("name = 'a'\n'train.epoch' = 1"), r"^variant 'a': option 'train.epoch': .* mean 'epochs'"),
        (variant("name = 'a'\n'train.batch' = 5"),
         r"^variant 'a': expected options that \[sweep.grid\] does not set, found 'train.batch'; leave"),
    ],
)  # fmt: skip
def test_a_bad_sweep_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_more_members_than_can_be_counted_are_refused_before_they_are(tmp_path):
    values = f"[{', '.join(map(str, range(1, 101)))}]"
    text = f"[sweep.grid]\n'train.epochs' = {values}\n'train.batch' = {values}\n'data.n_labels' = {values}\n"
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(InputError, match="sweep: expected at most 100000 members, found 5000000; sweep over"):
        read_sweep(tmp_path / "sweep.toml")
