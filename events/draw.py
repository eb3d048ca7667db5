"""Draws the sample images into events/images: nobody's face, nobody's data.

Needed only to change a drawing: pip install pillow && python3 events/draw.py && python3 events/make.py
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

IMAGES = Path(__file__).parent / "images"
INK, PAPER, BLUE, SKIN = "#1d2733", "#f6f3ea", "#3a6ea5", "#e8b98f"


def canvas(width, height, colour=PAPER):
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def text(draw, at, words, size, colour=INK):
    draw.text(at, words, fill=colour, font=ImageFont.load_default(size))


def face(draw, x, y, size):
    """A plain face in a square of `size` pixels."""

    def box(left, top, right, bottom):
        return [x + left * size, y + top * size, x + right * size, y + bottom * size]

    draw.ellipse(box(0.05, 0.72, 0.95, 1.6), fill=BLUE)
    draw.ellipse(box(0.22, 0.1, 0.78, 0.82), fill=SKIN, outline=INK, width=2)
    for eye in (0.38, 0.62):
        draw.ellipse(box(eye - 0.03, 0.38, eye + 0.03, 0.45), fill=INK)
    draw.arc(box(0.38, 0.45, 0.62, 0.68), 20, 160, fill=INK, width=3)


def front():
    image, draw = canvas(428, 270)
    draw.rectangle([0, 0, 428, 44], fill=BLUE)
    text(draw, (16, 10), "UTOPIA  ·  PASSPORT", 22, "white")
    draw.rectangle([16, 60, 136, 210], fill="white", outline=INK)
    face(draw, 18, 66, 116)
    draw.rectangle([16, 211, 136, 270], fill=PAPER)
    for line, words in enumerate(["Surname  SPECIMEN", "Name  SAM", "Born  1 JAN 2000", "No.  X0000000"]):
        text(draw, (156, 64 + 32 * line), words, 18)
    text(draw, (60, 200), "SPECIMEN", 64, "#c9c2b0")
    image.save(IMAGES / "front.jpg", quality=80, optimize=True)


def back():
    image, draw = canvas(428, 270)
    draw.rectangle([0, 24, 428, 70], fill=INK)
    text(draw, (16, 90), "SPECIMEN - not a document", 22)
    for line in (196, 226):
        text(draw, (16, line), "P<UTOSPECIMEN<<SAM<<<<<<<<<<<<<<", 18)
    image.quantize(16).save(IMAGES / "back.png", optimize=True)


def selfie():
    image, draw = canvas(240, 300, "#cfd8dc")
    face(draw, 0, 40, 240)
    image.save(IMAGES / "selfie.jpg", quality=80, progressive=True, optimize=True)


def address():
    image, draw = canvas(300, 424, "white")
    text(draw, (24, 24), "Utopia Water Works", 22, BLUE)
    for line, words in enumerate(["Sam Specimen", "1 Example Street", "00000 Nowhere", "", "Your bill: 0.00"]):
        text(draw, (24, 90 + 28 * line), words, 18)
    text(draw, (24, 360), "SPECIMEN", 40, "#dddddd")
    image.quantize(16).save(IMAGES / "address.png", optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for drawing in (front, back, selfie, address):
        drawing()
