import tomllib
from pathlib import Path

import pytest

from deeptheory.errors import InputError
from deeptheory.nn.architectures import NAMES, narrow
from deeptheory.prune import maskable_stages
from deeptheory.runs import Config, read_config
from deeptheory.runs.configuration import complete, config_from, to_toml
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.steps.layer_choice import check_later_steps
from deeptheory.studies.sweep import read_sweep

# A changed default changes every result made with it: change it here too, and say so in the change log.
DEFAULTS = {
    "seed": 0,
    "checkpoint_minutes": 5.0,
    "data.source": "glyphs",
    "data.path": "",
    "data.n_labels": 100,
    "data.size": 32,
    "data.train_per_label": 200,
    "data.test_per_label": 50,
    "data.seed": 0,
    "data.length": 32,
    "data.longer": "refuse",
    "data.words": 1000,
    "data.noise": 0.1,
    "data.resize": 0,
    "data.measure_share": 0.1,
    "data.measure_from": "train",
    "data.test_share": 0.2,
    "data.labels": "true",
    "data.labels_used": 0,
    "data.file_labels": 0,
    "data.file_size": 0,
    "network.name": "vgg11-10conv",
    "network.width": 0.25,
    "network.classifier": "linear",
    "network.depth": 1.0,
    "network.stochastic_depth": 0.0,
    "network.words": 1000,
    "network.hidden_ratio": 4,
    "network.form": "cifar",
    "network.blocks": 0,
    "network.heads": 0,
    "network.positions": "learned",
    "network.dropout": 0.0,
    "network.conv_layers": 1,
    "network.kernel": 3,
    "network.patch": 4,
    "network.file": "",
    "network.content": "",
    "train.epochs": 12,
    "train.batch": 100,
    "train.learning_rate": 0.1,
    "train.momentum": 0.9,
    "train.l2": 0.0005,
    "train.l2_on_all": False,
    "train.schedule": "one-cycle",
    "train.decay": 0.65,
    "train.decay_every": 20,
    "train.shift": 4,
    "train.flip": True,
    "train.optimiser": "sgd",
    "train.warm_up": 0,
    "train.milestones": (),
    "train.factors": (),
    "train.clip_norm": 0.0,
    "train.label_smoothing": 0.0,
    "train.patience": 0,
    "train.label_noise": 0.0,
    "probe.solver": "exact",
    "probe.l2": 0.001,
    "probe.tolerance": 0.001,
    "probe.learning_rate": 0.01,
    "probe.momentum": 0.975,
    "probe.decay": 0.975,
    "probe.epochs": 200,
    "probe.batch": 100,
    "probe.inputs": 0,
    "measure.stages": (),
    "measure.split": "measure",
    "measure.threshold": 0.3,
    "measure.bootstrap": 1000,
    "measure.relabellings": 20,
    "prune.threshold": 0.5,
    "prune.thresholds": (),
    "prune.density": 0.0,
    "prune.density_from": "afcc",
    "prune.granularity": "kernel",
    "prune.schedule": "one-shot",
    "prune.rounds": 1,
    "prune.disorder": "quenched",
    "prune.rewind_epoch": 0,
    "prune.stages": ("stage8", "stage9", "stage10"),
    "prune.head": True,
    "prune.arms": ("afcc", "random", "label-permuted", "magnitude"),
    "retrain.batch": 100,
    "retrain.momentum": 0.9,
    "retrain.l2": 0.0005,
    "retrain.l2_on_all": False,
    "retrain.decay": 0.65,
    "retrain.decay_every": 20,
    "retrain.shift": 4,
    "retrain.flip": True,
    "retrain.optimiser": "sgd",
    "retrain.warm_up": 0,
    "retrain.milestones": (),
    "retrain.factors": (),
    "retrain.clip_norm": 0.0,
    "retrain.label_smoothing": 0.0,
    "retrain.epochs": 4,
    "retrain.learning_rate": 0.05,
    "retrain.schedule": "cosine",
    "retrain.stages": (),
    "compare.criteria": (
        "afcc",
        "random",
        "label-permuted",
        "magnitude",
        "magnitude-global",
        "lamp",
        "snr-budget",
    ),
    "compare.densities": (0.5, 0.2, 0.1, 0.05, 0.02),
    "compare.alone": False,
    "compare.predict": False,
    "judge.seeds": 5,
    "judge.minimum_seeds": 5,
    "judge.level": 0.95,
    "judge.margin": 0.5,
    "judge.prediction_margin": 1.0,
    "plugins.files": (),
    "plugins.sha256": (),
}


def read(tmp_path, text, *overrides):
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, overrides)


def test_the_option_names_and_defaults_are_these():
    assert dict(flatten(complete(Config()))) == DEFAULTS


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert read(tmp_path, "") == Config()


