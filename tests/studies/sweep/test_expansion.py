import dataclasses
import re
from pathlib import Path

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Config, Run
from deeptheory.runs.configuration import config_from
from deeptheory.studies import read_sweep
from deeptheory.studies.sweep import Sweep, SweepOptions, expand
from deeptheory.studies.sweep.expansion import directories, identity

SHIPPED = Path(__file__).parents[3] / "simulations" / "label-scaling.toml"


def members(common=None, **options):
    return expand(Sweep(config_from({"judge": {"seeds": 1}, **(common or {})}), SweepOptions(**options)))


def names(*arguments, **options):
    return [member.name for member in members(*arguments, **options)]


def without_hash(name):
    assert re.search(r"-[0-9a-f]{32}$", name)
    return name[:-33]


def test_members_are_the_product_of_grid_variants_and_seeds():
    found = members(
        {"seed": 2, "judge": {"seeds": 2}},
        grid={"data.n_labels": [3, 10], "train.flip": [True, False]},
        variants=({"name": "short", "train.epochs": 1}, {"name": "as-it-is"}),
    )
    assert len({member.identity for member in found}) == len(found) == 2 * 2 * 2 * 2
    assert [without_hash(member.name) for member in found[:3]] == [
        "short-n_labels=3-flip=True-seed-2",
        "short-n_labels=3-flip=True-seed-3",
        "as-it-is-n_labels=3-flip=True-seed-2",
    ]
    assert found[0].point == ("short", 3, True, 1)
    assert found[2].point == ("as-it-is", 3, True, 12)
    assert (found[-1].config.data.n_labels, found[-1].config.train.flip, found[-1].config.seed) == (
        10,
        False,
        3,
    )


def test_without_grid_the_members_are_the_seeds():
    assert [without_hash(name) for name in names({"judge": {"seeds": 2}})] == ["seed-0", "seed-1"]


def test_options_of_one_name_are_told_apart_by_their_tables():
    (name,) = names(grid={"train.epochs": [1], "retrain.epochs": [2], "train.batch": [5]})
    assert without_hash(name) == "train.epochs=1-retrain.epochs=2-batch=5-seed-0"


def test_names_are_safe_and_bounded():
    values = ["/data/with space/Ünïcode.npz", "x" * 300]
    stages = [[f"stage{i}" for i in range(1, 10)]]
    grid = {
        "train.learning_rate": [1e-5],
        "data.path": values,
        "prune.stages": stages,
        "prune.threshold": [0.5],
    }
    found = names(grid=grid)
    for name in found:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+=-]*", name)
        assert len(name) < 150
    assert without_hash(found[0]) == (
        "learning_rate=1e-05-path=ta_with_space_n_code.npz-stages=stage1+stage2+stage3+sta-threshold=0.5-seed-0"
    )
    assert len(set(found)) == 2


def test_the_identity_is_that_of_the_configuration():
    # pinned: another value would make all members of old sweeps new ones
    assert identity(Config()) == "44136fa355b3678a1146ad16f7e8649e"
    assert identity(config_from({"seed": 3, "train": {"epochs": 5}})).startswith("0310577f")
    same = config_from({"judge": {"seeds": 7}, "compare": {"criteria": ["lamp"]}})
    assert identity(same) == identity(Config())
    assert identity(config_from({"train": {"l2": 0}})) == identity(config_from({"train": {"l2": 0.0}}))


def test_a_larger_grid_keeps_the_members_there_are():
    assert set(names(grid={"data.n_labels": [3, 10]})) < set(names(grid={"data.n_labels": [3, 5, 10]}))


def test_a_member_is_found_by_its_identity_under_an_older_name(tmp_path):
    (old,) = members({"data": {"n_labels": 3}})
    Run.create(tmp_path / old.name, old.config)
    now = members(grid={"data.n_labels": [3, 10]})
    assert now[0].name != old.name
    assert directories(tmp_path, now) == [tmp_path / old.name, tmp_path / now[1].name]


