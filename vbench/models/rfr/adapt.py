"""Restore From Restored: a denoiser fine-tuned, while it is tested, on what it restored itself.

The noisy clip is denoised, the result taken for a clean one, fresh noise of the same level added to it, and the network
trained to remove that. No ground truth enters. Where the content repeats this gains; it can lose, as the official code
does on some frames.

Source: Lee, Cho, Kim, Kim, "Restore From Restored: Video Restoration With Pseudo Clean Video" (CVPR 2021); procedure of
shlee0/RFR-video-denoising.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.models.rfr.denoisers import Denoiser, Shown

LEARNING_RATE = 1e-5
"""Of Adam with its usual moments; no decay, no schedule."""

Noise = Callable[[Tensor], Tensor]
"""Gives fresh noise for a tensor, of its shape."""


@contextmanager
def trainable(gradients: bool) -> Iterator[None]:
    """Tensors made here may take part in training, wherever this is called; with or without gradients.

    Not to be left open across a ``yield`` of a generator: the mode is the caller's then.
    """
    with torch.inference_mode(False), torch.set_grad_enabled(gradients):
        yield


def recorrupted(frames: Tensor, noise: Noise) -> Tensor:
    """``frames`` with fresh noise, clipped to [0, 1]."""
    return (frames + noise(frames)).clamp(0, 1)


class Tuner:
    """Adam on all parameters of a network in evaluation mode: running statistics of norms are used and never change.

    Args:
        network: is changed by every step.
    """

    def __init__(self, network: nn.Module) -> None:
        self._optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def step(self, denoise: Callable[[Tensor], Tensor], noisy: Tensor, clean: Tensor) -> float:
        """One step on the mean squared error between what is denoised, not clamped, and what is taken for clean.

        Returns:
            The error before the step.
        """
        with trainable(True):
            self._optimiser.zero_grad(set_to_none=True)
            loss = functional.mse_loss(denoise(noisy), clean)
            loss.backward()
            self._optimiser.step()
            return float(loss.detach())


class Adaptation:
    """A denoiser that is being fine-tuned to one clip.

    Args:
        denoiser: its network is changed; load the weights again for the next clip.
        noise: where fresh noise comes from.
    """

    def __init__(self, denoiser: Denoiser, noise: Noise) -> None:
        self._denoiser = denoiser
        self._noise = noise
        self._tuner = Tuner(denoiser.network)
        self.alone = denoiser.alone
        self.losses: list[float] = []
        """Of every step so far."""

    def restored(self, stack: Tensor) -> Tensor:
        """``(1, K, H, W)`` as the denoiser takes it to ``(1, C, H, W)``, clamped to [0, 1]."""
        with trainable(False):
            return self._denoiser.denoise(stack.clone()).clamp(0, 1)

    def shown(self, frames: Sequence[Tensor] | Shown) -> Shown:
        """A clip of frames ``(1, C, H, W)`` as the denoiser is shown it: where it is denoised more than once, make it once."""
        if isinstance(frames, Shown):
            return frames
        with trainable(False):
            return self._denoiser.shown(_own(frames))

    def all_restored(self, frames: Sequence[Tensor] | Shown) -> list[Tensor]:
        """Every frame of a clip with the weights as they are; frames ``(1, C, H, W)``."""
        shown = self.shown(frames)
        with trainable(False):
            return [frame.clamp(0, 1) for frame in self._denoiser.denoise_all(shown)]

    def online_frame(self, noisy: Tensor) -> Tensor:
        """The next frame ``(1, C, H, W)`` of a clip, for a denoiser of single frames: restored, then learnt from."""
        restored = self.restored(noisy)
        self._learn(restored, restored)
        return restored

    def online_clip(self, frames: Sequence[Tensor] | Shown) -> Iterator[Tensor]:
        """The frames of a clip, for a denoiser of several: each restored, then learnt from.

        What is taken for clean is made of the whole clip by the weights as they were at first, and never again.
        """
        shown = self.shown(frames)
        clean = self.all_restored(shown)
        again = self.shown(clean)
        for t, target in enumerate(clean):
            with trainable(False):
                stack, other = shown.stack(t), again.stack(t)
            # Nothing is learnt yet at the first frame.
            restored = self.restored(stack) if t else target
            self._learn(other, target)
            yield restored

    def offline(self, frames: Sequence[Tensor] | Shown, orders: Iterable[Sequence[int]]) -> Iterator[None]:
        """One pass over the clip for each order, each in batches of two: what the first weights made of a frame, and what
        those at the beginning of the pass did."""
        shown = self.shown(frames)
        first = latest = self.shown(self.all_restored(shown))
        for i, order in enumerate(orders):
            if i:
                latest = self.shown(self.all_restored(shown))
            for t in order:
                with trainable(False):
                    stack = first.stack(t)
                    other = stack if latest is first else latest.stack(t)
                    noisy = torch.cat([recorrupted(each, self._noise) for each in (stack, other)])
                    clean = torch.cat([first.frames[t], latest.frames[t]])
                self.losses.append(self._tuner.step(self._denoiser.denoise, noisy, clean))
            yield

    def _learn(self, stack: Tensor, clean: Tensor) -> None:
        with trainable(False):
            noisy = recorrupted(stack, self._noise)
        self.losses.append(self._tuner.step(self._denoiser.denoise, noisy, clean))


def _own(frames: Sequence[Tensor]) -> list[Tensor]:
    """Frames that may take part in training: those that were made in inference mode are copied."""
    with trainable(False):
        return [frame.clone() if frame.is_inference() else frame for frame in frames]
