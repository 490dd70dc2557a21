"""Runs tests over a core compiled with sanitizers: sanitize.py address,undefined|thread [pytest arguments].

The instrumented core goes into build/, beside a copy of the Python. The interpreter that runs the tests is the one the
virtual environment was made from: it finds the environment's packages by PYTHONPATH, but not its editable install, so
that no other core can slip in.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
OPTIONS = {
    # Python and NumPy keep memory on purpose.
    # detect_stack_use_after_return moves locals to where GCC before 13.3 does not align them for 512-bit registers: its
    # bug 110027, "Misaligned vector store on detect_stack_use_after_return".
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # Nothing but the core is instrumented; a report ends the run; children of fork may have threads of their own.
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:suppressions={ROOT / '.ci/tsan.supp'}",
}


def build(kinds: str, folder: Path) -> Path:
    """The folder for PYTHONPATH: maillon with an instrumented core."""
    python = folder / "python"
    shutil.rmtree(python, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "_core.*")
    shutil.copytree(ROOT / "src" / "maillon", python / "maillon", ignore=skip)
    tools = Path(sys.executable).parent
    configure = [
        "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        f"-DMAILLON_SANITIZE={kinds}",
        f"-DPython_EXECUTABLE={sys.executable}",
    ]
    configure += [f"-DMAILLON_OUTPUT={python / 'maillon' / 'engine'}", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
    cmake = str(tools / "cmake")
    subprocess.run([cmake, "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *configure], check=True)
    subprocess.run([cmake, "--build", str(folder)], check=True)
    return python


def runtime(library: str) -> str:
    """Where the compiler keeps a library that has to be loaded before Python is."""
    compiler = os.environ.get("CXX", "c++")
    found = subprocess.run([compiler, f"-print-file-name={library}"], check=True, capture_output=True, text=True)
    path = found.stdout.strip()
    if not Path(path).is_absolute():
        sys.exit(f"{compiler} has no {library}: expected GCC with its sanitizers. Name it in CXX.")
    return str(Path(path).resolve())


def main(kinds: str, arguments: list[str]) -> int:
    if sys.platform != "linux":
        sys.exit("The sanitizers are loaded before Python by LD_PRELOAD: expected Linux.")
    python = build(kinds, ROOT / "build" / kinds.replace(",", "-"))
    paths = [str(python), sysconfig.get_path("purelib")]
    # libstdc++ too: where it comes in later, with the core, the sanitizers miss its exceptions.
    preload = [runtime(RUNTIMES[kind]) for kind in kinds.split(",")] + [runtime("libstdc++.so")]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **OPTIONS, **threads, "PYTHONPATH": os.pathsep.join(paths)}
    # ThreadSanitizer wants its memory where a kernel that shuffles addresses a lot does not always leave it.
    fixed = ["setarch", platform.machine(), "-R"] if kinds == "thread" else []
    base = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    # Those that plant a fault to see it found would end the run.
    tests = arguments or ["tests/engine", "-k", "not it_sees"]
    preloaded = ["env", f"LD_PRELOAD={' '.join(preload)}", base, "-m", "pytest", "--capture=sys", *tests]
    print(f"{kinds}: {' '.join(tests)} over {python}", flush=True)
    return subprocess.run([*fixed, *preloaded], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
