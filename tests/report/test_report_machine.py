"""What is told of the machine, and what is not."""

import os
import platform
import socket

import pytest

from maillon.report import machine as module
from maillon.report.machine import machine, versions


def test_versions(monkeypatch):
    found = versions()
    assert found["python"] == platform.python_version() and found["numpy"]
    assert set(found) == {"python", *module.PACKAGES}
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] is None


def test_machine_names_no_host():
    found = machine()
    assert set(found) == {"processor", "cores", "memory_gib", "platform"}
    assert found["cores"] >= 1 and found["memory_gib"] > 0 and found["processor"]
    assert socket.gethostname() not in found["platform"].split()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read '/home/ada/data/mnist.gz'", "cannot read 'mnist.gz'"),
        ("~/cache/x, C:\\Users\\ada\\x.npy and /work/shared/data", "x, x.npy and data"),
        (
            "T-shirt/top, 3/4, 1/√n, softmax/mse/loss, ±1/√fan_in",
            "T-shirt/top, 3/4, 1/√n, softmax/mse/loss, ±1/√fan_in",
        ),
        ("from https://example.org/a/b", "from https://example.org/a/b"),
    ],
)
def test_no_folder_is_told(text, shown):
    assert module.without_paths(text) == shown


def test_processor_falls_back(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name\t: Fine CPU\nmodel name\t: Fine CPU\n")
    assert module._processor(cpuinfo) == "Fine CPU"
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert module._processor(tmp_path / "absent") == "riscv64"


def test_other_systems_have_cores_and_perhaps_no_memory(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert (module._cores(), module._memory()) == (1, None)
