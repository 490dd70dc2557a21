"""Table 1's kept values are what PyTorch gives now, and the report runs it live where it is installed."""

import pytest

from maillon.report import table1
from maillon.report.golden import make_table1
from maillon.report.table1 import POINTED_TO

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("key", list(table1.SETTINGS))
def test_the_kept_values_are_pytorchs(torch, monkeypatch, key, dtype, tolerance):
    epochs = (0, 10)
    live = table1.pytorch_or_golden(key, dtype, epochs)
    assert table1.where_from() == f"PyTorch {torch.__version__}, run live"
    monkeypatch.setattr(table1, "find_spec", lambda name: None)
    kept = table1.pytorch_or_golden(key, dtype, epochs)
    for epoch in epochs:
        assert table1.distance(live[epoch].weights, kept[epoch].weights) < tolerance
        assert live[epoch].score == kept[epoch].score


def test_the_script_writes_what_the_report_reads(torch, tmp_path, monkeypatch):
    monkeypatch.setattr(make_table1, "GOLDEN", tmp_path / "table1.json")
    monkeypatch.setattr(table1, "GOLDEN", tmp_path / "table1.json")
    monkeypatch.setattr(table1, "SETTINGS", {"pointed_to": POINTED_TO})
    monkeypatch.setattr(table1, "EPOCHS", (0, 2))
    monkeypatch.setattr(table1.with_pytorch, "__defaults__", ((0, 2),))
    make_table1.main()
    monkeypatch.setattr(table1, "find_spec", lambda name: None)
    assert table1.where_from() == f"PyTorch {torch.__version__}, values kept with the package"
    ours = table1.with_sequential(POINTED_TO, "float64", (2,))[2]
    kept = table1.pytorch_or_golden("pointed_to", "float64", (2,))[2]
    assert table1.distance(ours.weights, kept.weights) < 1e-12
