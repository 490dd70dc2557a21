"""The tests of workers on a local Ray cluster of two worker processes: `make cluster`, which installs Ray."""

import os
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

from tests.sweeping.test_workers import (  # noqa: F401 - collected here, to run there
    here,
    test_a_sweep_that_ends_keeps_the_chunks_under_way,
    test_a_training_that_always_kills_its_worker,
    test_a_worker_that_dies_costs_its_chunk,
    test_errors_come_from_the_worker,
    test_halving_in_processes,
    test_other_processes_know_the_default_dtype,
    test_processes,
    test_time_limit,
    test_what_cannot_be_sent,
)

ray = pytest.importorskip("ray")
ROOT = str(Path(__file__).parents[2])  # of the project: workers open `tests`


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    from ray.util.joblib import register_ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        object_store_memory=200 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}},
    )
    register_ray()
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def on_ray(cluster: None) -> Iterator[None]:
    with joblib.parallel_config("ray"):
        yield
