"""VMAF, by the libvmaf that is compiled into the bundled FFmpeg; nothing is downloaded."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, RunError
from vbench.ffmpeg_pipe import ffmpeg_exe
from vbench.metrics.spec import Figures, Metric, Session, View, at_least, on_255

if TYPE_CHECKING:
    from torch import Tensor

    from vbench.clip import ClipInfo

MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
FEATURES = {
    "psnr_y": "psnr",
    "psnr_cb": "psnr",
    "psnr_cr": "psnr",
    "float_ssim": "float_ssim",
    "float_ms_ssim": "float_ms_ssim",
}
"""Figures of libvmaf beside its own, and the feature extractor that gives each."""
DEPTHS = (8, 10, 12, 16)
"""Bits of a sample that libvmaf reads; FFmpeg turns others into these on the way (9 bits: 0.008 dB of PSNR)."""
MS_SSIM_SIDE = 176
"""Below this side (pixels) libvmaf gives no MS-SSIM."""
SMALLEST = 17
"""Below this side (pixels) libvmaf brings FFmpeg down."""


def _command(
    distorted: list[str], reference: list[str], chain: str, names: Sequence[str], log: Path, features: Sequence[str]
) -> list[str]:
    """FFmpeg's command for any of :data:`MODELS` in one pass; each figure stands in the log under its own name."""
    wanted = "|".join(f"name={name}" for name in dict.fromkeys(features))
    models = "|".join(rf"version={MODELS[name]}\\:name={name}" for name in names)
    options = f"model={models}:log_fmt=json:log_path={log.name}:n_threads=1"
    if wanted:
        options += f":feature={wanted}"
    graph = f"[0:v]{chain}[d];[1:v]{chain}[r];[d][r]libvmaf={options}"
    quiet = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    return [ffmpeg_exe(), *quiet, *distorted, *reference, "-lavfi", graph, "-f", "null", "-"]


def _read_log(path: Path, keys: Sequence[str]) -> dict[str, list[float]]:
    try:
        frames = json.loads(path.read_text("utf-8"))["frames"]
    except (ValueError, KeyError) as error:
        raise RunError(
            f'libvmaf\'s log "{path}" is cut ({error}): is there room on the disk of temporary files? TMPDIR names another.'
        ) from error
    for key in keys:
        if not frames or any(key not in frame["metrics"] for frame in frames):
            raise RunError(f"libvmaf gave no {key} for these frames; they may be too small for it.")
        if any(frame["metrics"][key] is None for frame in frames):
            raise RunError(f"libvmaf gave a {key} that is no number for one of these frames.")
    return {key: [float(frame["metrics"][key]) for frame in frames] for key in keys}


@dataclass(frozen=True)
class RawVideo:
    """Planar YUV as a file holds it, without a header: its size and pixel format must be known."""

    path: Path
    width: int
    height: int
    pix_fmt: str


