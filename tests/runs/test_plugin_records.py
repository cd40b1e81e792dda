"""Plugins of runs: recorded, asked for, never executed from a run, refused once results depend on others."""

import hashlib
import linecache
import shutil

import pytest

from deeptheory import plugins
from deeptheory.cli.main import commands
from deeptheory.errors import InputError
from deeptheory.prune import CRITERIA
from deeptheory.runs import Run, plugin_records, steps
from deeptheory.runs.branching import make_branch, plan_branch
from deeptheory.runs.configuration import complete, config_from, differences, read_config
from deeptheory.runs.option_changes import change_options
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.plugin_records import PluginNotGiven
from deeptheory.runs.verification import verify
from deeptheory.store.toml import toml_value
from deeptheory.studies.local_processes import run_side_by_side
from deeptheory.studies.sweep import SlurmOptions, array_scripts, options, read_sweep
from deeptheory.studies.sweep.expansion import expand
from tests.plugins_at_work import forget, taken_back

NETWORK = """from deeptheory import nn, plugins


@plugins.network("two")
def two(builder):
    for n in (16, 16):
        builder.append(builder.activated(builder.shape[-1], n, 3, 2, "relu"))
"""
CRITERION = """from deeptheory import plugins


@plugins.criterion("mine")
def scores(context):
    return {layer.weight: context.rng.random(layer.units(context.granularity)) for layer in context.units}
"""
CONFIG = """
[data]
n_labels = 5
size = 16
train_per_label = 20
test_per_label = 10
[network]
name = "two"
[train]
epochs = 0
[prune]
stages = ["stage2"]
[retrain]
epochs = 1
batch = 20
[judge]
seeds = 2
[plugins]
files = ["network.py"]
"""


@pytest.fixture(autouse=True)
def _afterwards():
    with taken_back():
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("network.py", NETWORK), ("criterion.py", CRITERION), ("own.toml", CONFIG)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def trained(place, one_thread):
    run = Run.create(place / "run", read_config(place / "own.toml"), quiet=True)
    steps.train(run)
    return run


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# another one\n", encoding="utf-8")
    return digest(path)


def test_a_configuration_executes_its_plugins_and_records_those_that_it_uses(place):
    (place / "sub").mkdir()
    text = CONFIG.replace('["network.py"]', '["../network.py", "../criterion.py"]')
    (place / "sub" / "own.toml").write_text(text, encoding="utf-8")
    config = read_config(place / "sub" / "own.toml")
    assert "mine" in CRITERIA
    assert config.plugins.files == (str(place / "network.py"),)
    assert config.plugins.sha256 == (digest(place / "network.py"),)
    both = read_config(place / "sub" / "own.toml", ["prune.arms=['afcc', 'mine']"])
    assert len(both.plugins.files) == 2
    assert differences(config, both) == [("prune.arms", config.prune.arms, ("afcc", "mine"))]


