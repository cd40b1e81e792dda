"""One run for every seed of a study: their configurations and directories."""

from pathlib import Path

import msgspec

from deeptheory.runs.configuration import Config
from deeptheory.runs.run import Run, make_directory
from deeptheory.store import paths


def of_seeds(config: Config, directory: Path) -> list[tuple[Path, Config]]:
    """Directory and configuration of the run of every seed."""
    seeds = range(config.seed, config.seed + config.judge.seeds)
    return [
        (paths.seed_directory(directory, seed), msgspec.structs.replace(config, seed=seed)) for seed in seeds
    ]


def check_directories(config: Config, directory: Path) -> list[Path]:
    """The directories of the runs of all seeds; refuses those in which they cannot be made or go on."""
    if directory.exists():
        make_directory(directory)
    planned = of_seeds(config, directory)
    for place, of_seed in planned:
        Run.check(place, of_seed)
    return [place for place, _ in planned]
