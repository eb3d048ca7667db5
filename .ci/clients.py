#!/usr/bin/env python3
"""Runs the blocks of docs/clients.md, unchanged, against the local stack.

Each runs with images of 1 KB and of 4.6 MB in all (what takes long only with the latter), in a folder and over a stack
of its own. The stack must then hold the images of the folder, byte for byte.
"""

import argparse
import base64
import contextlib
import http.client
import os
import random
import re
import shutil
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


KOTLIN = """import java.io.File
import java.util.Base64
import okhttp3.*
fun main() {
%s}
"""
GENERATED_GO = """package main
import ("context"; "encoding/base64"; "fmt"; "os"; "strings"; "example.com/demo/putimage")
func must[T any](value T, err error) T { if err != nil { panic(err) }; return value }
func main() {
%s}
"""


class Client(NamedTuple):
    needs: str
    probe: str  # fails where `needs` is missing
    command: str  # ends with the name of the file that the block is saved as
    around: str = "%s"
    is_slow: bool = False


PYTHON = f'"{sys.executable}"'
CURL = Client("curl", "curl --version", "sh put.sh")
PHP = 'php -r "exit(extension_loaded(\'curl\') ? 0 : 1);"'
NPM = ROOT / ".ci/npm"
NODE = "Node and the packages in .ci/npm (--install)"
GENERATOR = "openapi-generator-cli version"
MAVEN = f'mvn --quiet --batch-mode --file "{ROOT}/.ci/kotlin/pom.xml" -Dfolder="$PWD" compile exec:java # put.kt'
CLIENTS = {  # by the heading of the section
    "curl": CURL,
    "curl with files": CURL,
    "Python requests": Client("the package requests", f'{PYTHON} -c "import requests"', f"{PYTHON} put.py"),
    "Python httpx": Client("the package httpx", f'{PYTHON} -c "import httpx"', f"{PYTHON} put.py"),
    "Node fetch": Client("Node 18", 'node -e "new FormData()"', "node put.mjs"),
    "axios": Client(NODE, f"test -d {NPM}/node_modules", "node put.cjs"),
    "Go": Client("Go", "go version", "go run put.go", GO),
    "Java": Client("Java 17", "java --version", "java Put.java", JAVA),
    "PHP": Client("PHP and its extension curl", PHP, "php put.php"),
    "Ruby": Client("Ruby", "ruby --version", "ruby put.rb"),
    "Kotlin": Client("Java 17 and Maven", "java --version && mvn --version", MAVEN, KOTLIN, is_slow=True),
    "openapi-python-client": Client(
        "openapi-python-client", "openapi-python-client --version", f"{PYTHON} put.py", is_slow=True
    ),
    "openapi-generator, Go": Client(
        "openapi-generator-cli and Go", f"{GENERATOR} && go version", "go run put.go", GENERATED_GO, is_slow=True
    ),
    "openapi-fetch": Client(NODE, f"test -d {NPM}/node_modules", "node put.mts", is_slow=True),
    "openapi-generator, typescript-fetch": Client(
        f"openapi-generator-cli, {NODE}", f"{GENERATOR} && test -d {NPM}/node_modules", "tsx put.ts", is_slow=True
    ),
}
REPLAYED, UNTRIED = ".NET", "Swift"


def sections(document: str) -> dict[str, dict[str, str]]:
    """The code of each section by its language: the blocks, one after the other."""
    code = {}
    for section in re.split(r"^## ", document, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for _, block in blocks:
            lines = block.splitlines()
            if len(lines) > LINES or max(map(len, lines)) > COLUMNS:
                sys.exit(f"docs/clients.md: over {LINES} lines or {COLUMNS} columns: the block of {lines[0]!r}")
        if blocks:
            code[section.splitlines()[0]] = by_language = {}
            for language, block in blocks:
                by_language[language] = by_language.get(language, "") + block
    if difference := code.keys() ^ {*CLIENTS, REPLAYED, UNTRIED}:
        sys.exit(f"docs/clients.md and .ci/clients.py differ in {', '.join(difference)}")
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


def run(client: Client, code: dict[str, str], url: str, folder: Path) -> str:
    """Runs the section's shell block, if it has one, and then its program."""
    shutil.copy(ROOT / "openapi.yaml", folder)
    (folder / "package.json").write_text('{ "type": "module" }')
    (folder / "node_modules").symlink_to(NPM / "node_modules")
    commands = ["sh -e put.sh"] if "sh" in code else []
    for language, block in code.items():
        if language == "sh":
            (folder / "put.sh").write_text(block)
        else:
            (folder / client.command.split()[-1]).write_text(client.around % block)
            commands.append(client.command)
    path = f"{NPM}/node_modules/.bin:{os.environ['PATH']}"
    environment = os.environ | {"URL": url, "KEY": KEY, "no_proxy": "127.0.0.1", "PATH": path}
    with open(folder / "output", "w") as to:
        command = " && ".join(commands)
        subprocess.run(command, shell=True, cwd=folder, env=environment, stdout=to, stderr=to, timeout=300)
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


def problem(client: Client | None, code: dict[str, str], size: int, folder: Path) -> str:
    """What goes wrong with the block, or nothing."""
    sent = {field: jpeg(size // len(IMAGES)) for field in IMAGES}
    for field, image in sent.items():
        (folder / IMAGES[field]).write_bytes(image)
    with stack(folder / "data") as url:
        try:
            output = run(client, code, url, folder) if client else replay(code["csharp"], url, folder)
        except (OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            return f"\n{error!r}"
    stored = [(path.parent.name, path.read_bytes()) for path in folder.glob("data/s3/*/*/demo-submission/*/*")]
    if SUCCESS in output and sorted(stored) == sorted(sent.items()):
        return ""
    return f"\n{output}\nstored: {', '.join(f'{field}, {len(image)} bytes' for field, image in stored) or 'nothing'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install the packages that .ci/npm names")
    parser.add_argument("--may-skip", metavar="HEADING,HEADING", help="fail if another client's tools are missing")
    options = parser.parse_args()
    may_skip = options.may_skip.split(",") if options.may_skip else list(CLIENTS)
    if unknown := set(may_skip).difference(CLIENTS):
        parser.error(f"no client has the heading {', '.join(unknown)}")
    code = sections((ROOT / "docs/clients.md").read_text())
    subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT, check=True)
    if options.install:
        subprocess.run(["npm", "install", "--silent", "--no-package-lock", "--prefix", NPM], check=True)
    results = []

    def report(heading: str, size: str, result: str, note: str = "") -> None:
        results.append(result)
        print(f"{heading:36}{size:>7}  {result}{note}", flush=True)

    with tempfile.TemporaryDirectory() as top:
        for heading, client in [*CLIENTS.items(), (REPLAYED, None)]:
            if client and subprocess.run(client.probe, shell=True, cwd=top, capture_output=True).returncode:
                report(heading, "", "skipped" if heading in may_skip else "FAILED", f": needs {client.needs}")
                continue
            for size, total in SIZES.items():
                if client and client.is_slow and total != max(SIZES.values()):
                    continue
                folder = Path(top, heading, size)
                folder.mkdir(parents=True)
                wrong = problem(client, code[heading], total, folder)
                replayed = "" if client else " (a replay of the bytes that .NET writes)"
                report(heading, size, "FAILED" if wrong else "ok", replayed + wrong)
    report(UNTRIED, "", "skipped", ": nobody has tried it")
    passed, failed, skipped = map(results.count, ("ok", "FAILED", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
