"""Training: determinism, resumption, masks, failures."""

import hashlib

import h5py
import msgspec
import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.training_state import identity_of
from deeptheory.runs.configuration import RetrainRecipe
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system.interruption import Interrupted

RECIPE = nn.Recipe(epochs=3, batch=8, learning_rate=0.05, shift=1)


def data(n=25, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 256, (n, 16, 16, 1), dtype=np.uint8)
    images[np.arange(n), :, 5 * labels] = 255  # a bright column tells the label
    return images, labels


def small(seed=0):
    return nn.build("vgg6", 3, (16, 16, 1), width=1 / 16, rng=np.random.default_rng(seed))


def train(
    network,
    recipe=RECIPE,
    n=25,
    masks=None,
    stages=(),
    before_epoch=lambda epoch, masks: None,
    early_stop=None,
    **session,
):
    generators = nn.Generators(np.random.default_rng(11), np.random.default_rng(12))
    options = {"masks": masks, "stages": stages, "before_epoch": before_epoch, "early_stop": early_stop}
    return nn.fit(network, *data(n), recipe, generators, **options, session=nn.Session(quiet=True, **session))


@pytest.fixture
def stop_after():
    def stopper(n_steps):
        asked = iter(range(1, 1000))
        return lambda: next(asked) >= n_steps

    return stopper


def test_training_learns():
    network = small()
    history = train(network, nn.Recipe(epochs=12, batch=8, learning_rate=0.05, shift=0, flip=False), n=60)
    assert history.loss[-1] < 0.5 * history.loss[0]
    images, labels = data(60)
    assert nn.accuracy(network, images, labels, batch=7) > 0.9
    assert (history.seconds > 0).all()
    assert history.loss.shape == history.accuracy.shape == history.learning_rate.shape == (12,)


def test_same_seed_gives_the_same_bits(assert_same):
    states = []
    for _ in range(2):
        network = small()
        train(network)
        states.append(network.state())
    assert_same(*states)


@pytest.mark.parametrize("n_steps", [1, 3, 4, 6])
def test_interrupted_equals_uninterrupted(tmp_path, stop_after, n_steps, assert_same):
    # 25 inputs in batches of 8: three steps an epoch, the last single input left out.
    whole, halves = small(), small()
    history = train(whole)
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted, match="train stopped"):
        train(halves, checkpoint=store, should_stop=stop_after(n_steps))
    fresh = small(seed=99)  # its weights come from the checkpoint
    resumed = train(fresh, checkpoint=store)
    assert_same(whole.state(), fresh.state())
    np.testing.assert_array_equal(resumed.loss, history.loss)
    np.testing.assert_array_equal(resumed.accuracy, history.accuracy)
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint.h5", "checkpoint.previous.h5"}


def test_only_the_named_stages_are_trained():
    before = small().state()
    recipe = nn.Recipe(epochs=1, batch=25, shift=1, l2_on_all=True)
    part, whole = small(), small()
    train(part, recipe, stages=("stage5", "head"))
    train(whole, recipe)
    for name, array in part.parameters().items():
        trained = name.split(".")[0] in ("stage5", "head")
        # One step on all inputs: what is trained takes the step that it takes when all are.
        np.testing.assert_array_equal(array, (whole.parameters() if trained else before)[name], err_msg=name)
        assert trained != np.array_equal(array, before[name]), name
    train(part, RECIPE, stages=("stage5", "head"))  # several steps: the velocity of the others stays at zero
    assert all((part.parameters()[name] == before[name]).all() for name in small().parameters(["stage4"]))


def test_held_stages_follow_the_running_statistics_of_the_batches():
    part, whole = small(), small()
    recipe = nn.Recipe(epochs=1, batch=25, shift=1)
    for network, stages in ((part, ["head"]), (whole, [])):
        train(network, recipe, stages=stages)
    for name, array in part.buffers().items():
        np.testing.assert_array_equal(array, whole.buffers()[name])
        assert not np.array_equal(array, small().buffers()[name])


def test_masks_hold_in_stages_that_are_not_trained():
    name = "stage4.conv.weight"
    mask = np.random.default_rng(3).random(small().parameters()[name].shape) < 0.5
    network, before = small(), small().parameters()[name]
    train(network, masks={name: mask}, stages=["head"])
    np.testing.assert_array_equal(network.parameters()[name], before * mask)


