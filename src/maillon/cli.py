"""The command line: `maillon report`, `maillon data`, `maillon show`, `maillon convert`, `maillon --version`.

What a user can get wrong ends in one line on stderr and exit code 2; Ctrl-C ends in one line and 130.
"""

import argparse
import difflib
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

OF_THE_REPORT = frozenset({"matplotlib", "jinja2", "pooch", "mlxtend", "sklearn", "threadpoolctl"})

MISUSE = 2
INTERRUPTED = 130


class UsageError(Exception):
    """What the user typed cannot be done; the message is one line and says the way out."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are exceptions, and which suggests what may have been meant."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See {self.prog} -h.")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parses words and options in any order."""
        namespace, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            raise UsageError(unknown_word("option", unknown[0], self._option_string_actions))
        return namespace


def unknown_word(kind: str, word: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not there: what was probably meant, else what there is."""
    known = list(known)
    near = difflib.get_close_matches(word.lower().partition("=")[0], known, n=1)
    if near:
        return f"There is no {kind} {word!r}. Did you mean {near[0]!r}?"
    return f"There is no {kind} {word!r}. There are: {', '.join(known)}."


def check_words(kind: str, words: Iterable[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise UsageError(unknown_word(kind, word, known))


def seed(text: str) -> int:
    """The seed of a run, within what a `Generator` takes."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2**32 - 1, got {text!r}")
    return value


def report(arguments: Sequence[str]) -> None:
    """Runs the experiments of the report and writes the page."""
    from maillon.report import CHAPTERS, ReportError

    parser = Parser(
        "maillon report",
        "Run the experiments of the report and write them to one page, DIR/index.html, with every figure as\n"
        "SVG and PNG and all results in DIR/results.json.",
        "examples:\n"
        "  maillon report                        every chapter, as the report has it (minutes)\n"
        "  maillon report --quick                every chapter with fewer epochs (under a minute)\n"
        "  maillon report mnist autoencoder      two chapters\n"
        "  maillon report --out /tmp/page --seed 3\n\n"
        "An interrupted run keeps the chapters that it has finished. The same command goes on from them.",
    )
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=f"among {', '.join(CHAPTERS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="fewer epochs; the page says so")
    parser.add_argument("--force", action="store_true", help="let a quick run overwrite a full report")
    parser.add_argument("--fresh", action="store_true", help="forget what an interrupted run has finished")
    parser.add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR", help="where to write (default: ./report)"
    )
    parser.add_argument(
        "--seed", type=seed, default=10, metavar="N", help="the seed of every random draw (default: 10)"
    )
    options = parser.read(arguments)
    check_words("chapter", options.chapters, tuple(CHAPTERS))
    chosen = [name for name in CHAPTERS if name in options.chapters] or list(CHAPTERS)

    from maillon.report.run import run_report

    try:
        page = run_report(
            chosen, quick=options.quick, out=options.out, seed=options.seed, force=options.force, fresh=options.fresh
        )
    except (ReportError, OSError) as error:
        raise UsageError(one_line(error)) from error
    print(page)


def data(arguments: Sequence[str]) -> None:
    """Says which data sets are on this machine, or fetches them."""
    if arguments and arguments[0] == "fetch":
        fetch(arguments[1:])
        return
    parser = Parser(
        "maillon data",
        "Say which data sets are on this machine and where from; every file is verified, nothing is downloaded.\n"
        "Data sets are looked for in the folder that MAILLON_DATA names, then in the user's cache, then where\n"
        "Debian's package puts them.\n\n"
        "commands:\n"
        "  fetch     bring data sets into the user's cache",
        "examples:\n"
        "  maillon data                          what is here, where from\n"
        "  maillon data fetch                    what is missing, from the mirrors\n"
        "  maillon data fetch -h                 one data set, or from another source",
    )
    parser.usage = "maillon data [-h] [fetch …]"
    if arguments and not arguments[0].startswith("-"):
        raise UsageError(unknown_word("command", arguments[0], ["fetch"]))
    parser.read(arguments)

    from maillon.data.sources import status

    found = status()
    for data_set in found:
        if data_set.here:
            print(f"{data_set.name}: here, from {data_set.source}")
        else:
            print(f"{data_set.name}: not here")
        for line in data_set.files if data_set.here else data_set.tried:
            print(f"  {line}")
    if not all(data_set.here for data_set in found):
        print("Fetch what is missing: maillon data fetch")


