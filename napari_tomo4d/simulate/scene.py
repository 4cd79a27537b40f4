"""Where the particles and their necks are at one time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from napari_tomo4d.errors import DataError
from napari_tomo4d.two_spheres import two_sphere_curve

_PULLED_NECK, _PULLED_DISTANCE = (0.62, 0.87), (0.80, 1.04)
"""r_n / r0 and d / (2 r0) of a pulled pair, from 0.3 to 0.8 of r_n / r0 of the fastest pair."""
_CLUSTERS = (3, 2, 2, 2, 1, 1)
"""Particles in each group that touches, in the order in which room is looked for."""


@dataclass(frozen=True)
class Scene:
    """Spheres and cylindrical necks at one time, in nanometres from the centre.

    Parameters
    ----------
    centres_nm : array (particle, 3)
        (z, y, x).
    radii_nm : array (particle,)
    pairs : array (pair, 2)
        Numbers of the particles that a neck joins, from 0.
    neck_radii_nm : array (pair,)
    pulled : array (pair,)
        Whether the pair is pulled apart by others while its neck grows.
    """

    centres_nm: np.ndarray
    radii_nm: np.ndarray
    pairs: np.ndarray
    neck_radii_nm: np.ndarray
    pulled: np.ndarray

    def in_pixels(self, pixel_size_nm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return spheres (n, 4) = centre, radius; neck ends (m, 2, 3); neck radii (m,)."""
        spheres = np.column_stack([self.centres_nm, self.radii_nm]) / pixel_size_nm
        ends = self.centres_nm[self.pairs].reshape(-1, 2, 3) / pixel_size_nm
        return spheres, ends, self.neck_radii_nm / pixel_size_nm


@dataclass(frozen=True)
class Cluster:
    """A group of equal particles in contact: each but the first touches the one before.

    Parameters
    ----------
    centre_nm : array (3,)
        Centre of mass, which does not move.
    radius_nm : float
    directions : array (particle - 1, 3)
        Unit vectors from one particle to the next.
    speed : float
        How far its sintering gets, relative to the fastest.
    pulled : bool
        Whether the last particle is pulled away from the one before while their neck grows.
    """

    centre_nm: np.ndarray
    radius_nm: float
    directions: np.ndarray
    speed: float
    pulled: bool = False

    def positions_nm(self, distances_nm: np.ndarray | float) -> np.ndarray:
        """Return the centres (particle, 3) for given distances of neighbours."""
        steps = self.directions * np.reshape(distances_nm, (-1, 1))
        steps = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        result: np.ndarray = self.centre_nm + steps - steps.mean(axis=0)
        return result


def place_clusters(
    box_nm: np.ndarray, radius_nm: float, rng: np.random.Generator, *, many_body: bool = False
) -> list[Cluster]:
    """Find room for groups of particles that don't touch each other.

    Parameters
    ----------
    box_nm : array (3,)
        Edges (z, y, x) of the volume. The middle 70 % along z is used, so that no particle
        leaves the images at high tilt by much.
    radius_nm : float
        Mean particle radius; groups differ by up to 15 %.
    rng : numpy Generator
    many_body : bool
        Whether in the group of three the last particle is pulled away from its neighbour.

    Raises
    ------
    DataError
        If not even one pair fits.
    """
    clusters: list[Cluster] = []
    for size in _CLUSTERS:
        for _ in range(400):
            cluster = _random_cluster(size, box_nm, radius_nm, rng)
            if cluster is not None and not any(_too_close(cluster, c) for c in clusters):
                pulled = many_body and size > 2
                clusters.append(dataclasses.replace(cluster, pulled=pulled))
                break
    if not any(len(c.directions) for c in clusters):
        edges = " x ".join(f"{e:.0f}" for e in box_nm)
        raise DataError(
            f"Particles of radius {radius_nm:g} nm do not fit into {edges} nm; use a larger "
            "pixel size or smaller particles."
        )
    return clusters


