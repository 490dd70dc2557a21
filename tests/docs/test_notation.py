"""The notation of formulas in docstrings, as TeX; and what of a sentence is a formula."""

import pytest
from reference.display import Display, blocks
from reference.docstrings import inline, sections, signature
from reference.formulas import FormulaError, read
from reference.sentences import pieces, words
from reference.tex import in_text, tex
from reference.tokens import plain

FORMULAS = {
    "y = w x̂ + b": r"y = w\, \hat{x} + b",
    "dx = (1 − y²) dy": r"\mathrm{d}x = (1 - y^{2})\, \mathrm{d}y",
    "dW_ih = Σ daₜ xₜᵀ": r"\mathrm{d}W_{\mathrm{ih}} = \sum \mathrm{d}a_{t}\, x_{t}^{\top}",
    "hₜ₋₁ = e⁻ˣ": r"h_{t - 1} = e^{- x}",
    "c' = f'(a)": r"c' = f'(a)",
    "p ← p − lr · m / (√v + ε)": r"p \leftarrow p - \mathrm{lr} \cdot \frac{m}{\sqrt{v} + \varepsilon}",
    "dcₜ += f dcₜ": r"\mathrm{d}c_{t} \;{+}{=}\; f\, \mathrm{d}c_{t}",
    "a / b c": r"\frac{a}{b}\, c",
    "a b / c": r"\frac{a\, b}{c}",
    "a / 2β": r"\frac{a}{2 \beta}",
    "s·y / y·y": r"\frac{s \cdot y}{y \cdot y}",
    "Σ dyᵢ / nᵢ": r"\sum \frac{\mathrm{d}y_{i}}{n_{i}}",
    "e^xᵢ / Σₖ e^xₖ": r"\frac{e^{x_{i}}}{\sum_{k} e^{x_{k}}}",
    "e^(x/α)": r"e^{x/\alpha}",
    "D^(−β−1)": r"D^{- \beta - 1}",
    "0.96^(t ψ)": r"0.96^{t\, \psi}",
    "‖d‖_p": r"\Vert d\Vert_{p}",
    "|x|²": r"\vert x\vert^{2}",
    "tanh² x dy": r"\tanh^{2} x\, \mathrm{d}y",
    "log(1 + eˣ)": r"\log(1 + e^{x})",
    "x mean(x y)": r"x\, \operatorname{mean}(x\, y)",
    "Σ_{j≠t} x_j": r"\sum_{j \neq t} x_{j}",
    "max_k x[i · stride + k]": r"\max_{k} x[i \cdot \mathrm{stride} + k]",
    "⌊(L − 1) / stride⌋": r"\left\lfloor \frac{L - 1}{\mathrm{stride}}\right\rfloor",
    "norm1(x + f(x₁))": r"\mathrm{norm1}(x + f(x_{1}))",
    "∂loss/∂y": r"\frac{\partial \mathrm{loss}}{\partial y}",
    "U(±1/√fan)": r"U\left(\pm \frac{1}{\sqrt{\mathrm{fan}}}\right)",
    "(N, in_channels, *)": r"(N,\, \mathtt{in\_channels},\, \ast)",
    "x/6 + ½": r"\frac{x}{6} + \frac{1}{2}",
    "1e-12": r"10^{-12}",
    "i, f, o": r"i,\, f,\, o",
}


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_as_tex(text: str) -> None:
    assert tex(read(plain(text))) == FORMULAS[text]


