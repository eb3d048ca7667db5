"""Runs the commands of docs/developing.md for .ci/sam-local: each event of events/ gets its documented response."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER, OPTIONS = Path(sys.argv[1]), sys.argv[2:]
README = (ROOT / "README.md").read_text()
ROWS = re.findall(r"^\| \d+ \| (\d+) \| `(\w+)` \| `([^`]+)`", README, re.MULTILINE)
DRAWINGS = {"idImage": "front.jpg", "idBackImage": "back.png", "selfieImage": "selfie.jpg", "addressImage": "address.png"}
LOCAL = f"cargo run --quiet --locked --bin local -- {{}} --data {FOLDER}/stack"
INVOKE = ["sam", "local", "invoke", *OPTIONS, "-e"]
PUT = "events/put-image.json"
FILES = {"AWS_CONFIG_FILE": str(FOLDER / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(FOLDER / "credentials")}
KEYS = {"AWS_ACCESS_KEY_ID": "ASIAOFTHECALLER", "AWS_SECRET_ACCESS_KEY": "secret"}
CALLERS = {
    "without credentials": {},
    "with keys": KEYS,
    "with a session": KEYS | {"AWS_SESSION_TOKEN": "token"},
    "with a profile": {"AWS_PROFILE": "caller"},
}


def run(*command, env=os.environ):
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def check(what, is_right, said):
    print("ok     " if is_right else "FAILED ", what, flush=True)
    if not is_right:
        sys.exit(f"{said.stdout}{said.stderr}")


@contextlib.contextmanager
def started(command, says):
    """Starts a command, waits until it says that it is ready, and ends it as Ctrl-C does."""
    log = FOLDER / "command.log"
    # A shell has its background commands ignore Ctrl-C, and so would this one.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, preexec_fn=heed)
    try:
        while says not in log.read_text():
            if process.poll() is not None:
                sys.exit(f"{command}: {log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def documented(event):
    """The status and body that an event's name and README.md promise."""
    if event.startswith("events/put-image"):
        return 200, {"message": "complete to update image."}
    status, code, message = ROWS[int(event.split("-")[1]) - 1]
    return int(status), {"errorCode": code, "message": message}


def responds(said, event):
    try:
        response = json.loads(said.stdout)
        return (response["statusCode"], json.loads(response["body"])) == documented(event)
    except ValueError:
        return False


def check_curl(what, url):
    """README's request, to another URL, stores an image."""
    (curl,) = re.findall(r"^```sh\n(base64 .*?)^```$", README, re.MULTILINE | re.DOTALL)
    before = run(*LOCAL.format("show").split()).stdout
    said = run("sh", "-ec", curl.replace("http://127.0.0.1:8080/v3/Image", url).replace("/tmp/", f"{FOLDER}/"))
    is_right = said.stdout.startswith("HTTP/1.1 200 ") and said.stdout.endswith('{"message":"complete to update image."}')
    check(what, is_right and run(*LOCAL.format("show").split()).stdout != before, said)


def main():
    events = sorted(str(path.relative_to(ROOT)) for name in ("put-image", "error-") for path in ROOT.glob(f"events/{name}*.json"))
    assert (len(events), len(ROWS)) == (15, 10), (events, ROWS)
    stack = LOCAL.format("--docker --port 0 --page-port 0").split()
    with started(stack, "sam local start-api"):
        for event in events:
            said = run(*INVOKE, event)
            check(f"sam local invoke: {event}", responds(said, event), said)
        saved = run(*LOCAL.format(f"show --save {FOLDER}/images").split())
        for field, drawing in DRAWINGS.items():
            stored = FOLDER / "images" / f"{field}{Path(drawing).suffix}"
            is_right = stored.exists() and stored.read_bytes() == (ROOT / "events/images" / drawing).read_bytes()
            check(f"stored: {drawing}", is_right, saved)

        (FOLDER / "credentials").write_text("[caller]\naws_access_key_id = CALLER\naws_secret_access_key = secret\n")
        (FOLDER / "config").write_text("[profile caller]\nregion = eu-central-1\n")
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        # SAM asks it for the account, if there are credentials.
        others |= FILES | {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
        for caller, variables in CALLERS.items():
            said = run(*INVOKE, PUT, env=others | variables)
            check(f"sam local invoke: {caller}", responds(said, PUT), said)
        said = run(*INVOKE, PUT, "--parameter-overrides", "Architecture=x86_64")
        check("sam local invoke: with the architecture", responds(said, PUT), said)

        with started(["sam", "local", "start-api", *OPTIONS], "CTRL+C"):
            check_curl("sam local start-api", "http://127.0.0.1:3000/Image")

        with started("cargo lambda watch --env-file events/local.env".split(), "starting Runtime server"):
            check_curl("cargo lambda watch", "http://127.0.0.1:9000/v3/Image")
            for event in events:
                said = run(*f"cargo lambda invoke --data-file {event} put-image".split())
                check(f"cargo lambda invoke: {event}", responds(said, event), said)

    said = run(*INVOKE, PUT)
    is_right = responds(said, "events/error-10-") and "host.docker.internal:8000" in said.stderr
    check("without the stack: the log names what can't be reached", is_right, said)


if __name__ == "__main__":
    main()
