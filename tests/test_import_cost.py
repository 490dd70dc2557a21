"""What `import maillon` leaves unopened: the neighbours and rooms that take longer to import than the core itself."""

import subprocess
import sys

import pytest

LATER = (
    "tqdm",
    "matplotlib",
    "sklearn",
    "pooch",
    "mlxtend",
    "jinja2",
    "pandas",
    "polars",
    "torch",
    "scipy.special",
    "scipy.stats",
    "numpy.random",
    "importlib.metadata",
    "urllib.request",
    "http.client",
    "email.message",
    "concurrent.futures",
    "subprocess",
    "tempfile",
    "csv",
    "difflib",
    "hashlib",
    "shutil",
    "maillon.check",
    "maillon.costs",
    "maillon.nn.sequence.attention",
    "maillon.nn.spatial.convolution",
    "maillon.nn.graph",
    "maillon.nn.sequence.recurrent",
    "maillon.data",
    "maillon.plot",
    "maillon.report",
    "maillon.saving",
    "safetensors",
)


def printed(code: str) -> str:
    """What the code prints in a Python of its own."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_what_is_not_needed_to_learn_is_imported_where_it_is_used() -> None:
    # what the interpreter's own start-up or NumPy has opened already costs nothing more
    code = (
        "import sys, numpy; before = set(sys.modules); import maillon; "
        f"print([name for name in {LATER} if name in sys.modules and name not in before])"
    )
    assert printed(code) == "[]"


def test_a_training_and_a_prediction_need_none_of_the_rooms() -> None:
    code = (
        "import sys, maillon as m; network = m.Linear(1, 1); "
        "m.fit(network, m.MSELoss(), [[1.0], [2.0]], [[3.0], [5.0]], progress=False); m.predict(network, [[1.0]]); "
        "print([name for name in ('tqdm', 'maillon.check', 'maillon.data', 'maillon.plot') if name in sys.modules])"
    )
    assert printed(code) == "[]"


def test_a_training_opens_no_links_but_its_own() -> None:
    code = (
        "import sys, maillon as m; links = m.Linear(1, 1), m.ReLU(), m.BatchNorm1d(1), m.Dropout(0.5), m.Linear(1, 1); "
        "loss, before = m.BCEWithLogitsLoss(), set(sys.modules); "
        "m.fit(m.Sequential(*links), loss, [[1.0], [2.0]], [[0.0], [1.0]], progress=False); "
        "print([name for name in sys.modules if name.startswith('maillon.nn.') and name not in before])"
    )
    assert printed(code) == "[]"


@pytest.mark.parametrize("name", ["check.check_module", "data.one_hot", "plot.history"])
def test_a_room_opens_when_asked_for(name: str) -> None:
    room = name.partition(".")[0]
    assert printed(f"import maillon; print({room!r} in dir(maillon), maillon.{name}.__name__)") == (
        f"True {name.partition('.')[2]}"
    )
    assert printed(f"from maillon import *; print({name}.__name__)") == name.partition(".")[2]


def test_a_name_that_is_not_there() -> None:
    code = "import maillon\ntry:\n    maillon.plots\nexcept AttributeError as error:\n    print(error)"
    assert printed(code) == "module 'maillon' has no attribute 'plots'"


def test_the_global_generator_made_late_begins_as_ever() -> None:
    code = (
        "from maillon.random import DEFAULT_SEED, Generator, default_generator as ours; "
        "print(ours() is ours(), ours().get_state() == Generator(DEFAULT_SEED).get_state())"
    )
    assert printed(code) == "True True"


def test_every_link_opens_when_it_is_asked_for() -> None:
    for room in ("maillon", "maillon.nn"):
        code = f"import {room}; print([name for name in {room}.__all__ if name not in dir({room})])"
        assert printed(code) == "[]"
        code = f"import {room}; print(len([getattr({room}, name) for name in {room}.__all__]) > 100)"
        assert printed(code) == "True"
        assert "has no attribute 'Conv4d'" in printed(f"""
import {room}
try:
    {room}.Conv4d
except AttributeError as error:
    print(error)
""")