def _random_cluster(
    size: int, box_nm: np.ndarray, radius_nm: float, rng: np.random.Generator
) -> Cluster | None:
    radius = radius_nm * rng.uniform(0.85, 1.15)
    directions = np.empty((size - 1, 3))
    heading = rng.uniform(0, 2 * np.pi)
    for i in range(size - 1):
        # mostly in the plane of the support film, chains bend by up to 60 degrees
        rise = rng.uniform(-0.5, 0.5)
        heading += rng.uniform(-1, 1) * np.pi / 3 if i else 0
        flat = np.sqrt(1 - rise**2)
        directions[i] = rise, flat * np.sin(heading), flat * np.cos(heading)
    shape = Cluster(np.zeros(3), radius, directions, rng.uniform(0.75, 1.0))
    reach = np.abs(shape.positions_nm(2 * radius)).max(axis=0) + radius
    room = box_nm * (0.7, 0.96, 0.88) / 2 - reach
    if np.any(room < 0):
        return None
    return Cluster(rng.uniform(-room, room), radius, directions, shape.speed)


def _too_close(a: Cluster, b: Cluster) -> bool:
    gaps = a.positions_nm(2 * a.radius_nm)[:, None] - b.positions_nm(2 * b.radius_nm)
    needed = 1.15 * (a.radius_nm + b.radius_nm)
    return bool((np.linalg.norm(gaps, axis=2) < needed).any())


def scene_at(clusters: list[Cluster], x_fastest: float, x_start: float) -> Scene:
    """Return the scene when the fastest neck has reached r_n / r0 = `x_fastest`."""
    centres: list[np.ndarray] = []
    radii: list[float] = []
    pairs, necks, pulled = [], [], []
    for cluster in clusters:
        x = x_start + (x_fastest - x_start) * cluster.speed
        first = sum(len(c) for c in centres)
        distances = np.full(len(cluster.directions), 2 * cluster.radius_nm * two_sphere_curve(x))
        ratios = np.full(len(cluster.directions), x)
        if cluster.pulled:
            part = (x - x_start) / (0.8 - x_start)
            ratios[-1] = np.interp(part, (0, 1), _PULLED_NECK)
            distances[-1] = 2 * cluster.radius_nm * np.interp(part, (0, 1), _PULLED_DISTANCE)
        centres.append(cluster.positions_nm(distances))
        radii += [cluster.radius_nm] * len(centres[-1])
        for i in range(len(cluster.directions)):
            pairs.append((first + i, first + i + 1))
            necks.append(ratios[i] * cluster.radius_nm)
            pulled.append(cluster.pulled and i + 1 == len(cluster.directions))
    return Scene(
        np.concatenate(centres),
        np.array(radii),
        np.array(pairs),
        np.array(necks),
        np.array(pulled),
    )


def centres_of_mass(scene: Scene) -> np.ndarray:
    """Return the centres of mass (particle, 3) in nm, particles parted halfway along necks.

    Differs from the spheres' centres where a neck holds more or less than the caps of the
    spheres that it replaced, as those of pulled pairs do.
    """
    volumes = np.full(len(scene.centres_nm), 4 / 3)
    moments = np.zeros_like(scene.centres_nm)
    for (a, b), neck in zip(scene.pairs, scene.neck_radii_nm, strict=True):
        step = scene.centres_nm[b] - scene.centres_nm[a]
        distance = np.linalg.norm(step)
        for particle, direction in ((a, step / distance), (b, -step / distance)):
            radius = scene.radii_nm[particle]
            x, half = neck / radius, distance / (2 * radius)
            # the sphere ends where it is as narrow as the neck, or halfway if that comes first
            end = min(np.sqrt(1 - x**2), half)
            cap = 2 / 3 - end + end**3 / 3
            volumes[particle] += x**2 * (half - end) - cap
            moments[particle] += direction * (
                x**2 * (half**2 - end**2) / 2 - (1 - 2 * end**2 + end**4) / 4
            )
    result: np.ndarray = scene.centres_nm + moments / volumes[:, None] * scene.radii_nm[:, None]
    return result
