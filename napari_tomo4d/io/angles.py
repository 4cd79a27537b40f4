"""Tables of tilt angles of every kind: text, SerialEM's .mdoc, MATLAB."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.errors import ReadError
from napari_tomo4d.io.angle_tables import AngleTable, check_angles, read_angle_table
from napari_tomo4d.io.mdoc import read_mdoc
from napari_tomo4d.provenance import warn


def read_angles(path: str | Path) -> np.ndarray:
    """Read a table of tilt angles.

    Parameters
    ----------
    path : str or Path
        ``.rawtlt``, ``.tlt``, ``.txt`` or ``.csv`` (a line per image; of several columns the
        one headed as the angle), ``.mdoc``, or ``.mat`` (one variable).

    Returns
    -------
    array (tilt,), float64
        Degrees.

    Raises
    ------
    ReadError
        If the file is missing or holds no single-axis angles.
    """
    return angles_in(Path(path)).angles_deg


def angles_in(path: Path) -> AngleTable:
    """Return the tilt angles of a table, and what was taken of it."""
    if not path.exists():
        raise ReadError(f"The table of tilt angles {path} does not exist.")
    if path.suffix.lower() == ".mat":
        return AngleTable(_angles_from_matlab(path))
    if path.suffix.lower() != ".mdoc":
        return read_angle_table(path)
    mdoc = read_mdoc(path)
    for note in mdoc.notes:
        warn(note)
    if not mdoc.angles_deg:
        raise ReadError(f"{path} holds no tilt angles; expected one number per tilt in degrees.")
    angles = np.array(mdoc.angles_deg)
    check_angles(angles, path.name)
    return AngleTable(angles)


def _angles_from_matlab(path: Path) -> np.ndarray:
    from napari_tomo4d.io.matlab import matlab_variables

    tables = [np.asarray(v, float) for v in matlab_variables(path).values() if _is_table(v)]
    if len(tables) != 1:
        raise ReadError(f"{path} holds {len(tables)} tables of numbers; expected just the angles.")
    angles = _single_axis(tables[0], path)
    if angles.ndim != 1 or not angles.size:
        raise ReadError(
            f"{path} holds an array of shape {angles.shape}; expected a list of angles."
        )
    check_angles(angles, path.name)
    return angles


def _is_table(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim <= 2 and value.dtype.kind in "iuf"


def _single_axis(angles: np.ndarray, path: Path) -> np.ndarray:
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
