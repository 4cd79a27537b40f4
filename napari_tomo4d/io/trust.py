"""Which of the tilt angles given, in a header and in tables beside images are believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tomo4d.errors import MissingAnglesError, ReadError
from napari_tomo4d.io.angle_tables import AngleTable, check_angles
from napari_tomo4d.io.angles import angles_in
from napari_tomo4d.io.raw import Raw
from napari_tomo4d.io.sidecars import (
    age_s,
    doubt_if_stale,
    tables_in,
    tables_of,
)
from napari_tomo4d.provenance import warn

_SAME_DEG = 0.05
_FEW, _MANY = 3, 5


class Tables:
    """Tables of angles that one call of `read` looks into, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, AngleTable | ReadError] = {}

    def read(self, path: Path) -> AngleTable:
        """Return the angles of a table, or raise the same `ReadError` again."""
        if path not in self._read:
            try:
                self._read[path] = angles_in(path)
            except ReadError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, ReadError):
            raise found
        return found

    def _count(self, path: Path) -> int:
        try:
            return len(self.read(path).angles_deg)
        except ReadError:
            return 0

    def angles(
        self, raw: Raw, path: Path, n: int, given: AngleTable | None
    ) -> tuple[np.ndarray, str]:
        """Return an angle per image within -180 to 180 degrees, and where they come from.

        Parameters
        ----------
        raw : Raw
        path : Path
            The file, or the folder of one file per tilt.
        n : int
            Number of images.
        given : AngleTable, optional
            What the user gave.

        Raises
        ------
        MissingAnglesError
            If there are none, or those beside the images can't be true.
        ReadError
            If there are more or fewer than images.
        """
        if given is not None:
            source = f"given, {given.took}" if given.took else "given"
            angles = given.angles_deg
            if angles.ndim != 1 or len(angles) != n:
                raise ReadError(
                    f"{path} has {n} images but there are {angles.size} tilt angles ({source}); "
                    "give one angle in degrees per image."
                )
        else:
            angles, source = self._found(raw, path, n)
        angles = within_half_turn(angles)
        _doubt(angles, source)
        return angles, source

    def _found(self, raw: Raw, path: Path, n: int) -> tuple[np.ndarray, str]:
        tables = tables_in(path) if path.is_dir() else tables_of(path)
        table = next((t for t in tables if self._count(t) == n), None)
        if raw.angles_deg is not None and len(raw.angles_deg) == n:
            if n < _FEW or np.any(raw.angles_deg):
                return self._of_header(raw, path, table)
            warn(f"The {raw.angles_from} says 0 degrees for all {n} images; it was not believed.")
        if table is not None:
            if table != tables[0]:
                warn(
                    f"{tables[0].name} does not hold {n} tilt angles, as {path.name} has images; "
                    f"those of {table.name} were taken."
                )
            doubt_if_stale(table, path)
            found = self.read(table)
            return found.angles_deg, f"{table.name}, {found.took}" if found.took else table.name
        if n == 1 and not isinstance(raw.data, list):
            warn("A single image without a tilt angle was taken to be at 0 degrees.")
            return np.zeros(1), "assumed"
        ask = "give angles_deg (a list or a .rawtlt file), or start_deg and step_deg"
        if raw.kind == "volume":
            ask += ", or kind='volume' if it is one"
        if not tables:
            raise MissingAnglesError(
                f"{path} does not say at which tilt angles its {n} images were taken; {ask}.", n
            )
        try:
            count = len(self.read(tables[0]).angles_deg)
        except ReadError as error:
            raise MissingAnglesError(f"{path}: {error}", n, doubt=str(error)) from error
        message = (
            f"{path} has {n} images but there are {count} tilt angles ({tables[0].name}); {ask}."
        )
        raise MissingAnglesError(message, n, doubt=f"{tables[0].name} holds {count} tilt angles.")

    def _of_header(self, raw: Raw, path: Path, table: Path | None) -> tuple[np.ndarray, str]:
        """Return the angles that came with the images, unless a table beside them is newer."""
        angles = np.asarray(raw.angles_deg, float)
        # .tlt holds refined angles, which may differ
        if table is None or table.suffix.lower() != ".rawtlt":
            return angles, raw.angles_from
        found = self.read(table)
        off = float(np.abs(found.angles_deg - angles).max())
        if off <= _SAME_DEG:
            return angles, raw.angles_from
        newer = raw.angles_file is not None and age_s(raw.angles_file, table) > 0
        taken = table.name if newer else raw.angles_from
        warn(
            f"The tilt angles in {table.name} and in {raw.angles_file or raw.angles_from} differ "
            f"by up to {off:.2g} degrees; those of {taken} were taken."
        )
        return (found.angles_deg, table.name) if newer else (angles, raw.angles_from)


def within_half_turn(angles_deg: np.ndarray) -> np.ndarray:
    """Return angles of a full turn, 0 to 360 degrees, as -180 to 180 degrees."""
    angles = np.asarray(angles_deg, float)
    if angles.size and np.isfinite(angles).all() and np.abs(angles).max() > 180:
        if np.abs(angles).max() > 360:
            check_angles(angles, "The list of tilt angles")
        warn("Tilt angles beyond 180 degrees were turned back by 360 degrees.")
        angles = np.where(np.abs(angles) > 180, angles - 360 * np.sign(angles), angles)
    return angles


def _doubt(angles_deg: np.ndarray, source: str) -> None:
    """Warn of angles that may be in another unit."""
    span = float(np.ptp(angles_deg)) if len(angles_deg) >= _MANY else 0.0
    fine = not np.allclose(4 * angles_deg, np.round(4 * angles_deg), atol=1e-3)
    if 1 < span <= 2 * np.pi and np.abs(angles_deg).max() <= np.pi + 0.01 and fine:
        warn(
            f"The tilt angles ({source}) span only {span:.2g} degrees; if they are radians, "
            "multiply them by 57.2958."
        )
