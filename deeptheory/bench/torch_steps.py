"""The timed steps of PyTorch, on our network in PyTorch; the engine is not imported."""

import time
from typing import Any

import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deeptheory.bench import torch_fields
from deeptheory.bench.cases import L2, MOMENTUM, RATE, Step, Task, batch_of, grey_images, random_probe, timed


def start(threads: int) -> None:
    """Set the threads of PyTorch."""
    torch.set_num_threads(threads)


def _load(task: Task) -> Any:
    # This comparison wrote the file itself: nothing foreign is unpickled.
    loaded = torch.load(task.network_file, weights_only=False)
    return loaded.to(memory_format=getattr(torch, task.memory_format))


def _perhaps_compiled(network: Any, task: Task) -> Any:
    return torch.compile(network) if task.compiled else network


def _batch(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = batch_of(task.setting)
    memory_format = getattr(torch, task.memory_format)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    return x, torch.from_numpy(labels)


def train_step(task: Task) -> Step:
    """Forward, loss, backward, and SGD with Nesterov momentum and L2; bfloat16 by autocast."""
    network = _perhaps_compiled(_load(task).train(), task)
    lower = task.precision == "bfloat16"
    x, labels = _batch(task)
    # The fused optimiser is the fastest of PyTorch: a sixth of the time of the default.
    optimiser = torch.optim.SGD(
        network.parameters(), RATE, momentum=MOMENTUM, nesterov=True, weight_decay=L2, fused=True
    )

    def compute() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            logits = network(x)
        loss: Any = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimiser.step()

    return timed(compute)


def folded_inference(task: Task) -> Step:
    """Logits of one batch, every batch norm folded into the convolution before it."""
    # Weights that have been rounded once are faster than autocast, which rounds them at every step.
    dtype = getattr(torch, task.precision)
    network, x = folded(_load(task).eval()).to(dtype), _batch(task)[0].to(dtype)
    network = _perhaps_compiled(network, task)

    def compute() -> None:
        with torch.inference_mode():
            network(x)

    return timed(compute)


def folded(network: Any) -> Any:
    """The network in evaluation mode, its batch norms folded into the convolutions that they follow."""
    for node in list(network.graph.nodes):
        before: Any = node.args[0] if node.args else None
        if node.op != "call_module" or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution, norm = network.get_submodule(before.target), network.get_submodule(node.target)
        if isinstance(convolution, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
            parent, _, name = before.target.rpartition(".")
            setattr(network.get_submodule(parent), name, fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            network.graph.erase_node(node)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def measure(task: Task) -> Step:
    """The reference procedure on a share of the images; the part proportional to their number is scaled."""
    setting = task.setting
    networks = dict(_load(task).eval().named_children())
    images, labels = grey_images(setting)
    images, labels = images[: setting.reference_images], labels[: setting.reference_images]
    memory_format = getattr(torch, task.memory_format)
    with torch.inference_mode():
        one = torch_fields.scaled(images[:1], memory_format)
        shapes = {name: tuple(network(one).shape[1:]) for name, network in networks.items()}
    probes = {name: random_probe(n, int(np.prod(positions))) for name, (n, *positions) in shapes.items()}

    def step() -> float:
        total = 0.0
        for name, network in networks.items():
            started = time.perf_counter()
            fields = torch_fields.fields(network, images, labels, probes[name], setting.batch, memory_format)
            passed = time.perf_counter()
            torch_fields.clusters_and_snr(fields)
            total += (passed - started) * setting.images / len(images) + time.perf_counter() - passed
        return total

    return step
