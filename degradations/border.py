"""What lies beyond the edge of a picture that is warped."""

from __future__ import annotations

import cv2


def mirror(shape: tuple[int, ...]) -> int:
    """OpenCV's border that mirrors without repeating the edge, for ``cv2.remap`` and ``cv2.warpAffine`` of ``(H, W, ...)``.

    In OpenCV 5.0 their bicubic interpolation never returns where a side is a single pixel, which has nothing to mirror;
    the pixel itself is repeated there.

    Example:
        >>> mirror((4, 6)) == cv2.BORDER_REFLECT_101, mirror((1, 6)) == cv2.BORDER_REPLICATE
        (True, True)
    """
    return int(cv2.BORDER_REFLECT_101 if min(shape[:2]) > 1 else cv2.BORDER_REPLICATE)