@pytest.mark.parametrize(
    "table",
    [
        {},
        {
            "seed": 7,
            "data": {"source": "files", "path": 'a "quoted" \\ pa\tth é'},
            "train": {"l2": 1e-12, "l2_on_all": True, "schedule": "step"},
            "prune": {"stages": [], "arms": ["afcc"], "head": True},
        },
    ],
)
def test_a_configuration_written_as_toml_reads_back_equal(tmp_path, table):
    config = config_from(table)
    assert read(tmp_path, to_toml(config)) == config


def test_the_toml_has_every_option_with_its_help():
    text = to_toml(Config())
    written = {name: tuple(x) if isinstance(x, list) else x for name, x in flatten(tomllib.loads(text))}
    assert written == DEFAULTS
    assert "epochs = 12  # passes over the training inputs" in text
    without = [line for line in text.splitlines() if "=" in line and "#" not in line]
    assert without == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nepoch = 3", r"^option 'train.epoch': .*found 'epoch'; did you mean 'epochs'\?$"),
        ("[trian]\nepochs = 3", r"^option 'trian': .*found 'trian'; did you mean 'train'\?$"),
        ("[train]\nepochs = 'three'", "^train.epochs: expected int, found 'three'$"),
        ("[train]\nepochs = 2.5", "^train.epochs: expected int, found 2.5$"),
        ("[train]\nflip = 1", "^train.flip: expected bool, found 1$"),
        ("[retrain]\nepochs = 0", "^retrain.epochs: expected int >= 1, found 0$"),
        ("seed = -1", "^seed: expected int >= 0, found -1$"),
        ("[measure]\nthreshold = 1.0", "^measure.threshold: expected float < 1.0, found 1.0$"),
        ("[train]\nlearning_rate = nan", "^train.learning_rate: expected a finite number, found nan$"),
        ("[train]\nlearning_rate = inf", "^train.learning_rate: expected a finite number, found inf$"),
        ("train = 5", "^train: expected a table of options, found 5$"),
        ("[prune]\nstages = 'stage8'", "^prune.stages: expected a list, found 'stage8'$"),
        ("[prune]\nstages = ['stage8', 9]", r"^prune.stages\[1\]: expected str, found 9$"),
        (
            "[network]\nname = 'vgg12'",
            r"^network.name: .* vgg16, vgg19, vgg6, .*found 'vgg12'; did you mean 'vgg19'\?$",
        ),
        ("[data]\nsize = 20", "^data.size: expected one of 16, 32, found 20$"),
        ("[retrain]\nschedule = 'cosin'", r"^retrain.schedule: .*did you mean 'cosine'\?$"),
        ("[train\nepochs = 3", r"^configuration: expected a TOML file, found .*config.toml: "),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        InputError, match=r"^configuration: expected a TOML file, found .*config.toml: .*decode"
    ):
        read_config(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^configuration: expected a TOML file, or .*, found no file .*none.toml"
    ):
        read_config(tmp_path / "none.toml")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^configuration: expected a TOML file, found .*[Dd]irectory"):
        read_config(tmp_path)


def test_overrides_are_read_as_toml_or_as_text(tmp_path):
    config = read(
        tmp_path,
        "[train]\nepochs = 3\nbatch = 50",
        "train.epochs=5",
        "seed = 4",
        "train.flip=false",
        "prune.stages=['stage9']",
        "network.name=lenet",
        "data.path=/data/cifar=10",
        "data.source=files",
        "train.epochs=6",
    )
    assert (config.train.epochs, config.train.batch, config.seed, config.train.flip) == (6, 50, 4, False)
    assert config.prune.stages == ("stage9",)
    assert (config.network.name, config.data.path) == ("lenet", "/data/cifar=10")


@pytest.mark.parametrize("text", ["train.epochs", "=5", "  = 5", "seed.epochs=5"])
def test_a_malformed_override_is_refused(tmp_path, text):
    expected = r"^--set: expected table\.option=value, such as train\.epochs=5, found '"
    with pytest.raises(InputError, match=expected):
        read(tmp_path, "seed = 1", text)


@pytest.mark.parametrize("text", ['data.path="a\\u0000b"', 'prune.stages=["stage4", "a\\u0000"]'])
def test_a_text_that_no_file_can_hold_is_refused(tmp_path, text):
    option = text.split("=")[0]
    with pytest.raises(InputError, match=rf"^{option}: expected text without NUL, found .*a\\x00"):
        read(tmp_path, "[data]\nsource = 'files'", text)


