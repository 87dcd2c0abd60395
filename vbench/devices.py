"""Where models run."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vbench.errors import InputError, UsageError


def pick(name: str = "auto") -> str:
    """The device of this name as torch writes it; "auto" is a CUDA GPU where there is one, else the CPU.

    Raises:
        InputError: the device is not there.

    Example:
        >>> pick("cpu")
        'cpu'
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    match = re.fullmatch(r"cuda(?::([0-9]{1,3}))?", name)
    if match is None:
        raise UsageError(f'There is no device "{name}": --device takes auto, cpu, cuda or cuda:N.')
    if not torch.cuda.is_available():
        raise InputError(
            f"--device {name}: this machine has no CUDA GPU that PyTorch {torch.__version__} can use. "
            "`vbench doctor` says more; `--device cpu` runs without one."
        )
    if match[1] and int(match[1]) >= torch.cuda.device_count():
        raise InputError(
            f"--device {name}: this machine has {torch.cuda.device_count()} CUDA device(s), from cuda:0 on."
        )
    return name


def full_float32() -> None:
    """Make CUDA compute float32 in float32: by default cuDNN rounds what it multiplies to 10 bits (TF32).

    Results are recorded as of precision "fp32", so every network calls this before it is loaded. For the whole
    process; without a GPU it changes nothing.

    Source: PyTorch's notes on numerical accuracy, "TensorFloat-32 on NVIDIA Ampere (and later) devices".
    """
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def forget_peak_memory(device: str) -> None:
    """Let :func:`peak_memory` begin anew."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        # "5" sets the peak of resident memory back to what is resident now (Linux).
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory(device: str) -> int | None:
    """Peak since :func:`forget_peak_memory` in bytes: allocated on a GPU, else resident memory of this process.

    None where the system does not tell, or where the peak cannot be set back.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    try:
        if not os.access("/proc/self/clear_refs", os.W_OK):
            return None
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(peak.split()[1]) * 1024 if peak else None


_FULL = (
    "can't allocate memory",  # PyTorch on a CPU
    "not enough memory",  # the same on Windows
    "out of memory",  # CUDA
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",  # cuDNN and cuBLAS
    "could not create a memory object",  # oneDNN
    "failed to allocate",  # ONNX Runtime
)
_PERHAPS_FULL = ("could not create a primitive", "could not execute a primitive")
"""oneDNN says so where it does not get memory, and where it cannot compute what it is asked for."""
NEARLY_FULL = 0.7
"""Of what a process may ask for. Most of what was held has been let go when an error is looked at."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device is full.

    Example:
        >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."))
        True
        >>> out_of_memory(RuntimeError("size mismatch"))
        False
    """
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    if not isinstance(error, RuntimeError):
        return False
    return any(words in said for words in _FULL) or (any(words in said for words in _PERHAPS_FULL) and _nearly_full())


def _nearly_full() -> bool:
    """Whether this process has asked for most of what it may ask for."""
    held, limits = _status("VmData"), [value for value in _limits() if value is not None]
    return held is not None and bool(limits) and held > NEARLY_FULL * min(limits)


def free_memory(device: str) -> None:
    """Give memory that is kept for later back: by PyTorch to the GPU, by the C library to the system."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
    elif (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> Any:
    """The C library where it is GNU's, whose allocator can be told things; else None."""
    import ctypes

    if platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)


def whole_memory(device: str) -> int | None:
    """Bytes that this process may use at most: of a GPU all it has, else of the machine, its container and its limits.

    None where the system does not tell.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    known = [_meminfo("MemTotal"), _cgroup("memory.max", "memory.limit_in_bytes"), *_limits()]
    return min((value for value in known if value is not None), default=None)


def free_memory_now() -> int | None:
    """Bytes of the machine, and of the container that this process is in, that are not in use; None if not told."""
    known = [_meminfo("MemAvailable")]
    most, used = _cgroup("memory.max", "memory.limit_in_bytes"), _cgroup("memory.current", "memory.usage_in_bytes")
    if most is not None and used is not None:
        # Pages of files that were read count as used and are given back when they are asked for.
        known.append(max(0, most - used + (_cgroup_inactive_files() or 0)))
    return min((value for value in known if value is not None), default=None)


_MMAP_THRESHOLD = -3
"""GNU's name for it is M_MMAP_THRESHOLD, in malloc.h."""


@contextmanager
def bounded_memory(device: str, processes: int = 1, share: float = 0.9) -> Iterator[None]:
    """While this lasts, asking for more memory than the machine has free is an error that can be caught.

    Without it Linux grants what it does not have, and kills the process when it is used. On a GPU, and where the system
    does not tell or limits the process more closely already, nothing changes.

    Args:
        processes: how many share the machine.
        share: of what is free now.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        yield
        return
    free, held = free_memory_now(), _status("VmData")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = None if free is None or held is None else held + int(share * free / max(1, processes))
    if device.startswith("cuda") or most is None:
        yield
        return
    if soft != resource.RLIM_INFINITY and soft <= most:
        if (library := _glibc()) is not None:
            # Holes in the heap count too, and no tile would be small enough: tensors get mappings of their own instead.
            library.mallopt(_MMAP_THRESHOLD, 2**20)
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _limits() -> list[int | None]:
    try:
        import resource
    except ImportError:  # not on Windows
        return []
    soft = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    return [value for value in soft if value != resource.RLIM_INFINITY]


def _status(name: str) -> int | None:
    return _kilobytes(Path("/proc/self/status"), name)


def _meminfo(name: str) -> int | None:
    return _kilobytes(Path("/proc/meminfo"), name)


def _kilobytes(path: Path, name: str) -> int | None:
    try:
        line = next((line for line in path.read_text().splitlines() if line.startswith(f"{name}:")), None)
    except OSError:
        return None
    return int(line.split()[1]) * 1024 if line else None


def _cgroup_folders() -> list[Path]:
    """Where Linux tells of the control groups that this process is in: of version 2, and of memory in version 1."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    root = Path("/sys/fs/cgroup")
    out = []
    for number, controllers, path in (line for line in lines if len(line) == 3):
        base = root if number == "0" else root / "memory" if controllers == "memory" else None
        if base is not None:
            # Within a container the path may be that of the machine; what is at the root is the container's then.
            out += [base / path.lstrip("/"), base]
    return out


def _cgroup(*names: str) -> int | None:
    """The least number in a file of one of these names."""
    found = []
    for folder in _cgroup_folders():
        for name in names:
            try:
                text = (folder / name).read_text().strip()
            except OSError:
                continue
            # "max", or a number beyond every machine, stands for none.
            if text.isdigit() and int(text) < 2**60:
                found.append(int(text))
    return min(found, default=None)


def _cgroup_inactive_files() -> int | None:
    for folder in _cgroup_folders():
        try:
            lines = (folder / "memory.stat").read_text().splitlines()
        except OSError:
            continue
        values = [int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "total_inactive_file "))]
        if values:
            return max(values)
    return None


def describe(device: str) -> dict[str, Any]:
    """What is recorded of a device: its name, and the cores of the machine."""
    from vbench.execute import cores

    facts: dict[str, Any] = {"device": device, "cpu": _cpu_name(), "cores": cores()}
    if device.startswith("cuda"):
        import torch

        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["cuda"] = torch.version.cuda
    return facts


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