def test_a_stage_that_does_not_exist_is_refused_before_training():
    with pytest.raises(
        InputError, match=r"stage: expected one of head, stage1.*found 'haed'; did you mean 'head'"
    ):
        train(small(), stages=["haed"])


def test_some_stages_are_resumed_and_known_from_others(tmp_path, stop_after, assert_same):
    whole, halves, fresh = small(), small(), small(seed=99)
    stages = ("stage5", "head")
    train(whole, stages=stages)
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted, match="train stopped"):
        train(halves, stages=stages, checkpoint=store, should_stop=stop_after(4))
    with pytest.raises(InputError, match=r"expected the same .* masks and stages"):
        train(small(), checkpoint=store)
    train(fresh, stages=stages, checkpoint=store)
    assert_same(whole.state(), fresh.state())


def test_checkpoints_from_before_a_retraining_had_stages_are_continued():
    recipe, (_, labels), network = RetrainRecipe(), data(), small()
    later = ("stages", "optimiser", "warm_up", "milestones", "factors", "clip_norm", "label_smoothing")
    fields = [name for name in recipe.__struct_fields__ if name not in later]
    digest = hashlib.sha256(msgspec.json.encode({name: getattr(recipe, name) for name in fields}))
    digest.update(repr([(name, a.shape) for name, a in network.parameters().items()]).encode())
    digest.update(labels.tobytes())
    assert identity_of(network, labels, recipe, {}) == digest.hexdigest()


def test_random_draws_of_a_network_go_on_as_well(tmp_path, stop_after, assert_same):
    def network(seed):
        options = {"width": 0.25, "depth": 0.3, "stochastic_depth": 0.5}
        return nn.build("efficientnet-b0", 3, (16, 16, 1), rng=np.random.default_rng(seed), **options)

    recipe = nn.Recipe(epochs=2, batch=8, learning_rate=0.05, shift=1)
    whole, halves, fresh = network(0), network(0), network(99)
    train(whole, recipe)
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted):
        train(halves, recipe, checkpoint=store, should_stop=stop_after(4))
    train(fresh, recipe, checkpoint=store)
    assert_same(whole.state(), fresh.state())
    counters = {int(a[0]) for name, a in whole.buffers().items() if name.endswith("drop.counter")}
    assert counters == {6}


def test_finished_training_returns_at_once(tmp_path, assert_same):
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    network = small()
    history = train(network, checkpoint=store)
    written = store.path.stat().st_mtime_ns
    with h5py.File(store.path) as file:
        assert (
            file["momentum"].keys() == network.parameters().keys()
        )  # the velocity, as old checkpoints call it
    again = small()
    np.testing.assert_array_equal(train(again, checkpoint=store).seconds, history.seconds)
    assert_same(network.state(), again.state())
    assert store.path.stat().st_mtime_ns == written


