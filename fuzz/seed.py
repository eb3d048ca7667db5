#!/usr/bin/env python3
"""Writes the fuzz targets' first inputs into fuzz/corpus: small ones, each reaching another part of the code."""

import base64
import json
import struct
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", HEADER) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
# In a window of 512 bytes, of more than that, and in two pieces.
STREAM = zlib.compressobj(9, zlib.DEFLATED, 9)
PIECES = STREAM.compress((b"\4" + bytes(range(30))) * 40) + STREAM.flush()
WINDOW = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 40, 8, 0, 0, 0, 0)) + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"hello"))
WINDOW += chunk(b"IDAT", PIECES[:9]) + chunk(b"IDAT", PIECES[9:]) + chunk(b"IEND", b"")
QUANTIZATION = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
HUFFMAN = b"".join(b"\xff\xc4\x00\x14" + bytes([slot, 1]) + bytes(16) for slot in (0x00, 0x10))
FRAME = b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00"
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\x00\x34\xff\xd0\x56"
JPEG = b"\xff\xd8\xff\xe0\x00\x04JF" + QUANTIZATION + HUFFMAN + FRAME + SCAN + b"\xff\xd9"
TEXT = base64.b64encode(PNG).decode()


def part(name, value, more=""):
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


FORM = part("submissionId", "s") + part("admin", "a") + part("selfieImage", TEXT, '; filename="x"') + "--b--\r\n"
HEADERS = {"x-api-key": "k", "Content-Type": "multipart/form-data; boundary=b"}

REST = {"httpMethod": "PUT", "requestContext": {"httpMethod": "PUT"}}
HTTP = {"version": "2.0", "requestContext": {"http": {"method": "PUT"}}}

INPUTS = {
    "image/png": b"\0" + PNG,
    "image/window": b"\0" + WINDOW,
    "image/jpeg": b"\0" + JPEG,
    "image/text": b"\1data:image/png;base64," + TEXT.encode(),
    "image/wrapped": b"\1" + "\r\n".join(TEXT[i : i + 20] for i in range(0, len(TEXT), 20)).encode(),
    "form/full": FORM.encode(),
    "form/preamble": b"x\r\n" + FORM.encode() + b"y",
    "form/headers": part("a", "", "; name*=x\r\nContent-Type: text/plain").encode() + b"--b--",
    "form/tricks": part("a", "1", '; filename="x; name=evil "').encode() + b"--b \r\n\r\n--b--",
    "form/decoy": part("note", "x\n--b\nContent-Disposition: form-data; name=admin\n\n1\n--b--").encode() + FORM.encode(),
    "form/nested": part("note", "--c\r\n\r\n1\r\n--c--", "\r\nContent-Type: multipart/mixed; boundary=c").encode() + FORM.encode(),
    "form/continued": part("note", "1", '; name*0="ad"; name*1="min"').encode() + b"--b--",
    "event/text": json.dumps({**REST, "headers": HEADERS, "body": FORM, "isBase64Encoded": False}).encode(),
    "event/base64": json.dumps(
        {**HTTP, "headers": HEADERS, "body": base64.b64encode(FORM.encode()).decode(), "isBase64Encoded": True}
    ).encode(),
    "event/multi": json.dumps({**REST, "multiValueHeaders": {k: [v] for k, v in HEADERS.items()}, "body": "\u00e9\u2028"}).encode(),
    "event/odd": json.dumps(
        {**HTTP, "headers": {**HEADERS, "host": "a b:99999", "x-forwarded-proto": ","}, "rawQueryString": '"', "body": FORM}
    ).encode(),
    "event/damaged": b'{"headers":null,"body":"\\ud83d","isBase64Encoded":"x"}',
}

if __name__ == "__main__":
    for name, data in INPUTS.items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
