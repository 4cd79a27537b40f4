"""Electron dose of scanned images."""

from __future__ import annotations

from napari_tomo4d.errors import ParameterError

ELEMENTARY_CHARGE_C = 1.602176634e-19


def electrons_per_pixel(probe_current_pa: float, dwell_time_ns: float) -> float:
    """Return the number of electrons that hit one pixel of one image.

    Parameters
    ----------
    probe_current_pa : float
        Beam current in picoampere, positive.
    dwell_time_ns : float
        Time per pixel in nanoseconds, positive.

    Raises
    ------
    ParameterError
        If a value is not positive.
    """
    _require_positive("probe current", probe_current_pa, "pA")
    _require_positive("dwell time", dwell_time_ns, "ns")
    return probe_current_pa * 1e-12 * dwell_time_ns * 1e-9 / ELEMENTARY_CHARGE_C


def dose_e_per_nm2(
    probe_current_pa: float, dwell_time_ns: float, pixel_size_nm: float, n_images: int = 1
) -> float:
    """Return the accumulated dose in electrons per square nanometre.

    Parameters
    ----------
    probe_current_pa, dwell_time_ns : float
        As in `electrons_per_pixel`.
    pixel_size_nm : float
        Edge of a pixel in nanometres, positive.
    n_images : int
        Number of images, all frames of all tilts.

    Raises
    ------
    ParameterError
        If a value is not positive.
    """
    _require_positive("pixel size", pixel_size_nm, "nm")
    _require_positive("number of images", n_images, "")
    return n_images * electrons_per_pixel(probe_current_pa, dwell_time_ns) / pixel_size_nm**2


def _require_positive(what: str, value: float, unit: str) -> None:
    if not value > 0:
        raise ParameterError(
            f"The {what} is {value:g} {unit}".rstrip() + "; it has to be positive."
        )