def test_checkpoint_of_another_training_is_refused(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    train(small(), checkpoint=store)
    before = store.path.read_bytes()
    with pytest.raises(
        InputError, match=r"checkpoint .*: expected the same network, labels, recipe, masks and stages"
    ):
        train(small(), nn.Recipe(epochs=4, batch=8), checkpoint=store)
    assert store.path.read_bytes() == before


def test_damaged_checkpoint_is_refused(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    train(small(), checkpoint=store)
    store.path.write_bytes(store.path.read_bytes()[:500])
    with pytest.raises(
        InputError, match=r"checkpoint.h5: expected a whole file, found .*; delete it to start"
    ):
        train(small(), checkpoint=store)


def test_a_damaged_checkpoint_is_put_aside_for_the_one_before_it(tmp_path, stop_after, assert_same):
    whole, halves, fresh = small(), small(), small(seed=99)
    train(whole)
    store = CheckpointStore(tmp_path / "checkpoint.h5", interval=0)
    with pytest.raises(Interrupted):
        train(halves, checkpoint=store, should_stop=stop_after(5))
    damaged = bytearray(store.path.read_bytes())
    with h5py.File(store.path) as file:
        damaged[file["state/stage1.conv.weight"].id.get_offset() + 2] ^= 4
    store.path.write_bytes(damaged)
    train(fresh, checkpoint=store)
    assert_same(whole.state(), fresh.state())
    assert (tmp_path / "checkpoint.damaged.h5").read_bytes() == damaged


def test_unwritable_place_is_an_input_error(tmp_path):
    store = CheckpointStore(tmp_path / "missing" / "checkpoint.h5")
    with pytest.raises(InputError, match=r"checkpoint .*: expected a place that can be written"):
        train(small(), checkpoint=store)


def test_masks_hold_at_every_step():
    network = small()
    rng = np.random.default_rng(4)
    shapes = {name: a.shape for name, a in network.parameters().items()}
    masks = {
        "stage2.conv.weight": rng.random((*shapes["stage2.conv.weight"][:2], 1, 1)) < 0.5,
        "head.linear.weight": rng.random(shapes["head.linear.weight"]) < 0.5,
        "stage3.norm.bias": np.arange(shapes["stage3.norm.bias"][0]) % 2 == 0,
    }
    n_checked = 0

    def check():
        nonlocal n_checked
        n_checked += 1
        for name, mask in masks.items():
            array = network.parameters()[name]
            kept = np.broadcast_to(mask, array.shape)
            assert (array[~kept] == 0).all()
            assert (array[kept] != 0).all()
        return False

    train(network, masks=masks, should_stop=check)
    check()  # it is not asked after the last step
    assert n_checked == 9


def test_wrong_masks_are_refused():
    with pytest.raises(InputError, match=r"mask: .*found 'stage2.conv'; did you mean 'stage2.conv"):
        train(small(), masks={"stage2.conv": np.ones((1, 1, 1, 1), bool)})
    for mask in (np.ones((3, 7), bool), np.ones(32, bool), np.ones((3, 32))):
        with pytest.raises(
            InputError,
            match=r"mask of head.linear.weight: expected bool array that broadcasts to \(3, 32\), found",
        ):
            train(small(), masks={"head.linear.weight": mask})


def test_divergence_names_epoch_and_step_and_keeps_the_checkpoint(tmp_path, stop_after):
    recipe = nn.Recipe(epochs=3, batch=8, learning_rate=1e30, schedule="cosine")
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted):
        train(small(), recipe, checkpoint=store, should_stop=stop_after(1))
    before = store.path.read_bytes()
    with pytest.raises(
        InputError,
        match=r"loss at epoch 1, step \d: expected a finite number, found (nan|inf); .*last good one",
    ):
        train(small(), recipe, checkpoint=store)
    assert store.path.read_bytes() == before
    with pytest.raises(InputError, match="no checkpoint was asked for"):
        train(small(), recipe)


def test_l2_is_on_weights_only_unless_asked():
    for on_all in (False, True):
        network = small()
        optimiser = nn.SGD(network, momentum=0.0, l2=0.1, l2_on_all=on_all, masks={})
        network.forward(np.ones((2, 16, 16, 1), np.float32), training=True)
        network.backward(np.zeros((2, 3)))
        before = network.state()
        optimiser.step(1.0)
        after = network.state()
        np.testing.assert_allclose(after["stage1.conv.weight"], 0.9 * before["stage1.conv.weight"], rtol=1e-6)
        np.testing.assert_allclose(after["stage1.norm.weight"], 0.9 if on_all else 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y[:-1]), "labels: expected one for each of the 25 images, at least 1, found 24"),
        (lambda x, y: (x, y + 1), "labels: expected 0 to 2, found 3"),
        (
            lambda x, y: (x[:, :8], y),
            r"expected uint8 of shape \(N, 16, 16, 1\), found uint8 of shape \(25, 8, 16, 1\)",
        ),
        (lambda x, y: (x / 255, y), "expected uint8 of shape .*found float64"),
        (lambda x, y: (x[:1], y[:1]), "batch in training mode: expected at least 2 inputs, found 1"),
    ],
)
def test_data_that_do_not_fit_are_refused(change, message):
    images, labels = change(*data())
    labels = np.where(labels == labels.max(), labels.max(), labels)
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=message):
        nn.fit(small(), images, labels, RECIPE, nn.Generators(rng, rng), session=nn.Session(quiet=True))


def test_progress_shows_epoch_and_loss(monkeypatch):
    notes = []
    monkeypatch.setattr(
        "deeptheory.system.progress.Progress.advance", lambda self, done, note="": notes.append((done, note))
    )
    train(small())
    assert [done for done, _ in notes] == list(range(1, 10))
    assert notes[-1][1].startswith("epoch 3, loss ")