@pytest.mark.parametrize(
    ("data", "text", "message"),
    [
        (
            "",
            "data.noise=0.5",
            "data.noise: .* data.source = glyphs reads, found one that only sentences read; leave",
        ),
        (
            "source = 'sentences'",
            "data.size=16",
            "data.size: .* data.source = sentences reads, .* only glyphs read",
        ),
        (
            "source = 'files'",
            "data.n_labels=10",
            "data.n_labels: .* found .* glyphs and sentences .*data.labels_used",
        ),
    ],
)
def test_an_override_that_the_data_source_does_not_read_is_refused(tmp_path, data, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, f"[data]\n{data}", text)
    name, value = text.split("=")
    read(
        tmp_path, f"[data]\n{data}\n{name.removeprefix('data.')} = {value}"
    )  # a file may be used with other data


def test_a_wrong_override_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^option 'train.epoch': .*did you mean 'epochs'\?$"):
        read(tmp_path, "", "train.epoch=5")
    with pytest.raises(InputError, match=r"^train.epochs: expected int, found 'five'$"):
        read(tmp_path, "", "train.epochs=five")


@pytest.mark.parametrize(
    ("text", "option", "value"),
    [
        ("prune.stages=stage4,stage5", "prune.stages", ("stage4", "stage5")),
        ("prune.stages = stage4 , stage5,", "prune.stages", ("stage4", "stage5")),
        ("prune.stages=stage4", "prune.stages", ("stage4",)),
        ("prune.stages='stage4'", "prune.stages", ("stage4",)),
        ("prune.stages=[stage4,stage5]", "prune.stages", ("stage4", "stage5")),  # whose quotes the shell took
        ('prune.stages=["stage4", "stage5"]', "prune.stages", ("stage4", "stage5")),
        ("prune.stages=", "prune.stages", ()),
        ("prune.stages=[]", "prune.stages", ()),
        ("prune.thresholds=0.3,0.4", "prune.thresholds", (0.3, 0.4)),
        ("compare.densities=0.2", "compare.densities", (0.2,)),
        ("train.milestones=2,5", "train.milestones", (2, 5)),
        ("data.measure_from=/a,b", "data.measure_from", "/a,b"),
    ],
)
def test_lists_need_no_quotes_or_brackets(tmp_path, text, option, value):
    assert dict(flatten(complete(read(tmp_path, "", text))))[option] == value


def test_values_of_a_sweep_are_lists(tmp_path):
    (tmp_path / "sweep.toml").write_text("[sweep]", encoding="utf-8")
    options = ["sweep.grid.data.n_labels=3,10", "sweep.grid.network.name=vgg6"]
    assert read_sweep(tmp_path / "sweep.toml", options).options.grid == {
        "data.n_labels": [3, 10],
        "network.name": ["vgg6"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune.stages=5", r"^prune.stages\[0\]: expected str, found 5$"),
        ("prune.thresholds=0.3,x", r"^prune.thresholds\[1\]: expected float, found 'x'$"),
        ("prune.stage=a,b", r"^option 'prune.stage': .*did you mean 'stages'"),
        ("compare.densities=0.2,2", r"^compare.densities\[1\]: expected float <= 1.0, found 2$"),
        ("compare.densities=0.2,0.1,0.2", r"^compare.densities: expected every value once, found 0.2 twice;"),
        ("prune.arms=afcc,afcc", r'^prune.arms: expected every value once, found "afcc" twice; leave one'),
        ("retrain.stages=head,head", r"^retrain.stages: expected every value once"),
    ],
)
def test_wrong_elements_of_a_list_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, "", text)


@pytest.mark.parametrize("name", NAMES)
def test_masked_stages_follow_the_network(name):
    config = config_from({"network": {"name": name}})
    network = narrow(name)
    check_later_steps(config, network)
    stages, able = [stage.name for stage in network.stages], maskable_stages(network)
    assert config.prune.stages == tuple(able[-3:])
    if name not in ("densenet121", "googlenet"):  # whose last stages read or make concatenations
        assert config.prune.stages == tuple(stages[max(1, len(stages) - 3) :])
    assert config_from(complete(config)) == config


def test_masked_stages_follow_options_of_the_network_and_give_way():
    hidden = {"name": "vgg16", "classifier": "hidden"}
    assert config_from({"network": hidden}).prune.stages == ("stage13", "stage14", "stage15")
    assert config_from({"network": hidden, "prune": {"stages": []}}).prune.stages == ()
    with pytest.raises(InputError, match=r"network.name: .*did you mean 'vgg19'"):
        config_from({"network": {"name": "vgg17"}})


@pytest.mark.parametrize("name", ["glyphs", "small-glyphs", "cifar10-desktop", "afcc-cifar100"])
def test_packaged_configurations_take_another_network(name):
    assert read_config(Path(name)).prune.stages == ("stage8", "stage9", "stage10")
    assert read_config(Path(name), ["network.name=vgg6"]).prune.stages == ("stage3", "stage4", "stage5")
