"""REINFORCE: a policy balances a pole
===================================

A policy learns to balance a pole on a cart, from nothing but how long it stayed up.

The idea. Nobody says what the right push is; the policy π(a|s) draws its actions, and what turned out well becomes more
likely. The gradient of the mean return, for which no derivative of the world is needed, is ::

    ∇ J = E[ Σ_t ∇ log π(a_t|s_t) · A_t ],      A_t = G_t − b_t,      G_t = r_t + γ r_{t+1} + γ² r_{t+2} + …

b_t, the mean of the returns at time t over the episodes played together, takes away noise and leaves the direction.
Here π is the probability sigmoid(network(s)) of a push to the right, so −log π(a|s) is the binary cross-entropy of the
action, and its backward, given A_t as the gradient of each element's value, walks back −∇ J: a single line below.

The world: a cart on a track and a pole on a hinge, pushed by ±10 N every 0.02 s; the reward is 1 for each step until
the cart is 2.4 m from the middle, the pole 12° from upright, or 500 steps are over. With ω = θ' and total mass M::

    θ'' = (g sin θ + cos θ · (−F − m l ω² sin θ + μ_c sgn x') / M − μ_p ω / (m l)) / (l (4/3 − m cos² θ / M))
    x'' = (F + m l (ω² sin θ − θ'' cos θ) − μ_c sgn x') / M

Sources: Williams, "Simple statistical gradient-following algorithms …", 1992; Barto, Sutton, Anderson, "Neuronlike
adaptive elements that can solve difficult learning control problems", 1983, whose appendix has the world.

To run it::

    python examples/reinforce_cart_pole.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import maillon as m
from maillon.typing import Array

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s², kg, kg, m
TRACK_FRICTION, HINGE_FRICTION = 0.0005, 0.000002
PUSH, STEP = 10.0, 0.02  # N, s
FARTHEST, STEEPEST, LONGEST = 2.4, np.radians(12), 500  # m, rad, steps

SIDE_BY_SIDE, GAMMA, RATE = 10, 0.99, 0.01  # episodes played together, discount, Adam's rate
SCALE = np.array([1.0, 1.0, 0.1, 1.0], np.float32)  # what a large position, speed, angle, angular speed is


# %%
# The world
# ---------


def moved(states: Array, right: Array) -> Array:
    """The worlds a step later (Euler). states: (n, 4), position, speed, angle, angular speed; right: (n,), pushes."""
    _, speed, angle, turning = states.T
    total, inertia = CART + POLE, POLE * HALF_LENGTH
    sine, cosine, force = np.sin(angle), np.cos(angle), np.where(right, PUSH, -PUSH)
    rubbing = TRACK_FRICTION * np.sign(speed)
    pull = GRAVITY * sine + cosine * (-force - inertia * turning**2 * sine + rubbing) / total
    spin = (pull - HINGE_FRICTION * turning / inertia) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / total))
    thrust = (force + inertia * (turning**2 * sine - spin * cosine) - rubbing) / total
    return states + STEP * np.stack([speed, thrust, turning, spin], axis=1)


# %%
# Playing, and what each action was worth
# ---------------------------------------


def play(policy: m.Module, episodes: int, generator: m.Generator) -> tuple[Array, Array, Array]:
    """So many episodes side by side: states (t, n, 4), actions (t, n), and the steps that each lasted (n,)."""
    probability = m.compile(m.Sequential(policy, m.Sigmoid()))
    now = generator.uniform((episodes, 4), -0.05, 0.05, np.float64)
    up, steps = np.ones(episodes, bool), np.zeros(episodes, np.int64)
    states: list[Array] = []
    actions: list[Array] = []
    while up.any() and len(states) < LONGEST:
        right = generator.rand((episodes,)) < probability((now / SCALE).astype(np.float32))[:, 0]
        states.append(now)
        actions.append(right)
        steps += up
        now = np.where(up[:, None], moved(now, right), now)  # those that fell lie still
        up &= (abs(now[:, 0]) < FARTHEST) & (abs(now[:, 2]) < STEEPEST)
    return np.stack(states), np.stack(actions), steps


def advantages(steps: Array) -> Array:
    """A_t of each episode (t, n), scaled to a standard deviation of 1; with rewards of 1, G_t is a geometric sum."""
    left = np.clip(steps - np.arange(steps.max())[:, None], 0, None)  # steps still to come
    returns = (1 - GAMMA**left) / (1 - GAMMA)
    baseline = returns.mean(axis=1, keepdims=True)
    played = left > 0
    advantage = np.where(played, returns - baseline, 0)
    return advantage / (advantage[played].std() + 1e-8)


def learn(learner: m.engine.Learner, generator: m.Generator) -> Array:
    """Play some episodes, and make likely what went better than usual. Returns the steps that they lasted."""
    states, actions, steps = play(learner.optim.network, SIDE_BY_SIDE, generator)
    loss = learner.optim.loss
    loss(learner.forward((states.reshape(-1, 4) / SCALE).astype(np.float32)), actions.reshape(-1, 1).astype(np.float32))
    weights = advantages(steps) / steps.sum()
    learner.backward(loss.backward(weights.reshape(-1, 1).astype(np.float32)))  # REINFORCE
    learner.update()
    return steps


# %%
# Learning
# --------


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="REINFORCE on a cart-pole.")
    parser.add_argument("--quick", action="store_true", help="250 episodes: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    policy = m.Sequential(m.Linear(4, 32), m.Tanh(), m.Linear(32, 1))
    learner = m.compile(m.Optim(policy, m.BCEWithLogitsLoss(reduction="none"), m.Adam(lr=RATE)))
    print(policy)
    before = play(policy, 20, generator)[2]

    lasted: list[int] = []
    batches = 25 if options.quick else 60
    for batch in range(1, batches + 1):
        lasted += learn(learner, generator).tolist()
        if batch % 5 == 0:
            recent = np.array(lasted[-10 * SIDE_BY_SIDE :])
            print(f"episode {len(lasted):5d}: the last {len(recent)} lasted {recent.mean():5.1f} steps on average")

    states, _, after = play(policy, 20, generator)
    print(f"20 episodes of at most {LONGEST} steps, actions drawn from the policy:")
    for name, steps in (("before learning", before), ("after learning", after)):
        print(f"  {name:<16} mean {steps.mean():5.1f} steps, shortest {steps.min():3d}, longest {steps.max():3d}")
    draw(np.array(lasted), states[: after[0], 0], options.out / "reinforce_cart_pole.png")
    return {"before": float(before.mean()), "after": float(after.mean())}


# %%
# The picture
# -----------


def draw(lasted: Array, episode: Array, path: Path) -> None:
    """The return of each episode, with the mean of the last 50, and the states of one episode after learning."""
    blue, vermilion = m.plot.COLOURS[:2]
    window = 50
    with m.plot.use():
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.scatter(np.arange(1, len(lasted) + 1), lasted, s=5, color="#7A7A7A", linewidths=0, label="episode")
        mean = np.convolve(lasted, np.ones(window) / window, "valid")
        left.plot(np.arange(window, len(lasted) + 1), mean, color=vermilion, label=f"mean of the last {window}")
        left.set(title="Learning", xlabel="episode", ylabel="return [steps upright]", ylim=(0, 1.05 * LONGEST))
        left.legend(loc="lower right", markerscale=2)

        time = STEP * np.arange(len(episode))
        right.plot(time, episode[:, 0], color=blue, label="cart: position [m]")
        right.plot(time, np.degrees(episode[:, 2]), color=vermilion, linestyle="--", label="pole: angle [°]")
        right.set(title="One episode after learning", xlabel="time [s]", ylabel="position [m], angle [°]")
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
