import pytest

from deeptheory.errors import InputError, unknown_name
from deeptheory.system.scripts import run_script


def test_an_input_error_says_what_was_expected_and_found_and_what_to_do():
    error = InputError("threads", "1 to 2", "5", "ask for fewer")
    assert str(error) == "threads: expected 1 to 2, found 5; ask for fewer"
    assert (error.what, error.expected, error.found, error.do) == ("threads", "1 to 2", "5", "ask for fewer")


def test_an_input_error_without_advice_ends_with_what_was_found():
    assert str(InputError("threads", "1 to 2", "5")) == "threads: expected 1 to 2, found 5"


def test_what_was_found_is_shortened():
    names = ", ".join(f"x{number}" for number in range(100_000))
    found, digits = str(InputError("file", "four arrays", names)), "7" * 4000
    assert found.startswith("file: expected four arrays, found x0, x1, x2,")
    assert f" ... {len(names) - 400} more letters ... " in found
    assert found.endswith(", x99999")
    assert len(found) < 600
    assert str(InputError("a", f"({digits}, 3)", digits)).startswith(
        "a: expected (7777777777... (4000 digits), 3)"
    )
    fits = f"{'a' * 500}{'0' * 80}"
    assert str(InputError("a", "b", fits)).endswith(f"found {fits}")


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(("name", "near"), [("epoch", "epochs"), ("learning-rate", "learning_rate")])
def test_an_unknown_name_suggests_the_nearest(name, near):
    error = unknown_name("option", name, ["learning_rate", "epochs", "batch"])
    assert str(error) == (
        f"option: expected one of batch, epochs, learning_rate, found '{name}'; did you mean '{near}'?"
    )


def test_an_unknown_name_like_no_other_suggests_nothing():
    assert str(unknown_name("option", "zzz", ["epochs"])) == "option: expected one of epochs, found 'zzz'"


def test_a_script_ends_with_one_line_and_code_2(capsys):
    def main():
        raise InputError("threads", "1 to 2", "5")

    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: threads: expected 1 to 2, found 5\n"


def test_what_a_terminal_would_obey_is_shown_as_it_is_written():
    error = InputError("name", "text", "\x1b[2Jé\n\x07\udcff ∑")
    assert str(error) == "name: expected text, found \\x1b[2Jé\\n\\x07\\udcff ∑"
