"""`deeptheory import`: a run of a network that was trained elsewhere."""

import json
from pathlib import Path

import click

from deeptheory.cli.options import DATA, JSON, SET, configure, machine_options, with_data
from deeptheory.errors import InputError
from deeptheory.store import paths


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--architecture",
    metavar="NAME|FILE.toml",
    help="vgg6, vgg11-8conv, vgg11-10conv, vgg13, vgg16, vgg19, lenet or mlp; resnet20-centred or resnet20-behind "
    "(where shortcuts add channels of zeros); vgg11_bn to vgg19_bn and efficientnet_b0 of torchvision; "
    "convnext-tiny, densenet121, googlenet, efficientnet-lite0, mobilenet-v2, mobilenet-v3-small and "
    "mobilenet-v3-large of torchvision and timm; chenyaofo's cifar10_resnet20 and the like; "
    "resnet20 and efficientnet-b0 for files of this package; or a file that lists stages and layers. Not for "
    "ONNX.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    required=True,
    help="Configuration of the run: data, seed, ...",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run directory to make; not needed for --list.")
@DATA
@SET
@click.option(
    "--held-out",
    metavar="PATH|SHARE|train",
    help="Images that it was not trained on, to measure on: a file or directory of further images; a share of the "
    "test images, 0.5, which are then not tested on; or train, if what this seed draws as the measure split of "
    "the training images was held out. Needed, unless data.measure_from of the configuration says it.",
)
@click.option("--mean", default="", help="Of pixels in [0, 1], one for each channel: 0.49,0.48,0.45.")
@click.option("--std", "deviation", default="", help="Of the same pixels p, which enter as (p - mean)/std.")
@click.option(
    "--norm-epsilon",
    type=float,
    help="What its batch norms add to the variance; by default what the package adds whose names its tensors "
    "have, mostly 1e-5.",
)
@click.option("--list", "only_list", is_flag=True, help="Show which tensor is what, and write nothing.")
@JSON
@machine_options
def import_network(
    file: Path,
    architecture: str | None,
    config: Path,
    out: Path | None,
    data_path: Path | None,
    overrides: tuple[str, ...],
    held_out: str | None,
    mean: str,
    deviation: str,
    norm_epsilon: float | None,
    only_list: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Make a run of a trained network: FILE is a state dictionary of PyTorch, safetensors or ONNX.

    Its content says which, not its name (.pt, .pth.tar, .ckpt, .bin, .pkl or none). The state may be an entry of a
    larger dictionary, its names may have the prefixes of wrappers, its parameters masks of torch.nn.utils.prune.
    Nothing of a file is run.

    Its tensors are matched by name and shape to the layers of the architecture; a file that leaves one out, or has
    others, is refused. All steps after training act on the run as on one of our own.

    \b
    Examples:
      deeptheory import vgg.pt --architecture vgg16 --config cifar.toml --held-out 0.5 --out out/vgg
      deeptheory import vgg.pt --architecture vgg16 --config cifar.toml --list
    """
    if out is None and not only_list:
        raise InputError("--out", "a directory for the run", "none", "name one, or give --list")
    configure(threads)
    from deeptheory import tables
    from deeptheory.data.splits import FROM_TRAIN
    from deeptheory.interop.reading import Units, find_network
    from deeptheory.nn.options import IMPORTED
    from deeptheory.runs import import_run, imported_config, masking_last_stages
    from deeptheory.runs.configuration import config_from, read_options
    from deeptheory.runs.datasets import outlined

    as_imported = (
        f'network.name="{IMPORTED}"',
        *_measured_on(held_out),
    )  # what the retraining then starts from
    table = read_options(config, with_data((*as_imported, *overrides), data_path))
    asked = imported_config(config_from(table))
    shape = outlined(asked, quiet).input_shape
    units = Units(_numbers("--mean", mean), _numbers("--std", deviation), norm_epsilon)
    found = find_network(file, architecture, shape, units)
    account = found.account
    if only_list:
        click.echo(tables.as_json(account.numbers) if as_json else account.text)
        found.network()
        return
    assert out is not None
    network = found.network()
    if held_out is None and asked.data.measure_from == FROM_TRAIN:
        expected = "images that the network was not trained on: a path, a share of the test images, or train"
        do = "measured on images that it has seen, its noise is too low and its SNR too high; see --help"
        raise InputError("--held-out", expected, "none", do)
    if "stages" not in table.get("prune", {}):
        asked = masking_last_stages(asked, network)
    run = import_run(out, asked, network, account.source, quiet)
    accuracy = run.read_numbers(paths.join("train", paths.ACCURACY))
    if as_json:
        click.echo(tables.as_json({**account.numbers, "accuracy": accuracy, "run": str(run.results)}))
    else:
        shares = ", ".join(f"{name} {value:.4f}" for name, value in accuracy.items())
        click.echo(f"{account.text}\naccuracy: {shares}\nrun file: {run.results}")


def _measured_on(held_out: str | None) -> tuple[str, ...]:
    """The options that --held-out stands for."""
    if held_out is None:
        return ()
    try:
        share = float(held_out)
    except ValueError:
        return (f"data.measure_from={json.dumps(held_out)}",)
    return ('data.measure_from="test"', f"data.measure_share={share}")


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise InputError(option, "numbers with commas between them, as 0.49,0.48", f"'{text}'") from error