@pytest.mark.parametrize("text", ["(x", "x)", "x + )", "|x", "x ^", "√", "x ·̸ y"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        read(text)


SENTENCES = [
    "⟦y = x⟧ where ⟦x > 0⟧, else ⟦α (eˣ − 1)⟧; ⟦dx = dy⟧ there.",
    "⟦y = a σ(b)⟧, ⟦a⟧ and ⟦b⟧ the halves of ⟦x⟧ along `dim`.",
    "A path is a sequence with one ⟦m⟧ a map.",
    "⟦x⟧: ⟦(N, C, L)⟧ or ⟦(C, L)⟧ → ⟦y⟧: the same shape (at 0 too), in (0, 1).",
    "With ⟦p = 1⟧ it is 0, with return_indices=True and mode='nearest' not.",
    "PyTorch's law, Adam's ⟦m⟧; ⟦L'⟧ and ⟦y⟧'s shape; so rules do not move it.",
    "⟦r, z = σ(a + b)⟧, ⟦n = tanh(a_n + r b_n)⟧ (PyTorch's law and its bits).",
    "their mean, the mean ⟦μ⟧, and ⟦dx̂ − mean dx̂⟧.",
    "``x * y`` and `z = 1` are code; mini-batches of 3 samples are words.",
    "weight: ⟦(3 · hidden_size, features)⟧, labels ⟦0…C−1⟧ of shape ().",
    "up to 6e-8, 2 or more dimensions, 1.5 times.",
]


@pytest.mark.parametrize("marked", SENTENCES)
def test_the_formulas_of_a_sentence(marked: str) -> None:
    sentence = plain(marked.replace("⟦", "").replace("⟧", ""))
    found = "".join(f"⟦{piece.text}⟧" if piece.tree is not None else piece.text for piece in pieces(sentence))
    assert found == plain(marked)


def test_words_have_code_but_no_formulas() -> None:
    assert [(piece.kind, piece.text) for piece in words("x = 1 in `a = b`.")] == [
        ("words", "x = 1 in "),
        ("code", "`a = b`"),
        ("words", "."),
    ]


def test_a_sentence_as_restructuredtext() -> None:
    assert inline(pieces("λ's *x, |s q_ of `Linear`s: y²")) == (
        r":math:`\lambda`'s \*:math:`x`, \|s q\_ of ``Linear``\ s: :math:`y^{2}`"
    )


def test_formulas_that_say_what_something_is_stand_on_lines_of_their_own() -> None:
    first, text, second = blocks(pieces("y = x where x > 0, else 0 (at 0 too), s = 3; z: dx = dy · 2 + x, dw = x dy."))
    assert isinstance(first, Display) and isinstance(second, Display) and isinstance(text, list)
    assert first.tex() == r"y = \begin{cases} x & \text{where } x > 0 \\ 0 & \text{else} \end{cases}"
    assert "".join(piece.text for piece in text).strip() == "(at 0 too), s = 3; z:"
    assert second.tex() == (
        r"\begin{aligned} \mathrm{d}x &= \mathrm{d}y \cdot 2 + x, \\ \mathrm{d}w &= x\, \mathrm{d}y. \end{aligned}"
    )


def test_the_sections_of_a_docstring() -> None:
    lines = ["One.", "", "Notes", "-----", "Two.", "", "Examples", "--------", ">>> 1", "1"]
    assert list(sections(lines)) == [
        ([], ["One.", ""]),
        (["Notes", "-----"], ["Two.", ""]),
        (["Examples", "--------"], [">>> 1", "1"]),
    ]
    assert list(sections(["One."])) == [([], ["One."])]


def test_a_default_without_a_name_is_left_out_of_a_signature() -> None:
    found = signature(None, "class", "x", None, None, "(rule=None, max_lr=<object object>, epochs=None)", "")
    assert found == ("(rule=None, max_lr, epochs=None)", "")
    assert signature(None, "data", "x", None, None, None, "") is None


def test_names_lead_to_their_pages() -> None:
    links = {"LSTM": "maillon.LSTM", "Optim": "maillon.Optim", "Add": "maillon.Add"}
    assert inline(words("Add the LSTM's `Optim`s, no maillon.LSTM, `other`."), links) == (
        r"Add the :py:obj:`LSTM <maillon.LSTM>`'s :py:obj:`Optim <maillon.Optim>`\ s, no maillon.LSTM, ``other``."
    )


def test_what_is_raised_in_a_fraction_of_a_sentence_is_not_too_small() -> None:
    assert in_text(read("y = e^xᵢ / 2 + ½")) == r"y = \dfrac{e^{x_{i}}}{2} + \dfrac{1}{2}"
    assert in_text(read("y = x / 2")) == r"y = \frac{x}{2}"
