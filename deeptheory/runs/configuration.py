"""The complete configuration of a run: the rooms' options in one frozen table, read from and written to TOML."""

import hashlib
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec

from deeptheory.data.options import DataOptions
from deeptheory.errors import InputError
from deeptheory.judge.options import JudgeOptions
from deeptheory.measure.options import MeasureOptions, ProbeOptions
from deeptheory.nn.architectures import ARCHITECTURES, narrow
from deeptheory.nn.learning_rates import SCHEDULES
from deeptheory.nn.options import IMPORTED, NetworkOptions, Recipe, TrainRecipe
from deeptheory.options import ONCE, Options
from deeptheory.plugins.options import PluginOptions
from deeptheory.prune.masked_layers import last_maskable_stages
from deeptheory.prune.options import CompareOptions, PruneOptions
from deeptheory.runs import former_names, network_files, plugin_records
from deeptheory.runs.option_tables import (
    fields_of,
    flatten,
    help_of,
    options_from,
    sources_of,
    toml_line,
    toml_lines,
)
from deeptheory.runs.packaged import configuration_file
from deeptheory.store.toml import parse_toml, read_toml


class RetrainRecipe(Recipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The recipe of the short retraining, which goes on from where training ended (`following_training`)."""

    epochs: Annotated[
        int, msgspec.Meta(ge=1, description="passes over the training inputs", extra={"unit": "epochs"})
    ] = 4
    learning_rate: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            description="largest learning rate; by default half of train's, 0.005 for an imported network",
        ),
    ] = 0.05
    schedule: Annotated[
        str,
        msgspec.Meta(
            description="as in training; cosine has no warm-up, which a trained network does not need",
            extra={"among": SCHEDULES},
        ),
    ] = "cosine"
    stages: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="stages retrained, 'head' for the head; the weights of the others are held, their batch "
            "norms still follow the batches; all if empty",
            extra={"each": ONCE},
        ),
    ] = ()


class Config(Options, frozen=True):
    """Everything that determines a run's results, apart from the machine."""

    seed: Annotated[
        int, msgspec.Meta(ge=0, description="of split, weights, batches, augmentation and controls")
    ] = 0
    checkpoint_minutes: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            description="from one checkpoint to the next; what a killed process loses at most",
            extra={"unit": "minutes"},
        ),
    ] = 5.0
    data: DataOptions = DataOptions()
    network: NetworkOptions = NetworkOptions()
    train: TrainRecipe = TrainRecipe()
    probe: ProbeOptions = ProbeOptions()
    measure: MeasureOptions = MeasureOptions()
    prune: PruneOptions = PruneOptions()
    retrain: RetrainRecipe = RetrainRecipe()
    compare: CompareOptions = CompareOptions()
    judge: JudgeOptions = JudgeOptions()
    plugins: PluginOptions = PluginOptions()

    def __repr__(self) -> str:
        """All options as TOML, each with its meaning."""
        return to_toml(self)


