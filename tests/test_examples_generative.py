"""The generative and the playing examples, in their quick form: what they claim to learn, and the picture they draw."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from maillon.check import check_loss, check_module
from maillon.random import Generator

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def colours(path: Path) -> int:
    """How many different colours a picture has: an empty one has hardly any."""
    return len(np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0))


def test_the_variational_autoencoder_beats_the_mean_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = example("autoencoder_variational").main(["--quick", "--out", str(tmp_path)])
    assert figures["after"] < figures["mean image"] - 15 < figures["before"]
    assert figures["KL"] > 2, "the code says something about the image"
    assert colours(tmp_path / "autoencoder_variational.png") > 100
    assert "−ELBO per training image" in capsys.readouterr().out


def test_the_gan_forges_two_clusters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = example("gan_two_clusters").main(["--quick", "--out", str(tmp_path)])
    assert figures["chance"] < figures["after"] < figures["before"] / 20
    assert colours(tmp_path / "gan_two_clusters.png") > 100
    assert "forged at last" in capsys.readouterr().out


def test_reinforce_balances_the_pole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = example("reinforce_cart_pole").main(["--quick", "--out", str(tmp_path)])
    assert figures["before"] < 50
    assert figures["after"] > 200
    assert colours(tmp_path / "reinforce_cart_pole.png") > 100
    assert "after learning" in capsys.readouterr().out


def test_the_reparametrisation_and_the_bound_are_proved_links() -> None:
    vae = example("autoencoder_variational")
    generator = Generator(3)
    code = generator.normal((5, 4), std=0.7, dtype=np.float64)
    assert check_module(vae.Reparametrise(), code).worst < 1e-7
    assert check_module(vae.Reparametrise().eval(), code).worst < 1e-7
    logits = generator.normal((5, 6), std=2.0, dtype=np.float64)
    pixels = (generator.rand((5, 6), np.float64) > 0.5).astype(np.float64)
    assert check_loss(vae.NegativeELBO(), logits, pixels, code).worst < 1e-7


def test_the_clouds_divergence_is_the_integral_that_it_stands_for() -> None:
    vae = example("autoencoder_variational")
    mean, log_variance = 0.8, -1.1
    deviation = np.exp(log_variance / 2)
    z = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 20001)
    log_q = -(((z - mean) / deviation) ** 2) / 2 - np.log(deviation * np.sqrt(2 * np.pi))
    log_p = -(z**2) / 2 - np.log(np.sqrt(2 * np.pi))
    integral = np.trapezoid(np.exp(log_q) * (log_q - log_p), z)
    assert vae.divergence(np.array([[mean, log_variance]]))[0] == pytest.approx(integral, rel=1e-9)


def test_the_worlds_energy_grows_by_the_work_of_the_push() -> None:
    """Without friction what the push does is what cart and pole gain: the equations of motion belong together."""
    world = example("reinforce_cart_pole")
    world.TRACK_FRICTION = world.HINGE_FRICTION = 0.0
    world.STEP = 1e-6

    def energy(state: np.ndarray) -> float:
        _, speed, angle, turning = state
        along = speed + world.HALF_LENGTH * turning * np.cos(angle)
        up = -world.HALF_LENGTH * turning * np.sin(angle)
        moment = world.POLE * world.HALF_LENGTH**2 / 3  # of a rod of length 2 l, about its middle
        kinetic = world.CART * speed**2 + world.POLE * (along**2 + up**2) + moment * turning**2
        return float(kinetic / 2 + world.POLE * world.GRAVITY * world.HALF_LENGTH * np.cos(angle))

    state = np.array([0.3, -0.7, 0.4, 1.3])
    for right, force in ((True, world.PUSH), (False, -world.PUSH)):
        after = world.moved(state[None], np.array([right]))[0]
        power = (energy(after) - energy(state)) / world.STEP
        assert power == pytest.approx(force * state[1], rel=1e-4)


def test_an_advantage_compares_episodes_at_the_same_time() -> None:
    world = example("reinforce_cart_pole")
    advantage = world.advantages(np.array([1, 3]))
    assert advantage.shape == (3, 2)
    assert advantage[0, 0] < 0 < advantage[0, 1]
    assert (advantage[1:, 0] == 0).all(), "an episode that is over says nothing"
    longer = (1 - world.GAMMA**3) / (1 - world.GAMMA) - 1
    assert advantage[0, 1] / advantage[1, 1] == pytest.approx((longer / 2) / ((1 + world.GAMMA) / 2))
