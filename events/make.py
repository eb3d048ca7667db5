#!/usr/bin/env python3
"""Makes the sample events from events/images and events/records.json, so that nobody edits Base64.

    python3 events/make.py            writes events/*.json
    python3 events/make.py --check    fails if one of them is not what it would write

An event is named by what the function answers: put-image*.json succeed, error-NN-*.json get row NN of
the contract's error table. `cargo run --bin local -- invoke EVENT.json` tries one.
"""

import base64
import json
import sys
from pathlib import Path

EVENTS = Path(__file__).parent
BOUNDARY = "specimen-boundary"
PROJECT, CLOSED, TWIN, _ = json.loads((EVENTS / "records.json").read_text())["projects"]
UNKNOWN_KEY = "demo-key-without-a-project"


def image(name):
    """An image as `base64 -w0` writes it."""
    return base64.b64encode((EVENTS / "images" / name).read_bytes()).decode()


TEXTS = {"submissionId": "demo-submission", "admin": "admin@example.com", "idType": "passport"}
IMAGES = {
    "idImage": image("front.jpg"),
    "idBackImage": image("back.png"),
    "selfieImage": image("selfie.jpg"),
    "addressImage": image("address.png"),
}


def form(fields):
    """A form as `curl --form` writes it."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return "".join(parts) + f"--{BOUNDARY}--\r\n"


def headers(key):
    return {
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        "host": "api.example.com",
        "x-api-key": key,
        "x-forwarded-proto": "https",
    }


def body(text, encoded):
    return {"body": base64.b64encode(text.encode()).decode() if encoded else text, "isBase64Encoded": encoded}


def rest(fields, key=PROJECT["apiKey"], encoded=False):
    """Payload 1.0, as an API Gateway REST API sends it."""
    sent = headers(key)
    return {
        "resource": "/Image",
        "path": "/Image",
        "httpMethod": "PUT",
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "httpMethod": "PUT",
            "identity": {"apiKey": key, "sourceIp": "203.0.113.7"},
            "path": "/v3/Image",
            "requestId": "00000000-0000-4000-8000-000000000000",
            "resourcePath": "/Image",
            "stage": "v3",
        },
        **body(form(fields), encoded),
    }


def http_api(fields, encoded=False):
    """Payload 2.0, as an HTTP API, a function URL or `cargo lambda watch` sends it."""
    return {
        "version": "2.0",
        "routeKey": "PUT /Image",
        "rawPath": "/Image",
        "rawQueryString": "",
        "headers": headers(PROJECT["apiKey"]),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "http": {"method": "PUT", "path": "/Image", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "AbCdEfGhIjKlMnO=",
            "routeKey": "PUT /Image",
            "stage": "$default",
        },
        **body(form(fields), encoded),
    }


def without(fields, *names):
    return {name: value for name, value in fields.items() if name not in names}


def events():
    all_fields = TEXTS | IMAGES
    front = TEXTS | {"idImage": IMAGES["idImage"]}
    selfie = TEXTS | {"selfieImage": IMAGES["selfieImage"]}
    cut = IMAGES["idImage"][: len(IMAGES["idImage"]) // 8 * 4]
    return {
        "put-image": rest(all_fields),
        "put-image-base64": rest(all_fields, encoded=True),
        "put-image-one": rest(without(selfie, "idType")),
        "put-image-http-api": http_api(all_fields),
        "put-image-http-api-base64": http_api(all_fields, encoded=True),
        "error-01-invalid-payload": rest(front | {"idImage": cut}),
        "error-02-missing-data": rest(without(selfie, "submissionId")),
        "error-03-unknown-project": rest(selfie, key=UNKNOWN_KEY),
        "error-04-inactive-project": rest(selfie | {"submissionId": "closed-submission"}, key=CLOSED["apiKey"]),
        "error-05-invalid-admin": rest(selfie | {"admin": "nobody@example.com"}),
        "error-06-invalid-submission": rest(selfie | {"submissionId": "closed-submission"}),
        "error-07-no-image": rest(TEXTS),
        "error-08-missing-id-type": rest(without(front, "idType")),
        "error-09-invalid-id-type": rest(selfie | {"idType": "library_card"}),
        "error-10-processing-error": rest(selfie, key=TWIN["apiKey"]),
    }


def lines(value, depth=2, newline="\n"):
    """JSON with a line for each member of the event, and for each member of these."""
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value)
    inner = newline + "  "
    members = (f"{inner}{json.dumps(name)}: {lines(member, depth - 1, inner)}" for name, member in value.items())
    return "{" + ",".join(members) + newline + "}"


def main():
    stale = []
    for name, event in events().items():
        path = EVENTS / f"{name}.json"
        text = lines(event) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        sys.exit(f"stale, run python3 events/make.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