def fetch(arguments: Sequence[str]) -> None:
    """Brings data sets into the user's cache; one that fails does not keep the others from coming."""
    from maillon.data.errors import DataError
    from maillon.data.fetch import fetch as bring
    from maillon.data.sources import DATA_SETS

    parser = Parser(
        "maillon data fetch",
        "Bring data sets into the user's cache, unless they are there. Every file is verified before it is kept.",
        "examples:\n"
        "  maillon data fetch                                 all of them, from the mirrors\n"
        "  maillon data fetch mnist                           one\n"
        "  maillon data fetch fashion-mnist --from debian     from Debian's package (needs apt-get, not root)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(DATA_SETS)}; none: all")
    parser.add_argument("--from", dest="source", metavar="SOURCE", help="another source than the mirrors: debian")
    options = parser.read(arguments)
    check_words("data set", options.names, tuple(DATA_SETS))
    sources = sorted({source for data_set in DATA_SETS.values() for source in data_set.other_sources})
    if options.source is not None:
        check_words("source", [options.source], sources)
    chosen = options.names or [
        name for name, data_set in DATA_SETS.items() if options.source in (None, *data_set.other_sources)
    ]
    failures = []
    for name in chosen:
        try:
            print(f"{name}: {bring(name, options.source)}")
        except (DataError, ValueError, OSError) as error:
            failures.append(one_line(error))
    if failures:
        raise UsageError(" ".join(failures))


def shape(text: str) -> tuple[int | None, ...]:
    """One sample's shape: "3,32,32"; None where "none" stands, a length that is open."""
    words = [word.strip().lower() for word in text.split(",")]
    if not all(word == "none" or (word.isdecimal() and int(word) > 0) for word in words):
        raise argparse.ArgumentTypeError(f"expected a shape such as 3,32,32, got {text!r}")
    return tuple(None if word == "none" else int(word) for word in words)


def show(arguments: Sequence[str]) -> None:
    """Says what a saved file holds."""
    parser = Parser(
        "maillon show",
        "Say what a file holds: a network with its links, a whole Optim, a checkpoint of fit, plain tensors, or the\n"
        "network of an ONNX file.",
        "examples:\n"
        "  maillon show network.safetensors\n"
        "  maillon show network.safetensors --input 3,32,32    with all shapes, FLOPs and memory\n"
        "  maillon show model.onnx",
    )
    parser.add_argument("file", metavar="FILE", help="a safetensors file of maillon or of others, or an ONNX file")
    parser.add_argument("--input", type=shape, metavar="SHAPE", help="one sample's shape, without the batch: 3,32,32")
    options = parser.read(arguments)
    thing = opened(options.file)

    from maillon import summary
    from maillon.nn import Module
    from maillon.optim import Optim

    if isinstance(thing, Optim):
        print(f"loss: {thing.loss!r}\nrule: {thing.rule!r}")
        thing = thing.network
    if isinstance(thing, Module):
        print(told(lambda: summary(thing, options.input and (1, *options.input))))
        return
    lines = [(name, str(array.dtype), str(array.shape), f"{array.size}") for name, array in thing.items()]
    table = [("tensor", "dtype", "shape", "numbers"), *lines]
    widths = [max(len(row[place]) for row in table) for place in range(3)]
    for row in table:
        print("  ".join([cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)] + [row[3]]))
    print(f"{len(lines)} tensors, {sum(array.nbytes for array in thing.values())} bytes")


