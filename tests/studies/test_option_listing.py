"""`deeptheory config`: every option with what one has to know of it, and what a file changes."""

import tomllib

import pytest

from deeptheory.errors import InputError
from deeptheory.nn import SCHEDULES
from deeptheory.nn.architectures import NAMES
from deeptheory.runs.configuration import Config, complete, config_from, read_config, to_toml
from deeptheory.runs.option_tables import fields_of, flatten
from deeptheory.studies.option_listing import READERS, list_changes, list_options, range_of
from deeptheory.studies.sweep import read_sweep

OPTIONS = [name for name, _ in flatten(complete(Config()))]


def names_in(text):
    """Options of a listing, those that follow from others among them."""
    plain = "\n".join(line.removeprefix("#") if line[:2] != "# " else "" for line in text.splitlines())
    return [name for name, _ in flatten(tomllib.loads(plain))]


def test_every_option_is_listed_with_its_default_meaning_and_range():
    text = list_options()
    assert sorted(names_in(text)) == sorted(OPTIONS)
    lines = text.splitlines()
    place = lines.index("epochs = 12  # whole number >= 0, in epochs")
    assert lines[place - 1] == "# passes over the training inputs; 0 leaves the initial weights"
    place = lines.index('name = "vgg11-10conv"  # see above')
    assert any(line.startswith('# one of "cct", "convnext-tiny", ') for line in lines[place - 8 : place])
    assert "measure_share = 0.1  # number > 0, < 1" in text
    assert '#stages = ["stage8", "stage9", "stage10"]  # list, each: text' in lines
    assert all(len(line) < 180 for line in lines)


def test_a_saved_listing_reads_back_and_still_follows_the_network(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(list_options(), encoding="utf-8")
    assert read_config(path) == Config()
    smaller = read_config(path, ["network.name=vgg6", "train.optimiser=adam"])
    assert smaller.prune.stages == ("stage3", "stage4", "stage5")
    assert (smaller.train.learning_rate, smaller.retrain.learning_rate) == (0.001, 0.0005)
    options = ["network.name=vgg6", "prune.stages=stage5", "retrain.optimiser=adam"]
    path.write_text(list_options(options), encoding="utf-8")
    config = read_config(path)
    assert (config.prune.stages, config.retrain.learning_rate) == (("stage5",), 0.0005)
    assert '\nstages = ["stage5"]' in list_options(options)


@pytest.mark.parametrize("command", READERS)
def test_what_a_command_reads(command, tmp_path):
    text = list_options(command=command)
    names = [name for name in names_in(text) if not name.startswith("sweep.")]
    assert 0 < len(names) <= len(OPTIONS)
    assert ("train.epochs" in names) == (command in ("train", "confirm", "compare", "sweep"))
    assert ("compare.densities" in names) == (command == "compare")
    assert ("retrain.epochs" in names) == (command not in ("train", "measure", "prune"))
    path = tmp_path / "some.toml"
    path.write_text(text, encoding="utf-8")
    if command == "sweep":
        assert read_sweep(path).config == Config()
    else:
        assert read_config(path) == Config()


def test_an_unknown_command_is_refused():
    with pytest.raises(
        InputError, match=r"--for: expected one of compare, .* found 'trian'; did you mean 'train'"
    ):
        list_options(command="trian")


def test_changes_are_those_against_what_the_option_would_be_without_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    config = config_from({"network": {"name": "vgg6"}, "train": {"epochs": 5, "optimiser": "adam"}})
    path.write_text(to_toml(config), encoding="utf-8")  # complete: what follows is in it as well
    assert list_changes(path) == (
        '[network]\nname = "vgg6"  # default: "vgg11-10conv"\n\n'
        '[train]\nepochs = 5  # default: 12\noptimiser = "adam"  # default: "sgd"'
    )
    assert list_changes(path, ["prune.stages=stage4,stage5"], "prune") == (
        '[prune]\nstages = ["stage4", "stage5"]  # default: ["stage3", "stage4", "stage5"]'
    )
    path.write_text("[train]\nepochs = 12\n[sweep.grid]\n'train.l2' = [0.0, 1e-3]\n", encoding="utf-8")
    assert list_changes(path) == '[sweep]\nsteps = "retrain"\n\n[sweep.grid]\n"train.l2" = [0.0, 0.001]'
    path.write_text("[train]\nepochs = 12\n", encoding="utf-8")
    assert list_changes(path) == f"# {path} leaves all options at their defaults"
    path.write_text("[train]\nepoch = 12\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        list_changes(path)


def test_choices_are_those_of_the_tables(monkeypatch):
    monkeypatch.setitem(SCHEDULES, "mine", lambda recipe, epoch, t: 1.0)
    recipe = next(field for field in fields_of(Config) if field.name == "train").type
    schedule = next(field for field in fields_of(recipe) if field.name == "schedule")
    assert range_of(schedule) == 'one of "constant", "cosine", "mine", "one-cycle", "piecewise", "step"'
    assert all(f'"{name}"' in list_options() for name in NAMES)


def test_the_command(deeptheory, assert_refused, tmp_path):
    result = deeptheory("config", "--for", "measure", "--set", "measure.threshold=0.4")
    assert (result.code, result.err) == (0, "")
    assert "threshold = 0.4  # number > 0, < 1" in result.out
    assert "[train]" not in result.out
    result = deeptheory("config", "--diff", "demo")
    assert (result.code, result.err) == (0, "")
    assert tomllib.loads(result.out)["network"] == {"name": "vgg6"}
    assert_refused(
        deeptheory("config", "--diff", tmp_path / "none.toml"), "expected a TOML file, or the name"
    )
    assert_refused(deeptheory("config", "--for", "mesure"), "did you mean 'measure'?")
    assert deeptheory("config", "list").out.startswith("configuration")


def test_what_a_run_records_in_another_form_is_shown_as_it_is_given(tmp_path):
    layer = '[{name = "linear", kind = "Linear", nodes = 5}]'
    stages = "".join(f'[[stages]]\nname = "{name}"\nlayers = {layer}\n' for name in ("stage1", "head"))
    text = f'dtype = "float32"\ninput_shape = [16, 16, 1]\n{stages}'
    (tmp_path / "net.toml").write_text(text, encoding="utf-8")
    (tmp_path / "mine.toml").write_text('[network]\nfile = "net.toml"\n', encoding="utf-8")
    assert list_changes(tmp_path / "mine.toml") == (
        f'[network]\nfile = "{tmp_path / "net.toml"}"  # default: ""'
    )
