#!/usr/bin/env python3
"""Runs the blocks of docs/clients.md, as they stand there, against the local stack.

Each runs with images of 1 KB and of 4.6 MB in all, in a folder and over a stack of its own. What the stack then
holds must be the images of the folder, byte for byte.
"""

import argparse
import base64
import contextlib
import http.client
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
KEY = "demo-key-for-the-local-stack"
SUCCESS = "complete to update image."
IMAGES = {"idImage": "front.jpg", "selfieImage": "selfie.jpg"}
SIZES = {"1 KB": 1_000, "4.6 MB": 4_600_000}
LINES, COLUMNS = 9, 120  # of a block, at most

GO = """package main
import ("bytes"; "encoding/base64"; "fmt"; "io"; "mime/multipart"; "net/http"; "os")
func must[T any](value T, err error) T { if err != nil { panic(err) }; return value }
func main() {
%s}
"""
JAVA = """import java.net.URI; import java.net.http.*; import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers; import java.nio.file.*; import java.util.*;
import static java.util.stream.Collectors.joining;
class Put { public static void main(String[] args) throws Exception {
%s} }
"""


class Client(NamedTuple):
    needs: str
    probe: str  # fails where `needs` is missing
    command: str  # ends with the name of the file that the block is saved as
    around: str = "%s"


PYTHON = f'"{sys.executable}"'
CURL = Client("curl", "curl --version", "sh put.sh")
PHP = 'php -r "exit(extension_loaded(\'curl\') ? 0 : 1);"'
AXIOS = "node -e \"require('axios'); require('form-data')\""
CLIENTS = {  # by the heading of the section
    "curl": CURL,
    "curl with files": CURL,
    "Python requests": Client("the package requests", f'{PYTHON} -c "import requests"', f"{PYTHON} put.py"),
    "Python httpx": Client("the package httpx", f'{PYTHON} -c "import httpx"', f"{PYTHON} put.py"),
    "Node fetch": Client("Node 18", 'node -e "new FormData()"', "node put.mjs"),
    "axios": Client("Node, axios and form-data (--install)", AXIOS, "node put.cjs"),
    "Go": Client("Go", "go version", "go run put.go", GO),
    "Java": Client("Java 17", "java --version", "java Put.java", JAVA),
    "PHP": Client("PHP and its extension curl", PHP, "php put.php"),
    "Ruby": Client("Ruby", "ruby --version", "ruby put.rb"),
    ".NET": None,  # a replay
}