def test_a_hash_in_a_configuration_is_compared(place):
    (place / "own.toml").write_text(CONFIG + f'sha256 = ["{"0" * 64}"]\n', encoding="utf-8")
    with pytest.raises(InputError, match=f"SHA-256 {'0' * 64}, found {digest(place / 'network.py')}"):
        read_config(place / "own.toml")
    (place / "own.toml").write_text(CONFIG + 'sha256 = ["1", "2"]\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"plugins.sha256: expected one for each of 1 files, found 2"):
        read_config(place / "own.toml")
    with pytest.raises(InputError, match="plugins: expected files and sha256, two lists of texts"):
        config_from({"plugins": {"files": 3}})


def test_a_table_of_options_executes_nothing(place):
    with pytest.raises(InputError, match=r"plugin .*network.py: expected to be loaded.*plugins.load"):
        config_from({"plugins": {"files": [str(place / "network.py")]}})
    plugins.load(place / "network.py")
    assert config_from({"network": {"name": "two"}}).plugins.sha256 == (digest(place / "network.py"),)


def test_a_run_is_opened_with_its_plugin_alone(trained, place):
    kept = place / "run" / "plugins" / f"network-{digest(place / 'network.py')[:8]}.py"
    assert kept.read_text(encoding="utf-8") == NETWORK
    forget()
    words = (
        f"the file of SHA-256 {digest(kept)}, found none given; read it, .*--plugin FILE.py.*a copy is {kept}"
    )
    with pytest.raises(PluginNotGiven, match=words):
        Run(place / "run")
    assert "two" not in plugins.definitions.DEFINITIONS
    plugins.load(kept)
    assert Run(place / "run").config.network.name == "two"


def test_a_plugin_without_a_hash_is_named_as_a_file(tmp_path):
    with pytest.raises(
        InputError, match=r"^plugin own\.py: expected the file, found none given; read it, then"
    ):
        plugin_records.require_recorded({"files": ["own.py"]}, tmp_path)


def test_what_lies_in_a_run_is_executed_by_no_command(trained, place, deeptheory, assert_refused):
    forget()
    evil = place / "run" / "config.toml"
    evil.write_text(CONFIG.replace("network.py", "plugins/evil.py"), encoding="utf-8")
    (place / "run" / "plugins" / "evil.py").write_text("raise SystemError('executed')\n", encoding="utf-8")
    for words in (("inspect", "run"), ("train", "run/config.toml", "--out", "again"), ("chain", "run")):
        assert_refused(deeptheory(*words), "plugins/evil.py", "--plugin")


def test_whether_a_run_is_whole_is_seen_without_its_plugin(trained, place):
    forget()
    assert verify(place / "run").numbers["damaged"] == 0
    path = place / "run" / "config.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("epochs = 0", "epochs = 1"), encoding="utf-8")
    (found,) = [file for file in verify(place / "run").numbers["files"] if file["damage"]]
    assert "train.epochs" in found["damage"]


def test_a_plugin_that_results_depend_on_may_not_change(trained, place):
    old, new = digest(place / "network.py"), edit(place / "network.py")
    plugins.load(place / "network.py")
    for opened in (
        lambda: Run(place / "run"),
        lambda: Run.create(place / "run", read_config(place / "own.toml")),
    ):
        with pytest.raises(
            InputError, match=f"network.py: expected SHA-256 {old}, found {new}: .*restore it"
        ):
            opened()


def test_a_run_that_has_not_begun_takes_the_new_plugin(place, one_thread):
    Run.create(place / "run", read_config(place / "own.toml"), quiet=True)
    new = edit(place / "network.py")
    forget()
    run = Run.create(place / "run", read_config(place / "own.toml"), quiet=True)
    assert run.config.plugins.sha256 == (new,)


def test_a_criterion_may_change_until_it_was_used(trained, place):
    plugins.load(place / "criterion.py")
    steps.measure(trained)
    change_options(trained, ["prune.arms=['afcc', 'mine']"], "predict")
    assert len(Run(place / "run").config.plugins.sha256) == 2
    new = edit(place / "criterion.py")
    plugins.load(place / "criterion.py")
    run = Run(place / "run", quiet=True)
    steps.predict(run)
    assert sorted(path.name.rpartition("-")[0] for path in (place / "run" / "plugins").iterdir()) == [
        *["criterion"] * 2,
        "network",
    ]
    again = Run(place / "run", quiet=True)
    assert new in again.config.plugins.sha256
    edit(place / "criterion.py")
    plugins.load(place / "criterion.py")
    with pytest.raises(InputError, match=f"criterion.py: expected SHA-256 {new}, found"):
        Run(place / "run")


def test_compared_criteria_may_join_and_their_results_keep_their_plugin(trained, place):
    config = read_config(place / "own.toml", ["compare.criteria=['random']", "compare.densities=[0.5]"])
    steps.compare(Run.create(place / "run", config, quiet=True))
    plugins.load(place / "criterion.py")
    more = read_config(place / "own.toml", ["compare.criteria=['random', 'mine']", "compare.densities=[0.5]"])
    steps.compare(Run.create(place / "run", more, quiet=True))
    fewer = Run.create(place / "run", config, quiet=True)  # its results are still those of the criterion
    assert len(fewer.config.plugins.files) == 2
    old, new = digest(place / "criterion.py"), edit(place / "criterion.py")
    plugins.load(place / "criterion.py")
    with pytest.raises(InputError, match=f"criterion.py: expected SHA-256 {old}, found {new}"):
        Run.create(place / "run", more)


def test_a_branch_records_what_it_adds(trained, place):
    plugins.load(place / "criterion.py")
    branch = plan_branch(trained, place / "branch", ["prune.arms=['afcc', 'mine']"])
    assert {change.option for change in branch.changes} == {"prune.arms"}
    made = make_branch(branch, quiet=True)
    assert len(made.config.plugins.files) == len(list((place / "branch" / "plugins").iterdir())) == 2


def test_other_processes_get_file_and_hash(trained, place, monkeypatch):
    found = plugin_records.arguments([trained.config.plugins])
    assert found == ["--plugin", f"{place / 'network.py'}#sha256={digest(place / 'network.py')}"]
    started = []

    class Process:
        returncode = 0

        def __init__(self, words, env):
            started.append(words)

        def poll(self):
            return 0

    monkeypatch.setattr("subprocess.Popen", Process)
    run_side_by_side([trained], 1, quiet=True)
    assert started[0][-3:-1] == found


def test_a_study_in_processes_of_their_own(place, deeptheory, one_thread):
    overrides = ("--set", "compare.criteria=['random']", "--set", "compare.densities=[0.5]")
    done = deeptheory("compare", "own.toml", "--out", "study", "--jobs", 2, "--quiet", *overrides)
    assert done.code == 0, done.err
    assert Run(place / "study" / "seed-1").has("compare/random/0.5/accuracy")


def test_a_function_of_a_notebook_goes_to_no_other_process(trained):
    found = plugins.Plugin("", "scores", "0" * 64, b"")
    plugins.definitions.DEFINITIONS["criterion", "cell"] = plugins.definitions.Definition(
        found, 1, CRITERIA, None
    )
    CRITERIA["cell"] = None
    config = config_from({**complete(trained.config), "prune": {"arms": ["afcc", "cell"]}})
    assert config.plugins.files == (str(trained.config.plugins.files[0]), "scores")
    with pytest.raises(InputError, match=r"plugin scores: expected a file, .*found a notebook; .*jobs=1"):
        plugin_records.arguments([config.plugins])


def test_a_run_in_a_notebook_records_the_text_of_the_function(place, one_thread):
    def cell():
        name = "/tmp/ipykernel/7.py"
        linecache.cache[name] = len(CRITERION), None, CRITERION.splitlines(keepends=True), name
        exec(compile(CRITERION, name, "exec"), {"__name__": "__main__"})

    cell()
    table = {"network.name": "lenet", "compare.criteria": ["mine"], "compare.densities": [0.5]}
    overrides = [f"{name}={toml_value(value)}" for name, value in table.items()]
    run = Run.create(
        place / "run", read_config(place / "own.toml", [*overrides, "prune.stages=[]"]), quiet=True
    )
    steps.compare(run)
    assert run.config.plugins.files == ("scores",)
    (kept,) = (place / "run" / "plugins").iterdir()
    assert kept.read_text(encoding="utf-8") == CRITERION.partition("\n\n\n")[2]
    forget()
    with pytest.raises(PluginNotGiven, match=r"plugin scores: .*none defined; run the cell of the notebook"):
        Run(place / "run")
    cell()
    assert Run(place / "run").config == run.config


SWEEP = CONFIG + "[sweep]\nsteps = 'train'\n[sweep.grid]\n'network.name' = ['two', 'lenet']\n"


def test_members_of_a_sweep_are_known_whatever_their_plugin_holds(place):
    (place / "sweep.own.toml").write_text(SWEEP, encoding="utf-8")
    before = [member.identity for member in expand(read_sweep(place / "sweep.own.toml"))]
    edit(place / "network.py")
    forget()
    assert [member.identity for member in expand(read_sweep(place / "sweep.own.toml"))] == before


def test_elements_of_slurm_get_the_plugin_and_take_no_other(place):
    (place / "sweep.own.toml").write_text(SWEEP.replace('name = "two"', 'name = "lenet"'), encoding="utf-8")
    sweep = read_sweep(place / "sweep.own.toml")
    text = array_scripts(sweep, place / "members", SlurmOptions()).text
    given = f"--plugin '{place / 'network.py'}#sha256={digest(place / 'network.py')}'"
    assert f'--threads "$SLURM_CPUS_PER_TASK" {given}\n' in text
    (place / "members").mkdir()
    (place / "members" / "sweep.toml").write_text(options.sweep_to_toml(sweep), encoding="utf-8")
    forget()
    with pytest.raises(PluginNotGiven, match=r"network.py"):
        read_sweep(place / "members" / "sweep.toml")
    plugins.load(place / "network.py")
    again = read_sweep(place / "members" / "sweep.toml")
    assert again == sweep
    edit(place / "network.py")
    plugins.load(place / "network.py")
    with pytest.raises(InputError, match="the file has changed since"):
        read_sweep(place / "members" / "sweep.toml")


def test_every_command_on_runs_and_configurations_takes_plugins():
    without = {"bench"}

    def leaves(name, command):
        inner = {**getattr(command, "commands", {}), **getattr(command, "others", {})}
        for own, other in inner.items():
            yield from leaves(f"{name} {own}", other)
        if not getattr(command, "commands", {}):
            yield name, command

    for name, command in commands.commands.items():
        for path, leaf in leaves(name, command):
            takes = "--plugin" in [text for param in leaf.params for text in param.opts]
            assert takes != (name in without), path


def test_an_error_in_a_plugin_ends_with_code_2_and_its_line(place, deeptheory, assert_refused):
    text = NETWORK.replace("    for n", "    undefined\n    for n")
    (place / "network.py").write_text(text, encoding="utf-8")
    found = deeptheory("train", "own.toml", "--out", "out", "--quiet")
    assert_refused(found, f"plugin {place / 'network.py'}, line 6", "NameError: name 'undefined'")
    shutil.copy(place / "criterion.py", place / "second.py")
    found = deeptheory("theory", "list", "--plugin", "criterion.py", "--plugin", "second.py")
    assert_refused(found, f"'mine' at {place / 'second.py'}, line 4", f"{place / 'criterion.py'}, line 4")


def test_every_option_that_names_what_plugins_define_is_known():
    options_ = dict(flatten(complete(config_from({}))))
    assert set(plugin_records.KINDS) <= set(options_)
