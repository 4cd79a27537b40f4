"""The projector's inner loops on a CUDA device, through CuPy.

They take and give the same arrays as the kernels for the processor and compute the same
sums, so that every algorithm runs on either. Blocks travel to the device and back for each
call, which takes about a tenth of the time that the processor would need for the sums.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cache

import numpy as np

from napari_tomo4d.errors import MissingExtraError
from napari_tomo4d.parameters import Function

SOURCE = r"""
extern "C" __global__ void project(
    const float* volume, float* rays, int n_z, int n_x, int n_slices, int n_u,
    const double* cosines, const double* sines, double centre_z, double centre_x,
    const double* centres_u)
{
    int slice = blockIdx.z * blockDim.x + threadIdx.x;
    int u = blockIdx.x * blockDim.y + threadIdx.y;
    int t = blockIdx.y;
    if (slice >= n_slices || u >= n_u) return;
    bool along_z = fabs(cosines[t]) >= fabs(sines[t]);
    int n_major = along_z ? n_z : n_x, n_minor = along_z ? n_x : n_z;
    double o_major = along_z ? centre_z : centre_x, o_minor = along_z ? centre_x : centre_z;
    long long pitch = (long long)n_slices * (along_z ? n_x : 1);
    long long stride = (long long)n_slices * (along_z ? 1 : n_x);
    double step = 1.0 / (along_z ? cosines[t] : sines[t]);
    double slope = -(along_z ? sines[t] : cosines[t]) * step;
    double base = o_minor + (u - centres_u[t]) * step - o_major * slope;
    int last = max(n_minor - 2, 0);
    if (n_minor == 1) stride = 0;
    float total = 0.0f;
    for (int j = 0; j < n_major; j++) {
        double position = base + j * slope;
        if (position <= -1.0 || position >= n_minor) continue;
        int i = min(max((int)floor(position), 0), last);
        float f = (float)(position - i);
        float w0 = fmaxf(0.0f, 1.0f - fabsf(f)), w1 = fmaxf(0.0f, 1.0f - fabsf(f - 1.0f));
        if (n_minor == 1) w1 = 0.0f;
        const float* pair = volume + j * pitch + i * (n_minor == 1 ? 0 : stride) + slice;
        total += w0 * pair[0] + w1 * pair[stride];
    }
    rays[((long long)t * n_u + u) * n_slices + slice] += total * (float)fabs(step);
}

extern "C" __global__ void backproject(
    const float* rays, float* volume, int z_start, int n_x, int n_slices, int n_tilts, int n_u,
    const float* weights, const double* lengths, const double* cosines, const double* sines,
    double centre_z, double centre_x, const double* centres_u, float low, float high)
{
    int slice = blockIdx.z * blockDim.x + threadIdx.x;
    int x = blockIdx.x * blockDim.y + threadIdx.y;
    int row = blockIdx.y;
    if (slice >= n_slices || x >= n_x) return;
    float weight = weights[(long long)row * n_x + x];
    if (weight == 0.0f) return;
    int last = max(n_u - 2, 0);
    long long stride = n_u > 1 ? n_slices : 0;
    float total = 0.0f;
    for (int t = 0; t < n_tilts; t++) {
        double u = centres_u[t] + (x - centre_x) * cosines[t]
                 + (row + z_start - centre_z) * sines[t];
        if (u <= -2.0 || u >= n_u + 1.0) continue;
        int i = min(max((int)floor(u), 0), last);
        float f = (float)(u - i), length = (float)lengths[t];
        float w0 = fmaxf(0.0f, 1.0f - fabsf(f) * length) * length;
        float w1 = fmaxf(0.0f, 1.0f - fabsf(f - 1.0f) * length) * length;
        if (n_u == 1) w1 = 0.0f;
        const float* pair = rays + ((long long)t * n_u + i) * n_slices + slice;
        total += w0 * pair[0] + w1 * pair[stride];
    }
    float* voxel = volume + ((long long)row * n_x + x) * n_slices + slice;
    *voxel = fminf(fmaxf(*voxel + weight * total, low), high);
}
"""

_busy = threading.Lock()


@cache
def is_available() -> bool:
    """Tell whether CuPy is installed and finds a device."""
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


@cache
def kernels() -> tuple[Function, Function]:
    """Return `project` and `backproject` as `napari_tomo4d.reconstruct.kernels` does.

    Raises
    ------
    MissingExtraError
        If there is no CuPy or no device.
    """
    if not is_available():
        raise MissingExtraError(
            "No CUDA device was found: it needs an NVIDIA GPU with its driver, and the extra: "
            'pip install "napari-tomo4d[cuda]".'
        )
    import cupy

    module = cupy.RawModule(code=SOURCE, options=("--std=c++11",))
    run_project, run_backproject = (
        module.get_function("project"),
        module.get_function("backproject"),
    )

    def project(
        volume: np.ndarray, rays: np.ndarray, used: np.ndarray, geometry: tuple[float, ...]
    ) -> None:
        cosines, sines, centre_z, centre_x, centres = geometry
        n_z, n_x, n_slices = volume.shape
        n_tilts, n_u, _ = rays.shape
        with _busy:
            source, target = cupy.asarray(volume), cupy.asarray(rays)
            threads, blocks = _grid(n_u, n_tilts, n_slices)
            run_project(
                blocks,
                threads,
                (
                    source,
                    target,
                    *map(np.int32, (n_z, n_x, n_slices, n_u)),
                    cupy.asarray(cosines),
                    cupy.asarray(sines),
                    np.float64(centre_z),
                    np.float64(centre_x),
                    cupy.asarray(centres),
                ),
            )
            rays[...] = cupy.asnumpy(target)

    def backproject(
        rays: np.ndarray,
        volume: np.ndarray,
        z_start: int,
        z_stop: int,
        weights: np.ndarray,
        lengths: np.ndarray,
        geometry: tuple[float, ...],
        low: np.float32,
        high: np.float32,
    ) -> None:
        cosines, sines, centre_z, centre_x, centres = geometry
        n_tilts, n_u, n_slices = rays.shape
        n_x, rows = volume.shape[1], z_stop - z_start
        with _busy:
            source = cupy.asarray(rays)
            target = cupy.asarray(volume[z_start:z_stop])
            threads, blocks = _grid(n_x, rows, n_slices)
            run_backproject(
                blocks,
                threads,
                (
                    source,
                    target,
                    *map(np.int32, (z_start, n_x, n_slices, n_tilts, n_u)),
                    cupy.asarray(weights[z_start:z_stop]),
                    cupy.asarray(lengths),
                    cupy.asarray(cosines),
                    cupy.asarray(sines),
                    np.float64(centre_z),
                    np.float64(centre_x),
                    cupy.asarray(centres),
                    np.float32(low),
                    np.float32(high),
                ),
            )
            volume[z_start:z_stop] = cupy.asnumpy(target)

    return project, backproject


def _grid(columns: int, rows: int, slices: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return threads of a block and blocks of the grid: slices fastest, for wide loads."""
    wide = min(slices, 32)
    high = 8
    return (wide, high, 1), (-(-columns // high), rows, -(-slices // wide))
