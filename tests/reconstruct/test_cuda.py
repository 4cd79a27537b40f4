"""The CUDA kernels give what the processor gives; needs an NVIDIA GPU and CuPy."""

from __future__ import annotations

import numpy as np
import pytest

import napari_tomo4d as t4
from napari_tomo4d.errors import MissingExtraError, ParameterError
from napari_tomo4d.reconstruct import Projector, cuda

ANGLES = np.linspace(-85, 90, 15)
needs_gpu = pytest.mark.skipif(
    not cuda.is_available(), reason="there is no CUDA device, or CuPy is not installed"
)


@needs_gpu
@pytest.mark.parametrize("shape", [(21, 37, 50), (50, 5, 21), (1, 40, 16), (40, 20, 1)])
def test_both_directions_agree_with_the_processor(shape):
    rng = np.random.default_rng(0)
    host, device = (Projector(shape, ANGLES, axis_shift_px=2.3, device=d) for d in ("cpu", "cuda"))
    volume = rng.random(shape, dtype=np.float32)
    images = host.forward(volume)
    assert np.abs(device.forward(volume) - images).max() < 1e-5 * images.max()
    back = host.backward(images)
    assert np.abs(device.backward(images) - back).max() < 1e-5 * back.max()


@needs_gpu
def test_it_is_chosen_by_itself_and_sirt_agrees(monkeypatch):
    assert Projector((8, 8, 8), ANGLES).device == "cuda"
    rng = np.random.default_rng(0)
    series = t4.TiltSeries(rng.random((15, 40, 64), dtype=np.float32), ANGLES, 1.0)
    fast = t4.reconstruct.sirt(series, 20).data
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    slow = t4.reconstruct.sirt(series, 20).data
    assert np.abs(fast - slow).max() < 1e-3 * slow.max()


def test_without_a_device_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    cuda.kernels.cache_clear()
    with pytest.raises(MissingExtraError, match=r"napari-tomo4d\[cuda\]"):
        Projector((8, 8, 8), ANGLES, device="cuda")
    with pytest.raises(ParameterError, match="auto, cpu or cuda"):
        Projector((8, 8, 8), ANGLES, device="tpu")
    assert Projector((8, 8, 8), ANGLES).device == "cpu"
