#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of this folder that are not samples of the embedded model. Needs Pillow and the DejaVu fonts."""

import pathlib

from PIL import Image, ImageDraw, ImageFont

FOLDER = pathlib.Path(__file__).parent
FONTS = pathlib.Path("/usr/share/fonts/truetype/dejavu")

PAPER, INK = (252, 250, 244), (24, 24, 24)
DARK, LIGHT, ORANGE = (12, 12, 14), (240, 240, 240), (255, 116, 68)
GREEN, CREAM = (24, 70, 50), (245, 245, 235)


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"{name}.ttf", size)


def sign(text: str, face: str, size: int, ground: tuple, ink: tuple) -> Image.Image:
    picture = Image.new("RGB", (480, 336), ground)
    draw = ImageDraw.Draw(picture)
    draw.multiline_text((240, 168), text, font=font(face, size), fill=ink, anchor="mm", spacing=size * 0.45)
    return picture


def receipt(title: str, rows: list[tuple[str, str]]) -> Image.Image:
    picture = Image.new("RGB", (384, 384), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((192, 38), title, font=font("DejaVuSansMono-Bold", 38), fill=INK, anchor="mm")
    face = font("DejaVuSansMono-Bold", 32)
    for row, (item, price) in enumerate(rows):
        y = 108 + 60 * row
        draw.text((24, y), item, font=face, fill=INK, anchor="lm")
        draw.text((360, y), price, font=face, fill=INK, anchor="rm")
    return picture


def bar_chart(title: str, bars: list[tuple[str, int]]) -> Image.Image:
    picture = Image.new("RGB", (480, 336), DARK)
    draw = ImageDraw.Draw(picture)
    face = font("DejaVuSans", 20)
    left, right, top, bottom = 48, 460, 70, 300
    largest = max(value for _, value in bars)
    draw.text((20, 22), title, font=font("DejaVuSans", 23), fill=LIGHT, anchor="lm")
    draw.line((left, 60, left, bottom), fill=LIGHT)
    draw.line((left, bottom, right, bottom), fill=LIGHT)
    for tick in (0, largest // 2, largest):
        draw.text((left - 8, bottom - (bottom - top) * tick / largest), str(tick), font=face, fill=LIGHT, anchor="rm")
    step = (right - left) / len(bars)
    for place, (label, value) in enumerate(bars):
        first, last = left + step * (place + 0.12), left + step * (place + 0.88)
        height = (bottom - top) * value / largest
        draw.rectangle((first, bottom - height, last, bottom - 1), fill=ORANGE)
        centre = (first + last) / 2
        draw.text((centre, bottom - height - 12), str(value), font=face, fill=LIGHT, anchor="mm")
        draw.text((centre, bottom + 17), label, font=face, fill=LIGHT, anchor="mm")
    return picture


def main() -> None:
    pictures = {
        "receipt": receipt("CORNER SHOP", [("Bread", "2.50"), ("Milk", "1.20"), ("TOTAL", "3.70")]),
        "chart": bar_chart("Sales report", [("Jan", 5), ("Feb", 2), ("Mar", 8)]),
        "door_sign": sign("Room 305", "DejaVuSerif", 40, PAPER, INK),
        "menu": sign("MENU\nSoup 4.50\nSalad 6.20", "DejaVuSerif", 40, GREEN, CREAM),
    }
    for name, picture in pictures.items():
        picture.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
