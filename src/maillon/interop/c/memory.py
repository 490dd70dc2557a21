"""Where each value lies: in the caller's arrays, or in work arrays that are used again when a value has served."""

from dataclasses import dataclass

from maillon.interop.c.program import Buffer, Program, Step, Value, loop


@dataclass
class Slot:
    """A work array and the spans of steps at which it is taken."""

    size: int
    taken: list[tuple[int, int]]

    def free(self, span: tuple[int, int]) -> bool:
        return all(span[1] < start or end < span[0] for start, end in self.taken)


def give_outputs(program: Program, outputs: list[Value], names: list[str]) -> None:
    """The values that the network returns lie in the caller's arrays; what cannot is copied there."""
    for place, (value, name) in enumerate(zip(outputs, names, strict=True)):
        buffer = value.buffer
        if buffer.kind == "work" and value.size == buffer.size:
            buffer.kind, buffer.name = "output", name
            continue
        outputs[place] = copied = Value(program.buffer(value.size, "output", name), value.shape)
        program.note = f"output {name}"
        program.step([loop("i", value.size), f"{copied.at('i')} = {value.at('i')};", "}"], [value], [copied])


def drop_unused(program: Program) -> None:
    """Without the steps whose values nobody needs."""
    needed = {buffer for buffer in program.buffers if buffer.kind in ("output", "state")}
    kept: list[Step] = []
    for step in reversed(program.steps):
        if needed.intersection(step.writes):
            needed.update(step.reads)
            kept.append(step)
    program.steps = kept[::-1]


def place(program: Program) -> list[int]:
    """Name each work buffer, `w0`, `w1`, …; returns the sizes of these arrays, in numbers."""
    home = _in_place(program)
    spans: dict[Buffer, tuple[int, int]] = {}
    sizes: dict[Buffer, int] = {}
    for time, step in enumerate(program.steps):
        for buffer in map(home.__getitem__, [*step.writes, *step.reads]):
            spans[buffer] = (spans.get(buffer, (time, time))[0], time)
            sizes[buffer] = buffer.size
    slots: list[Slot] = []
    # The largest first: those that follow fit into its array wherever their times allow it.
    for buffer in sorted((each for each in spans if each.kind == "work"), key=lambda each: -each.size):
        slot = next((slot for slot in slots if slot.free(spans[buffer])), None)
        if slot is None:
            slots.append(slot := Slot(buffer.size, []))
        slot.taken.append(spans[buffer])
        buffer.name = f"w{slots.index(slot)}"
    for buffer, base in home.items():
        buffer.name = base.name
    return [slot.size for slot in slots]


def _in_place(program: Program) -> dict[Buffer, Buffer]:
    """For each buffer the one in whose memory it lies: itself, or the result of a step that works in place."""
    last = {buffer: time for time, step in enumerate(program.steps) for buffer in step.reads}
    home = {buffer: buffer for buffer in program.buffers}
    for time, step in reversed(list(enumerate(program.steps))):
        if not step.inplace:
            continue
        x, y = step.reads[0], step.writes[0]
        if x.kind == "work" and last[x] == time and x.size == y.size:
            home[x] = home[y]
    return home
