"""Texture templates: made from the seed, and from a folder."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from degradations.film import texture_files
from degradations.film.rtn_ops import LINE, SCRATCH, scratches
from degradations.film.textures import FAMILIES, HEIGHT, WIDTH, template

PER_FAMILY = 100


class Sheet:
    """What the tests want of one template; 1,200 whole ones would be half a gigabyte."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.sha = hashlib.sha256(image.tobytes()).hexdigest()
        self.paper = float(np.median(image))
        self.brightest = int(image.max())
        self.dark = len(scratches(image, SCRATCH)) / image.size
        self.lines = len(scratches(image, LINE))
        small = cv2.resize(image, (48, 36), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        small -= small.mean()
        self.look = small / np.linalg.norm(small)


@pytest.fixture(scope="module")
def sheets() -> dict[str, list[Sheet]]:
    return {f: [Sheet(template(0, f, i)) for i in range(PER_FAMILY)] for f in FAMILIES}


def test_twelve_hundred_templates_are_all_different(sheets: dict[str, list[Sheet]]) -> None:
    assert len(FAMILIES) == 12
    assert len({s.sha for family in sheets.values() for s in family}) == 12 * PER_FAMILY


def test_templates_of_a_family_do_not_look_like_each_other(sheets: dict[str, list[Sheet]]) -> None:
    """Correlations of shrunk templates: low for nearly all pairs (two lines may lie in the same column)."""
    for name, family in sheets.items():
        looks = np.array([s.look for s in family])
        pairs = np.abs((looks @ looks.T)[np.triu_indices(len(family), 1)])
        assert np.median(pairs) < 0.25, name
        assert np.quantile(pairs, 0.99) < 0.6, name
        assert pairs.max() < 0.95, name


def test_templates_are_dark_marks_on_light_paper(sheets: dict[str, list[Sheet]]) -> None:
    for name, family in sheets.items():
        assert all(220 <= s.paper <= 252 for s in family), name
        assert len({s.paper for s in family}) > 10, name
        assert all(0.0005 < s.dark < 0.45 for s in family), name
        assert all(s.brightest - s.paper < 20 for s in family), "there are marks lighter than paper"


def test_every_template_of_lines_has_a_line_to_move(sheets: dict[str, list[Sheet]]) -> None:
    assert min(s.lines for s in sheets["001"]) > 100


def test_lines_stand_upright() -> None:
    """Darkness of a template of lines varies from column to column much more than from row to row."""
    ratios = []
    for i in range(12):
        ink = 255.0 - template(0, "001", i)
        ratios.append(ink.mean(axis=0).std() / ink.mean(axis=1).std())
    assert np.median(ratios) > 3


def test_a_template_depends_on_its_place_alone() -> None:
    """Any order, another process, another collection."""
    first = hashlib.sha256(template(3, "005", 41).tobytes()).hexdigest()
    template.cache_clear()
    template(3, "005", 40)
    assert hashlib.sha256(template(3, "005", 41).tobytes()).hexdigest() == first
    code = (
        "import hashlib; from degradations.film.textures import template;"
        "print(hashlib.sha256(template(3, '005', 41).tobytes()).hexdigest())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == first
    others = [template(4, "005", 41), template(3, "006", 41), template(3, "005", 42)]
    assert all(hashlib.sha256(o.tobytes()).hexdigest() != first for o in others)


def test_templates_are_whole_and_cannot_be_written_into() -> None:
    image = template(0, "002", 0)
    assert image.shape == (HEIGHT, WIDTH)
    assert image.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 0


def test_an_unknown_family_is_told() -> None:
    with pytest.raises(ValueError, match=r'"013"; there are 001, 002'):
        template(0, "013", 0)


def write(folder: Path, name: str, level: int = 200) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((60, 90), level, np.uint8)).save(path)
    return path


def test_a_folder_is_listed_in_order_with_its_families(tmp_path: Path) -> None:
    for name in ("noise_002/b.png", "noise_002/a.JPG", "x.png", ".hidden/c.png", "001/.d.png", "deep/er/011/e.tif"):
        write(tmp_path, name)
    (tmp_path / "readme.txt").write_text("no image")
    names = texture_files.listed(str(tmp_path))
    assert names == ("deep/er/011/e.tif", "noise_002/a.JPG", "noise_002/b.png", "x.png")
    assert [texture_files.family_of(n) for n in names] == ["011", "002", "002", ""]


def test_a_file_is_read_as_pillow_makes_it_gray(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (31, 41, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    read = texture_files.read(str(tmp_path), "a.png", texture_files.sha256_of(str(tmp_path), "a.png"))
    assert np.array_equal(read, np.asarray(Image.fromarray(rgb).convert("L")))


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    path = write(tmp_path, "a.png", 200)
    before = texture_files.sha256_of(str(tmp_path), "a.png")
    assert before == hashlib.sha256(path.read_bytes()).hexdigest()
    write(tmp_path, "a.png", 20)
    assert texture_files.sha256_of(str(tmp_path), "a.png") == hashlib.sha256(path.read_bytes()).hexdigest() != before
    with pytest.raises(ValueError, match=r"a\.png.*not the one of this recipe.*sha256"):
        texture_files.read(str(tmp_path), "a.png", before)


def test_errors_of_folders_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'no folder.*"generated"'):
        texture_files.listed(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match=r"has no images.*\.png"):
        texture_files.listed(str(tmp_path))
    with pytest.raises(ValueError, match=r"gone\.png.*No such file.*draw the clip anew"):
        texture_files.read(str(tmp_path), "gone.png", "0" * 64)
    for name in ("../a.png", "/etc/a.png"):
        with pytest.raises(ValueError, match="outside its folder"):
            texture_files.read(str(tmp_path), name, "0" * 64)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nnot much more")
    with pytest.raises(ValueError, match=r"torn\.png.*cannot be decoded"):
        texture_files.read(str(tmp_path), "torn.png", texture_files.sha256_of(str(tmp_path), "torn.png"))
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png.*8 bits"):
        texture_files.read(str(tmp_path), "deep.png", texture_files.sha256_of(str(tmp_path), "deep.png"))
