"""`deeptheory bench`: the engine timed, against PyTorch and against the limit of the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deeptheory.cli.options import (
    COUNT,
    JSON,
    POSITIVE,
    SHARE,
    command_line,
    configure,
    machine_options,
    print_summary,
)
from deeptheory.errors import InputError


@click.group()
def bench() -> None:
    """Time the engine, against PyTorch and against the limit of the machine.

    Every side computes in a process of its own, in turn. Worth something only when nothing else runs.

    \b
    Examples:
      deeptheory bench train-step --width 0.25 --against torch
      deeptheory bench layers --threads 2
    """


def bench_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every benchmark takes."""
    command = JSON(machine_options(command))
    command = click.option(
        "--out", type=click.Path(path_type=Path), help="Directory for the result as JSON."
    )(command)
    for name, kind, default, text in (
        ("--batch", COUNT, 100, "Inputs per step."),
        ("--width", POSITIVE, 1.0, "Factor on the number of filters."),
        ("--network", str, "vgg11-10conv", "Network by name."),
    ):
        command = click.option(name, type=kind, default=default, show_default=True, help=text)(command)
    for name, default, text in (
        ("--channels", "3", "Channels of an image; glyphs have 1."),
        ("--size", "32", "Side of an image in pixels."),
    ):
        # No value when not given: a model's file knows its own.
        command = click.option(name, type=COUNT, show_default=default, help=text)(command)
    return command


def _bench(name: str, text: str) -> None:
    """One command per comparison."""

    @bench_options
    @click.option(
        "--against",
        type=click.Choice(["torch", "torch-eager"]),
        help="Time the fastest form of PyTorch too, without torch.compile if eager; ours alone by default.",
    )
    @click.option("--rounds", type=COUNT, help="Blocks of steps of every side.")
    def command(
        against: str | None, rounds: int | None, out: Path | None, as_json: bool, quiet: bool, **setting: Any
    ) -> None:
        from deeptheory.bench import compare
        from deeptheory.bench.summaries import comparison_summary

        chosen = _setting(**setting)
        result = compare(name, chosen, against, rounds, command_line(), quiet)
        _show(comparison_summary(result), out, as_json)

    if name == "measure":
        images = click.option(
            "--images", type=COUNT, default=10_000, show_default=True, help="Inputs to measure."
        )
        command = images(command)
    if name == "compact":
        command = click.option(
            "--density", type=SHARE, show_default="0.25", help="Share of the weights kept."
        )(command)
        kinds = click.Choice(["kernel", "filter"])
        command = click.option(
            "--granularity", type=kinds, show_default="filter", help="What is removed as one."
        )(command)
        command = click.option(
            "--model",
            default="",
            help="RUN/compact-ARM.h5 of this network in place of random masks; size and channels are in it.",
        )(command)
    text += f"\n\n\b\nExample:  deeptheory bench {name} --width 0.25 --against torch"
    bench.command(name, help=text)(command)


_bench("train-step", "A training step: forward, loss, backward, SGD with Nesterov momentum.")
_bench("inference", "The logits of a batch.")
_bench("compact", "The logits of a batch by a network of which filters or kernels are cut out.")
_bench(
    "measure", "Class statistics, fields, clusters and SNR of all stages, against the reference procedure."
)
_bench("memory", "Peak resident size of a training step, each side in its own process.")


@bench.command("layers")
@bench_options
def bench_layers(out: Path | None, as_json: bool, quiet: bool, **setting: Any) -> None:
    """Every layer of a training step against the floor: its arithmetic and its bytes at the measured limits.

    Below 1 in units of the floor, the bytes came from a cache.

    \b
    Example:  deeptheory bench layers --network vgg11-10conv --width 1
    """
    chosen = _setting(**setting)
    from deeptheory.bench.layer_times import measure_layers
    from deeptheory.bench.summaries import layer_summary

    _show(layer_summary(measure_layers(chosen, command_line())), out, as_json)


def _setting(threads: int | None, **setting: Any) -> Any:
    configure(threads)
    from deeptheory.bench import Setting
    from deeptheory.system import threadpools

    given = {name: value for name, value in setting.items() if value is not None}
    if given.get("model"):
        from deeptheory.bench.engine_steps import size_of_model

        for name in ("density", "granularity"):
            if name in given:
                do = "its masks are in the file"
                raise InputError(f"--{name}", "no --model beside it", given["model"], do)
        given = size_of_model(given["model"]) | given
        _require_network_of(Path(given["model"]), given["network"], given["width"])
    return Setting(threads=threadpools.threads(), **given)


def _require_network_of(model: Path, network: str, width: float) -> None:
    """Refuse a dense network that is not the one that the run beside a compact network has trained."""
    from deeptheory.runs.recorded_options import read
    from deeptheory.store import paths

    if (model.parent / paths.CONFIG).is_file():
        trained = read(model.parent).network
        if (trained.name, trained.width) != (network, width):
            expected, found = (
                f"--network {name} --width {factor:g}"
                for name, factor in ((trained.name, trained.width), (network, width))
            )
            raise InputError(f"model {model}", f"{expected}, as its run", found, "give those of the run")


def _show(summary: Any, out: Path | None, as_json: bool) -> None:
    from deeptheory.bench.summaries import write_result

    print_summary(summary, as_json)
    if out:
        click.echo(f"written: {write_result(summary.numbers, out)}", err=True)
