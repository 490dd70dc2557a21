"""Estimators of tables in files, and their networks in other programs."""

import copy

import numpy as np
import pytest
import sklearn
from small_tables import BOTH, IRIS, X, Y, fitted, quick

import maillon as m
from maillon.interop.c import to_c
from maillon.interop.onnx import to_onnx
from maillon.saving.files import FileError, read_tensors
from maillon.sklearn import TabularClassifier, TabularRegressor, table_files


@BOTH
def test_a_file_holds_all_of_it(kind, tmp_path):
    path = tmp_path / "model.safetensors"
    model = fitted(kind, ensemble=2)
    model.save(path)
    again = kind.load(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict(X[X.columns[::-1]]), model.predict(X))
    assert again.get_params() == model.get_params()
    assert again.left_out_ == model.left_out_
    assert not hasattr(again, "feature_importances_")
    importances = model.feature_importances_
    model.save(path)
    np.testing.assert_array_equal(kind.load(path).feature_importances_, importances)
    kind.load(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    network = m.load(path)
    np.testing.assert_array_equal(network(*model.prepare(X)), model.network_(*model.prepare(X)))


@pytest.mark.parametrize("labels", [[0, 1, 5], [False, True, True], ["x", "y", "z"], list("abc")])
def test_a_file_holds_labels_of_any_kind(labels, tmp_path):
    y = np.array(labels, object if labels == list("abc") else None)[IRIS[1]]
    model = quick(TabularClassifier, class_weight=dict.fromkeys(labels, 1)).fit(*IRIS[:1], y)
    model.set_params(random_state=np.random.RandomState(0)).save(tmp_path / "model")
    again = TabularClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(IRIS[0]), model.predict(IRIS[0]))
    assert again.classes_.dtype == model.classes_.dtype
    assert again.class_weight == model.class_weight
    assert again.random_state is None


def test_files_of_something_else(tmp_path):
    path = tmp_path / "model"
    fitted(TabularRegressor).save(path)
    with pytest.raises(FileError, match=r"it holds a TabularRegressor\. Read it with TabularRegressor.load"):
        TabularClassifier.load(path)
    m.save(m.Linear(1, 1), path)
    with pytest.raises(
        FileError, match=r"TabularClassifier.load: '.*' holds no estimator. maillon.load reads networks"
    ):
        TabularClassifier.load(path)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        TabularClassifier().save(path)


def test_files_that_are_damaged(tmp_path, monkeypatch):
    """Each value of the estimator's part, one after the other, is replaced by something else."""
    path = tmp_path / "model"
    quick(TabularRegressor, hidden_sizes=(2,), epochs=1).fit(X, Y).save(path)
    tensors, description = read_tensors(path)

    def places(value, way=()):
        yield way
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from places(value[key], (*way, key))

    refused, held = 0, {}
    monkeypatch.setattr(table_files, "read_tensors", lambda _path: (tensors, held["description"]))
    for way in list(places(description["estimator"])):
        for other in ("x", -1, None, [], {}, {"dict": []}, {"float": "nan"}):
            changed = copy.deepcopy(description)
            part = changed
            for key in ("estimator", *way)[:-1]:
                part = part[key]
            part[("estimator", *way)[-1]] = other
            held["description"] = changed
            try:
                TabularRegressor.load(path)
            except FileError as error:
                refused += 1
                assert str(error).startswith(("load: ", "TabularRegressor.load: "))
    assert refused > 300
    description["estimator"]["attributes"]["predict"] = {"value": 1}
    held["description"] = description
    with pytest.raises(FileError, match="a TabularRegressor has no 'predict'"):
        TabularRegressor.load(path)


def test_the_network_goes_elsewhere(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = fitted(TabularClassifier, ensemble=2)
    inputs = model.prepare(X)
    to_onnx(model.network_, tmp_path / "model.onnx", model.input_shape_)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    names = [each.name for each in session.get_inputs()]
    (probabilities,) = session.run(None, dict(zip(names, inputs, strict=True)))
    np.testing.assert_allclose(probabilities, model.network_(*inputs), atol=1e-5)
    to_c(model.network_, tmp_path / "model.h", model.input_shape_)
    model = fitted(TabularRegressor).fit(X[["flag"]], Y)
    assert model.input_shape_ == (1,)
    to_c(model.network_, tmp_path / "model.h", model.input_shape_)
