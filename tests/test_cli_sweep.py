"""`deeptheory sweep` and the commands below it."""

import json

import pytest

from deeptheory.runs import Run, paths

pytestmark = pytest.mark.usefixtures("one_thread")

SWEEP = """
[sweep]
steps = "train"
[sweep.grid]
"data.n_labels" = [3, 5]
"""
QUICK = "--quiet", "--set", "train.epochs=1"


@pytest.fixture
def file(tmp_path, config):
    """The tiny configuration over two numbers of labels."""
    path = tmp_path / "labels.toml"
    path.write_text(config.read_text(encoding="utf-8") + SWEEP, encoding="utf-8")
    return path


def test_a_sweep_is_computed_shown_and_collected(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    result = deeptheory("sweep", file, "--out", out, *QUICK)
    assert (result.code, result.err) == (0, "")
    assert "2 members, 2 done, 0 partial, 0 failed, 0 missing" in result.out
    assert "accuracy on the test split, mean over seeds" in result.out
    assert deeptheory("sweep", "status", out).out == result.out.split("\n\n")[-1]
    assert result.out.startswith(deeptheory("sweep", "collect", out).out)
    asked = json.loads(deeptheory("sweep", file, "--out", out, *QUICK, "--json").out)
    assert asked["status"] == json.loads(deeptheory("sweep", "status", out, "--json").out)
    assert asked["results"] == json.loads(deeptheory("sweep", "collect", out, "--json").out)
    assert [row["data.n_labels"] for row in asked["results"]["members"]] == [3, 5]


def test_one_member_is_computed_by_its_index(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    result = deeptheory("sweep", file, "--out", out, "--index", 1, *QUICK)
    assert (result.code, result.err) == (0, "")
    name, _, state = result.out.strip().partition(": ")
    assert state == "done"
    assert Run(out / name).config.data.n_labels == 5
    assert "1 done, 0 partial, 0 failed, 1 missing" in deeptheory("sweep", "status", out).out
    result = deeptheory(
        "sweep", out / paths.SWEEP, "--out", out, "--index", 1, "--json"
    )  # as asked, complete
    assert json.loads(result.out) == {"member": name, "state": "done", "error": None}


def test_a_failed_member_ends_the_command_with_1_and_the_reason(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    (tmp_path / "damaged.npz").write_bytes(b"damaged")
    arguments = "sweep", file, "--out", out, "--data", tmp_path / "damaged.npz", *QUICK
    result = deeptheory(*arguments)
    assert (result.code, result.err) == (1, "")
    assert "2 members, 0 done, 0 partial, 2 failed, 0 missing" in result.out
    assert "damaged.npz" in result.out.splitlines()[-1]
    assert result.out.rstrip().endswith(f"/{paths.LOG}")
    result = deeptheory(*arguments, "--index", 0)
    assert result.code == 1
    assert ": failed, InputError: " in result.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "configuration: expected a table [sweep], found none in "),
        (SWEEP.replace("n_labels", "n_label"), "found 'n_label'; did you mean 'n_labels'?"),
        (SWEEP.replace("3, 5", "3, 5.5"), "member 'n_labels=5.5': data.n_labels: expected int, found 5.5"),
    ],
)
def test_a_bad_sweep_is_refused_before_anything_starts(
    deeptheory, assert_refused, file, tmp_path, text, words
):
    file.write_text(text, encoding="utf-8")
    assert_refused(deeptheory("sweep", file, "--out", tmp_path / "labels"), words)
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("command", ["status", "collect"])
def test_a_directory_without_a_sweep_is_refused(deeptheory, assert_refused, tmp_path, command):
    assert_refused(
        deeptheory("sweep", command, tmp_path), "sweep: expected a directory with sweep.toml, found "
    )


@pytest.mark.parametrize("command", ["status", "collect"])
def test_the_commands_below_have_help_with_an_example(deeptheory, command):
    result = deeptheory("sweep", command, "--help")
    assert result.code == 0
    assert f"deeptheory sweep {command} [OPTIONS] DIRECTORY" in result.out
    assert f"Example:  deeptheory sweep {command} " in result.out
