"""Bad input: each file that is damaged, of another kind or a lie is one clear error; what was there stays whole."""

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import file_edits as edits
import numpy as np
import pytest

import maillon as m

KIND = "It was cut short, changed, or is of another kind."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


@pytest.fixture
def content(path: Path) -> bytes:
    """A small network's file, which is there too."""
    m.save(m.Linear(2, 1), path)
    return path.read_bytes()


def refused(path: Path, content: bytes, *, links: Any = None) -> str:
    """What load says of such a file, from behind its name."""
    path.write_bytes(content)
    with pytest.raises(m.FileError) as caught:
        m.load(path, links=links)
    before, _, after = str(caught.value).partition(repr(str(path)))
    assert before in ("load: ", "load: the description in ") or before.startswith("load: '"), before
    return f"{before}…{after}" if before != "load: " else after.removeprefix(":").strip()


def test_what_is_no_safetensors_file(path: Path, content: bytes) -> None:
    assert refused(path, b"") == f"is not a whole safetensors file (it has 0 bytes). {KIND}"
    assert refused(path, content[:5]) == f"is not a whole safetensors file (it has 5 bytes). {KIND}"
    header = int.from_bytes(content[:8], "little")
    assert refused(path, content[: header - 3]) == (
        f"is not a whole safetensors file (its header of {header} bytes is longer than the file of {header - 3})."
        f" {KIND}"
    )
    size = int.from_bytes(b"# A head", "little")
    assert refused(path, b"# A heading\n\nand a text\n") == (
        f"is not a whole safetensors file (its header of {size} bytes is longer than the file of 24). {KIND}"
    )


T = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
LIES: dict[str, tuple[str, bytes]] = {
    "no JSON": ("{" * 20, b""),
    "no object": ("[]", b""),
    "a list of numbers for a tensor": ('{"a":[1,2]}', b""),
    "two tensors in one place": (f'{{"a":{T},"b":{T}}}', b"1234"),
    "a gap": (f'{{"a":{T},"b":{T.replace("[0,4]", "[8,12]")}}}', b"123456789012"),
    "beyond the end": (f'{{"a":{T.replace("[0,4]", "[0,400]").replace("[1]", "[100]")}}}', b"1234"),
    "a huge shape": (f'{{"a":{T.replace("[1]", "[4611686018427387904,4]")}}}', b"1234"),
    "an offset of 2^64": (f'{{"a":{T.replace("[0,4]", "[0,18446744073709551616]")}}}', b"1234"),
    "an offset that goes back": (f'{{"a":{T.replace("[0,4]", "[4,0]")}}}', b"1234"),
    "a negative shape": (f'{{"a":{T.replace("[1]", "[-1]")}}}', b"1234"),
    "more data than shape": (f'{{"a":{T.replace("[1]", "[3]")}}}', b"1234"),
    "bytes behind the last": (f'{{"a":{T}}}', b"12345"),
    "metadata that are a list": ('{"__metadata__":[]}', b""),
    "metadata that are no texts": ('{"__metadata__":{"maillon":{"format":1}}}', b""),
    "half a letter": ('{"__metadata__":{"maillon":"\\ud800"}}', b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_of_lies(lie: str, path: Path) -> None:
    header, data = LIES[lie]
    said = refused(path, edits.joined(header.encode(), data))
    assert said.startswith("is not a whole safetensors file (") and said.endswith(f"). {KIND}")


def test_a_tensor_of_one_name_twice(path: Path) -> None:
    said = refused(path, edits.joined(f'{{"a":{T},"a":{T}}}'.encode(), b"1234"))
    assert said == f"is not a whole safetensors file (a key stands twice in an object). {KIND}"


def test_tensors_that_numpy_has_not(path: Path) -> None:
    header = {"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}
    assert refused(path, edits.joined(header, b"1")) == (
        "load: 'a' in … is of dtype F8_E4M3, which is not read here. Convert the file."
    )
    many = {"a": {"dtype": "U8", "shape": [1] * 70, "data_offsets": [0, 1]}}
    assert refused(path, edits.joined(many, b"1")).startswith("load: 'a' in … has a shape that NumPy has not (")
    large = {"a": {"dtype": "U8", "shape": [2**64 - 1, 0], "data_offsets": [0, 0]}}
    assert refused(path, edits.joined(large)).startswith("load: 'a' in … has a shape that NumPy has not (")


def test_metadata_that_are_null_are_none(path: Path) -> None:
    path.write_bytes(edits.joined(f'{{"__metadata__":null,"a":{T}}}'.encode(), b"\0\0\0\0"))
    assert m.load(path).keys() == {"a"}


def test_a_byte_that_is_neither_true_nor_false(path: Path) -> None:
    header = {"a": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}
    path.write_bytes(edits.joined(header, b"\0\1\7"))
    assert m.load(path)["a"].tobytes() == b"\0\1\1"


def test_a_newer_format(path: Path, content: bytes) -> None:
    known = edits.description(content)
    newer = edits.described(content, known | {"format": 2, "version": "9.1"})
    assert refused(path, newer) == ("it has format 2, written by maillon 9.1; this version reads up to 1. Update.")
    assert refused(path, edits.described(content, known | {"format": 0})) == "it has format 0, and the first is 1."
    assert refused(path, edits.described(content, known | {"format": "1"})) == (
        "its description has no 'format' as it should."
    )
    assert refused(path, edits.described(content, known | {"kind": "film"})) == (
        "it holds a 'film', which this version does not know."
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ('{"format":1', "Expecting ',' delimiter: line 1 column 12 (char 11)"),
        ('{"format":NaN}', "NaN is no number in JSON"),
        ('{"format":-Infinity}', "-Infinity is no number in JSON"),
        ('{"format":1e999}', "1e999 is too large"),
        ('{"format":1,"format":1}', "a key stands twice in an object"),
    ],
)
def test_a_description_that_is_no_json_of_ours(text: str, why: str, path: Path, content: bytes) -> None:
    said = refused(path, edits.described(content, text))
    assert said == f"load: the description in … is no JSON of ours ({why}). It was changed."


def test_numbers_of_a_thousand_digits(path: Path, content: bytes) -> None:
    known = edits.description(content)
    text = json.dumps(edits.changed(known, ("network", "link", "config", "in_features"), -7))
    assert "longer" not in refused(path, edits.described(content, text.replace("-7", "9" * 4000)))
    said = refused(path, edits.described(content, text.replace("-7", "9" * 5000)))
    assert said.startswith("load: the description in … is no JSON of ours (Exceeds the limit")


def test_tensors_hold_nan(path: Path) -> None:
    network = m.Linear(2, 2)
    network.weight.data[0] = np.nan, -np.inf
    network.weight.data.view(np.uint32)[1, 0] = 0x7FC12345  # a NaN with a message
    m.save(network, path)
    assert m.load(path).weight.data.tobytes() == network.weight.data.tobytes()


def test_a_network_that_does_not_fit_its_tensors(path: Path, content: bytes) -> None:
    header, data = edits.split(content)
    turned = {**header, "weight": {**header["weight"], "shape": [2, 1]}}
    assert refused(path, edits.joined(turned, data)) == (
        "the network and its tensors do not fit: weight should be float32 (1, 2), and is float32 (2, 1)."
    )
    whole = {**header, "weight": {**header["weight"], "dtype": "I32"}}
    assert refused(path, edits.joined(whole, data)) == (
        "the network and its tensors do not fit: weight should be float32 (1, 2), and is int32 (1, 2)."
    )
    named = {"w" * (name == "weight") or name: entry for name, entry in header.items()}
    assert refused(path, edits.joined(named, data)) == (
        "the network and its tensors do not fit: weight is missing; w has no place in it."
    )
    known = edits.description(content)
    for size in (10**6, 2**40, 10**30):
        said = refused(
            path, edits.described(content, edits.changed(known, ("network", "link", "config", "in_features"), size))
        )
        assert said.startswith(
            ("the network and its tensors do not fit: weight should be", "a Linear cannot be made of its arguments (")
        )


def test_what_is_shared_frozen_and_evaluating(path: Path, content: bytes) -> None:
    known = edits.description(content)

    def said(**entries: Any) -> str:
        return refused(path, edits.described(content, edits.changed(known, ("network",), known["network"] | entries)))

    assert said(shared=[["weight", "bias"]]) == "weight and bias are one array, and their values differ."
    assert said(shared=[["weight", "x"]]) == "'x', which is shared, is no array of the network, or stands twice."
    assert said(shared=[["weight"], ["weight"]]) == (
        "'weight', which is shared, is no array of the network, or stands twice."
    )
    assert said(frozen=["x"]) == "'x', which is frozen, is no parameter of the network."
    assert said(evaluating=["x"]) == "'x', which is in evaluation mode, is no link of the network."
    for entry in ("shared", "frozen", "evaluating"):
        assert said(**{entry: [[]] if entry != "shared" else [[[]]]}) == (
            f"its description has no '{entry}' as it should."
        )


def test_a_buffer_cannot_be_frozen(path: Path) -> None:
    m.save(m.BatchNorm1d(2), path)
    content = path.read_bytes()
    text = edits.changed(edits.description(content), ("network", "frozen"), ["running_mean"])
    assert refused(path, edits.described(content, text)) == (
        "'running_mean', which is frozen, is no parameter of the network."
    )


HOSTILE = ["forward", "training", "__class__", "__dict__", "_kept", "_buffer_names", "weight", "a b", "heads.0", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_module_is_put_only_where_one_may_stand(name: str, path: Path, content: bytes) -> None:
    known = edits.description(content)
    link = known["network"]["link"] | {"replaced": {name: {"class": "Tanh", "config": {}}}}
    assert refused(path, edits.described(content, edits.changed(known, ("network", "link"), link))) == (
        f"a Linear cannot be made of its arguments (Linear has no place {name!r} for a module)."
    )


@pytest.mark.parametrize(
    "name", ["Parameter", "Generator", "no_grad", "Loss", "Adam", "os.system", "__init__", "FileError"]
)
def test_only_links_are_made(name: str, path: Path, content: bytes) -> None:
    text = edits.changed(edits.description(content), ("network", "link", "class"), name)
    refused(path, edits.described(content, text))


def nested(depth: int, innermost: m.Module) -> m.Module:
    for _ in range(depth):
        innermost = m.Sequential(innermost)
    return innermost


def test_chains_in_chains(path: Path) -> None:
    network = nested(60, m.Linear(2, 1))
    m.save(network, path)
    x = np.ones((3, 2), np.float32)
    assert m.load(path)(x).tobytes() == network(x).tobytes()


def test_a_thousand_chains_in_chains(path: Path, content: bytes) -> None:
    network: m.Module = m.Linear(2, 1)
    for _ in range(1000):
        around = m.Sequential()
        around._links = {"0": network}  # its constructor would go through them
        network = around
    with pytest.raises(ValueError, match=r"^save: its links, or what they hold, are nested too deeply for a file\.$"):
        m.save(network, path)
    assert path.read_bytes() == content

    opening = '{"class":"Sequential","config":{"links":{"dict":[["0",{"link":'
    text = json.dumps(edits.description(content)).replace(" ", "")
    link = json.dumps(edits.description(content)["network"]["link"]).replace(" ", "")
    for depth in (1000, 100_000):
        deep = text.replace(link, opening * depth + link + "}]]}}}" * depth)
        assert refused(path, edits.described(content, deep)) == "load: the description in … is nested too deeply."
    deep = text.replace(link, opening * 140 + link + "}]]}}}" * 140)  # JSON can hold it
    assert refused(path, edits.described(content, deep)).endswith("nested too deeply.")


@pytest.mark.parametrize("opening", ["[", '{"tuple":', '{"a":'])
def test_a_thousand_lists_in_lists(opening: str, path: Path, content: bytes) -> None:
    known = edits.changed(edits.description(content), ("network", "link", "config", "bias"), -7)
    closing = "]" if opening == "[" else "}"
    for depth in (300, 1000, 100_000):
        text = json.dumps(known).replace("-7", opening * depth + "0" + closing * depth)
        refused(path, edits.described(content, text))


VALUES: list[Any] = [
    None, 0, "", [], {}, -1, 1e308, True, 1.5, "x", [1], "0.weight", 2**31, 10**30, {"tuple": []}, {"dict": [["a", 1]]},
    {"scalar": ["<f4", 1e308]}, {"array": ["<f4", [-1], "AAAAAA=="]}, {"generator": 0}, {"tensor": "a.weight"},
    {"float": "nan"}, {"class": "Tanh", "config": {}}, {"link": {"class": "Tanh", "config": {}}},
]  # fmt: skip


@pytest.mark.sweep
@pytest.mark.parametrize("value", VALUES, ids=json.dumps)
@pytest.mark.parametrize("sample", edits.SAMPLES)
def test_each_part_of_a_description_as_something_else(
    sample: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, or another thing that is whole: it shows itself, and is saved and loaded again."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    path = tmp_path / "a.safetensors"
    m.save(edits.SAMPLES[sample](), path)
    content = path.read_bytes()
    known = edits.description(content)
    refusals = 0
    for place in edits.places(known):
        path.write_bytes(edits.described(content, edits.changed(known, place, value)))
        try:
            loaded = m.load(path)
        except m.FileError:
            refusals += 1
            continue
        repr(loaded)
        m.save(loaded, path)
        again = path.read_bytes()
        m.save(m.load(path), path)
        assert path.read_bytes() == again, place
    assert refusals > 10


def test_an_error_quotes_no_more_than_some_of_a_file(path: Path, content: bytes) -> None:
    known = edits.description(content)
    for value in ([[]] * 10_000, "x" * 10_000, {"x" * 10_000: 1, "y": 2}):
        text = edits.changed(known, ("network", "link", "config", "bias"), value)
        assert 100 < len(refused(path, edits.described(content, text))) < 800
    names = edits.changed(known, ("network", "frozen"), ["x" * 10_000])
    assert 100 < len(refused(path, edits.described(content, names))) < 800


def test_state_that_is_not_the_rules_own(path: Path) -> None:
    m.save(edits.optim(), path)
    content = path.read_bytes()
    known = edits.description(content)
    (name,) = [place for place in edits.places(known) if place[-2:] == ("exp_avg", "tensor") and "weight" in str(place)]
    for other, said in (
        ("0.weight", "the tensor '0.weight' is none ('it is one of the network')."),
        ("maillon/none", "the tensor 'maillon/none' is none ('maillon/none')."),
        ("maillon/state/0.bias/exp_avg", "the rule's exp_avg of '0.weight' does not fit it."),
    ):
        assert refused(path, edits.described(content, edits.changed(known, name, other))) == said
    groups = edits.at(known, ("optim", "rule", "groups"))
    for options, said in (
        ({"params": []}, "the rule moves parameters that the network has not."),
        (
            {"lr": -1},
            "a Adam cannot be made of its arguments (Adam: expected lr to be a number ≥ 0 and finite, got -1).",
        ),
    ):
        other = [groups[0] | {"options": groups[0]["options"] | options}]
        assert refused(path, edits.described(content, edits.changed(known, ("optim", "rule", "groups"), other))) == said


def test_a_link_where_none_belongs(path: Path) -> None:
    m.save(edits.optim(), path)
    content = path.read_bytes()
    large = {"link": {"class": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 10**9}}}
    for place in (("optim", "rule", "config", "lr"), ("optim", "options", "accumulate"), ("optim", "gathered")):
        text = edits.changed(edits.description(content), place, large)
        assert refused(path, edits.described(content, text)) == "a link stands where none belongs."


class Swish(m.Module):
    def __init__(self, width: int) -> None:
        self.width = width
        self.fc = m.Linear(width, width)

    def forward(self, x: Any) -> Any:
        return self.fc(x)


def test_a_link_of_ones_own_takes_no_more_memory_than_the_file_bears_out(path: Path) -> None:
    m.save(Swish(2), path)
    content = path.read_bytes()
    known = edits.description(content)
    for width in (10**5, 2**40, 10**30):
        text = edits.changed(known, ("network", "link", "config", "width"), width)
        assert refused(path, edits.described(content, text), links={"Swish": Swish}) == (
            "a Swish cannot be made of its arguments (its parameters and buffers take more memory than expected)."
        )


@pytest.mark.parametrize(("dtype", "times"), [("F32", 2), ("I8", 2), ("BOOL", 2), ("BF16", 3)])
def test_the_memory_that_reading_takes(dtype: str, times: int, path: Path) -> None:
    size = 2**23
    width = {"F32": 4, "BF16": 2}.get(dtype, 1)
    entry = {"dtype": dtype, "shape": [size // width], "data_offsets": [0, size]}
    path.write_bytes(edits.joined({"a": entry}, bytes(size)))
    m.load(path)
    tracemalloc.start()
    try:
        assert m.load(path)["a"].size == size // width
        assert tracemalloc.get_traced_memory()[1] < times * size + 2**18
    finally:
        tracemalloc.stop()


# Places that cannot be read or written


def test_reading_where_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        m.load(tmp_path / "none")
    assert str(missing.value) == f"load: there is no file {str(tmp_path / 'none')!r}."
    with pytest.raises(FileNotFoundError) as missing:
        m.load(tmp_path / "no folder" / "none")
    assert str(missing.value) == f"load: there is no file {str(tmp_path / 'no folder' / 'none')!r}."
    with pytest.raises(IsADirectoryError) as folder:
        m.load(tmp_path)
    assert str(folder.value) == f"load: expected a file, got the folder {str(tmp_path)!r}."
    os.mkfifo(tmp_path / "pipe")
    for other in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(OSError) as pipe:
            m.load(other)
        assert str(pipe.value) == f"load: expected a file, got what is none: {other!r}."
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OSError) as circle:
        m.load(tmp_path / "circle")
    assert circle.value.errno == errno.ELOOP
    with pytest.raises(OSError, match=r"is a symbolic link in a circle|is something else"):
        m.save(m.Tanh(), tmp_path / "circle")


def test_a_file_that_may_not_be_read(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)  # root may read all
    with pytest.raises(PermissionError) as caught:
        m.load(path)
    assert str(caught.value) == f"[Errno 13] load: {str(path)!r} could not be read: Permission denied."


def test_writing_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as folder:
        m.save(m.Tanh(), tmp_path)
    assert str(folder.value) == f"save: expected the name of a file, got the folder {str(tmp_path)!r}."
    with pytest.raises(FileNotFoundError) as missing:
        m.save(m.Tanh(), tmp_path / "none" / "a")
    assert str(missing.value) == f"save: there is no folder {str(tmp_path / 'none')!r}. Make it first."
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError) as pipe:
        m.save(m.Tanh(), tmp_path / "pipe")
    assert str(pipe.value) == f"save: expected the name of a file, and {str(tmp_path / 'pipe')!r} is something else."
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


def test_a_file_or_folder_that_may_not_be_written(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as root:
        root.setattr(os, "access", lambda *_: False)  # root may write all
        with pytest.raises(PermissionError) as caught:
            m.save(m.Linear(2, 2), path)
    assert str(caught.value) == f"save: {str(path)!r} may not be written. It is unchanged."

    def denied(name: Any, *_: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system", str(name))

    with monkeypatch.context() as folder:
        folder.setattr(os, "open", denied)
        with pytest.raises(OSError) as read_only:
            m.save(m.Linear(2, 2), path)
    assert str(read_only.value) == (
        f"[Errno 30] save: {str(path)!r} could not be written: Read-only file system. "
        "What was there before is unchanged."
    )
    assert unharmed(path, content)


def unharmed(path: Path, content: bytes) -> bool:
    """The file is as it was, and nothing stands beside it."""
    return path.read_bytes() == content and list(path.parent.iterdir()) == [path]


FULL = """
import resource, sys, maillon as m
if sys.argv[2]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    m.save(m.Linear(300, 300), sys.argv[1])
except OSError as error:
    print(error)
"""


def written_in_vain(path: Path, limit: str) -> str:
    """What save says where there is no room for 360 kB."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), limit], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_a_file_that_grows_too_large(path: Path, content: bytes) -> None:
    assert written_in_vain(path, "100000") == (
        f"[Errno 27] save: {str(path)!r} could not be written: File too large. What was there before is unchanged."
    )
    assert unharmed(path, content)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """64 kB there, where this process may mount it."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as mounted:
        path = tmp_path / "disk" / "a.safetensors"
        m.save(m.Linear(2, 1), path)
        content = path.read_bytes()
        if mounted:  # elsewhere the test before this one shows the same
            assert written_in_vain(path, "") == (
                f"[Errno 28] save: {str(path)!r} could not be written: No space left on device. "
                "What was there before is unchanged."
            )
        assert unharmed(path, content)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    link.symlink_to(target)
    for width in (1, 2):  # first it leads nowhere
        m.save(m.Linear(width, 1), link)
        assert link.is_symlink()
        assert m.load(target).in_features == m.load(link).in_features == width
    assert [entry.name for entry in tmp_path.rglob("*.tmp")] == []


@pytest.mark.parametrize("name", ["語" * 80 + ".net", "x" * 255, "a b*[c]?.net", ".hidden"])
def test_names_of_any_kind(name: str, tmp_path: Path) -> None:
    m.save(m.Linear(1, 1), tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert isinstance(m.load(tmp_path / name), m.Linear)


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "a"
    plain.write_bytes(b"")
    m.save(m.Tanh(), path)
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    m.save(m.Tanh(), path)
    assert path.stat().st_mode & 0o777 == 0o640


KILLED = """
import os, signal, sys, maillon as m
real = os.fsync
def die(handle):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
m.save(m.Linear(200, 200), sys.argv[1])
"""


def test_a_kill_while_it_writes(path: Path, content: bytes) -> None:
    """The old file is whole; what was begun beside is one file however often, and gone with the next save."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
        assert done.returncode == -9
        assert path.read_bytes() == content
        assert sorted(entry.name for entry in path.parent.iterdir()) == [".a.safetensors.tmp", "a.safetensors"]
    m.save(m.Linear(2, 1, bias=False), path)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.safetensors"]
    assert m.load(path).bias is None


WRITER = """
import sys, maillon as m
for turn in range(30):
    m.save({"a": m.Generator(0).rand((int(sys.argv[2]),))}, sys.argv[1])
"""


def test_writers_at_the_same_time(path: Path) -> None:
    """At each moment there is a whole file, of one of them."""
    m.save({"a": np.zeros(1000, np.float32)}, path)
    sizes = ("1000", "2000", "3000")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), size]) for size in sizes]
    while any(writer.poll() is None for writer in writers):
        assert m.load(path)["a"].shape in [(int(size),) for size in sizes]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_what_stands_beside_and_is_not_ours_is_left(path: Path) -> None:
    """A link that somebody has laid there is not followed, and a second name of a file not written through."""
    beside, other = path.with_name(".a.safetensors.tmp"), path.with_name("other")
    other.write_bytes(b"precious")
    lay: Callable[[], None]
    for lay in (lambda: beside.symlink_to(other), lambda: beside.hardlink_to(other)):
        lay()
        m.save(m.Linear(1, 1), path)
        assert other.read_bytes() == b"precious"
        assert isinstance(m.load(path), m.Linear)
        beside.unlink()


def test_names_and_arrays_that_no_file_can_hold(path: Path, content: bytes) -> None:
    with pytest.raises(
        ValueError, match=r"^save: the name '__metadata__' is the format's own\. Call that array otherwise\.$"
    ):
        m.save({"__metadata__": np.zeros(2)}, path)
    for strange in (np.zeros(2, np.longdouble), np.zeros(2, "M8[s]"), np.array(["a"]), np.array([{}])):
        with pytest.raises(TypeError, match=r"^save: expected numbers in 'a', got dtype"):
            m.save({"a": strange}, path)
    assert unharmed(path, content)


class Holder(m.Module):
    def __init__(self, value: Any) -> None:
        self.value = value


SAVED_VALUES: list[Any] = [
    None, True, 3, 2**80, 0.1, float("inf"), float("-inf"), "text\n語",
    (), (1, (2.5, None)), [], [[1]], {}, {"a": {1: (2,)}},
    np.float32(0.1), np.float64(0.1), np.int8(-3), np.bool_(True), np.uint64(2**64 - 1), np.arange(3), np.zeros((0, 2)),
    np.array(2.5), np.arange(6, dtype=">i2").reshape(2, 3).T, np.array([True, False]), np.float16(0.5), m.Tanh(),
]  # fmt: skip


@pytest.mark.parametrize("value", SAVED_VALUES, ids=repr)
def test_arguments_of_a_link_of_ones_own(value: Any, path: Path) -> None:
    m.save(Holder(value), path)
    loaded = m.load(path, links={"Holder": Holder}).value
    assert type(loaded) is type(value)
    if isinstance(value, np.ndarray):
        assert loaded.dtype == value.dtype.newbyteorder("=")
    assert repr(loaded) == repr(value) or np.array_equal(loaded, value)


STRANGE_VALUES: list[Any] = [
    object(), {1, 2}, b"bytes", 1j, np.complex64(1), np.longdouble(1), np.str_("a"), np.datetime64(0, "s"), len, m.Tanh,
    np.zeros(2, complex), np.array(["a"]), m.Parameter(np.zeros(2)), slice(3),
]  # fmt: skip


@pytest.mark.parametrize("value", STRANGE_VALUES, ids=lambda value: type(value).__name__)
def test_arguments_that_a_file_cannot_hold(value: Any, path: Path, content: bytes) -> None:
    with pytest.raises(TypeError, match=r"^save: Holder\.value is an? .*, which a file cannot hold\."):
        m.save(Holder(value), path)
    assert unharmed(path, content)
