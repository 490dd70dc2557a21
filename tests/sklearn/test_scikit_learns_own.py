"""scikit-learn's own tests of its perceptrons, with ours in their place.

They come from the installed package: the source of its `test_mlp.py`, one line of imports replaced.
"""

import importlib.util
from pathlib import Path

import pytest

NOT_APPLICABLE = {
    "test_gradient": "calls the private _loss_grad_lbfgs; maillon.check proves the derivatives of each link",
    "test_learning_rate_warmstart": "reads the private _optimizer; test_perceptrons.py has the rate from history_",
    "test_adaptive_learning_rate": "the same",
}
REPLACED = "from sklearn.neural_network import MLPClassifier, MLPRegressor"

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]


@pytest.fixture
def global_random_seed():
    """scikit-learn's fixture."""
    return 42


def _source():
    found = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    text = Path(found.origin).read_text(encoding="utf-8")
    assert text.count(REPLACED) == 1
    return compile(
        text.replace(REPLACED, REPLACED.replace("sklearn.neural_network", "maillon.sklearn")), found.origin, "exec"
    )


exec(_source(), globals())
_left_out = {name: globals().pop(name) for name in NOT_APPLICABLE}


def test_what_is_left_out_looks_into_private_attributes():
    for name, test in _left_out.items():
        assert {"_loss_grad_lbfgs", "_optimizer"} & set(_names_in(test.__code__)), name


def _names_in(code):
    inner = [const for const in code.co_consts if hasattr(const, "co_names")]
    return [*code.co_names, *(name for one in inner for name in _names_in(one))]
