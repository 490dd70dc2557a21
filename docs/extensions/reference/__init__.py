"""The reference: pages of all public names, formulas of docstrings in mathematics, pictures that the links make."""

from pathlib import Path
from typing import Any

from reference import docstrings, names


def _write(app: Any) -> None:
    from reference import pages, pictures

    if app.config.language != "fr" and app.builder.name != "gettext":
        folder = Path(app.srcdir) / "reference"
        pages.write(folder)
        app.reference_pictures = pictures.write(folder / pages.FOLDER / "pictures")


def _elsewhere(app: Any, env: Any, node: Any, text: Any) -> Any:
    """A reference by another path to a public name (`maillon.optim.Adam`) leads to its page."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("maillon."):
        return None
    try:
        value = names.resolve(target)
    except (ImportError, AttributeError, ValueError):
        return None
    from sphinx.util.nodes import make_refnode

    domain = env.get_domain("py")
    for name, entry in domain.objects.items():
        if name.rpartition(".")[2] == target.rpartition(".")[2] and _same(name, value):
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, text)
    return None


def _same(name: str, value: object) -> bool:
    try:
        return names.resolve(name) is value
    except (ImportError, AttributeError, ValueError):
        return False


def _skip(app: Any, what: str, name: str, value: object, skip: bool, options: Any) -> bool | None:
    """Methods that other libraries add to ours are described there."""
    return None if getattr(value, "__module__", "maillon").startswith("maillon") else True


def setup(app: Any) -> dict[str, Any]:
    from reference import listing

    app.add_directive("names", listing.Names)
    app.connect("autodoc-process-docstring", docstrings.process, priority=400)
    app.connect("autodoc-process-signature", docstrings.signature)
    app.connect("autodoc-skip-member", _skip)
    app.connect("builder-inited", _write)
    app.connect("missing-reference", _elsewhere)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
