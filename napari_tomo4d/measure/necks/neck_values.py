"""What is known of a pair of particles once it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Section:
    """The section in which a pair is measured, to be drawn.

    Parameters
    ----------
    origin_nm : array (3,)
        Point (z, y, x) of the pair's axis at the neck.
    axes : array (3, 3)
        Unit vectors (z, y, x): along the pair from a to b, across it in the
        section, normal to the section.
    outlines_nm : tuple of two arrays (point, 3)
        Projected outline of each particle, laid into the section.
    neck_line_nm : array (2, 3)
        Ends of the neck.
    centres_nm : array (2, 3)
        Centres from which the distance is counted.
    neck_outline_nm : array (point, 3)
        Edge of the narrowest section across the axis.
    """

    origin_nm: np.ndarray
    axes: np.ndarray
    outlines_nm: tuple[np.ndarray, np.ndarray]
    neck_line_nm: np.ndarray
    centres_nm: np.ndarray
    neck_outline_nm: np.ndarray


@dataclass(frozen=True, eq=False)
class Neck:
    """What was measured at a pair of particles.

    Lengths are in nm; each value's standard uncertainty stands under the same name in `errors`.

    Parameters
    ----------
    a, b : int
        Labels of the particles.
    neck_radius_nm : float
        Half of the neck's width in the section; 0 without contact.
    distance_nm, distance_xy_nm, distance_z_nm : float
        Between the particles' centres; its parts across the beam and along it.
    radii_nm : tuple of float
        Of circles with the areas of the two projected particles.
    aspect_ratios : tuple of float
        Height over width of each particle in the section, width along the pair.
    neck_radius_3d_nm : float
        Of a circle with the area of the narrowest section across the axis.
    distance_3d_nm : float
        Between the centres of mass.
    neck_area_nm2, contact_area_nm2 : float
        Of the narrowest section, and of the border between the labels.
    volumes_nm3 : tuple of float
        Of the two particles, parted at the neck.
    neck_curvature_per_nm : float
        Of the surface along the axis at the neck, positive where it is hollow.
    dihedral_deg : float
        Angle between the two surfaces that meet at the neck; 180 where there is no groove.
    gap_nm : float
        Distance of the surfaces; 0 in contact.
    errors : dict
    flags : tuple of str
        What is doubtful about this pair, each a short sentence.
    section : Section, optional
        None without contact.
    """

    a: int
    b: int
    neck_radius_nm: float
    distance_nm: float
    distance_xy_nm: float
    distance_z_nm: float
    radii_nm: tuple[float, float]
    aspect_ratios: tuple[float, float]
    neck_radius_3d_nm: float
    distance_3d_nm: float
    neck_area_nm2: float
    contact_area_nm2: float
    volumes_nm3: tuple[float, float]
    neck_curvature_per_nm: float
    dihedral_deg: float
    gap_nm: float = 0.0
    errors: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    section: Section | None = None

    @property
    def radius_nm(self) -> float:
        """Mean radius of the two particles."""
        return (self.radii_nm[0] + self.radii_nm[1]) / 2

    @property
    def aspect_ratio(self) -> float:
        """Mean height over width of the two particles."""
        return (self.aspect_ratios[0] + self.aspect_ratios[1]) / 2

    @property
    def neck_ratio(self) -> float:
        """Neck radius over mean particle radius, r_n / r."""
        return self.neck_radius_nm / self.radius_nm

    @property
    def distance_ratio(self) -> float:
        """Distance over twice the mean particle radius, d / 2r."""
        return self.distance_nm / (2 * self.radius_nm)
