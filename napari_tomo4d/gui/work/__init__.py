"""Work in the background, live previews, undo."""