def falling_masks(epoch, masks):
    """A mask with one row less before each of the first two epochs."""
    if epoch == 2:
        return None
    mask = masks.get("stage2.conv.weight", np.ones(small().parameters()["stage2.conv.weight"].shape, bool))
    mask = mask.copy()
    mask[epoch] = False
    return {"stage2.conv.weight": mask}


def test_masks_change_before_an_epoch_and_stay_in_force():
    network, seen = small(), []

    def watching(epoch, masks):
        seen.append((epoch, {name: mask.copy() for name, mask in masks.items()}))
        return falling_masks(epoch, masks)

    train(network, before_epoch=watching)
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    assert seen[0][1] == {}
    assert (~seen[2][1]["stage2.conv.weight"]).sum() == 2 * network.parameters()["stage2.conv.weight"][0].size
    rows = (network.parameters()["stage2.conv.weight"] != 0).any(axis=(1, 2, 3))
    assert rows.tolist() == [False, False] + [True] * (len(rows) - 2)


@pytest.mark.parametrize("n_steps", [1, 3, 5, 7, 8])
def test_changing_masks_survive_an_interruption(tmp_path, stop_after, n_steps, assert_same):
    whole, halves, fresh = small(), small(), small(seed=99)
    train(whole, before_epoch=falling_masks)
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted):
        train(halves, before_epoch=falling_masks, checkpoint=store, should_stop=stop_after(n_steps))
    train(fresh, before_epoch=falling_masks, checkpoint=store)
    assert_same(whole.state(), fresh.state())


RICH = nn.TrainRecipe(
    epochs=4,
    batch=8,
    learning_rate=0.005,
    shift=1,
    optimiser="adamw",
    schedule="piecewise",
    milestones=(1, 2),
    factors=(0.5, 0.1),
    warm_up=1,
    label_smoothing=0.1,
    clip_norm=1.0,
    patience=2,
)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
@pytest.mark.parametrize("n_steps", [1, 3, 4, 8])
def test_adam_masks_clipping_and_early_stop_survive_an_interruption(
    tmp_path, stop_after, optimiser, n_steps, assert_same
):
    recipe = msgspec.structs.replace(RICH, optimiser=optimiser)
    mask = {
        "stage4.conv.weight": np.random.default_rng(3).random(small().state()["stage4.conv.weight"].shape)
        < 0.3
    }
    stop = nn.EarlyStop(*data(40, seed=5), recipe.patience)
    whole, halves, fresh = small(), small(), small(seed=99)
    history = train(whole, recipe, masks=mask, early_stop=stop)
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    with pytest.raises(Interrupted):
        train(halves, recipe, masks=mask, early_stop=stop, checkpoint=store, should_stop=stop_after(n_steps))
    resumed = train(fresh, recipe, masks=mask, early_stop=stop, checkpoint=store)
    assert_same(whole.state(), fresh.state())
    assert_same({**resumed.entries}, {**history.entries})
    assert not whole.parameters()["stage4.conv.weight"][~mask["stage4.conv.weight"]].any()
    again = small(seed=98)  # a finished training, read once more
    train(again, recipe, masks=mask, early_stop=stop, checkpoint=store)
    assert_same(whole.state(), again.state())


def test_checkpoints_of_adam_are_not_taken_for_those_of_sgd(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoint.h5")
    train(small(), checkpoint=store)
    with pytest.raises(InputError, match=r"expected the same network, labels, recipe"):
        train(small(), msgspec.structs.replace(RECIPE, optimiser="adam"), checkpoint=store)


def test_training_stops_after_its_patience_with_the_best_weights(monkeypatch):
    accuracies = iter([0.3, 0.5, 0.5, 0.4, 0.9])
    states = []

    def look_at(self, network):
        states.append(network.state())
        return next(accuracies)

    monkeypatch.setattr(nn.EarlyStop, "look_at", look_at)
    network, recipe = small(), nn.Recipe(epochs=9, batch=8, learning_rate=0.01, shift=1)
    history = train(network, recipe, early_stop=nn.EarlyStop(*data(), 2))
    assert history.held_out.tolist() == [0.3, 0.5, 0.5, 0.4]
    assert len(history.loss) == 4
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, states[1][name])
    assert "held_out" not in train(small()).entries
