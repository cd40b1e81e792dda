"""Every file name of a run or a study, and every name of an entry in an HDF5 file, in one place."""

from pathlib import Path

CONFIG = "config.toml"
CONFIG_NEXT = "config.next.toml"  # while options are changed: what replaces the configuration
RESULTS = "run.h5"
CHECKPOINT = "checkpoint.h5"
LOG = "log.txt"
DATA = "data.h5"  # of a run or study on arrays that Python handed over
LOCK = "run.lock"
VERDICTS = "verdicts.json"
TABLES = "verdicts.txt"
FIGURES = "figures"
PLUGINS = "plugins"  # directory of the copies of what a run used
HYPOTHESES = "hypotheses.json"
HYPOTHESES_TEXT = "hypotheses.txt"
SWEEP = "sweep.toml"
SWEEP_MEMBERS, SWEEP_STAGES = "sweep.csv", "sweep-stages.csv"
SWEEP_RESULTS = "sweep.h5"
SWEEP_SUMMARY = "sweep.txt"
SWEEP_SLURM = "slurm"  # directory of a sweep's array scripts, of their logs and of the list of their jobs
SLURM_JOBS = "jobs.txt"
SWEEP_FINISHED = ".finished.json"  # members that were done when they were last looked at

UNPRUNED, AFCC = "unpruned", "afcc"  # arms of every run: the one without a mask, and the one that is judged
AS_IMPORTED = "as-imported"  # the network that was imported, cut where its weights are zero

# Groups of `run.h5`.
STEPS = ("train", "measure", "predict", "prune", "retrain")  # in this order
PROVENANCE = "provenance"
BUDGET = "budget"  # the prunable sets at given tolerances, beside the steps
COMPACT, COST = "compact", "cost"  # compact networks of the arms and what they cost, beside the steps
SENSITIVITY = "sensitivity"  # measures at other thresholds and on parts of the measure split
REWIND = "rewind"  # the weights that iterative pruning goes back to
COMPARE = "compare"  # accuracy of every criterion at every density
COMPARE_ALONE = "compare-alone"  # the same with one layer masked at a time
PREDICTIONS = "predictions"  # of the losses of a comparison, and the law that they follow
ROUNDS = "rounds"  # of iterative pruning, by arm and final density
BRANCH = "branch"  # of a run that shares another one's training: where it is from, and what was taken over

# Entries of the file.
SCHEMA_VERSION, CONFIG_TEXT, STATUS = "schema_version", "config", "status"
DATA_FINGERPRINT = "data_sha256"  # of the images and labels that the run was computed on

# Entries of a step, or of what is computed beside the steps.
BEGUN, FINISHED, WALL_SECONDS, PEAK_BYTES = "begun", "finished", "wall_seconds", "peak_bytes"
STAGES, ARMS, LAYERS = "stages", "arms", "layers"
STATE, HISTORY, MASKS = "state", "history", "masks"
ACCURACY, DENSITY, DILUTION = "accuracy", "density", "dilution"
GIT_REVISION = "git_revision"  # of the provenance of a step

# Entries of `train`.
CHANCE = "chance"  # share of the most frequent label among the test inputs
CORRECT = "correct"  # which test inputs a network labels correctly; also of arms and criteria
SPLITS, LABEL_NAMES = "splits", "label_names"
MEASURE_FROM = "measure_from"  # of the splits: written where it is not the training images
NOISE = "noise"  # of the splits: the labels of the train split that were replaced, and by which
BLUEPRINT, IMPORT = "network", "import"  # of an imported network: its blueprint, and where it is from

# Entries of `measure` and of its stages; the other measures have the names of `measure.StageMeasures`.
STAGE_NAMES = "stage_names"
PROBE_WEIGHT, PROBE_ACCURACY, LABEL_ACCURACY = "probe_weight", "probe_accuracy", "label_accuracy"
STRENGTHS, CLASS_MEANS, SERVED, CLUSTERS = "strengths", "class_means", "served", "clusters"
CLUSTER_SIZES, FILTER_NOISE = "cluster_sizes", "filter_noise"
SIGNAL_SHARE, VARIANCE_SHARE = "signal_share", "variance_share"
SNR_MEAN_FIELD, SNR_MEASURED = "snr_mean_field", "snr_measured"

# Entries of the arms.
HEAD = "head"  # the prediction of the refitted head alone
CAPACITY = "capacity"  # of a masked head
REFIT_LOSS, REFIT_ERROR = "refit_loss", "refit_error"  # before retraining
LOSS, LOSS_LOW, LOSS_HIGH = "loss", "loss_low", "loss_high"  # after it, and the interval
CALIBRATION, LOSS_ERROR = "calibration", "loss_error"  # masks of no arm, retrained to predict those of arms
REFITS = "refits"  # of the masks whose losses are predicted
RECOVERY = "recovery"  # the law that predictions follow
PREDICTION = "prediction"  # of a prunable set
EXPECTED_DILUTION = "expected_dilution"  # of a layer: without structure in its fields
ACCURACY_MASKED = "accuracy_masked"  # of a criterion at one density, not retrained
NOT_REACHED = "not_reached"  # of a criterion at a density: why it cannot
REFIT_ACCURACY, UPDATE, ARM_COST = "refit_accuracy", "update", "cost"

