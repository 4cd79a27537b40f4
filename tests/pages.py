"""The code in README and documentation, and what it may take for granted."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np

import napari_tomo4d as t4

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced code of one language on a page, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def two_spheres(times: int = 1) -> list[t4.Volume]:
    """Return volumes (z, y, x) of two spheres that touch, and come nearer with time."""
    z, y, x = np.mgrid[:32, :40, :48] - np.array([15.5, 19.5, 23.5])[:, None, None, None]
    result = []
    for time in range(times):
        sphere = [z**2 + y**2 + (x - s * (8.5 - time)) ** 2 for s in (-1, 1)]
        density = np.clip(10.5 - np.sqrt(np.minimum(*sphere)), 0, 1)
        result.append(t4.Volume(density.astype(np.float32), 2.0))
    return result


def seen(volume: t4.Volume, tilt_axis: str = "y") -> t4.TiltSeries:
    """Return a tilt series of a volume from -60 to 60 degrees, with some noise."""
    angles = np.arange(-60, 61, 6.0)
    data = volume.data if tilt_axis == "y" else volume.data.transpose(0, 2, 1)
    images = t4.reconstruct.Projector(data.shape, angles).forward(data)
    images = images if tilt_axis == "y" else images.transpose(0, 2, 1)
    noise = np.random.default_rng(0).normal(0, 0.3, images.shape)
    images = (images + 2 + noise).astype(np.float32)
    return t4.TiltSeries(images, angles, volume.pixel_size_nm, tilt_axis=tilt_axis)


def with_frames() -> t4.TiltSeries:
    """Return a noisy tilt series (tilt, frame, y, x) with four frames of each tilt."""
    rng = np.random.default_rng(0)
    series = seen(two_spheres()[0])
    frames = series.images[::4, None] + rng.normal(0, 2, (6, 4, 40, 48))
    return t4.TiltSeries(frames.astype(np.float32), series.angles_deg[::4], 2.0)


def lattice_scans() -> dict[str, np.ndarray]:
    """Return two scans of some blobs at a right angle."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    image = np.zeros((64, 64), np.float32)
    for cy, cx in rng.uniform(8, 56, (14, 2)):
        image += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return {"image_0": image, "image_90": np.rot90(image).copy()}


def labelled(times: int) -> tuple[t4.TimeSeries, t4.TimeSeries]:
    """Return volumes over time, and their particles with the same numbers at all times."""
    volumes = t4.TimeSeries(two_spheres(times), times_s=np.arange(times) * 60.0)
    mask = t4.segment.threshold_volumes(volumes, "half-density", smoothing_px=0)
    parts = [t4.segment.separate_particles(m) for m in mask]
    return volumes, t4.segment.follow_particles(mask.with_items(parts))


def given(page: Path) -> dict[str, object]:
    """Write the files that a page's code reads into this folder; returns what it uses."""
    name = page.stem
    if name == "README":
        t4.write(seen(two_spheres()[0], "x"), "HAADF.mrc")
    if name == "alignment":
        experiment = t4.TimeSeries([seen(v) for v in two_spheres(2)], times_s=[0, 60])
        return {"series": experiment[0], "experiment": experiment}
    if name == "developer":
        return {"series": seen(two_spheres()[0])}
    if name == "denoising":
        return {"series": with_frames()}
    if name == "cleaning":
        return dict(lattice_scans())
    if name == "segmentation":
        return {"volumes": t4.TimeSeries(two_spheres(2), times_s=[0, 60])}
    if name == "sintering":
        volumes, labels = labelled(3)
        t4.write(volumes, "volumes.ome.zarr")
        t4.write(labels, "labels.ome.zarr")
    return {}


def names_for(page: Path, monkeypatch) -> dict[str, object]:
    """Return the names that a page's code starts from, as those of a module."""
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    vars(module).update(given(page))
    return vars(module)


# what takes hours at the size that a page is about
SMALLER = {
    "n_times=18, shape=(512, 1024, 1024)": "n_times=2, shape=(32, 48, 48)",
    "thickness=160": "thickness=32",
}


def smaller(code: str) -> str:
    """Return the code at a size that a test can wait for."""
    for large, small in SMALLER.items():
        code = code.replace(large, small)
    return code
