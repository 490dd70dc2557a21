"""The history: columns, rows, table and file."""

from pathlib import Path

import pytest

import maillon as m


@pytest.fixture
def history() -> m.History:
    history = m.History(["epoch", "loss", "val_loss", "seconds"])
    for epoch, (loss, validation) in enumerate([(0.5, 0.75), (0.25, 1 / 3), (0.125, 0.5)], 1):
        history.append(epoch=epoch, loss=loss, val_loss=validation, seconds=0.012)
    history.steps = 30
    history.seconds = 0.04
    return history


def test_columns_and_rows(history: m.History) -> None:
    assert len(history) == 3
    assert history["loss"] == [0.5, 0.25, 0.125]
    assert "val_loss" in history
    assert "accuracy" not in history
    assert list(history)[1] == {"epoch": 2, "loss": 0.25, "val_loss": 1 / 3, "seconds": 0.012}
    assert history.to_dict()["epoch"] == [1, 2, 3]


def test_what_is_given_away_is_a_copy(history: m.History) -> None:
    history["loss"].clear()
    history.to_dict()["loss"].clear()
    assert len(history["loss"]) == 3


def test_a_mistyped_column_names_the_columns(history: m.History) -> None:
    with pytest.raises(KeyError) as caught:
        history["los"]
    assert caught.value.args == (
        "History: expected a column (epoch, loss, val_loss, seconds), got 'los'. Did you mean 'loss'?",
    )
    with pytest.raises(KeyError, match=r"got 'zzz'\. Take one of those\."):
        history["zzz"]


def test_a_row_has_every_column(history: m.History) -> None:
    with pytest.raises(ValueError, match=r"^History\.append: expected the columns epoch, loss, val_loss, seconds, got"):
        history.append(epoch=4, loss=0.1)
    assert len(history) == 3


def test_the_best_epoch_is_the_least_validation_loss_else_loss(history: m.History) -> None:
    assert history.best_epoch == 2
    history.best_epoch = 1
    assert history.best_epoch == 1
    alone = m.History(["loss"])
    assert alone.best_epoch is None
    assert bool(alone)
    for loss in (3.0, 1.0, 1.0):
        alone.append(loss=loss)
    assert alone.best_epoch == 2


def test_the_table(history: m.History) -> None:
    assert history.table() == (
        "epoch   loss  val_loss  seconds\n"
        "    1    0.5      0.75     0.01\n"
        "    2   0.25   0.33333     0.01\n"
        "    3  0.125       0.5     0.01"
    )
    assert history.table(rows=2) == (
        "epoch   loss  val_loss  seconds\n"
        "    1    0.5      0.75     0.01\n"
        "    …      …         …        …\n"
        "    3  0.125       0.5     0.01"
    )


def test_how_it_shows_itself(history: m.History) -> None:
    assert repr(history) == "History(3 epochs, 30 steps, 0.04 s, loss 0.125, val_loss 0.5)"
    assert str(history) == f"{history!r}\n{history.table()}"
    empty = m.History(["loss"])
    assert str(empty) == repr(empty) == "History(0 epochs, 0 steps, 0 s)"


def test_the_file_has_every_digit(history: m.History, tmp_path: Path) -> None:
    path = history.to_csv(tmp_path / "history.csv")
    assert path.read_text() == (
        "epoch,loss,val_loss,seconds\n1,0.5,0.75,0.012\n2,0.25,0.3333333333333333,0.012\n3,0.125,0.5,0.012\n"
    )
    history.to_csv(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


def test_a_place_that_cannot_be_written_is_left_as_it_was(history: m.History, tmp_path: Path) -> None:
    folder = tmp_path / "history.csv"
    folder.mkdir()
    way_out = "Give the path of a file in a folder that exists and that you may write to."
    with pytest.raises(OSError) as caught:
        history.to_csv(folder)
    assert str(caught.value) == f"History.to_csv: cannot write '{folder}': Is a directory. {way_out}"
    with pytest.raises(OSError) as caught:
        history.to_csv(tmp_path / "none" / "history.csv")
    assert str(caught.value) == (
        f"History.to_csv: cannot write '{tmp_path}/none/history.csv': No such file or directory. {way_out}"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]
