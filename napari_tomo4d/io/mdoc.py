"""SerialEM's text beside images: a section per image, numbered by ZValue."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_tomo4d.text_files import read_text

_SECTION = re.compile(r"\[\s*(ZValue|FrameSet|Image|MontSection)\s*=\s*(.*?)\s*\]", re.IGNORECASE)
_AXIS = re.compile(r"tilt\s*axis\s*angle\s*=\s*([-+]?\d+(?:\.\d+)?)", re.IGNORECASE)


@dataclass
class Mdoc:
    """What SerialEM's autodoc says.

    Parameters
    ----------
    angles_deg : list of float
        One per image in the order of the images; empty unless every section has one.
    pixel_size_nm : float, optional
    axis_angle_deg : float, optional
        Rotation of the tilt axis from the vertical, counter-clockwise as IMOD shows images.
    image_size : tuple (x, y), optional
        Pixels.
    one_tilt : bool
        Whether its only section is about a set of frames, which share its angle.
    notes : list of str
        What is wrong with it.
    """

    angles_deg: list[float] = field(default_factory=list)
    pixel_size_nm: float | None = None
    axis_angle_deg: float | None = None
    image_size: tuple[int, int] | None = None
    one_tilt: bool = False
    notes: list[str] = field(default_factory=list)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_mdoc(path: str | Path) -> Mdoc:
    """Read a SerialEM .mdoc file."""
    path = Path(path)
    result = Mdoc()
    heading: dict[str, str] = {}
    sections: list[tuple[str, str, dict[str, str]]] = []
    text = read_text(path)
    line = ""
    for line in text.splitlines():
        if axis := _AXIS.search(line):
            result.axis_angle_deg = _number(axis[1])
        if section := _SECTION.match(line.strip()):
            if section[1].lower() != "montsection":
                sections.append((section[1].lower(), section[2], {}))
            continue
        key, equal, value = (part.strip() for part in line.partition("="))
        if equal:
            (sections[-1][2] if sections else heading).setdefault(key, value)
    if sections and not text.endswith("\n") and line.strip().startswith("TiltAngle"):
        # the number may have been cut off too
        sections[-1][2].pop("TiltAngle", None)
    sections = _in_order(sections, result)
    angles = [_number(s.get("TiltAngle")) for _, _, s in sections]
    if sections and any(a is None for a in angles) and any(a is not None for a in angles):
        k = angles.index(None)
        result.notes.append(
            f"{path.name} has no tilt angle in section {sections[k][1]}; its angles were not used."
        )
    if sections and all(a is not None for a in angles):
        result.angles_deg = [a for a in angles if a is not None]
    result.one_tilt = len(sections) == 1 and sections[0][0] == "frameset"
    sizes = [_number(s.get("PixelSpacing")) for s in (heading, *(s for _, _, s in sections))]
    known = sorted({s for s in sizes if s is not None and s > 0})
    if known:
        result.pixel_size_nm = next(s for s in sizes if s is not None and s > 0) / 10
        if known[-1] > 1.01 * known[0]:
            result.notes.append(
                f"{path.name} says pixels of {known[0] / 10:g} and of {known[-1] / 10:g} nm; "
                f"{result.pixel_size_nm:g} nm was taken."
            )
    size = re.fullmatch(r"(\d{1,9})\s+(\d{1,9})", heading.get("ImageSize", ""))
    if size:
        result.image_size = int(size[1]), int(size[2])
    return result


def _in_order(
    sections: list[tuple[str, str, dict[str, str]]], result: Mdoc
) -> list[tuple[str, str, dict[str, str]]]:
    """Return sections by ZValue, which is the number of the image."""
    if not all(kind == "zvalue" and re.fullmatch(r"\d{1,9}", n) for kind, n, _ in sections):
        return sections
    numbers = [int(n) for _, n, _ in sections]
    if len(set(numbers)) < len(numbers):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        result.notes.append(f"Section {twice} is there twice in the .mdoc; the last was taken.")
        last = {n: s for n, s in zip(numbers, sections, strict=True)}
        sections, numbers = list(last.values()), list(last)
    return [sections[i] for i in np.argsort(numbers, kind="stable")]