FOLLOWED = (  # by the retraining, from the training
    "batch",
    "momentum",
    "l2",
    "l2_on_all",
    "shift",
    "flip",
    "optimiser",
    "clip_norm",
    "label_smoothing",
)
RATES = {"sgd": 0.1, "adam": 0.001, "adamw": 0.001}  # largest learning rates of a training by default
IMPORTED_RATE = 0.005  # of a retraining by SGD; that of other optimisers is as much smaller as in `RATES`
# Options that change no result of a run, what is only checked among them.
FREE = (
    "checkpoint_minutes",
    "data.file_labels",
    "data.file_size",
    "judge.seeds",
    "compare.criteria",
    "compare.densities",
    "compare.alone",
    "compare.predict",
    "plugins.files",  # where they are; their content is compared by `plugin_records`
    "plugins.sha256",
)


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file and apply ``table.option=value`` overrides.

    Parameters
    ----------
    path : Path
        Configuration file, or the name of a packaged one; options it leaves out take their defaults.
    overrides : sequence of str
        Such as ``train.epochs=5``; the value is read as TOML, or as a string if it is not TOML. What stands with
        commas for a list is a list, ``prune.stages=stage4,stage5``.

    Raises
    ------
    InputError
        A missing or malformed file, an unknown option, a value of the wrong type or range.
    """
    return config_from(read_options(path, overrides))


def read_options(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain table that `read_config` completes: what the file and the overrides say.

    Its plugins are executed, its paths become those from here.

    Raises
    ------
    InputError
        A missing or malformed file, an override that is none, or a plugin that cannot be executed.
    """
    table = read_table(path)
    plugin_records.resolve(table, path.parent)
    override(table, overrides)
    plugin_records.load_named(table, path)
    return table


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file, or a packaged configuration by its name, unchecked; a record under present names."""
    path = configuration_file(path)
    try:
        table = read_toml(path)
    except (ValueError, OSError) as error:
        raise InputError("configuration", "a TOML file", f"{path}: {error}") from error
    return former_names.renamed(table) if former_names.is_record(path, table) else table


def config_from(table: Mapping[str, Any]) -> Config:
    """Check a plain table of options and complete it with the defaults.

    Plugins are not executed here: those that the table names have to be there already (`plugins.load`). The
    configuration names those of them that it uses, by their content.
    """
    plugin_records.require_named(table)
    table = network_files.with_content(table)
    given = {name: dict(part) for name, part in table.items() if isinstance(part, Mapping)}
    completed = {**table, **{name: {**own, **given.get(name, {})} for name, own in following(table).items()}}
    order = sorted(
        completed, key=lambda name: name == "retrain"
    )  # so that a mistake is found in `train` first
    config = options_from({name: completed[name] for name in order}, Config)
    return msgspec.structs.replace(config, plugins=plugin_records.used(dict(flatten(complete(config)))))


def following(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Defaults that depend on other options of a plain table, by the tables that they are in.

    The stages that are masked are the last three of the network, that of an import aside, which is known later.
    The largest learning rate of the training is that of `RATES`. Batches, optimiser, momentum, L2, clipping, label
    smoothing and augmentation of the retraining are those of ``train``. Its learning rate starts at half of the
    largest rate of the training, as in its later half, or of that of its own optimiser if that is another. How an
    imported network was trained is not known: it starts at `IMPORTED_RATE`. A network that reads words knows as
    many as the data have, and is trained without the augmentation of images.
    """
    tables = [table.get(name, {}) for name in ("train", "retrain", "network", "prune", "data")]
    train, retrain, network, pruning, data = tables
    if not all(isinstance(part, Mapping) for part in tables):
        return {}  # refused later, with its name
    architecture = ARCHITECTURES.get(str(network.get("name")))
    of_words = architecture is not None and architecture.reads_words
    still = {"shift": 0, "flip": False} if of_words else {}
    known = {"words": data["words"]} if of_words and "words" in data else {}
    followed = still | {name: train[name] for name in FOLLOWED if name in train}
    kind = str(train.get("optimiser", "sgd"))
    again = str(retrain.get("optimiser", kind))
    if kind not in RATES or again not in RATES:
        return {}
    rate = train.get("learning_rate", RATES[kind])
    if network.get("name") == IMPORTED:
        followed["learning_rate"] = IMPORTED_RATE * RATES[again] / RATES["sgd"]
    elif isinstance(rate, int | float):
        followed["learning_rate"] = (rate if again == kind else RATES[again]) / 2
    masked = {} if "stages" in pruning else _masked_by_default(network)
    return {
        "train": {"learning_rate": RATES[kind], **still},
        "network": known,
        "prune": masked,
        "retrain": followed,
    }


