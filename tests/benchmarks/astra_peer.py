"""The peer: ASTRA's projector `linear` on one thread of the processor, slice by slice."""

from __future__ import annotations

import astra
import numpy as np


class AstraSlice:
    """One slice of a parallel-beam problem in ASTRA.

    Parameters
    ----------
    n : int
        Pixels of the detector and voxels along each edge of the slice.
    angles_deg : array (tilt,)
    """

    def __init__(self, n: int, angles_deg: np.ndarray) -> None:
        # ASTRA counts rows upwards, so its angles turn the other way
        geometry = astra.create_proj_geom("parallel", 1.0, n, -np.deg2rad(angles_deg))
        volume = astra.create_vol_geom(n, n)
        self._projector = astra.create_projector("linear", geometry, volume)
        self._slice = astra.data2d.create("-vol", volume, 1.0)
        self._sinogram = astra.data2d.create("-sino", geometry, 1.0)
        self._algorithms = {name: self._algorithm(name) for name in ("FP", "BP", "SIRT")}

    def _algorithm(self, name: str) -> int:
        configuration = astra.astra_dict(name)
        configuration["ProjectorId"] = self._projector
        configuration["ProjectionDataId"] = self._sinogram
        key = "VolumeDataId" if name == "FP" else "ReconstructionDataId"
        configuration[key] = self._slice
        return astra.algorithm.create(configuration)

    def run(self, name: str, iterations: int = 1) -> None:
        """Run "FP", "BP" or "SIRT"."""
        astra.algorithm.run(self._algorithms[name], iterations)

    def close(self) -> None:
        """Free ASTRA's memory."""
        astra.algorithm.clear()
        astra.data2d.clear()
        astra.projector.clear()