# Entries of the budget.
NETWORK = "network"  # all layers together, beside the weight names
REMOVAL_PATHS = "paths"
TOLERANCE, INTACT, PRUNABLE, CURVE = "tolerance", "intact", "prunable", "curve"

# Entries of compact networks and of what they cost.
SAVED_BYTES, SHA256 = "saved_bytes", "sha256"
DENSE, MASKED, COMPACT_SIDE = "dense", "masked", "compact"  # the networks that are compared
SIDES, LATENCY, QUIET = "sides", "latency_s", "quiet"

# Entries of a branch.
BRANCH_SOURCE, BRANCH_DIGEST, BRANCH_DATE = "source", "sha256", "date"
BRANCH_OPTIONS, BRANCH_OLD, BRANCH_NEW, BRANCH_TAKEN = "options", "old", "new", "taken_over"

# Entries of other files: a saved network, a packed data set, the results of a sweep.
MODEL_NETWORK, MODEL_ARRAYS = "network", ("parameters", "buffers")
DATASET_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
WORDS = "words"  # the vocabulary of a data set of texts
SWEEP_CONFIG, SWEEP_MEMBER_ROWS, SWEEP_STAGE_ROWS = "sweep", "members", "stages"


def seed_directory(study: Path, seed: int) -> Path:
    """Directory of one seed's run inside a study."""
    return study / f"seed-{seed}"


def arm_checkpoint(arm: str, density: float, number: int | None = None) -> str:
    """File of one retraining under way (of one round): of its own, as the next one asked for may be another."""
    parts = [
        "checkpoint",
        arm,
        *([f"{density:g}"] if density else []),
        *([] if number is None else [str(number)]),
    ]
    return "-".join(parts) + ".h5"


def calibration_checkpoint(name: str) -> str:
    """File of the retraining of a mask of no arm."""
    return f"checkpoint-{CALIBRATION}-{name}.h5"


def probe_checkpoint(stage: str) -> str:
    """File of one probe that is being fitted."""
    return f"checkpoint-probe-{stage}.h5"


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint, and neither the version before nor a damaged one."""
    aside = path.stem.endswith((".previous", ".damaged"))
    return path.name.startswith("checkpoint") and path.suffix == ".h5" and not aside


def comparison_file(alone: bool, suffix: str) -> str:
    """Name of the results of a comparison: `comparison.json`, or of layers masked alone."""
    return f"comparison{'-alone' * alone}.{suffix}"


def array_script(number: int) -> str:
    """Name of the script of one submission to Slurm: `array-1.sbatch`."""
    return f"array-{number}.sbatch"


def compact_file(directory: Path, arm: str) -> Path:
    """File of the compact network of one arm inside a run."""
    return directory / f"compact-{arm}.h5"


def join(*names: str) -> str:
    """The path of an entry below others: `train/splits/test`."""
    return "/".join(names)


def provenance_path(step: str, *entry: str) -> str:
    """Group of the provenance of a step, or an entry of it: `provenance/train/host`."""
    return join(PROVENANCE, step, *entry)


def stage_path(step: str, stage: str, *entry: str) -> str:
    """Group of one stage inside the group of a step, or an entry of it: `measure/stages/stage3/noise`."""
    return join(step, STAGES, stage, *entry)


def arm_path(step: str, arm: str, *entry: str) -> str:
    """Group of one arm inside the group of a step, or an entry of it: `retrain/arms/afcc/accuracy`."""
    return join(step, ARMS, arm, *entry)


def compare_path(criterion: str, density: float, layer: str = "", entry: str = "") -> str:
    """Group of one criterion at one density, of all masked layers or of one: `compare-alone/LAYER/lamp/0.1`."""
    where = (COMPARE_ALONE, layer) if layer else (COMPARE,)
    return join(*where, criterion, f"{density:g}", *([entry] if entry else []))


def prediction_path(criterion: str, density: float) -> str:
    """Group of the loss predicted for one criterion at one density: `predictions/lamp/0.1`."""
    return join(PREDICTIONS, criterion, f"{density:g}")


def round_path(arm: str, density: float, number: int, *entry: str) -> str:
    """Group of one round of masks that change, or an entry of it: `rounds/afcc/0.1/2/masks`."""
    return join(ROUNDS, arm, f"{density:g}", str(number), *entry)


def budget_path(tolerance: float, *entry: str) -> str:
    """Group of the prunable set at one tolerance, or an entry of it: `budget/tolerance-0.005/intact`."""
    return join(BUDGET, f"tolerance-{tolerance:g}", *entry)


def sensitivity_path(variation: str, *entry: str) -> str:
    """Group of what was measured in another way, or an entry of it: `sensitivity/threshold 0.2/stage3/noise`."""
    return join(SENSITIVITY, variation, *entry)


def compact_path(arm: str, *entry: str) -> str:
    """Group of what is left of one arm, or an entry of it: `compact/afcc/layers`."""
    return join(COMPACT, arm, *entry)


def cost_path(arm: str, *entry: str) -> str:
    """Group of the costs of one arm, or an entry of it: `cost/afcc/sides/dense/saved_bytes`."""
    return join(COST, arm, *entry)


def batch_name(size: int) -> str:
    """Entry of what batches of one size cost: `batch100`."""
    return f"batch{size}"
