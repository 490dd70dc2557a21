"""What `tables.py` makes of its fits: ranks, normalised scores, seconds, calibration, and the limits missed."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from peers.results import heading, listed, short, table
from peers.table_methods import DEFAULT, DUMMY, ENSEMBLE, METHODS, NETWORKS, TD, TD_S

Fits = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]
"""Method → table → seed → what was measured."""

SHARE_OF_TD_S = 0.4
"""The CPU time of the default, as a part of RealMLP-TD-S's."""
NORMALISED = 0.955
"""The mean normalised score of `ensemble=16`."""
BINS = 15


def expected_calibration_error(probabilities: Any, y: Any) -> float:
    """Σ_b (n_b / n) |accuracy_b − confidence_b| over BINS bins of equal width of the likeliest class's probability.

    `probabilities` is (n, classes), `y` the n classes, whole numbers from 0 on (Guo et al. 2017).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(y))


def whole(fits: Fits, tables: Sequence[str], seeds: Sequence[str]) -> tuple[list[str], list[str]]:
    """The methods that have every seed of every table, and what is missing of the others, in words."""
    complete, missing = [], []
    for method in METHODS:
        found = fits.get(method, {})
        there = [found.get(name, {}).get(seed, {}) for name, seed in itertools.product(tables, seeds)]
        count = sum("score" in fit for fit in there)
        reasons = {fit["error"] for fit in there if "error" in fit}
        if count == len(there):
            complete.append(method)
        else:
            missing.append(f"{method}: {count} of {len(there)} fits" + "".join(f"; {why}" for why in sorted(reasons)))
    return complete, missing


def means(fits: Fits, method: str, tables: Sequence[str], seeds: Sequence[str], what: str) -> Any:
    """The mean over the seeds of one measure, for each table; nan where a table does not have it."""
    values = [[fits[method][name][seed].get(what, np.nan) for seed in seeds] for name in tables]
    return np.mean(values, axis=1)


def normalised(scores: Any, dummy: Any) -> Any:
    """(score − dummy) / (best − dummy) of `scores` (methods × tables), at least 0; 1 where none is above the dummy."""
    best = np.maximum(scores.max(axis=0), dummy)
    room = best - dummy
    return np.where(room > 0, np.maximum(scores - dummy, 0) / np.where(room > 0, room, 1), 1.0)


def summary(fits: Fits, tables: Sequence[str], seeds: Sequence[str]) -> dict[str, Any]:
    """For each complete method: scores by table, and the means over the tables."""
    complete, missing = whole(fits, tables, seeds)
    ranked = [method for method in complete if method != DUMMY]
    if DUMMY not in complete or not ranked:
        return {"missing": missing, "methods": {}}

    def of(method: str, what: str) -> Any:
        return means(fits, method, tables, seeds, what)

    scores = np.array([of(method, "score") for method in ranked])
    parts = normalised(scores, of(DUMMY, "score"))
    ranks = stats.rankdata(-np.round(scores, 12), axis=0)
    methods = {}
    for i, method in enumerate(ranked):
        fit = of(method, "fit") / of(method, "rows") * 1000
        methods[method] = {
            "rank": float(ranks[i].mean()),
            "normalised": float(parts[i].mean()),
            "fit": float(fit.mean()),
            "fit_median": float(np.median(fit)),
            "predict": float((of(method, "predict") / of(method, "tested")).mean() * 1000),
            "log_loss": float(np.nanmean(of(method, "log_loss"))),
            "ece": float(np.nanmean(of(method, "ece"))),
            "load": float(of(method, "load").mean()),
            "scores": dict(zip(tables, scores[i].tolist(), strict=True)),
            "parts": dict(zip(tables, parts[i].tolist(), strict=True)),
        }
    return {"missing": missing, "methods": methods}


def difference(methods: Mapping[str, Any], one: str, other: str) -> tuple[float, float]:
    """The mean difference of the normalised scores over the tables, and half its 95 % interval (Student's t)."""
    gaps = [methods[one]["parts"][name] - part for name, part in methods[other]["parts"].items()]
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    return float(np.mean(gaps)), float(stats.t.ppf(0.975, len(gaps) - 1) * error)


def misses(methods: Mapping[str, Any]) -> list[str]:
    """The limits that were missed, or could not be held because a side is missing."""
    absent = [name for name in (DEFAULT, ENSEMBLE, TD_S, TD) if name not in methods]
    if absent:
        return [f"no limit can be held without all fits of {', '.join(absent)}"]
    missed = []
    gap, noise = difference(methods, DEFAULT, TD_S)
    if gap < -noise:
        missed.append(f"{DEFAULT}: normalised score {gap:+.3f} ± {noise:.3f} beside {TD_S}, worse beyond noise")
    share = methods[DEFAULT]["fit"] / methods[TD_S]["fit"]
    if share > SHARE_OF_TD_S:
        missed.append(f"{DEFAULT}: {share:.0%} of the CPU time of {TD_S}, limit {SHARE_OF_TD_S:.0%}")
    for name in NETWORKS:
        if name in methods and name not in {DEFAULT, ENSEMBLE, TD_S}:
            missed += _behind(methods, name)
    best = min(methods, key=lambda name: methods[name]["rank"])
    if best != ENSEMBLE:
        ours, first = methods[ENSEMBLE]["rank"], methods[best]["rank"]
        missed.append(f"{ENSEMBLE}: mean rank {ours:.2f}, behind {best} with {first:.2f}")
    if methods[ENSEMBLE]["normalised"] < NORMALISED:
        missed.append(f"{ENSEMBLE}: normalised score {methods[ENSEMBLE]['normalised']:.3f}, limit {NORMALISED}")
    times = methods[ENSEMBLE]["fit"] / methods[TD]["fit"]
    if times > 1:
        missed.append(f"{ENSEMBLE}: {times:.2f} × the CPU time of {TD}, limit 1")
    return missed


def _behind(methods: Mapping[str, Any], network: str) -> list[str]:
    ours, other = methods[DEFAULT]["normalised"], methods[network]["normalised"]
    return [] if ours > other else [f"{DEFAULT}: normalised score {ours:.3f}, not ahead of {network} with {other:.3f}"]


def lines(result: Mapping[str, Any]) -> list[str]:
    """The Markdown: a table by method, a table by data set."""
    methods = result["methods"]
    order = sorted(methods, key=lambda name: methods[name]["rank"])
    head = ["method", "mean rank", "normalised score", "log loss", "ECE"]
    head += ["fit, mean", "fit, median", "predict, mean", "load"]
    rows = [
        [name, f"{one['rank']:.2f}", f"{one['normalised']:.3f}", f"{one['log_loss']:.3f}", f"{one['ece']:.3f}",
         short(one["fit"]), short(one["fit_median"]), short(one["predict"]), f"{one['load']:.1f}"]
        for name in order for one in [methods[name]]
    ]  # fmt: skip
    words = heading(f"Tables, the {result['suite']} suite", dict(result))
    words += [f"{len(result['tables'])} tables, seeds {', '.join(result['seeds'])}; the score is the accuracy or R²."]
    words += ["Fit and predict: CPU seconds for 1 000 rows, over the tables.", ""]
    words += ["Load: how many programs ran or waited to run, the fit among them; where they are more than the cores,"]
    words += ["CPU seconds are longer than on a machine that does nothing else.", "", *table(head, rows), ""]
    if {DEFAULT, TD_S} <= methods.keys():
        gap, noise = difference(methods, DEFAULT, TD_S)
        words += [f"{DEFAULT} beside {TD_S}: normalised score {gap:+.3f} ± {noise:.3f} (95 %, over the tables).", ""]
    scores = [
        [f"{name} ({about['kind'][0]}, {about['rows']} × {about['columns']})",
         *(f"{methods[method]['scores'][name]:.4f}" for method in order)]
        for name, about in result["tables"].items()
    ]  # fmt: skip
    words += table(["table (c: accuracy, r: R²; rows × columns)", *order], scores)
    return words + listed("Limits missed", result["misses"]) + listed("Not measured", result["missing"])
