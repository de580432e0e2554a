"""Pictures of machines: what people upload is read, judged, and written anew.

Only what was drawn comes through: no metadata (a phone writes where it stood), nothing appended, no second
meaning as a script or a page. The name is ours and random.
"""

import io
import secrets
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import Refused

# What browsers show and Pillow reads without asking another program; SVG is a page, not a picture.
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
MOST_PIXELS = 50_000_000  # the largest a telephone makes
LONGEST_SIDE = 1600


def accept(upload: File[Any]) -> ContentFile[bytes]:
    """The picture as it is kept, under a name of ours. Raises Refused: too large, or no picture we know."""
    if upload.size > settings.UPLOAD_MAX_BYTES:
        most = settings.UPLOAD_MAX_BYTES // (1024 * 1024)
        raise _no("picture_too_large", _("The file is too large: at most %(most)d MB.") % {"most": most})
    upload.seek(0)
    try:
        kind, drawn = _read(upload)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    # Pillow's readers answer a broken or forged file with any of these.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        message = _("This is no picture that we can read: PNG, JPEG or WebP.")
        raise _no("picture_unreadable", message) from error
    file = io.BytesIO()
    drawn.save(file, kind)
    return ContentFile(file.getvalue(), name=f"{secrets.token_hex(16)}.{ENDINGS[kind]}")


def _read(file: Any) -> tuple[str, Image.Image]:
    """Kind, and the pixels alone, upright and no larger than a page shows."""
    with Image.open(file, formats=tuple(ENDINGS)) as image:
        kind = str(image.format)
        if image.width * image.height > MOST_PIXELS:
            raise _too_many_pixels()
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is read at a fraction of its size
        upright = ImageOps.exif_transpose(image)
    is_clear = kind != "JPEG" and ("A" in upright.getbands() or "transparency" in upright.info)
    drawn = upright.convert("RGBA" if is_clear else "RGB")
    drawn.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    drawn.info.clear()
    return kind, drawn


def _no(code: str, message: str) -> Refused:
    return Refused.because(code, message, field="picture")


def _too_many_pixels() -> Refused:
    message = _("The picture has too many pixels: at most %(most)d million.")
    return _no("picture_too_large", message % {"most": MOST_PIXELS // 1_000_000})
