"""A QR code as a page draws it: the path of one SVG. No picture is loaded, and no markup is trusted."""

import segno
from pydantic import BaseModel, Field


class QrCode(BaseModel):
    """A QR code. size: of its square, in modules, with a quiet zone; path: of an SVG, the dark modules."""

    size: int = Field(examples=[45])
    path: str = Field(examples=["M4 4h7v1h-7z"])


_QUIET = 4  # modules of light around it, which readers need (ISO/IEC 18004)


def qr_code(text: str) -> QrCode:
    """Return the QR code of a text."""
    rows = segno.make(text, error="m", micro=False).matrix
    strips: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            dark = x
            while dark < len(row) and row[dark]:
                dark += 1
            if dark > x:
                strips.append(f"M{x + _QUIET} {y + _QUIET}h{dark - x}v1h-{dark - x}z")
            x = dark + 1
    return QrCode(size=len(rows) + 2 * _QUIET, path="".join(strips))
