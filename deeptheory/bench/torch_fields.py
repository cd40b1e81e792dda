"""The reference procedure of measuring fields, in PyTorch: one truncated forward pass per stage.

For each stage the features of every input are multiplied by the probe filter by filter, and the single-filter
fields are added up by label. `deeptheory.measure` computes the same fields from the class means of all stages.
"""

import numpy as np
import torch
from numpy.typing import NDArray


def fields(
    network: torch.nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    probe_weight: NDArray[np.float32],
    batch: int,
    memory_format: torch.memory_format,
) -> NDArray[np.float32]:
    """Field matrices of the filters of one stage.

    Parameters
    ----------
    network : torch.nn.Module
        Cut after the stage, in evaluation mode.
    images : uint8 array (N, H, W, C)
    labels : int64 array (N,)
    probe_weight : float32 array (K, C, P)
    batch : int
    memory_format : torch.memory_format

    Returns
    -------
    float32 array (C, K, K)
        Rows = label of the input, columns = output unit.
    """
    weight, targets = torch.from_numpy(probe_weight), torch.from_numpy(labels)
    n_labels, n_filters, _ = weight.shape
    sums = torch.zeros(n_labels, n_filters, n_labels)
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            rows = slice(start, start + batch)
            x = scaled(images[rows], memory_format)
            features = network(x).reshape(len(x), n_filters, -1)
            single = torch.einsum("ncp,kcp->nck", features, weight)
            sums.index_add_(0, targets[rows], single)
    counts = np.bincount(labels, minlength=n_labels)
    means: NDArray[np.float32] = (sums.numpy() / counts[:, None, None]).transpose(1, 0, 2).astype(np.float32)
    return means


def scaled(images: NDArray[np.uint8], memory_format: torch.memory_format) -> torch.Tensor:
    """Grey levels (N, H, W, C) as float32 (N, C, H, W) in [-1, 1]."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32, memory_format=memory_format)
    return x.sub_(127.5).div_(127.5)


def clusters_and_snr(fields: NDArray[np.float32]) -> None:
    """Clip, find clusters, count noise and form both SNRs, by the functions that this package itself uses."""
    # Imported here, since it loads Numba, which should find the threads of PyTorch already set.
    from deeptheory import measure

    n_filters, n_labels = fields.shape[:2]
    clipped = measure.clip(fields, measure.MeasureOptions().threshold)
    clusters = measure.all_clusters(clipped)
    noise, _ = measure.all_noise(clipped, clusters)
    per_filter = clusters.max(axis=1) + 1
    size = (clusters >= 0).sum() / max(per_filter.sum(), 1)
    measure.mean_field_snr(n_filters, n_labels, per_filter.mean(), float(size), noise.mean())
    measure.measured_snr(clipped)
