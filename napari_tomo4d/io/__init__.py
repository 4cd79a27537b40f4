"""Readers of tilt series, time series and volumes; writers; IMOD sidecars."""

from napari_tomo4d.io.angles import read_angles
from napari_tomo4d.io.description import describe, describe_item
from napari_tomo4d.io.formats import FORMATS, is_readable
from napari_tomo4d.io.imod import write_rawtlt
from napari_tomo4d.io.mdoc import read_mdoc
from napari_tomo4d.io.reader import read
from napari_tomo4d.io.slab_store import SlabStore, slab_store
from napari_tomo4d.io.units import to_nm
from napari_tomo4d.io.writer import check_target, write

__all__ = [
    "FORMATS",
    "SlabStore",
    "check_target",
    "describe",
    "describe_item",
    "is_readable",
    "read",
    "read_angles",
    "read_mdoc",
    "slab_store",
    "to_nm",
    "write",
    "write_rawtlt",
]
