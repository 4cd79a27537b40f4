"""Tables of tilt angles: IMOD's .rawtlt and .tlt, SerialEM's .mdoc, CSV, MATLAB."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_tomo4d.errors import ReadError


@dataclass
class Mdoc:
    """What SerialEM's autodoc says, one entry per image.

    Parameters
    ----------
    angles_deg : list of float
    pixel_size_nm : float, optional
    axis_angle_deg : float, optional
        Rotation of the tilt axis from the vertical.
    """

    angles_deg: list[float] = field(default_factory=list)
    pixel_size_nm: float | None = None
    axis_angle_deg: float | None = None


def read_text(path: Path) -> str:
    """Return the text of a file, or raise `ReadError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} can't be read as text: {error}.") from error


def read_mdoc(path: str | Path) -> Mdoc:
    """Read a SerialEM .mdoc file."""
    result = Mdoc()
    for line in read_text(Path(path)).splitlines():
        axis = re.search(r"Tilt axis angle = ([-+.\d]+)", line)
        if axis:
            result.axis_angle_deg = float(axis[1])
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "TiltAngle":
            result.angles_deg.append(float(value))
        elif key == "PixelSpacing" and float(value) > 0:
            result.pixel_size_nm = float(value) / 10
    return result


def read_angles(path: str | Path) -> np.ndarray:
    """Read a table of tilt angles.

    Parameters
    ----------
    path : str or Path
        ``.rawtlt``, ``.tlt`` or ``.txt`` (one angle per line), ``.csv`` (the column named
        angle or tilt, or the only one), ``.mdoc``, or ``.mat`` (one variable).

    Returns
    -------
    array (tilt,), float64
        Degrees.

    Raises
    ------
    ReadError
        If the file is missing or holds no single-axis angles.
    """
    path = Path(path)
    if not path.exists():
        raise ReadError(f"The table of tilt angles {path} does not exist.")
    if path.suffix.lower() == ".mat":
        return _angles_from_matlab(path)
    if path.suffix.lower() == ".mdoc":
        angles = read_mdoc(path).angles_deg
    else:
        angles = _angles_from_table(path)
    if not angles:
        raise ReadError(f"{path} holds no tilt angles; expected one number per tilt in degrees.")
    return np.array(angles)


def _angles_from_table(path: Path) -> list[float]:
    rows = [re.split(r"[,;\s]+", line.strip(" ,;\t")) for line in read_text(path).splitlines()]
    rows = [r for r in rows if r != [""]]
    column = 0
    if rows and not _number(rows[0][0].lstrip("#") or "x"):
        header = [c.lower() for c in rows.pop(0) if c.strip("#")]
        named = [i for i, c in enumerate(header) if "angle" in c or "tilt" in c]
        column = named[0] if named else 0
    try:
        return [float(r[column]) for r in rows if not r[0].startswith("#")]
    except (ValueError, IndexError) as error:
        raise ReadError(f"{path} is not a table of tilt angles in degrees: {error}.") from error


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _angles_from_matlab(path: Path) -> np.ndarray:
    from napari_tomo4d.io.matlab import matlab_variables

    tables = [np.asarray(v, float) for v in matlab_variables(path).values() if is_table(v)]
    if len(tables) != 1:
        raise ReadError(f"{path} holds {len(tables)} tables of numbers; expected just the angles.")
    return single_axis(tables[0], path)


def is_table(value: object) -> bool:
    """Return whether a MATLAB variable could be a list of angles."""
    return isinstance(value, np.ndarray) and value.ndim <= 2 and value.dtype.kind in "iuf"


def single_axis(angles: np.ndarray, path: Path) -> np.ndarray:
    """Reduce a table of Euler angles (tilt, 3) = (phi, theta, psi) to one tilt angle each."""
    angles = np.squeeze(angles)
    if angles.ndim == 2 and 3 in angles.shape:
        euler = angles if angles.shape[1] == 3 else angles.T
        if np.any(euler[:, 0]) or np.any(euler[:, 2]):
            raise ReadError(
                f"{path} holds three Euler angles per image, so the tilts do not share one axis; "
                "only single-axis series can be read as a tilt series."
            )
        return euler[:, 1]
    return np.atleast_1d(angles)


def write_rawtlt(angles_deg: np.ndarray, path: str | Path) -> None:
    """Write one angle per line, as IMOD reads it."""
    text = "".join(f"{a:10.4f}\n" for a in angles_deg)
    Path(path).write_text(text, encoding="ascii")