def _masked_by_default(network: Mapping[str, Any]) -> dict[str, Any]:
    """The stages of `prune` that follow from network options: the last that can be masked, or none."""
    try:
        options = options_from(network, NetworkOptions, "network.")
        if options.content:
            return {"stages": network_files.masked_by_default(options.content)}
        return {"stages": last_maskable_stages(narrow(options.name, **options.of_architecture))}
    except InputError:
        return {}


def complete(config: Config) -> dict[str, Any]:
    """The configuration as nested plain tables, with all defaults."""
    table: dict[str, Any] = msgspec.to_builtins(config)
    return table


def differences(one: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """Options that differ in what they make of one run's results: the name and both values.

    ``judge.seeds`` does not concern one seed's run, and every mask of a comparison is a result of its own, so a
    study may be given more seeds, criteria, densities, and layers masked alone.
    """
    old, new = dict(flatten(complete(one))), dict(flatten(complete(other)))
    return [(name, old[name], new[name]) for name in old if name not in FREE and old[name] != new[name]]


def shown(value: Any) -> str:
    """A value of an option in a message: a text of several lines by its hash."""
    if isinstance(value, str) and "\n" in value:
        return f"a text of SHA-256 {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return repr(value)


def to_toml(config: Config) -> str:
    """The complete configuration as TOML, each option with its help text."""
    scalars, tables = [], []
    for field in fields_of(Config):
        value = getattr(config, field.name)
        if isinstance(value, Options):
            tables += [f"\n[{field.name}]", *toml_lines(value)]
        else:
            scalars.append(toml_line(field.name, value, dict(help_of(Config))[field.name]))
    return "\n".join(scalars + tables) + "\n"


def override(table: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set options of a plain table: ``table.option=value``.

    Raises
    ------
    InputError
        An override that is none, or that of a data option which the data source of the table does not read.
    """
    for text in overrides:
        _override_one(table, text)
    require_read(table, [text.partition("=")[0].strip() for text in overrides])


def require_read(table: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse dotted names of data options that the data source of a plain table does not read.

    Only of what is asked for: a file may hold them, since ``--data`` puts other data in place of its own. Which
    options the source of a plugin reads is not known.
    """
    asked, data = set(names), table.get("data", {})
    source = data.get("source", DataOptions().source) if isinstance(data, Mapping) else ""
    sources = {field.name: sources_of(field) for field in fields_of(DataOptions)}
    if source not in list(itertools.chain(*sources.values())):
        return
    for name, readers in sources.items():
        if readers and source not in readers and f"data.{name}" in asked:
            do = "leave it out, or name data that read it"
            if (name, source) == ("n_labels", "files"):
                do = "data.labels_used takes so many of the labels of files"
            raise InputError(
                f"data.{name}",
                f"an option that data.source = {source} reads",
                f"one that only {' and '.join(readers)} read",
                do,
            )


def _override_one(table: dict[str, Any], text: str) -> None:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise InputError("--set", "table.option=value, such as train.epochs=5", f"'{text}'")
    parsed = _as_list(value) if _is_list(name.strip()) else _parsed(value)
    *parents, leaf = name.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError("--set", "table.option=value, such as train.epochs=5", f"'{text}'")
    table[leaf] = parsed


def _parsed(text: str) -> Any:
    """A value as TOML, or as it is."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
    except ValueError as error:
        raise InputError("--set", "table.option=value, such as train.epochs=5", f"{error}") from error


def _as_list(text: str) -> Any:
    """A list as TOML, or its elements with commas between them; the shell may have taken their quotes."""
    value = _parsed(text)
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    return [_parsed(element) for element in inner.split(",") if element.strip()]


def _is_list(name: str) -> bool:
    """Whether an option such as ``prune.stages`` is a list; those of a sweep's grid are."""
    if name.startswith("sweep.grid."):
        return True
    option: Any = Config
    for part in name.split("."):
        known = fields_of(option) if isinstance(option, type) and issubclass(option, Options) else ()
        option = next((field.type for field in known if field.name == part), None)
    return bool(get_args(option)) and get_origin(get_args(option)[0]) is tuple
