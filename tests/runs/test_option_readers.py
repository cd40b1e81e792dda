"""The table of `option_readers` against what the steps really read, on tiny runs."""

import contextlib

import msgspec
import pytest

from deeptheory.options import Options
from deeptheory.prune import CRITERIA, UNPRUNED
from deeptheory.runs import Run, option_readers, steps
from deeptheory.runs.configuration import FREE, Config, complete, config_from, to_toml
from deeptheory.runs.option_readers import is_of
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.steps import criteria, measurement, removal_order, retraining, tolerance, training
from deeptheory.store import paths
from tests.conftest import TINY

NAMES = [name for name, _ in flatten(complete(Config()))]
# The training keeps the weights that an iterative schedule goes back to; it is the same with any schedule.
ONCE_MORE = "train", "prune.schedule"


class Recorder:
    """A configuration that notes which part of the run reads which of its options."""

    def __init__(self, config):
        self.part, self.read = "", set()
        tables = {field.name: getattr(config, field.name) for field in msgspec.structs.fields(type(config))}
        recorded = {
            name: self._recording(value, f"{name}.") if isinstance(value, Options) else value
            for name, value in tables.items()
        }
        self.config = self._recording(Config(**recorded), "")

    def _recording(self, original, prefix):
        recorder, names = self, original.__struct_fields__

        class Recorded(type(original), frozen=True):
            def __getattribute__(self, name):
                value = super().__getattribute__(name)
                # An option that `msgspec.structs.replace` gave another value is not read any more.
                if name in names and value is getattr(original, name) and not isinstance(value, Options):
                    recorder.read.add((recorder.part, prefix + name))
                return value

        return Recorded(**{name: getattr(original, name) for name in names})

    @contextlib.contextmanager
    def reading(self, part):
        before, self.part = self.part, part
        yield
        self.part = before

    def within(self, part, function):
        """The function, with what it reads noted for a part, or for the part that its arguments name."""

        def noted(*arguments, **named):
            with self.reading(part(*arguments) if callable(part) else part):
                return function(*arguments, **named)

        return noted


def of_arm(run, arm, *_):
    return "retrain-unpruned" if arm == UNPRUNED else "retrain"


def of_criterion(run, criterion, *_):
    return "compare-measured" if CRITERIA[criterion].measured else "compare"


WITHIN = (  # parts inside of steps: where they are computed
    (training, "check_later_steps", "checks"),
    (measurement, "_fit_probes", "probes"),
    (retraining, "retrain_network", of_arm),
    (removal_order, "_removal_paths", "removal-paths"),
    (tolerance, "calibrated", "calibration"),
    (criteria, "_predict", "calibration"),
    (criteria, "_store_unpruned", "compare-unpruned"),
    (criteria, "_store_pruned", of_criterion),
)


def all_that_is_read(directory, **changes):
    """Compute every part of a run; which part read which option, as pairs of names."""
    tables = {name: {**table, **changes.get(name, {})} for name, table in TINY.items() if name != "seed"}
    run = Run.create(directory, config_from({**changes, **tables, "seed": TINY["seed"]}), quiet=True)
    recorder = Recorder(run.config)
    text, run.config = to_toml(run.config), recorder.config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deeptheory.runs.run.to_toml", lambda config: text)  # from which nothing is read
        for module, name, part in WITHIN:
            patch.setattr(module, name, recorder.within(part, getattr(module, name)))
        computed = {
            **{step: getattr(steps, step) for step in paths.STEPS},
            "sensitivity": steps.sensitivity,
            "budget": lambda run: steps.budget(run, 0.1),
            "compare": steps.compare,
            "compact": lambda run: steps.compact(run, ("afcc",)),
        }
        for part, compute in computed.items():
            with recorder.reading(part):
                compute(run)
    return recorder.read - {("checks", name) for name in NAMES}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What is read in two runs that between them take every way through the steps that has options of its own."""
    plain = all_that_is_read(
        tmp_path_factory.mktemp("plain") / "run",
        prune={"arms": ["afcc", "random-afcc"], "thresholds": [0.4, 0.5]},
        probe={"solver": "sgd", "epochs": 1},
        compare={"criteria": ["afcc", "random"], "densities": [0.5], "predict": True},
    )
    changing = all_that_is_read(
        tmp_path_factory.mktemp("changing") / "run",
        prune={"arms": ["afcc", "magnitude"], "schedule": "iterative", "density": 0.3},
        measure={"stages": ["stage3", "stage4", "stage5"]},
        compare={"criteria": ["afcc", "magnitude"], "densities": [0.5]},
    )
    return plain | changing


def test_no_part_reads_an_option_that_the_table_does_not_know_of(read):
    unknown = [
        f"'{part}' reads {option}: add it to the `reads` of the first part that does"
        for part, option in sorted(read)
        if option not in FREE and (part, option) != ONCE_MORE and not option_readers.reads(part, option)
    ]
    assert not unknown, "runs/option_readers.PARTS: " + "; ".join(unknown)


@pytest.mark.parametrize("part", option_readers.PARTS.values(), ids=lambda part: part.name)
def test_a_part_reads_what_the_table_says_that_it_reads(read, part):
    own = [option for of, option in read if of == part.name]
    unread = [entry for entry in part.reads if not any(is_of(option, [entry]) for option in own)]
    assert not unread, f"runs/option_readers.PARTS: '{part.name}' does not read {', '.join(unread)}"


@pytest.mark.parametrize("option", NAMES)
def test_every_option_is_in_the_table(option):
    known = option in FREE or is_of(option, option_readers.UNREAD) or option_readers.stale_parts([option])
    assert known, f"runs/option_readers.PARTS: say which part reads {option} first (or UNREAD, if none does)"


def test_what_no_part_reads_is_what_runs_of_one_study_may_differ_in_and_the_rules_of_the_judge():
    unread = {option for option in NAMES if option in FREE or is_of(option, option_readers.UNREAD)}
    assert all(option.startswith("judge.") for option in unread - set(FREE))
    assert not option_readers.stale_parts(unread)


@pytest.mark.parametrize(
    ("option", "step"),
    [
        ("seed", "train"),
        ("data.path", "train"),
        ("prune.rewind_epoch", "train"),
        ("probe.l2", "measure"),
        ("measure.stages", "measure"),
        ("prune.threshold", "predict"),
        ("retrain.l2", "predict"),
        ("prune.schedule", "retrain"),
        ("retrain.epochs", "predict"),
        ("judge.margin", None),
    ],
)
def test_the_first_step_that_reads_an_option(option, step):
    assert option_readers.first_step(option) == step


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("train.epochs", set()),
        ("probe.l2", {"train", "removal-paths", "budget", "retrain-unpruned", "compare", "compare-unpruned"}),
        (
            "measure.threshold",
            {"train", "probes", "removal-paths", "budget", "retrain-unpruned", "compare", "compare-unpruned"},
        ),
        (
            "prune.density",
            {"train", "probes", "measure", "sensitivity", "removal-paths", "budget", "retrain-unpruned"}
            | {"compare", "compare-measured", "compare-unpruned", "calibration"},
        ),
        (
            "retrain.epochs",
            {"train", "probes", "measure", "sensitivity", "prune", "removal-paths"},
        ),
    ],
)
def test_what_a_change_leaves_as_it_is(option, kept):
    assert set(option_readers.PARTS) - option_readers.stale_parts([option]) == kept
