"""Every file name of a run or a study and every path inside `run.h5`, in one place."""

from pathlib import Path

CONFIG = "config.toml"
RESULTS = "run.h5"
CHECKPOINT = "checkpoint.h5"
LOG = "log.txt"
LOCK = "run.lock"
VERDICTS = "verdicts.json"
TABLES = "verdicts.txt"
FIGURES = "figures"
HYPOTHESES = "hypotheses.json"
HYPOTHESES_TEXT = "hypotheses.txt"
SWEEP = "sweep.toml"
SWEEP_MEMBERS, SWEEP_STAGES = "sweep.csv", "sweep-stages.csv"
SWEEP_RESULTS = "sweep.h5"
SWEEP_SUMMARY = "sweep.txt"
SWEEP_SLURM = (
    "slurm"  # directory of the array scripts of a sweep, of their logs and of the list of their jobs
)
SLURM_JOBS = "jobs.txt"

UNPRUNED, AFCC = "unpruned", "afcc"  # arms of every run: the one without a mask, and the one that is judged
STEPS = ("train", "measure", "predict", "prune", "retrain")  # each a group of run.h5, in this order
PROVENANCE = "provenance"
BUDGET = "budget"  # the prunable sets at given tolerances, beside the steps
COMPACT, COST = "compact", "cost"  # compact networks of the arms and what they cost, beside the steps
SENSITIVITY = "sensitivity"  # measures at other thresholds and on parts of the measure split
BLUEPRINT, IMPORT = (
    "train/network",
    "train/import",
)  # of an imported network: its description, where it is from
REWIND = "rewind"  # the weights that iterative pruning goes back to
COMPARE = "compare"  # accuracy of every criterion at every density
COMPARE_ALONE = "compare-alone"  # the same with one layer masked at a time
ROUNDS = "rounds"  # of iterative pruning, by arm and final density
NETWORK = "network"  # all layers together, beside the weight names


def seed_directory(study: Path, seed: int) -> Path:
    """Directory of one seed's run inside a study."""
    return study / f"seed-{seed}"


def stage_path(step: str, stage: str) -> str:
    """Group of one stage inside the group of a step: `measure/stages/stage3`."""
    return f"{step}/stages/{stage}"


def arm_checkpoint(arm: str, density: float, number: int | None = None) -> str:
    """File of one retraining under way (of one round): of its own, as the next one asked for may be another."""
    parts = [
        "checkpoint",
        arm,
        *([f"{density:g}"] if density else []),
        *([] if number is None else [str(number)]),
    ]
    return "-".join(parts) + ".h5"


def probe_checkpoint(stage: str) -> str:
    """File of one probe that is being fitted."""
    return f"checkpoint-probe-{stage}.h5"


def arm_path(step: str, arm: str) -> str:
    """Group of one arm inside the group of a step: `retrain/arms/afcc`."""
    return f"{step}/arms/{arm}"


def compare_path(criterion: str, density: float, layer: str = "") -> str:
    """Group of one criterion at one density, of all masked layers or of one: `compare-alone/LAYER/lamp/0.1`."""
    where = f"{COMPARE_ALONE}/{layer}" if layer else COMPARE
    return f"{where}/{criterion}/{density:g}"


def comparison_file(alone: bool, suffix: str) -> str:
    """Name of the results of a comparison: `comparison.json`, or of layers masked alone."""
    return f"comparison{'-alone' * alone}.{suffix}"


def budget_path(tolerance: float) -> str:
    """Group of the prunable set at one tolerance: `budget/tolerance-0.005`."""
    return f"{BUDGET}/tolerance-{tolerance:g}"


def array_script(number: int) -> str:
    """Name of the script of one submission to Slurm: `array-1.sbatch`."""
    return f"array-{number}.sbatch"


def sensitivity_path(variation: str) -> str:
    """Group of what was measured in another way: `sensitivity/threshold 0.2`."""
    return f"{SENSITIVITY}/{variation}"


def compact_path(arm: str) -> str:
    """Group of what is left of one arm: `compact/afcc`."""
    return f"{COMPACT}/{arm}"


def compact_file(directory: Path, arm: str) -> Path:
    """File of the compact network of one arm inside a run."""
    return directory / f"compact-{arm}.h5"


def cost_path(arm: str) -> str:
    """Group of the costs of one arm: `cost/afcc`."""
    return f"{COST}/{arm}"
