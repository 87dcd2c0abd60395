"""Where models run."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from vbench.errors import InputError


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
        raise InputError(f'There is no device "{name}": --device takes auto, cpu, cuda or cuda:N.')
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
