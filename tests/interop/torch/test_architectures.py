"""Live models with branches, grouped convolutions and hidden layers are measured as the same networks of ours."""

import numpy as np
import pytest

from deeptheory import measure as measuring

torch = pytest.importorskip("torch")

from deeptheory.bench.torch_networks import torch_twin  # noqa: E402
from deeptheory.interop.torch import measure  # noqa: E402
from tests.interop.networks import relative_difference, small  # noqa: E402
from tests.interop.torch.conftest import loader  # noqa: E402

N_LABELS, N = 4, 40
PROBE = measuring.ProbeOptions(l2=0.1)


@pytest.mark.parametrize("name", ["vgg11-10conv", "vgg16", "resnet20", "efficientnet-b0", "mlp", "lenet"])
def test_class_means_strengths_and_the_classifier_are_those_of_ours(name, one_thread):
    network, rng = small(name), np.random.default_rng(0)
    labels = np.arange(2 * N) % N_LABELS
    images = rng.integers(0, 256, (2 * N, *network.input_shape), np.uint8)
    stages, modules = {}, dict(torch_twin(network).named_modules())
    for stage in network.stages:
        last = f"{stage.name}.{list(stage.layers)[-1]}"
        if last in modules:  # a sum is a function there
            stages[last] = stage.name
    found = measure(
        torch_twin(network),
        loader(images[:N], labels[:N]),
        list(stages),
        probe_loader=loader(images[N:], labels[N:]),
        probe_options=PROBE,
        quiet=True,
    )
    assert len(stages) >= 4 or name == "mlp"
    own = measuring.class_statistics(
        network, images[:N], labels[:N], list(stages.values()), N_LABELS, quiet=True
    )
    for last, stage in stages.items():
        means, record = own[stage].means, found.stages[last]
        assert relative_difference(record["class_means"], means) <= 1e-4
        fields = measuring.fields_from_class_means(means, record["probe_weight"].reshape(means.shape))
        strengths = measuring.label_strengths(fields)
        assert relative_difference(record["strengths"], strengths) <= 1e-4
    assert found.classifier == ("head.linear" if list(stages.values())[-1] == network.stages[-1].name else "")
