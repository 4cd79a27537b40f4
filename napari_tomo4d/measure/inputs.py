"""What is measured, in the forms in which it may be given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_tomo4d.data import Labels

LabelVolume = Labels | np.ndarray
"""Labels, or an integer array (z, y, x) of them."""

VoxelSize = float | Sequence[float] | np.ndarray | None
"""One for all axes or (z, y, x), in nm; None for that of the labels."""
