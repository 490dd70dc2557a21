"""The directive {names}: a table of public names, each with its first sentence, and their pages in the side bar."""

import inspect
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from reference import names
from reference.docstrings import is_described_by_formulas
from reference.pages import FOLDER
from reference.sentences import pieces, words
from reference.tex import in_text


class Names(SphinxDirective):
    """One dotted name a line."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        listed = [line.strip() for line in self.content if line.strip()]
        every = [name for name, _ in names.listed(self.env.srcdir / "reference")]
        tree = addnodes.toctree(
            parent=self.env.docname,
            entries=[(name.rpartition(".")[2], f"reference/{FOLDER}/{names.page_of(name, every)}") for name in listed],
            includefiles=[f"reference/{FOLDER}/{names.page_of(name, every)}" for name in listed],
            maxdepth=1,
            hidden=True,
            glob=False,
            caption=None,
            includehidden=False,
            numbered=0,
            titlesonly=True,
        )
        wrapper = nodes.compound(classes=["toctree-wrapper"])
        wrapper += tree
        return [self.table(listed), wrapper]

    def table(self, listed: list[str]) -> nodes.table:
        table, group = nodes.table(classes=["names"]), nodes.tgroup(cols=2)
        table += group
        group += [nodes.colspec(colwidth=3), nodes.colspec(colwidth=9)]
        body = nodes.tbody()
        group += body
        for name in listed:
            row = nodes.row()
            row += nodes.entry("", nodes.paragraph("", "", self.link(name)))
            row += nodes.entry("", nodes.paragraph("", "", *first_sentence(name)))
            body += row
        return table

    def link(self, name: str) -> nodes.Node:
        link: Any = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=name, refexplicit=True, refdoc=self.env.docname, refwarn=True
        )
        link += nodes.literal("", name.rpartition(".")[2], classes=["xref", "py"])
        return link


def first_sentence(name: str) -> list[nodes.Node]:
    """The first paragraph of what is said of a name, its formulas in mathematics."""
    value = names.resolve(name)
    said = inspect.getdoc(value) if callable(value) else names.described(name)[1]
    text = " ".join((said or "").partition("\n\n")[0].split())
    shown: list[nodes.Node] = []
    for piece in (pieces if is_described_by_formulas(value) else words)(text):
        if piece.tree is not None:
            shown.append(nodes.math("", in_text(piece.tree)))
        elif piece.kind == "code":
            shown.append(nodes.literal("", piece.text.strip("`").rpartition("`")[2]))
        else:
            shown.append(nodes.Text(piece.text))
    return shown
