"""Published networks of torchvision and timm give the outputs of their PyTorch modules, by tensors and by ONNX."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.reading import Units, find_network

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
convnext = pytest.importorskip("tests.interop.torch_convnext")
densenet = pytest.importorskip("tests.interop.torch_densenet")
googlenet = pytest.importorskip("tests.interop.torch_googlenet")
lite = pytest.importorskip("tests.interop.torch_lite")
mobilenets = pytest.importorskip("tests.interop.torch_mobilenets")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # PyTorch's own, of its exporter
]

TOLERANCE, SIZE = 1e-4, 64  # of the largest output; pixels
OF_V3 = 1e-3  # torchvision's epsilon of the batch norms
FILTERS = (4, 6, 8, 10)  # of the groups of a small ConvNeXt
MODELS = {  # by the name of the architecture, and of the package: module, epsilon
    ("convnext_tiny", "torchvision"): (lambda: convnext.ConvNeXt(FILTERS, 5), 1e-5),
    ("convnext-tiny", "timm"): (lambda: convnext.TimmConvNeXt(FILTERS, 5), 1e-5),
    ("densenet121", "torchvision"): (lambda: densenet.DenseNet(8, 4, 5), 1e-5),
    ("googlenet", "torchvision"): (lambda: googlenet.GoogLeNet(1 / 16, 5), 1e-3),
    ("efficientnet-lite0", "lukemelas"): (lambda: lite.Lite0(0.25, 5), 1e-3),
    ("efficientnet_lite0", "timm"): (lambda: lite.TimmLite0(0.25, 5), 1e-5),
    ("tf_efficientnet_lite0", "timm, tf_"): (lambda: lite.TimmLite0(0.25, 5, behind=True), 1e-3),
    ("mobilenet-v2", "torchvision"): (lambda: mobilenets.MobileNet("v2", 0.25, 5), 1e-5),
    ("mobilenet_v2", "timm"): (lambda: mobilenets.TimmMobileNet("v2", 0.25, 5), 1e-5),
    ("mobilenet_v3_small", "torchvision"): (lambda: mobilenets.MobileNet("small", 0.5, 5), OF_V3),
    ("mobilenetv3_small_100", "timm"): (lambda: mobilenets.TimmMobileNet("small", 0.5, 5), 1e-5),
    ("mobilenet-v3-large", "torchvision"): (lambda: mobilenets.MobileNet("large", 0.25, 5), OF_V3),
    ("mobilenet-v3-large", "timm"): (lambda: mobilenets.TimmMobileNet("large", 0.25, 5), 1e-5),
}


def module_of(name, package):
    make, epsilon = MODELS[name, package]
    return models.settled(make(), epsilon=epsilon)


def assert_same(network, module):
    x = models.images(3, SIZE)
    expected = models.outputs_of(module, x)
    assert expected.std(axis=0).max() > 0.01 * np.abs(expected).max()  # they depend on the images
    assert np.abs(network.infer(x) - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(("name", "package"), MODELS)
def test_outputs_are_those_of_torch(tmp_path, name, package):
    module = module_of(name, package)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    found = find_network(tmp_path / "state.pt", name, (SIZE, SIZE, 3))
    assert found.account.naming == package
    assert_same(found.network(), module)
    taken = {tensor for tensor, *_ in found.account.rows}
    assert taken == {key for key in module.state_dict() if "num_batches" not in key}


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mobilenet-v2", "torchvision"),
        ("mobilenet_v3_small", "torchvision"),
        ("convnext_tiny", "torchvision"),
        ("densenet121", "torchvision"),
        ("googlenet", "torchvision"),
        ("convnext-tiny", "timm"),
    ],
)
def test_outputs_are_those_of_torch_through_onnx(tmp_path, name, package):
    pytest.importorskip("onnx")
    module, path = module_of(name, package), tmp_path / "network.onnx"
    images = torch.from_numpy(models.images(1, SIZE).transpose(0, 3, 1, 2).copy())
    torch.onnx.export(
        module, (images,), path, dynamo=False, dynamic_axes={"images": {0: "N"}}, input_names=["images"]
    )
    assert_same(find_network(path, None, (SIZE, SIZE, 3)).network(), module)


@pytest.mark.parametrize("size", [33, 50, 80])
def test_poolings_of_googlenet_begin_windows_at_the_border(tmp_path, size):
    module, x = module_of("googlenet", "torchvision"), models.images(2, size)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    network = find_network(tmp_path / "state.pt", "googlenet", (size, size, 3)).network()
    expected = models.outputs_of(module, x)
    assert np.abs(network.infer(x) - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_auxiliary_heads_are_left_out(tmp_path):
    module = models.settled(googlenet.GoogLeNet(1 / 16, 5, auxiliary=True), epsilon=1e-3)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    found = find_network(tmp_path / "state.pt", "googlenet", (SIZE, SIZE, 3))
    assert_same(found.network(), module)
    assert "20 tensors of aux1 and aux2, heads of its training, are left out" in found.account.notes
    assert any("transform_input" in note for note in found.account.notes)


def test_the_branches_of_a_file_of_onnx_are_stages_of_their_own(tmp_path):
    pytest.importorskip("onnx")
    module, path = module_of("googlenet", "torchvision"), tmp_path / "network.onnx"
    images = torch.from_numpy(models.images(1, SIZE).transpose(0, 3, 1, 2).copy())
    torch.onnx.export(module, (images,), path, dynamo=False)
    network = find_network(path, None, (SIZE, SIZE, 3)).network()
    ours = nn.build("googlenet", 5, (SIZE, SIZE, 3), 1 / 16, rng=np.random.default_rng(0))
    assert [stage.output_shape for stage in network.stages] == [stage.output_shape for stage in ours.stages]


@pytest.mark.parametrize("size", [56, 63, 70])
def test_padding_behind_the_images_at_even_and_odd_sizes(tmp_path, size):
    module, x = module_of("efficientnet-lite0", "lukemelas"), models.images(2, size)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    found = find_network(tmp_path / "state.pt", "efficientnet-lite0", (size, size, 3))
    expected = models.outputs_of(module, x)
    assert np.abs(found.network().infer(x) - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert any("pad behind the images" in note for note in found.account.notes)


def test_how_strided_convolutions_pad_is_asked_for(tmp_path):
    torch.save(module_of("efficientnet_lite0", "timm").state_dict(), tmp_path / "state.pt")
    words = "expected efficientnet_lite0 or tf_efficientnet_lite0, found tensors that do not say how strided"
    with pytest.raises(InputError, match=words):
        find_network(tmp_path / "state.pt", "efficientnet-lite0", (SIZE, SIZE, 3)).network()


def test_a_variant_with_the_same_names_is_said_where_none_was_named(tmp_path):
    torch.save(module_of("mobilenet-v3-large", "timm").state_dict(), tmp_path / "state.pt")
    for name, said in (("mobilenet-v3-large", True), ("mobilenetv3_large_100", False)):
        notes = find_network(tmp_path / "state.pt", name, (SIZE, SIZE, 3)).account.notes
        assert any("timm's tf_mobilenetv3_large_100 have the same names" in note for note in notes) is said


def test_an_epsilon_that_is_given_is_taken(tmp_path):
    module = module_of("mobilenet_v3_small", "torchvision")
    torch.save(module.state_dict(), tmp_path / "state.pt")
    asked = tmp_path / "state.pt", "mobilenet_v3_small", (SIZE, SIZE, 3)
    assert find_network(*asked).account.norm_epsilon == OF_V3
    with pytest.raises(AssertionError):
        assert_same(find_network(*asked, Units(norm_epsilon=1e-5)).network(), module)


def test_a_tensor_that_is_left_out_is_named(tmp_path):
    state = module_of("mobilenet_v3_small", "torchvision").state_dict()
    del state["features.1.block.1.fc1.weight"]
    torch.save(state, tmp_path / "state.pt")
    found = find_network(tmp_path / "state.pt", "mobilenet_v3_small", (SIZE, SIZE, 3))
    with pytest.raises(InputError, match=r"missing: 'features\.1\.block\.1\.fc1\.weight'"):
        found.network()
