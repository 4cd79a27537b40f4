"""What tuning found, in words."""

from __future__ import annotations

import pandas as pd

from napari_tomo4d.denoise.noise_model import kind_in_words

NO_WORSE_DB = 0.1


def explain(table: pd.DataFrame) -> str:
    """Return in words what decided the ranking of a table of evaluations."""
    whole = table[table.region == "whole"]
    raw = whole[whole.kind == "none"].iloc[0]
    blur = whole[whole.kind == "gaussian"].sort_values("psnr_db").iloc[-1]
    tried = whole[~whole.kind.isin(("none", "gaussian"))].sort_values("psnr_db")
    best, clearest = tried.iloc[-1], tried.sort_values("frc").iloc[-1]
    text = (
        f"Best by PSNR: {kind_in_words(best.kind)} noise, strength {best.strength:.3g}: "
        f"{best.psnr_db:.2f} dB, Fourier ring correlation {best.frc:.3f}. "
        f"The image itself: {raw.psnr_db:.2f} dB, {raw.frc:.3f}. "
        f"Best Gaussian ({blur.strength:g} px): {blur.psnr_db:.2f} dB, {blur.frc:.3f}."
    )
    if clearest.name != best.name:
        text += (
            f" By ring correlation, {kind_in_words(clearest.kind)} noise, strength "
            f"{clearest.strength:.3g}, keeps most of what the frames share ({clearest.frc:.3f})."
        )
    if blur.psnr_db > best.psnr_db - NO_WORSE_DB and best.frc > blur.frc + 0.005:
        text += (
            " The blur owes its PSNR to weakening noisy frequencies; the denoised image holds "
            "more of the object."
        )
    elif best.frc < raw.frc - 0.005:
        text += " It gains by smoothing: details that the frames share were weakened."
    return text
