"""What lies on napari's canvas: layers, the session of a window, what is shown, overlays."""
