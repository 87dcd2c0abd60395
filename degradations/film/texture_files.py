"""Texture templates from a folder of the user's own: found once, written into the recipe with their hash, checked later."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from degradations.errors import CannotDamage
from degradations.film.textures import FAMILIES

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def listed(folder: str) -> tuple[str, ...]:
    """Images in a folder and its sub-folders, by their path within it, sorted; hidden files are left out.

    Raises:
        CannotDamage: it is no folder, or has no images.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CannotDamage(
            f'textures = "{folder}" is no folder. Name a folder of images, or "generated" for the ones that come with '
            "the package."
        )
    names = (p.relative_to(root) for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    found = tuple(sorted(n.as_posix() for n in names if not any(part.startswith(".") for part in n.parts)))
    if not found:
        raise CannotDamage(
            f'The folder of textures "{folder}" has no images: none of its files ends in {", ".join(SUFFIXES)}.'
        )
    return found


def family_of(name: str) -> str:
    """The family that the folder of a file stands for, "" for none: the three digits that its name ends in.

    Example:
        >>> family_of("noise_data/003/a.png"), family_of("scans-011/b.png"), family_of("c.png")
        ('003', '011', '')
    """
    tail = PurePosixPath(name).parent.name[-3:]
    return tail if tail in FAMILIES else ""


def sha256_of(folder: str, name: str) -> str:
    """Hash of a file's bytes."""
    path = Path(folder) / name
    status = path.stat()
    return _hashed(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _hashed(path: str, changed: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=16)
def read(folder: str, name: str, sha256: str) -> NDArray[np.uint8]:
    """A template as 8-bit gray ``(H, W)`` (Rec. 601 luma, as Pillow's "L"; transparency is dropped), read-only.

    Raises:
        CannotDamage: the file is missing, has another hash, lies outside the folder, or is no image of 8 bits.
    """
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise CannotDamage(f'The texture "{name}" of this recipe lies outside its folder "{folder}".')
    try:
        data = (Path(folder) / name).read_bytes()
    except OSError as error:
        raise CannotDamage(
            f'The texture "{name}" of this recipe cannot be read from "{folder}": {error.strerror}. Put the file '
            "back, or draw the clip anew."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise CannotDamage(
            f'The texture "{name}" in "{folder}" is not the one of this recipe: its sha256 is {found[:12]}..., and '
            f"{sha256[:12]}... is wanted. Put the old file back, or draw the clip anew."
        )
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in _EIGHT_BITS:
                raise CannotDamage(f'The texture "{name}" in "{folder}" is of mode {image.mode}; 8 bits are expected.')
            out = np.array(image.convert("L"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise CannotDamage(f'The texture "{name}" in "{folder}" cannot be decoded: {error}.') from error
    out.setflags(write=False)
    return out
