#!/usr/bin/env python3
"""Reads forms with Python's `email`, for the fuzz target `form` to compare with.

Both directions carry a length of four bytes, big-endian, and as many bytes: in, a body whose boundary is `b`; out, JSON,
the [name, content as hex] of each part, or null if the body has a defect.
"""

import email
import json
import struct
import sys

HEAD = b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"


def fields(body):
    form = email.message_from_bytes(HEAD + body)
    if form.defects or not form.is_multipart():
        return None
    found = []
    for part in form.get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        # A part in a part is its own form; it is no text.
        if part.defects or not isinstance(name, str) or content is None:
            return None
        found.append((name, content.hex()))
    return found


while length := sys.stdin.buffer.read(4):
    answer = json.dumps(fields(sys.stdin.buffer.read(*struct.unpack(">I", length)))).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(answer)) + answer)
    sys.stdout.buffer.flush()