def frame_bytes(video: RawVideo) -> int:
    """Bytes of one frame.

    Raises:
        InputError: no such pixel format, or none of planar YUV.
    """
    import av

    try:
        form = av.VideoFormat(video.pix_fmt, video.width, video.height)
    except ValueError as error:
        raise InputError(
            f'There is no pixel format "{video.pix_fmt}"; yuv420p, yuv422p, yuv444p and these with 10le are usual.'
        ) from error
    if not video.pix_fmt.startswith("yuv") or not form.is_planar:
        raise InputError(f'Raw video is measured as planar YUV, and "{video.pix_fmt}" is not that.')
    if form.components[0].bits not in DEPTHS or "msb" in video.pix_fmt:
        raise InputError(
            f"libvmaf takes planes of {', '.join(map(str, DEPTHS[:-1]))} or {DEPTHS[-1]} bits, in the lower bits of a sample; "
            f'"{video.pix_fmt}" would be converted first. Convert it yourself, and say how.'
        )
    return sum(part.width * part.height * ((part.bits + 7) // 8) for part in form.components)


def of_raw(distorted: RawVideo, reference: RawVideo, figures: Sequence[str]) -> dict[str, list[float]]:
    """VMAF and libvmaf's other figures of two raw YUV files, as they are stored: no conversion.

    Args:
        figures: "vmaf", "vmaf_neg" and names of :data:`FEATURES`.

    Raises:
        InputError: the two differ in size or format, or a file does not hold whole frames.
        RunError: libvmaf failed.
    """
    if (distorted.width, distorted.height, distorted.pix_fmt) != (reference.width, reference.height, reference.pix_fmt):
        raise InputError("The two raw videos must have one size and one pixel format.")
    sizes = [Path(v.path).stat().st_size for v in (distorted, reference)]
    frame = frame_bytes(reference)
    width, height = reference.width, reference.height
    if min(width, height) < SMALLEST:
        raise InputError(
            f"libvmaf needs frames of at least {SMALLEST} x {SMALLEST} pixels, and these are {width} x {height}."
        )
    for video, size in zip((distorted, reference), sizes, strict=True):
        if size % frame or not size:
            raise InputError(
                f'"{video.path}" has {size} bytes, which are no whole frames of {video.width} x {video.height} in '
                f"{video.pix_fmt} ({frame} bytes each)."
            )
    if sizes[0] != sizes[1]:
        raise InputError(
            f'"{distorted.path}" has {sizes[0]} bytes and "{reference.path}" {sizes[1]}: they hold different numbers '
            "of frames."
        )
    inputs = [
        ["-f", "rawvideo", "-s", f"{v.width}x{v.height}", "-pix_fmt", v.pix_fmt, "-r", "25", "-protocol_whitelist",
         "file", "-i", f"file:{v.path.resolve()}"]
        for v in (distorted, reference)
    ]  # fmt: skip
    models = [name for name in figures if name in MODELS] or ["vmaf"]
    features = [FEATURES[name] for name in figures if name in FEATURES]
    with tempfile.TemporaryDirectory(prefix="vbench-vmaf-") as folder:
        log = Path(folder) / "log.json"
        command = _command(inputs[0], inputs[1], "null", models, log, features)
        done = subprocess.run(command, capture_output=True, cwd=folder, check=False)
        if done.returncode or not log.exists():
            said = done.stderr.decode(errors="replace").strip() or "no message"
            raise RunError(f"libvmaf failed (exit status {done.returncode}). FFmpeg says: {said}")
        return _read_log(log, figures)


class VmafSession:
    """Feeds frames to FFmpeg as they come, through two pipes, so that no second copy of the clip is written.

    FFmpeg inherits their reading ends: it ends by itself when this process does, however it ends.

    RGB becomes YUV 4:4:4 of BT.709, limited range, in FFmpeg's scaler; VMAF looks at the luma only.

    Args:
        names: of :data:`MODELS`. All in one pass: frames are handed over, converted and searched for motion once.
    """

    def __init__(self, info: ClipInfo, names: Sequence[str]) -> None:
        if os.name != "posix":
            raise InputError("VMAF is measured through pipes that FFmpeg inherits, which this system does not have.")
        self._folder = tempfile.TemporaryDirectory(prefix="vbench-vmaf-")
        self._names = tuple(names)
        self._log = Path(self._folder.name) / "log.json"
        self._frames = 0
        pipes = [os.pipe() for _ in ("distorted", "reference")]
        kind = "gray" if info.channels == 1 else "rgb24"
        # VMAF knows of no time: any rate that is one for both clips will do, where that of a file may be none to FFmpeg.
        inputs = [
            ["-f", "rawvideo", "-s", f"{info.width}x{info.height}", "-pix_fmt", kind, "-r", "25", "-protocol_whitelist",
             "pipe", "-i", f"pipe:{reading}"]
            for reading, _ in pipes
        ]  # fmt: skip
        scale = "scale=out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
        command = _command(inputs[0], inputs[1], f"{scale},format=yuv444p", self._names, self._log, ())
        try:
            self._process = subprocess.Popen(
                command, cwd=self._folder.name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, pass_fds=[reading for reading, _ in pipes],
            )  # fmt: skip
        except OSError:
            for _, writing in pipes:
                os.close(writing)
            raise
        finally:
            for reading, _ in pipes:
                os.close(reading)
        self._said: list[bytes] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._writers = [_Writer(writing) for _, writing in pipes]

    def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - asked for above
        self._said.append(self._process.stderr.read())

    def feed(self, view: View) -> None:
        """The next frames of both clips."""
        chunks = (view.restored, view.reference())
        for pair in zip(*(chunk.once("bytes", lambda c=chunk: _bytes(c.frames)) for chunk in chunks), strict=True):  # type: ignore[misc]
            self._frames += 1
            for writer, data in zip(self._writers, pair, strict=True):
                writer.put(data)

    def end(self) -> dict[str, Figures]:
        """One figure per frame, of each metric.

        Raises:
            RunError: libvmaf failed.
        """
        for writer in self._writers:
            writer.finish()
        status = self._process.wait()
        self._listener.join()
        said = b"".join(self._said).decode(errors="replace").strip()
        figures = _read_log(self._log, self._names) if status == 0 and self._log.exists() else {}
        self.close()
        count = min((len(found) for found in figures.values()), default=0)
        if count != self._frames:
            raise RunError(
                f"libvmaf gave {count} figures for {self._frames} frames (exit status {status}). "
                f"FFmpeg says: {said or 'no message'}"
            )
        return {name: Figures(found) for name, found in figures.items()}

    def close(self) -> None:
        """Stop whatever is under way, and leave nothing behind."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for writer in self._writers:
            writer.finish()
        self._listener.join(timeout=10)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._folder.cleanup()


class _Writer(threading.Thread):
    """Writes one of the two pipes: FFmpeg reads them in an order of its own."""

    def __init__(self, pipe: int) -> None:
        import queue

        super().__init__(daemon=True)
        self._pipe = pipe
        self._waiting: queue.Queue[bytes | None] = queue.Queue(maxsize=8)
        self._ended = False
        self.start()

    def put(self, data: bytes) -> None:
        """Hand over a frame; waits while FFmpeg is behind, not for ever."""
        import queue

        while self.is_alive():
            try:
                self._waiting.put(data, timeout=0.5)
                return
            except queue.Full:
                continue

    def finish(self) -> None:
        """Write what is waiting, close the pipe."""
        import queue

        while self.is_alive() and not self._ended:
            try:
                self._waiting.put(None, timeout=0.5)
                self._ended = True
            except queue.Full:
                continue
        self.join()

    def run(self) -> None:
        with suppress(BrokenPipeError), os.fdopen(self._pipe, "wb", buffering=0) as file:
            # Where FFmpeg ended first its exit status and messages say why.
            while (data := self._waiting.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]


def _bytes(frames: Tensor) -> list[bytes]:
    import torch

    whole = frames if frames.dtype == torch.uint8 else (on_255(frames) + 0.5).floor().clamp_(0, 255).byte()
    return [frame.tobytes() for frame in whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()]


def _begin(info: ClipInfo, names: Sequence[str]) -> Session:
    return VmafSession(info, names)


def make(name: str) -> Metric:
    """VMAF ("vmaf"), or the version that does not reward enhancement ("vmaf_neg")."""
    extra: dict[str, Any] = {"model": MODELS[name], "conversion": "bt709 limited yuv444p", "gain": name == "vmaf"}
    return Metric(
        name=name,
        version=1,
        unit="",
        direction="higher",
        convention=f"model {MODELS[name]} of libvmaf on the luma of BT.709, limited range, 8 bits, mean over frames"
        + ("" if name == "vmaf" else "; gain by enhancement is not rewarded"),
        source="Netflix VMAF (Li et al. 2016), libvmaf in the FFmpeg of imageio-ffmpeg",
        options=extra,
        begin=_begin,
        check=at_least(SMALLEST, "VMAF"),
        values="0 to 100",
        licence="libvmaf: BSD-2-Clause-Patent",
    )


VMAF = make("vmaf")
VMAF_NEG = make("vmaf_neg")
