"""Digitised pairs of spheres with a cylindrical neck, whose every size is known."""

from __future__ import annotations

import numpy as np

from napari_tomo4d.two_spheres import two_sphere_curve


def digitised_pair(x, radius, direction, spacing=(1.0, 1.0, 1.0), offset=(0.0, 0.0, 0.0)):
    """Return labels (z, y, x) of two spheres, and the distance of their centres.

    A voxel belongs to the pair if its centre is inside.
    """
    axis = np.array(direction, float) / np.linalg.norm(direction)
    half = float(two_sphere_curve(x)) * radius
    step = np.array(spacing, float)
    count = (2 * np.ceil((np.abs(axis) * half + radius + 3) / step) + 3).astype(int)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in count], indexing="ij"), -1)
    point = (index - (count - 1) / 2) * step - np.array(offset)
    along = point @ axis
    square = (point**2).sum(-1) - along**2
    inside = (np.abs(along) - half) ** 2 + square < radius**2
    inside |= (np.abs(along) < half) & (square < (x * radius) ** 2)
    return np.where(inside, np.where(along < 0, 1, 2), 0).astype(np.int32), 2 * half
