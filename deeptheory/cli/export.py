"""`deeptheory export`: a network of a run for other programs."""

from pathlib import Path

import click

from deeptheory.cli.options import JSON, RUN, configure, machine_options, print_summary


@click.command()
@RUN
@click.option("--to", required=True, metavar="onnx|safetensors|torch|state", help="What the files are for.")
@click.option("--arm", default="", help="Arm of the run, such as afcc; the trained network by default.")
@click.option(
    "--compact", "compacted", is_flag=True, help="The arm's compact network; made if it is not there."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@JSON
@machine_options
def export(
    run: Path,
    to: str,
    arm: str,
    compacted: bool,
    out: Path,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Write a network of a run for other programs: the trained one, that of an arm, or a compact one.

    onnx: one file. Input "images", float32 (N, C, H, W), pixels scaled to [-1, 1]; output "logits".
    safetensors: the tensors under our names, NAME.toml with the architecture, and the masks of an arm.
    torch: a script that rebuilds the network in PyTorch, and its tensors.
    state: the tensors of an imported network under the names that they came with, and the masks of an arm: for the
    model itself, by load_back of deeptheory.interop.torch or load_state_dict.
    What masks removed is zero in the weights; a compact network has lost its filters, too.

    \b
    Examples:
      deeptheory export out/one --to onnx --out one.onnx
      deeptheory export out/one --to torch --arm afcc --compact --out small.py
      deeptheory export out/theirs --to state --arm afcc --out afcc.safetensors
    """
    configure(threads)
    from deeptheory.runs import Run
    from deeptheory.runs.exports import export_network

    print_summary(export_network(Run(run, quiet), to, out, arm, compacted), as_json)
