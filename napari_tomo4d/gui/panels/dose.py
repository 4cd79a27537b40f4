"""The dose of a tilt series in words, as the panels Load and Clean say it; without any window."""

from __future__ import annotations

from napari_tomo4d.data import TiltSeries
from napari_tomo4d.dose import electrons_per_pixel
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.preprocess import dose_per_tilt
from napari_tomo4d.quantities import plural


def dose_in_words(
    series: TiltSeries | None, pixel_size_nm: float | None, given: Parameters | None
) -> str:
    """Return the dose as the step *Compute dose* finds it; that of a pixel where no more is known.

    Parameters
    ----------
    series : TiltSeries, optional
    pixel_size_nm : float, optional
        The one that the series will have.
    given : dict, optional
        Parameters of the step; None gives no words.
    """
    if given is None:
        return ""
    electrons = f"{electrons_per_pixel(**given):.3g} electrons per pixel and image"
    if series is None or pixel_size_nm is None:
        return electrons
    each = dose_per_tilt(series, pixel_size_nm, **given)
    low, high = min(each), max(each)
    tilt = format_dose(low) if low == high else f"{format_dose(low)} to {format_dose(high)}"
    total = f"{format_dose(sum(each))} for the {plural(len(series), 'tilt')}"
    return f"{tilt} per tilt, {total}\n{electrons}"


def format_dose(e_per_nm2: float) -> str:
    """Return a dose as a person would write it."""
    number = f"{e_per_nm2:,.0f}" if e_per_nm2 >= 1000 else f"{e_per_nm2:.3g}"
    return f"{number} e⁻/nm²"