def sections(document: str) -> dict[str, str]:
    """The code of each section: its blocks, one after the other."""
    code = {}
    for section in re.split(r"^## ", document, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for lines in map(str.splitlines, blocks):
            if len(lines) > LINES or max(map(len, lines)) > COLUMNS:
                sys.exit(f"docs/clients.md: over {LINES} lines or {COLUMNS} columns: the block of {lines[0]!r}")
        if blocks:
            code[section.splitlines()[0]] = "".join(blocks)
    if code.keys() != CLIENTS.keys():
        sys.exit(f"docs/clients.md and .ci/clients.py differ in {', '.join(code.keys() ^ CLIENTS.keys())}")
    return code


def jpeg(size: int) -> bytes:
    quantization = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    huffman = b"".join(b"\xff\xc4\x00\x14" + bytes([slot, 1]) + bytes(16) for slot in (0x00, 0x10))
    frame = b"\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01\x01\x11\x00"
    head, tail = b"\xff\xd8" + quantization + frame + huffman + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00", b"\xff\xd9"
    return head + random.randbytes(size - len(head) - len(tail)).replace(b"\xff", b"\0") + tail


@contextlib.contextmanager
def stack(data: Path):
    """A local stack over a new folder: its URL."""
    binary = ROOT / "target/debug/local"
    command = [binary, "serve", "--port=0", "--page-port=0", "--dynamodb-port=0", "--s3-port=0", f"--data={data}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        overdue = threading.Timer(600, process.kill)
        overdue.start()
        try:
            printed = ""
            for line in process.stdout:
                printed += line
                if url := re.search(r"http://127\.0\.0\.1:\d+/v3/Image", line):
                    break
            else:
                sys.exit(f"the local stack ended before it named its URL:\n{printed}")
            yield url[0]
        finally:
            overdue.cancel()
            process.terminate()


def run(client: Client, code: str, url: str, folder: Path) -> str:
    (folder / client.command.split()[-1]).write_text(client.around % code)
    environment = os.environ | {"URL": url, "KEY": KEY, "no_proxy": "127.0.0.1"}
    with open(folder / "output", "w") as to:
        subprocess.run(client.command, shell=True, cwd=folder, env=environment, stdout=to, stderr=to, timeout=300)
    return (folder / "output").read_text()


def replay(code: str, url: str, folder: Path) -> str:
    """Sends what .NET's MultipartFormDataContent makes of the block: a quoted boundary, names without quotes."""
    boundary = "7a3ea1cb-6b1c-4e5e-9d0c-2f6f4b1f3f64"
    part = "--{}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name={}\r\n\r\n{}\r\n"
    body = ""
    for value, name in re.findall(r'\{ (?:new StringContent|Image)\("(.+?)"\), "(\w+)" \}', code):
        text = base64.b64encode((folder / value).read_bytes()).decode() if name in IMAGES else value
        body += part.format(boundary, name, text)
    headers = {"x-api-key": KEY, "Content-Type": f'multipart/form-data; boundary="{boundary}"'}
    with contextlib.closing(http.client.HTTPConnection(url.split("/")[2], timeout=60)) as connection:
        connection.request("PUT", "/v3/Image", f"{body}--{boundary}--\r\n", headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()}\n{answer.headers}"


def problem(client: Client | None, code: str, size: int, folder: Path) -> str:
    """What goes wrong with the block, or nothing."""
    sent = {field: jpeg(size // len(IMAGES)) for field in IMAGES}
    for field, image in sent.items():
        (folder / IMAGES[field]).write_bytes(image)
    with stack(folder / "data") as url:
        try:
            output = run(client, code, url, folder) if client else replay(code, url, folder)
        except (OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            return f"\n{error!r}"
    stored = [(path.parent.name, path.read_bytes()) for path in folder.glob("data/s3/*/*/demo-submission/*/*")]
    if SUCCESS in output and sorted(stored) == sorted(sent.items()):
        return ""
    return f"\n{output}\nstored: {', '.join(f'{field}, {len(image)} bytes' for field, image in stored) or 'nothing'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install axios and form-data into a temporary folder")
    parser.add_argument("--no-skip", metavar="WORD,WORD", help="headings' words: these must run")
    options = parser.parse_args()
    words = set(options.no_skip.lower().split(",")) if options.no_skip else set()
    if unknown := words.difference(" ".join(CLIENTS).lower().split()):
        parser.error(f"no heading has the word {', '.join(unknown)}")
    code = sections((ROOT / "docs/clients.md").read_text())
    subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT, check=True)
    results = []
    with tempfile.TemporaryDirectory() as top:
        if options.install:
            subprocess.run(f'npm install --silent --prefix "{top}" axios@1 form-data@4', shell=True)
        for heading, client in CLIENTS.items():
            lacking = client and subprocess.run(client.probe, shell=True, cwd=top, capture_output=True).returncode
            for size, total in SIZES.items():
                folder = Path(top, heading, size)
                folder.mkdir(parents=True)
                if lacking:
                    result = "skipped" if words.isdisjoint(heading.lower().split()) else "FAILED"
                    note = f": needs {client.needs}"
                else:
                    wrong = problem(client, code[heading], total, folder)
                    result = "FAILED" if wrong else "ok"
                    note = ("" if client else " (a replay of the bytes that .NET writes)") + wrong
                results.append(result)
                print(f"{heading:16}{size:>7}  {result}{note}", flush=True)
    passed, failed, skipped = map(results.count, ("ok", "FAILED", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