def test_directories_of_earlier_versions_are_found_by_their_eight_digits(tmp_path):
    now = members({"judge": {"seeds": 3}})
    for member in now[:2]:
        Run.create(tmp_path / f"{without_hash(member.name)}-{member.identity[:8]}", member.config)
    here = [f"{without_hash(member.name)}-{member.identity[:8]}" for member in now[:2]]
    assert directories(tmp_path, now) == [*(tmp_path / name for name in here), tmp_path / now[2].name]


def test_of_members_with_the_same_eight_digits_the_one_of_the_configuration_is_there(tmp_path):
    one, other = (
        dataclasses.replace(member, identity=f"01234567{number:024d}")
        for number, member in enumerate(members({"judge": {"seeds": 2}}))
    )
    Run.create(tmp_path / "seed-1-01234567", other.config)
    assert directories(tmp_path, (one, other)) == [tmp_path / one.name, tmp_path / "seed-1-01234567"]


def test_many_seeds_are_many_members():
    assert len(members({"seed": 10**9, "judge": {"seeds": 50_000}})) == 50_000


def test_a_value_that_an_option_cannot_take_names_the_member():
    with pytest.raises(InputError, match=r"^member 'n_labels=2': data.n_labels: expected int >= 3, found 2$"):
        members(grid={"data.n_labels": [3, 2]})
    with pytest.raises(InputError, match=r"^member 'long': train.epochs: expected int, found 'many'$"):
        members(variants=({"name": "long", "train.epochs": "many"},))


def test_members_of_one_configuration_are_refused():
    message = (
        r"^sweep: expected members of different configurations, found 'a-seed-0-\w+' and 'b-seed-0-\w+' are"
    )
    with pytest.raises(InputError, match=message):
        members(variants=({"name": "a"}, {"name": "b", "train.epochs": 12}))


def test_the_study_of_the_number_of_labels_expands():
    found = expand(read_sweep(SHIPPED))
    assert len(found) == 30
    assert [member.config.data.n_labels for member in found[::5]] == [3, 10, 30, 100, 300, 1000]
    assert {member.config.seed for member in found} == {20, 21, 22, 23, 24}
    assert len({member.config.data.train_per_label for member in found}) == 1


def test_the_retraining_of_a_member_follows_from_its_training(sweep_of):
    asked = sweep_of({"train.learning_rate": [0.02, 0.1]}, retrain={})
    rates = {
        member.config.train.learning_rate: member.config.retrain.learning_rate for member in expand(asked)
    }
    assert rates == {0.02: 0.01, 0.1: 0.05}
    fixed = sweep_of({"train.learning_rate": [0.02, 0.1]}, retrain={"learning_rate": 0.03})
    assert {member.config.retrain.learning_rate for member in expand(fixed)} == {0.03}


def test_a_variant_that_puts_a_table_in_place_of_an_option_is_refused(sweep_of):
    with pytest.raises(InputError, match=r"option 'seed.x': expected 'seed' to be a table of options"):
        expand(sweep_of(variants=[{"name": "0", "seed.x": 1}]))


def test_what_follows_from_network_and_optimiser_follows_in_every_member(sweep_of):
    grid = {"network.name": ["vgg6", "mlp"], "train.optimiser": ["sgd", "adam"]}
    sweep = sweep_of(grid, prune={}, judge={"seeds": 1})
    found = [
        (m.config.prune.stages, m.config.train.learning_rate, m.config.retrain.learning_rate)
        for m in expand(sweep)
    ]
    vgg6, mlp = ("stage3", "stage4", "stage5"), ("stage2",)
    rates = (0.1, 0.05), (0.001, 0.0005)
    assert found == [(stages, *rate) for stages in (vgg6, mlp) for rate in rates]
    given = sweep_of(
        {"network.name": ["vgg6", "vgg11-10conv"]}, prune={"stages": ["stage4"]}, judge={"seeds": 1}
    )
    assert {member.config.prune.stages for member in expand(given)} == {("stage4",)}
