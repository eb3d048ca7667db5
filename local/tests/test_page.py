"""The page of the local stack in a real browser: Debian's Chromium, driven by Playwright.

    pip install -r .ci/requirements.txt && pytest local/tests/test_page.py

AXE is the path of axe-core's axe.min.js. SCREENSHOT=docs/page.png retakes the docs' picture.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
if not CHROMIUM and not os.environ.get("CI"):
    pytest.skip("no browser: apt-get install chromium", allow_module_level=True)

import boto3
import httpx
from PIL import Image
from playwright.sync_api import expect, sync_playwright

expect.set_options(timeout=20_000)

KEY = "demo-key-for-the-local-stack"
FIELDS = ["idImage", "idBackImage", "selfieImage", "addressImage"]
MISTAKES = [*"1112345678", "9", "10", "–", "–", "–"]
SCRIPT = "<script>document.title = 'it ran'; window.itRan = true</script>"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{SCRIPT}</svg>".encode()
SELFIE, LETTER = ((ROOT / "events/images" / name).read_bytes() for name in ("selfie.jpg", "address.png"))


class Site:
    """A stack of a test's own, with its gateway and its page."""

    def __init__(self, process):
        greeting = ""
        while "Then look at it" not in greeting:
            line = process.stdout.readline()
            assert line, f"the stack has not started: {greeting}"
            greeting += line
        # So that what it prints doesn't hold it up.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        self.process = process
        self.api, self.page, dynamodb, s3 = re.findall(r"http://127\.0\.0\.1:\S+", greeting)[:4]
        session = boto3.Session("local", "local-secret", region_name="us-east-1")
        self.submissions = session.resource("dynamodb", endpoint_url=dynamodb).Table("submissions")
        self.bucket = session.resource("s3", endpoint_url=s3).Bucket("images-000000000000-us-east-1")

    def record(self):
        return self.submissions.get_item(Key={"submissionId": "demo-submission"}, ConsistentRead=True)["Item"]

    def put_selfie(self, image):
        """Puts a selfie to the gateway, as another client than the page."""
        fields = {"submissionId": "demo-submission", "admin": "second@example.com"}
        fields["selfieImage"] = base64.b64encode(image).decode()
        form = {name: (None, value) for name, value in fields.items()}
        assert httpx.put(self.api, headers={"x-api-key": KEY}, files=form).status_code == 200

    def store_selfie(self, content, content_type):
        """Stores an object behind the function's back, and has the record name it."""
        key = "demo-project/demo-submission/selfieImage/5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.jpg"
        self.bucket.put_object(Key=key, Body=content, ContentType="image/svg+xml")
        image = {"key": key, "contentType": content_type, "sha256": hashlib.sha256(content).hexdigest()}
        image |= {"size": len(content), "width": 9, "height": 9, "updatedAt": "2026-11-25T08:00:00Z", "updatedBy": "x"}
        self.submissions.put_item(Item=self.record() | {"selfieImage": image})

    def get(self, path, **query):
        response = httpx.get(f"{self.page}/{path}", params=query or None)
        assert_harmless(response)
        return response

    def selfie(self):
        return self.get("image", id="demo-submission", field="selfieImage")


def assert_harmless(response):
    for name, value in {
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }.items():
        assert response.headers[name] == value
    assert "access-control-allow-origin" not in response.headers


@pytest.fixture(scope="session")
def binary():
    build = ["cargo", "build", "--locked", "--bin", "local", "--message-format=json-render-diagnostics"]
    messages = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.splitlines()
    return next(path for line in messages if (path := json.loads(line).get("executable")))


