"""Sessions: tests, lint, types, parity, bench, docs, memory, gpu, demo.

They run in the environment from which nox is called, and install the project there first: PyTorch is several
gigabytes, and one copy of it is enough. ``nox --force-venv-backend venv`` gives each an environment of its own.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]


def _install(session: nox.Session) -> None:
    session.run("python", "-m", "pip", "install", "--quiet", "--editable", ".[dev]", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite and the examples in docstrings."""
    _install(session)
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile", *session.posargs, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and who may import whom."""
    _install(session)
    session.run("ruff", "check", ".", external=True)
    session.run("ruff", "format", "--check", ".", external=True)
    session.run("lint-imports", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Types."""
    _install(session)
    session.run("mypy", external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks: ours and what one would use instead, side by side in one run."""
    _install(session)
    session.run(
        "python",
        "-m",
        "pytest",
        "--benchmark-only",
        "-p",
        "no:xdist",
        "tests/bench",
        *session.posargs,
        external=True,
    )


@nox.session
def parity(session: nox.Session) -> None:
    """Metrics and networks against the official code: two tables (part of the tests where the fixtures are)."""
    _install(session)
    session.run("python", "-m", "tests.parity.metric_cases", *(session.posargs or ["../shared"]), external=True)
    session.run("vbench", "models", "verify", "--all", external=True)
    names = (
        "real_weights_reach",
        "planes_equal_the_official",
        "float32_after_training",
        "case_that_takes_long",
        "every_case_of_every_fixture",
        "two_short_clips",
        "multiply_adds_are_as_shipped",
    )
    where = ("tests/parity", "tests/vbench/test_models_vnlnet_planes.py", "tests/vbench/test_multiply_adds.py")
    session.run("python", "-m", "pytest", "-k", " or ".join(names), *where, external=True, env={"VBENCH_SLOW": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """The pages and pictures of docs/ that are made from the code and the fixtures; the networks' multiply-adds."""
    _install(session)
    session.run("python", "docs/pages.py", external=True)
    session.run("python", "docs/pictures.py", external=True)
    session.run("python", "docs/counts.py", external=True)


@nox.session
def memory(session: nox.Session) -> None:
    """A 1080p frame through every network, each in a process of 4 GiB; hours on a CPU (name some: -- rtn dncnn-s25)."""
    _install(session)
    session.run("python", "-m", "tests.memory_1080p", *session.posargs, external=True)


@nox.session
def gpu(session: nox.Session) -> None:
    """Tests that need a CUDA GPU; then models, metrics and damage on it: speed, memory, agreement with the CPU."""
    _install(session)
    session.run("python", "-m", "pytest", "-m", "cuda", "tests", external=True)
    session.run("python", "-m", "tests.gpu", *session.posargs, external=True)


@nox.session
def demo(session: nox.Session) -> None:
    """The whole way on the embedded clips."""
    _install(session)
    session.run("vbench", "demo", *session.posargs, external=True)
