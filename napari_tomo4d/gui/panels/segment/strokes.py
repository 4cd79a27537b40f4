"""The layer on which examples of particles and background are painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tomo4d.gui import theme

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


STROKES_LAYER = "brush strokes"
BACKGROUND, PARTICLE = 1, 2

_COLOURS: dict[int | None, str | None] = {
    BACKGROUND: theme.colour("stroke 1"),
    PARTICLE: theme.colour("stroke 2"),
    3: theme.colour("stroke 3"),
    4: theme.colour("stroke 4"),
}


class Strokes:
    """Brush strokes over the volume of one time.

    Attributes
    ----------
    layer : napari.layers.Labels, optional
        Painted on; None before `begin`.
    source : napari.layers.Layer, optional
        The layer of the volume.
    time : int
        Which of its times.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layer: Any = None
        self.source: Layer | None = None
        self.time = 0
        self._said = ""
        self._put_away = False

    @property
    def there(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def usable(self) -> bool:
        """Whether the layer and the volume that it belongs to are in the viewer."""
        return self.there and self.source in self._viewer.layers

    @property
    def painted_on(self) -> str:
        """What is painted on, in words; empty if the layer is not there."""
        return self._said if self.there else ""

    @property
    def painted(self) -> bool:
        """Whether anything is painted."""
        return self.there and bool(np.asarray(self.layer.data).any())

    def follow(self, time: int | None) -> None:
        """Show the layer only at the time that is painted on.

        Parameters
        ----------
        time : int, optional
            Which time of `source` is shown; None hides the layer.
        """
        if not self.there:
            return
        # napari goes back to the brush with what it shows again
        if time != self.time and self.layer.visible:
            self._put_away, self.layer.visible = True, False
        elif time == self.time and self._put_away:
            self._put_away, self.layer.visible = False, True

    def begin(self, source: Layer, time: int, said: str) -> None:
        """Add the layer over a volume at one time, or go back to what is painted there.

        Parameters
        ----------
        source : napari.layers.Layer
            Of the volume, or of those of all times.
        time : int
            Which time is painted on.
        said : str
            What that is, in words.
        """
        from napari.utils.colormaps import DirectLabelColormap

        if not (self.there and self.source is source and self.time == time):
            if self.there:
                self._viewer.layers.remove(self.layer)
            shape = source.data.shape[-3:]
            self.layer = self._viewer.add_labels(
                np.zeros(shape, np.uint8),
                name=STROKES_LAYER,
                scale=source.scale[-3:],
                translate=source.translate[-3:],
                units=source.units[-3:],
                axis_labels=source.axis_labels[-3:],
                colormap=DirectLabelColormap(color_dict={None: "transparent", **_COLOURS}),
            )
            self.source, self.time, self._said = source, time, said
            self._put_away = False
            self.layer.brush_size = max(3, round(max(shape) / 30))
        self.paint_with(BACKGROUND)

    def paint_with(self, kind: int) -> None:
        """Make the brush paint `BACKGROUND` or `PARTICLE`."""
        if self.there:
            self.layer.visible = True
            self._viewer.layers.selection.active = self.layer
            self.layer.mode = "paint"
            self.layer.selected_label = kind

    def array(self) -> np.ndarray:
        """Return a copy of what was painted, (z, y, x)."""
        return np.array(self.layer.data)