@pytest.fixture
def site(binary, tmp_path):
    ports = [f"--{name}=0" for name in ("port", "page-port", "dynamodb-port", "s3-port")]
    with subprocess.Popen([binary, *ports, "--data", tmp_path / "data"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Site(process)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # A container's /dev/shm is small.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 1500}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 1500}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


@contextlib.contextmanager
def opened(browser, url, view="light"):
    """Opens a window, and fails if any script but the page's own has run in it."""
    with browser.new_context(**VIEWS[view]) as context:
        page = context.new_page()
        page.goto(url)
        yield page
        assert_nothing_ran(page)


def assert_nothing_ran(page):
    assert page.evaluate("[document.title === 'it ran', window.itRan === true]") == [False, False]


@pytest.fixture
def page(browser, site):
    with opened(browser, site.page) as page:
        expect_ready(page)
        yield page


def expect_ready(page):
    expect(page.locator("#live")).to_have_text("● live")
    expect(page.locator("#mistakes button")).to_have_count(len(MISTAKES))


def expect_pictures(page, count):
    """Waits until so many of the stored images are loaded."""
    page.wait_for_function(
        """count => {
            const images = [...document.querySelectorAll("#images img")];
            return images.length === count && images.every(image => image.naturalWidth);
        }""",
        arg=count,
    )


def send(page):
    page.get_by_role("button", name="Put the images").click()


def answered(page, text):
    expect(page.locator("#answer")).to_contain_text(text)


def test_puts_four_images_and_shows_them(page, site):
    send(page)
    answered(page, "200 in ")
    answered(page, '{"message":"complete to update image."}')
    expect_pictures(page, 4)
    record = site.record()
    for picture, field in zip(page.locator("#images figure").all(), FIELDS):
        image = record[field]
        for text in [image["sha256"], f"{image['width']} × {image['height']}", f"{image['size']:,}", "by Admin@Example.com"]:
            expect(picture).to_contain_text(text)
    page.get_by_text("Record").click()
    assert json.loads(page.locator("#record").inner_text()) == record


def test_shows_why_a_file_is_refused(page, site):
    page.set_input_files("#selfieImage", {"name": "x.gif", "mimeType": "image/gif", "buffer": b"GIF89a\1\0\1\0\0\0\0;"})
    expect(page.locator("#slots")).to_contain_text("x.gif, 14")
    send(page)
    answered(page, "400 in ")
    answered(page, '{"errorCode":"invalid_payload","message":"Fail to parse the input data."}')
    answered(page, "x-error-detail: selfieImage: a GIF; send a JPEG or PNG")
    expect(page.locator("#log")).to_contain_text("selfieImage: a GIF; send a JPEG or PNG")
    assert "selfieImage" not in site.record()


def test_takes_a_file_that_is_dropped_also_when_it_has_changed(page, site, tmp_path):
    file = tmp_path / "dropped.jpg"
    slot = page.locator(".drop").first
    devtools = page.context.new_cdp_session(page)
    for content in (SELFIE, LETTER):
        file.write_bytes(content)
        box = slot.bounding_box()
        for kind in ("dragEnter", "dragOver", "drop"):
            data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
            drag = {"type": kind, "x": box["x"] + 20, "y": box["y"] + 40, "data": data}
            devtools.send("Input.dispatchDragEvent", drag)
        expect(slot).to_contain_text(f"dropped.jpg, {len(content):,}")
        send(page)
        answered(page, "200 in ")
        assert site.record()["idImage"]["sha256"] == hashlib.sha256(content).hexdigest()
        page.locator("#mistakes button").first.click()
        answered(page, "400 in ")


def test_takes_a_file_again_when_it_has_changed(page, site, tmp_path):
    file = tmp_path / "chosen.jpg"
    for content in (SELFIE, LETTER):
        file.write_bytes(content)
        page.set_input_files("#idImage", file)
        expect(page.locator(".drop").first).to_contain_text(f"chosen.jpg, {len(content):,}")
    send(page)
    answered(page, "200 in ")
    assert site.record()["idImage"]["sha256"] == hashlib.sha256(LETTER).hexdigest()


def test_works_by_keyboard(page, site):
    page.get_by_label("API key").focus()
    for name in ("ID front", "ID back"):
        for _ in ("the file", "the button to leave it out"):
            page.keyboard.press("Tab")
        leave_out = page.get_by_role("button", name=f"Leave out: {name}")
        expect(leave_out).to_be_focused()
        page.keyboard.press("Enter")
        expect(leave_out).to_be_hidden()
    for _ in ("selfie", "leave it out", "address", "leave it out", "put"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    answered(page, "200 in ")
    assert site.record().keys() & set(FIELDS) == {"selfieImage", "addressImage"}


def test_each_mistake_gets_the_answer_that_it_names(page, site):
    rows = []
    for mistake in page.locator("#mistakes button").all():
        row, label, code = mistake.inner_text().split("\n")
        mistake.click()
        expect(page.locator("#answer strong")).to_have_text(label)
        answer = json.loads(page.locator("#answer pre").first.inner_text())
        assert answer.get("errorCode", answer["message"]) == code, label
        rows.append(row)
    assert rows == MISTAKES
    assert len(site.record()) == 2, "something was put"


def test_two_puts_at_once_leave_one_set(page, site):
    page.get_by_role("button", name="Two puts at once").click()
    answered(page, "All four images are of one put")
    expect(page.locator("#answer b.good")).to_have_count(2)
    expect_pictures(page, 4)
    record = site.record()
    assert len({record[field]["contentType"] for field in FIELDS}) == 1, record


def test_shows_what_others_put_without_a_reload(page, site):
    page.evaluate("window.isTheSame = true")
    site.put_selfie(SELFIE)
    expect(page.locator("#log")).to_contain_text("200 ok")
    expect(page.locator("#images")).to_contain_text(f"JPEG, 240 × 300, {len(SELFIE):,}")
    expect(page.locator("#images")).to_contain_text("by second@example.com")
    site.put_selfie(LETTER)
    expect(page.locator("#images")).to_contain_text(f"PNG, 300 × 424, {len(LETTER):,}")
    expect(page.locator("#log .bar").first).to_have_accessible_name(
        re.compile("decode .* ms, read .* ms, upload .* ms, commit .* ms")
    )
    assert page.evaluate("window.isTheSame")


def test_says_what_is_wrong_and_goes_on(page, site):
    page.get_by_label("Submission").fill("none")
    page.keyboard.press("Tab")
    expect(page.locator("#shown")).to_have_text("no such submission")
    page.get_by_label("Submission").fill("demo-submission")
    page.keyboard.press("Tab")
    expect(page.locator("#shown")).to_have_text("demo-submission")
    # A record that no function writes.
    site.submissions.put_item(Item=site.record() | {"selfieImage": {"key": "k", "width": {"toString": "", "valueOf": ""}}})
    page.locator("#mistakes button").first.click()
    expect(page.locator("#shown")).to_contain_text("Cannot convert")
    send(page)
    expect(page.locator("#shown")).to_have_text("demo-submission")
    expect_pictures(page, 4)
    site.process.kill()
    expect(page.locator("#live")).to_have_text("○ the local stack doesn't answer")
    send(page)
    answered(page, "the local stack doesn't answer")


def test_lists_the_last_hundred_requests_the_newest_first(browser, site):
    with httpx.Client() as client:
        for number in range(101):
            client.get(f"{site.api}/{number}")
        with opened(browser, site.page) as page:
            lines = page.locator("#log li")
            expect(lines).to_have_count(100)
            expect(lines.first).to_contain_text("/100, ")
            expect(lines.last).to_contain_text("/1, ")
            client.get(f"{site.api}/101")
            expect(lines.first).to_contain_text("/101, ")
            expect(lines).to_have_count(100)


@pytest.mark.parametrize("view", VIEWS)
def test_breaks_no_rule_of_accessibility(browser, site, view):
    if "AXE" not in os.environ and not os.environ.get("CI"):
        pytest.skip("AXE is not the path of axe-core's axe.min.js")
    site.put_selfie(SELFIE)
    with opened(browser, site.page, view) as page:
        expect_ready(page)
        expect_pictures(page, 1)
        page.locator("#mistakes button").first.click()
        answered(page, "400 in ")
        page.get_by_text("Record").click()
        page.evaluate(Path(os.environ["AXE"]).read_text())
        violations = page.evaluate("axe.run().then(run => run.violations.map(({ id, nodes }) => [id, nodes[0].html]))")
        assert violations == []
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond == 0, "something is wider than the window"


@pytest.mark.skipif("SCREENSHOT" not in os.environ, reason="SCREENSHOT is not a file to write")
def test_takes_a_screenshot(page):
    # Later ones stand above: the watched requests end with the GIF's.
    for mistake in reversed(page.locator("#mistakes button").all()[1:]):
        mistake.click()
        expect(page.locator("#answer strong")).not_to_contain_text("…")
    send(page)
    expect_pictures(page, 4)
    page.locator("#mistakes button").first.click()
    expect(page.locator("#log li")).to_have_count(len(MISTAKES) + 1)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256)
    picture.save(ROOT / os.environ["SCREENSHOT"], optimize=True)


def test_a_polyglot_jpeg_is_a_picture(browser, page, site):
    # In a comment after the first marker, and after the end.
    script = SCRIPT.encode()
    comment = b"\xff\xfe" + (len(script) + 2).to_bytes(2) + script
    polyglot = SELFIE[:2] + comment + SELFIE[2:] + b"<html>" + script
    page.set_input_files("#idImage", {"name": "polyglot.jpg", "mimeType": "image/jpeg", "buffer": polyglot})
    send(page)
    expect_pictures(page, 4)
    image = site.get("image", id="demo-submission", field="idImage")
    assert image.content == polyglot
    assert image.headers["content-type"] == "image/jpeg"
    assert image.headers["content-disposition"] == 'inline; filename="idImage.jpg"'
    with opened(browser, str(image.url)) as window:
        expect(window.locator("img")).to_have_js_property("naturalWidth", 240)


def test_an_svg_is_not_stored_and_runs_nothing_in_its_preview(page, site):
    page.set_input_files("#selfieImage", {"name": "x.svg", "mimeType": "image/svg+xml", "buffer": SVG})
    expect(page.locator(".drop img").nth(2)).to_have_js_property("naturalWidth", 9)
    with page.expect_popup() as popup:
        page.evaluate("open(document.querySelectorAll('.drop img')[2].src)")
    popup.value.wait_for_selector("svg")
    assert_nothing_ran(popup.value)
    send(page)
    answered(page, "selfieImage: an SVG; send a JPEG or PNG")
    assert "selfieImage" not in site.record()


def test_an_svg_in_the_storage_is_not_shown_and_runs_nothing(browser, site):
    site.store_selfie(SVG, "image/svg+xml")
    assert (site.selfie().status_code, site.selfie().text) == (502, "selfieImage's contentType is of no image")
    # One that claims to be a JPEG is a broken picture.
    site.store_selfie(SVG, "image/jpeg")
    image = site.selfie()
    assert image.headers["content-type"] == "image/jpeg"
    with opened(browser, str(image.url)):
        pass
    with opened(browser, site.page) as page:
        expect(page.locator("#images")).to_contain_text("can't be shown")


def test_an_object_that_is_not_what_the_record_says_is_not_shown(site):
    site.put_selfie(SELFIE)
    site.bucket.put_object(Key=site.record()["selfieImage"]["key"], Body=LETTER)
    assert (site.selfie().status_code, "its SHA-256 differs" in site.selfie().text) == (502, True)


def test_only_what_the_record_names_is_an_image(site):
    site.put_selfie(SELFIE)
    named = "demo-submission"
    for submission, field in [(named, "idImage"), (named, "updatedBy"), (named, ""), ("none", "selfieImage")]:
        assert site.get("image", id=submission, field=field).status_code == 404
    for submission in ("", "\x01", "a" * 3000, "../demo-submission", '"'):
        assert site.get("submission", id=submission).status_code == 404
    another = site.record() | {"submissionId": "another"}
    site.submissions.put_item(Item=another)
    refused = site.get("image", id="another", field="selfieImage")
    assert (refused.status_code, "not this submission's" in refused.text) == (502, True)


def test_every_answer_is_harmless(site):
    site.put_selfie(SELFIE)
    assert site.selfie().status_code == 200
    for path, status in {
        "demo": 200,
        "samples/front.jpg": 200,
        "samples/none": 404,
        "submission?id=demo-submission": 200,
        "submission": 400,
        "none": 405,
    }.items():
        assert site.get(path).status_code == status
    for method, path, status in [("HEAD", "/demo", 200), ("POST", "/demo", 405), ("PUT", "/v3/Images", 403)]:
        response = httpx.request(method, site.page + path)
        assert response.status_code == status
        assert_harmless(response)
    with httpx.stream("GET", f"{site.page}/events") as events:
        assert events.status_code == 200
        assert_harmless(events)


def test_other_names_and_other_origins_are_refused(site):
    port = httpx.URL(site.page).port
    refused = [
        (421, {"host": "evil.example"}),
        (421, {"host": f"evil.example:{port}"}),
        (421, {"host": "127.0.0.1"}),
        (421, {"host": "127.0.0.1:1"}),
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": "null"}),
        (403, {"origin": f"http://localhost:{port}"}),
        (403, {"sec-fetch-site": "cross-site"}),
        (403, {"sec-fetch-site": "same-site"}),
    ]
    asked = ["GET ", "GET demo", "GET events", "GET samples/front.jpg", "GET submission?id=demo-submission"]
    asked += ["GET image?id=demo-submission&field=idImage", "PUT v3/Image", "OPTIONS v3/Image"]
    with httpx.Client() as client:
        for status, headers in refused:
            for method, path in (words.split(" ") for words in asked):
                response = client.request(method, f"{site.page}/{path}", headers=headers)
                assert response.status_code == status, (method, path, headers)
                assert_harmless(response)
        for name in ("127.0.0.1", "localhost"):
            host = f"{name}:{port}"
            headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
            assert client.get(site.page, headers=headers).status_code == 200, host


def test_another_site_gets_nothing_from_a_browser(browser, site):
    # The gateway's answer under another name: a document of another site, which may ask whom it likes.
    with opened(browser, site.api.replace("127.0.0.1", "localhost")) as page:
        got = page.evaluate(
            """async page => {
                const image = new Image();
                image.src = `${page}/samples/front.jpg`;
                const opaque = { mode: "no-cors" };
                // The last asks the gateway, to see that asking works.
                const asked = [fetch(`${page}/demo`), fetch(`${page}/demo`, opaque), image.decode(), fetch(location, opaque)];
                return (await Promise.allSettled(asked)).map(({ status }) => status);
            }""",
            site.page,
        )
        assert got == ["rejected", "rejected", "rejected", "fulfilled"]


def test_the_page_runs_only_its_own_script(page, site):
    policy = httpx.get(site.page).headers["content-security-policy"]
    for rule in ("default-src 'none'; ", "base-uri 'none'; ", "form-action 'none'; ", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    page.evaluate(
        """script => {
            const element = document.createElement("script");
            element.textContent = script;
            document.body.append(element);
        }""",
        "window.itRan = true",
    )
