"""The docstrings of all public names are in numpydoc's sections, each parameter with its type and what it is.

`python .ci/docstrings.py [maillon.optim …]` looks at the named rooms only.
"""

import importlib
import inspect
import sys

ROOMS = (
    "maillon",
    "maillon.nn.init",
    "maillon.nn.utils",
    "maillon.optim",
    "maillon.optim.lr_scheduler",
    "maillon.train",
    "maillon.engine",
    "maillon.random",
    "maillon.data",
    "maillon.check",
    "maillon.plot",
    "maillon.sweeping",
    "maillon.interop.onnx",
    "maillon.interop.keras",
    "maillon.interop.pytorch",
    "maillon.interop.sklearn",
    "maillon.sklearn",
)
RULES = {
    "GL06": "an unknown section",
    "GL07": "sections in a wrong order",
    "GL08": "no docstring",
    "SS03": "the summary does not end with a period",
    "PR01": "a parameter is not described",
    "PR02": "a parameter that is not there is described",
    "PR03": "parameters in a wrong order",
    "PR04": "a parameter without a type",
    "PR07": "a parameter without a description",
    "RT03": "a return value without a description",
}


def public(room: str) -> dict[str, object]:
    """The classes and functions that a room makes public, by their full names."""
    module = importlib.import_module(room)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == room]
    found = {f"{room}.{name}": getattr(module, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in found.items() if inspect.isclass(value) or inspect.isfunction(value)}


def main(rooms: list[str]) -> int:
    from numpydoc.validate import validate

    seen: dict[int, str] = {}
    faults = 0
    for room in rooms or ROOMS:
        for name, value in public(room).items():
            if seen.setdefault(id(value), name) != name:
                continue
            for code, message in validate(name)["errors"]:
                if code in RULES:
                    faults += 1
                    print(f"{name}: {code}, {message}")
    print(f"{len(seen)} public names, {faults} faults in their docstrings")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
