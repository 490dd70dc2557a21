"""Trainings killed by SIGKILL at random moments and resumed until they are done: `python tests/train/kill_resume.py`.

Each of --trainings N is made at random (rule, schedule, dropout, early stopping, gathering, inputs, engine, dtype;
every second one is of another family of links, losses or rules), run once in a process of its own without a checkpoint,
and then killed again and again, in the middle of steps and of writing. What is left at the end must be the same to the
bit: the weights, the rule's state, all generators, the history but its seconds.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))

UNFINISHED = ".run.safetensors*.tmp"
_ENOUGH = 12  # kills of one training
_CHILD_S = 300.0


def made(seed: int) -> Any:
    """The training of this number, anew."""
    return of_family(seed) if seed % 2 else chain(seed)


def of_family(seed: int) -> Any:
    """One of each family in turn, as every test of the core has it, for longer and with options at random."""
    import trainings

    from maillon.optim import lr_scheduler as schedules

    dice = random.Random(seed)
    names = list(trainings.PROBLEMS)
    name = names[seed // 2 % len(names)]
    made = trainings.training(name, dice.choice(["float32", "float64"]), epochs=dice.choice([40, 100]))
    made.options |= {"drop_last": dice.random() < 0.3, "schedule": dice.choice([None, schedules.LinearLR()])}
    if name != "loss: CTC":  # whose mini-batch is whole
        made.options["validation_split"] = dice.choice([0.0, 0.3])
    return made


def chain(seed: int) -> Any:
    """A small network of Linear and Tanh."""
    import numpy as np
    from resuming import Made

    import maillon as m
    from maillon.optim import lr_scheduler as schedules

    dice, numbers = random.Random(seed), np.random.default_rng(seed)
    dtype = dice.choice(["float32", "float64"])
    rows, own = dice.choice([307, 640]), m.Generator(seed)
    x, labels = numbers.normal(size=(rows, 12)), numbers.integers(0, 4, rows)
    middle = [m.BatchNorm1d(16)] if dice.random() < 0.2 else []
    drops = dice.choice([None, None, m.Generator(seed + 1)])
    links = [m.Linear(12, 16, generator=own), *middle, m.Tanh(), m.Dropout(0.2, generator=drops)]
    network: m.Module = m.Sequential(*links, m.Linear(16, 4, generator=own))
    inputs: Any = x
    if dice.random() < 0.15:
        network, inputs = (
            m.Sequential(
                m.Parallel(*links[:1], m.Linear(12, 16, generator=own)),
                m.Add(),
                m.Tanh(),
                m.Linear(16, 4, generator=own),
            ),
            (x, -x),
        )
    known = [m.SGD(lr=0.1, momentum=0.9), m.Adam(lr=0.01), m.Adam(lr=0.01, amsgrad=True)]  # to the core
    rule: Any = dice.choice([*known, *known, m.LBFGS(lr=0.3, max_iter=3), m.RMSprop(lr=0.01)])
    accumulate = 1 if rule.needs_closure else dice.choice([1, 1, 3])
    epochs = dice.choice([6, 10]) if rule.needs_closure else dice.choice([20, 40])
    options: dict[str, Any] = {
        "batch_size": dice.choice([16, 32]),
        "epochs": epochs,
        "metrics": dice.choice([[], ["accuracy"], ["accuracy", "f1_macro"]]),
        "validation_split": dice.choice([0.0, 0.2]),
        "drop_last": dice.random() < 0.3,
        "engine": dice.choice(["auto", "auto", "auto", "numpy"]),
    }
    options |= dice.choice(
        [
            {},
            {"schedule": schedules.CosineAnnealingLR(T_max=50), "schedule_by": "step"},
            {"schedule": schedules.StepLR(step_size=3, gamma=0.7)},
        ]
    )
    if options["validation_split"] and dice.random() < 0.6:
        options["callbacks"] = m.EarlyStopping(patience=dice.choice([2, 5]))
    m.manual_seed(seed)
    optim = m.Optim(network.to(dtype), m.CrossEntropyLoss(), rule, accumulate=accumulate)
    return Made(optim, (inputs, labels), options)


def child(seed: int, out: Path, checkpoint: Path | None) -> None:
    """Train, and leave the hash of everything, renamed into its place."""
    import warnings

    from resuming import train

    import maillon as m

    warnings.simplefilter("ignore")
    more: dict[str, Any] = {}
    if checkpoint is not None:
        every = random.Random(seed + 1).choice(["epoch", 1, 2, 7])
        more = {"checkpoint": m.Checkpoint(checkpoint, every, keep=1 + seed % 3), "resume": checkpoint}
    training = made(seed)
    say("begun")
    left = train(training, **more)
    text = "\n".join(f"{name} {hashlib.sha256(repr(value).encode()).hexdigest()}" for name, value in left.items())
    text += f"\nengine {left['ends'][-1]}"
    beside = out.with_suffix(".part")
    beside.write_text(text)
    beside.replace(out)


def started(seed: int, out: Path, checkpoint: Path | None) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE), "--child", str(seed), "--out", str(out)]
    if checkpoint is not None:
        command += ["--checkpoint", str(checkpoint)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def begun(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    with process.stdout as said:
        line = said.readline()
    if line != "begun\n":
        raise RuntimeError(f"the training could not begin: exit status {process.wait()}")


def uninterrupted(seed: int, folder: Path) -> tuple[str, float]:
    """What it leaves, and the seconds it took."""
    out = folder / "whole.txt"
    process = started(seed, out, None)
    begun(process)
    since = time.monotonic()
    if process.wait(_CHILD_S):
        raise RuntimeError(f"training {seed} failed")
    return out.read_text(), time.monotonic() - since


def killed(seed: int, folder: Path, seconds: float, most: int = _ENOUGH) -> tuple[str, int, int]:
    """What it leaves after at most so many kills; how often, and how often while a file was being written."""
    out, path = folder / "killed.txt", folder / "run.safetensors"
    dice, kills, in_writing = random.Random(seed), 0, 0
    while not out.exists():
        for left_over in folder.glob(UNFINISHED):
            left_over.unlink()
        process = started(seed, out, path)
        begun(process)
        if kills < most:
            wait(process, dice.uniform(0, 0.6 * seconds), folder if dice.random() < 0.5 else None)
        if kills < most and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
            in_writing += unfinished(folder)
        status = process.wait(_CHILD_S)
        if status not in (0, -signal.SIGKILL):
            raise RuntimeError(f"training {seed}, resumed, failed with exit status {status}")
    return out.read_text(), kills, in_writing


def unfinished(folder: Path) -> bool:
    """Whether a file is there that has something in it and has not yet taken its place."""
    try:
        return any(path.stat().st_size > 0 for path in folder.glob(UNFINISHED))
    except FileNotFoundError:
        return False


def wait(process: "subprocess.Popen[str]", seconds: float, folder: Path | None) -> None:
    """So long; folder: and on until a checkpoint is under way there."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(min(0.002, seconds))
    until += 0.3
    while folder is not None and process.poll() is None and time.monotonic() < until and not unfinished(folder):
        pass


def differing(seed: int, most: int = _ENOUGH) -> tuple[list[str], int, int, str]:
    """The names of what is not the same in the end; the kills, those while a file was written, and the engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted, seconds = uninterrupted(seed, folder)
        found, kills, in_writing = killed(seed, folder, seconds, most)
    lines = zip(found.splitlines(), wanted.splitlines(), strict=True)
    return [one.split()[0] for one, other in lines if one != other], kills, in_writing, wanted.split()[-1]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's number (default: 0)")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        child(arguments.child, arguments.out, arguments.checkpoint)
        return 0
    bad = kills = in_writing = native = 0
    for seed in range(arguments.seed, arguments.seed + arguments.trainings):
        names, more, writing, engine = differing(seed)
        kills, in_writing, native = kills + more, in_writing + writing, native + (engine == "native")
        if names:
            bad += 1
            say(f"training {seed}: not the same: {', '.join(names)}")
    good = arguments.trainings - bad
    say(f"{good} of {arguments.trainings} trainings the same to the bit, {native} of all in the core")
    say(f"{kills} kills, {in_writing} of them while a checkpoint was being written")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
