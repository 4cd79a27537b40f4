"""The panel *Denoise*."""