def convert(arguments: Sequence[str]) -> None:
    """Writes a saved network in another format."""
    parser = Parser(
        "maillon convert",
        "Write the network of one file to another. The endings say the formats: .safetensors, .onnx, and .h (a C\n"
        "header, which is only written).",
        "examples:\n"
        "  maillon convert network.safetensors network.onnx --input 3,32,32\n"
        "  maillon convert model.onnx network.safetensors\n"
        "  maillon convert policy.safetensors policy.h --input 8",
    )
    parser.add_argument("source", metavar="FROM", help="a .safetensors or .onnx file")
    parser.add_argument("target", metavar="TO", help="a .safetensors, .onnx or .h file")
    parser.add_argument("--input", type=shape, metavar="SHAPE", help="one sample's shape, which .onnx and .h need")
    options = parser.read(arguments)
    ending = Path(options.target).suffix.lower()
    if ending not in (".safetensors", ".onnx", ".h"):
        raise UsageError(f"Expected TO to end in .safetensors, .onnx or .h, got {options.target!r}.")
    if ending != ".safetensors" and options.input is None:
        raise UsageError(f"A {ending} file needs one sample's shape. Give it: --input 3,32,32, for instance.")
    thing = opened(options.source)

    from maillon import save
    from maillon.nn import Module
    from maillon.optim import Optim

    network = thing.network if isinstance(thing, Optim) else thing
    if not isinstance(network, Module):
        raise UsageError(f"{options.source!r} holds plain tensors, and no network to write.")
    if ending == ".safetensors":
        told(lambda: save(network, options.target))
    elif ending == ".onnx":
        from maillon.interop.onnx import to_onnx

        told(lambda: to_onnx(network, options.target, options.input))
    else:
        from maillon.interop.c import to_c

        told(lambda: to_c(network, options.target, options.input))
    print(options.target)


def opened(file: str) -> Any:
    """What a file holds, by its ending."""
    if Path(file).suffix.lower() == ".onnx":
        from maillon.interop.onnx import from_onnx

        return told(lambda: from_onnx(file))
    from maillon import load

    return told(lambda: load(file))


def told(what: Callable[[], Any]) -> Any:
    """Its result; an error of the library is the user's, and its first line is what is said."""
    try:
        return what()
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError(one_line(error)) from error


def version() -> str:
    """One line: maillon, Python, NumPy and the engine that runs the steps, with its instruction set and threads."""
    import numpy as np

    import maillon
    from maillon.engine import info

    engine = info()
    told = [engine["instruction_set"]] * (engine["instruction_set"] is not None)
    told.append(f"{engine['threads']} thread{'s' * (engine['threads'] != 1)}")
    return (
        f"maillon {maillon.__version__} (Python {platform.python_version()}, NumPy {np.__version__}, "
        f"engine: {engine['engine']}, {', '.join(told)})"
    )


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "report": report,
    "data": data,
    "show": show,
    "convert": convert,
}


def top(arguments: Sequence[str]) -> None:
    """What stands before a command: the version, the help, or a command that does not exist."""
    parser = Parser(
        "maillon",
        "Neural networks one link at a time.\n\n"
        "commands:\n"
        "  report    run the experiments of the report and write the page\n"
        "  data      say which data sets are here, and fetch those that are not\n"
        "  show      say what a saved file holds\n"
        "  convert   write a saved network as safetensors, ONNX or C",
        "examples:\n"
        "  maillon report --quick\n"
        "  maillon data fetch mnist\n"
        "  maillon show network.safetensors\n"
        "  maillon report -h",
    )
    parser.usage = "maillon [-h] [--version] COMMAND …"
    parser.add_argument("--version", action="store_true", help="show the versions of maillon and what it stands on")
    if arguments and not arguments[0].startswith("-"):
        raise UsageError(unknown_word("command", arguments[0], COMMANDS))
    if parser.read(arguments).version:
        print(version())
    else:
        parser.print_help()


def one_line(error: BaseException) -> str:
    """The message of an error that may list what was tried on lines of its own."""
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join([line.rstrip(".") for line in lines[:-1]] + lines[-1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = f"maillon {words[0]}" if words and words[0] in COMMANDS else "maillon"
    try:
        if words and words[0] in COMMANDS:
            COMMANDS[words[0]](words[1:])
        else:
            top(words)
    except UsageError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return MISUSE
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in OF_THE_REPORT:
            raise
        way_out = "Install what the report needs, in the project's folder: pip install '.[report]'"
        print(f"{name}: {package} is missing. {way_out}", file=sys.stderr)
        return MISUSE
    except KeyboardInterrupt as interruption:
        print(f"\n{name}: {' '.join(['interrupted.', *map(str, interruption.args)])}", file=sys.stderr)
        return INTERRUPTED
    return 0
