"""Alignment of the images of a tilt series."""

from napari_tomo4d.align.alignment import (
    Alignment,
    apply,
    apply_file,
    read_alignment,
    write_alignment,
)

__all__ = ["Alignment", "apply", "apply_file", "read_alignment", "write_alignment"]
