#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the pictures of this folder: files that must be refused with a reason, and unusual ones that must be read.

Needs Pillow and the DejaVu fonts. The committed files are what the tests use; another Pillow writes other JPEG bytes.
"""

import pathlib
import struct
import zlib

from PIL import Image, ImageDraw, ImageFont

FOLDER = pathlib.Path(__file__).parent
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def sign() -> Image.Image:
    """The picture that every readable file shows: one line of dark text on a light ground."""
    picture = Image.new("RGB", (240, 168), (236, 240, 228))
    draw = ImageDraw.Draw(picture)
    draw.text((120, 84), "Invoice 204", font=ImageFont.truetype(FONT, 34), fill=(24, 40, 72), anchor="mm")
    return picture


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def huge_header() -> bytes:
    """64000 x 64000 by its header, 8 rows of nothing by its data."""
    header = struct.pack(">IIBBBBB", 64000, 64000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 3 * 64000) * 8), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def write_refused(picture: Image.Image) -> None:
    (FOLDER / "empty.png").write_bytes(b"")
    (FOLDER / "text.png").write_text("This is text, whatever its name says.\n")
    (FOLDER / "huge_header.png").write_bytes(huge_header())
    whole = FOLDER / "plain.jpg"
    picture.save(whole, quality=90)
    data = whole.read_bytes()
    (FOLDER / "cut_after_128.jpg").write_bytes(data[:128])
    (FOLDER / "cut_at_half.jpg").write_bytes(data[: len(data) // 2])
    (FOLDER / "cut_128_before_end.jpg").write_bytes(data[:-128])


def write_unusual(picture: Image.Image) -> None:
    picture.save(FOLDER / "plain.png", optimize=True)
    picture.convert("L").save(FOLDER / "grey.png", optimize=True)
    grey16 = picture.convert("L").convert("I").point(lambda level: level * 257).convert("I;16")
    grey16.save(FOLDER / "grey16.png", optimize=True)
    picture.quantize(16).save(FOLDER / "palette.png", optimize=True)
    rgba = picture.convert("RGBA")
    rgba.paste((200, 30, 30, 0), (0, 0, 40, 40))  # transparent: shows its red where alpha is dropped
    rgba.save(FOLDER / "rgba.png", optimize=True)
    picture.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    picture.transpose(Image.Transpose.ROTATE_90).save(FOLDER / "exif_rotated.jpg", quality=90, exif=exif)
    Image.new("RGB", (1, 1), (200, 120, 40)).save(FOLDER / "one_pixel_1x1.png")
    strip = Image.new("RGB", (900, 3), (240, 240, 240))
    for x in range(0, 900, 30):
        strip.paste((30, 30, 30), (x, 0, x + 10, 3))
    strip.save(FOLDER / "strip_900x3.png", optimize=True)


def main() -> None:
    picture = sign()
    write_refused(picture)
    write_unusual(picture)


if __name__ == "__main__":
    main()
