"""maillon.sklearn opens scikit-learn when one of its names is asked for, and says what it needs."""

import subprocess
import sys

import pytest


def printed(code: str) -> str:
    """What the code prints in a Python of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_scikit_learn_is_opened_when_an_estimator_is_asked_for() -> None:
    code = "import sys, maillon; maillon.sklearn; print('sklearn' in sys.modules); maillon.sklearn.Autoencoder; "
    assert printed(f"{code} print('sklearn' in sys.modules)") == "False\nTrue"


@pytest.mark.parametrize("absent", ["sklearn", "sklearn.utils.validation"])
def test_without_scikit_learn_the_error_says_what_to_install(absent: str) -> None:
    code = f"import sys; sys.modules[{absent!r}] = None\ntry: from maillon.sklearn import MLPClassifier\n"
    message = printed(f"{code}except ImportError as error: print(error)")
    assert message == (
        "maillon.sklearn needs scikit-learn 1.6 or newer. Install the package with its extra: maillon[sklearn]."
    )
