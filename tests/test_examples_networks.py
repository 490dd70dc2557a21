"""The worked examples of networks, in their quick form: each draws its picture, and learns something."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
Main = Callable[[list[str]], dict[str, float]]


def example(name: str) -> ModuleType:
    """The example as a module; examples are no package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quick(name: str, folder: Path) -> dict[str, float]:
    """Its figures, once it is sure that there is a picture that shows something."""
    main: Main = example(name).main
    scores = main(["--quick", "--out", str(folder / "made"), "--seed", "1"])
    with Image.open(folder / "made" / f"{name}.png") as picture:
        assert min(picture.size) > 200
        assert np.asarray(picture.convert("L")).std() > 10
    return scores


def test_the_convolutional_network_reads_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = quick("convolutional_mnist", tmp_path)
    assert scores["before"] < 0.3
    assert scores["after"] > 0.93
    assert f"{scores['after']:.2%} after" in capsys.readouterr().out


def test_the_recurrent_network_adds_what_it_has_not_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = quick("recurrent_addition", tmp_path)
    assert scores["before"] < 0.01
    assert scores["after"] > 0.95
    printed = capsys.readouterr().out
    assert f"{scores['after']:.1%} after 10 epochs" in printed
    sums = [line.split("   wrong")[0] for line in printed.splitlines() if " = " in line]
    assert len(sums) == 5
    for a, b, total in (line.replace("+", "=").split("=") for line in sums[:3]):  # as long as those learnt from
        assert int(a) + int(b) == int(total)


def test_numbers_are_read_from_their_last_digit() -> None:
    addition = example("recurrent_addition")
    assert addition.as_digits([38, 57], 3).tolist() == [[8, 3, 0], [7, 5, 0]]
    x = addition.as_input([(38, 57)], 3)
    assert x.argmax(axis=2).tolist() == [[8, 3, 0]]
    assert x[:, :, 10:].argmax(axis=2).tolist() == [[7, 5, 0]]
    assert addition.as_target([(38, 57)], 3).tolist() == [[5, 9, 0]]


def test_the_transformer_knows_more_than_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = quick("transformer_characters", tmp_path)
    assert scores["nothing known"] > scores["unigram"] > scores["bigram"] > scores["transformer"]
    assert "The statement " in capsys.readouterr().out


def test_no_place_of_the_transformer_sees_what_comes_after_it() -> None:
    characters = example("transformer_characters")
    network = characters.transformer(characters=5, width=8, layers=2)
    x = np.arange(12).reshape(1, 12) % 5
    other = x.copy()
    other[0, 7:] = 0
    y, y_other = network(x), network(other)
    assert np.array_equal(y[:, :, :7], y_other[:, :, :7])
    assert not np.array_equal(y[:, :, 7], y_other[:, :, 7])


def test_what_the_transformer_is_tested_on_it_has_not_learnt_from() -> None:
    texts = example("transformer_characters").manual()
    train, test = ({re.sub(r"[\W_]", "", part) for part in text.split("\n\n")} for text in texts)
    assert len(test) > 50
    assert not train & test
