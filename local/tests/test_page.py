"""The page of the local stack in a real browser: Debian's Chromium, driven by Playwright.

    pip install -r .ci/requirements.txt && pytest local/tests/test_page.py

AXE is the path of axe-core's axe.min.js. SCREENSHOT=docs/page.png retakes README's picture. SCREENSHOTS is a folder for a
picture of each state.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import random
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
LABELS = ["ID front", "ID back", "Selfie", "Address"]
MISTAKES = [*"1112345678", "9", "10", "–", "–", "–"]
SCRIPT = "<script>document.title = 'it ran'; window.itRan = true</script>"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{SCRIPT}</svg>".encode()
HEIC = b"\0\0\0\x18ftypheic" + bytes(1000)
SELFIE, LETTER = ((ROOT / "events/images" / name).read_bytes() for name in ("selfie.jpg", "address.png"))


def large_png(size):
    """A PNG of a size, whose pixels are noise."""
    side = int((size / 3) ** 0.5)
    image = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(3 * side * side))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0)
    return file.getvalue()


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
        """Stores an object without the function, and has the record name it."""
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
    f"{device}, {scheme}": {**window, "color_scheme": scheme}
    for device, window in {
        "desktop": {"viewport": {"width": 1280, "height": 900}},
        "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    }.items()
    for scheme in ("light", "dark")
}


@contextlib.contextmanager
def opened(browser, url, view="desktop, light"):
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


def expect_no_broken_picture(page):
    """Waits until each picture that is to be seen is one."""
    page.wait_for_function(
        "() => [...document.images].filter(image => image.checkVisibility()).every(image => image.complete && image.naturalWidth)"
    )


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def send(page):
    button(page, "Send").click()


def responded(page, text):
    expect(page.locator("#response")).to_contain_text(text)
    expect(button(page, "Send")).to_be_enabled()


def choose(page, field, name, content):
    page.set_input_files(f"#{field}", {"name": name, "mimeType": "application/octet-stream", "buffer": content})


def slot(page, field):
    return page.locator(".slot").nth(FIELDS.index(field))


def drag(page, kinds, files, target):
    """Drags files over an element, as the system does."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    devtools = page.context.new_cdp_session(page)
    for kind in kinds:
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": data})


def drop(page, files, target):
    drag(page, ["dragEnter", "dragOver", "drop"], files, target)


def slow_down(page, upload):
    """Has the browser upload only so many bytes a second."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
    devtools.send("Network.emulateNetworkConditions", conditions)


def start_slow_upload(page, upload=100_000):
    """Sends 4 MB so slowly that it is under way for as long as a test needs, and waits until something was sent."""
    slow_down(page, upload)
    choose(page, "selfieImage", "large.png", large_png(4_000_000))
    expect(slot(page, "selfieImage")).to_contain_text("4.0 MB · large.png")
    send(page)
    expect(page.locator("#note")).to_contain_text(re.compile(r"^[0-9.]+.(KB|MB) of 5\.4.MB sent, as Base64$"))


def test_sends_four_images_and_shows_them(page, site):
    send(page)
    responded(page, "200 in ")
    responded(page, '{"message":"complete to update image."}')
    expect_pictures(page, 4)
    record = site.record()
    for picture, field in zip(page.locator("#images figure").all(), FIELDS):
        image = record[field]
        size = f"{float(image['size']) / 1000:.1f}\u00a0KB"
        for text in [image["sha256"], f"{image['width']} × {image['height']}", size, "by Admin@Example.com"]:
            expect(picture).to_contain_text(text)
    page.get_by_text("Record").click()
    assert json.loads(page.locator("#record").inner_text()) == record


def test_shows_why_a_file_is_refused(page, site):
    choose(page, "selfieImage", "x.gif", b"GIF89a\1\0\1\0\0\0\0;")
    expect(page.locator("#slots")).to_contain_text("14\u00a0B · x.gif")
    send(page)
    responded(page, "400 in ")
    responded(page, '{"errorCode":"invalid_payload","message":"Fail to parse the input data."}')
    responded(page, "x-error-detail: selfieImage: a GIF; send a JPEG or PNG")
    expect(page.locator("#log")).to_contain_text("selfieImage: a GIF; send a JPEG or PNG")
    assert "selfieImage" not in site.record()


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("photo.heic", HEIC, "Selfie: HEIC won't pass, only JPEG and PNG do."),
        ("renamed.jpg", HEIC, "Selfie: HEIC won't pass, only JPEG and PNG do."),
        ("empty.jpg", b"", "Selfie: this file won't pass, only JPEG and PNG do."),
        ("large.jpg", SELFIE + bytes(4_800_000), "4.8 MB in all won't pass: about 4.7 MB of images fit into a request."),
        ("good.jpg", SELFIE, "4 images, 27.4 KB in all"),
    ],
    ids=["a HEIC", "a HEIC by another name", "an empty file", "too much", "what passes"],
)
def test_says_before_sending_what_will_not_pass(page, name, content, advice):
    choose(page, "selfieImage", name, content)
    expect(page.locator("#note")).to_have_text(advice)
    button(page, "Leave out: Selfie").click()
    expect(page.locator("#note")).to_have_text("3 images, 21.6 KB in all")


def test_an_image_that_the_browser_cannot_open_is_no_broken_picture(page):
    choose(page, "idImage", "photo.heic", HEIC)
    choose(page, "idBackImage", "half.png", LETTER[:40])
    choose(page, "selfieImage", "notes.txt", b"Buy milk.")
    button(page, "Leave out: Address").click()
    for label, text in zip(LABELS, ["previewed (HEIC)", "previewed (PNG)", "previewed (no JPEG or PNG)", "Choose, drop or paste"]):
        expect(page.locator(".slot", has_text=label)).to_contain_text(text)
    expect(page.locator(".slot img")).to_have_count(0)


def test_a_file_that_is_gone_is_said_to_be(page, tmp_path):
    file = tmp_path / "gone.jpg"
    file.write_bytes(SELFIE)
    page.set_input_files("#idImage", file)
    expect(slot(page, "idImage")).to_contain_text("gone.jpg")
    file.unlink()
    send(page)
    responded(page, "gone.jpg can't be read: choose it again.")


@pytest.mark.parametrize("name", ["Send", "Send two at once"])
def test_a_key_that_no_header_can_carry_is_not_sent(page, name):
    page.get_by_label("API key").fill("ключ")
    button(page, name).click()
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.locator("#response")).to_have_text("The response appears here.")


def test_takes_a_file_that_is_dropped_also_when_it_has_changed(page, site, tmp_path):
    file = tmp_path / "dropped.jpg"
    for content in (SELFIE, LETTER):
        file.write_bytes(content)
        drop(page, [file], slot(page, "idBackImage"))
        expect(slot(page, "idBackImage")).to_contain_text(f"{len(content) / 1000:.1f}\u00a0KB · dropped.jpg")
        send(page)
        responded(page, "200 in ")
        assert site.record()["idBackImage"]["sha256"] == hashlib.sha256(content).hexdigest()
        page.locator("#mistakes button").first.click()
        responded(page, "400 in ")


def test_takes_a_file_again_when_it_has_changed(page, site, tmp_path):
    file = tmp_path / "chosen.jpg"
    for content in (SELFIE, LETTER):
        file.write_bytes(content)
        page.set_input_files("#idImage", file)
        expect(slot(page, "idImage")).to_contain_text(f"{len(content) / 1000:.1f}\u00a0KB · chosen.jpg")
    send(page)
    responded(page, "200 in ")
    assert site.record()["idImage"]["sha256"] == hashlib.sha256(LETTER).hexdigest()


def test_asks_for_jpegs_and_pngs(page):
    for field in FIELDS:
        expect(page.locator(f"#{field}")).to_have_attribute("accept", "image/jpeg,image/png")


def names(page):
    return [text.split(" · ")[-1] for text in page.locator(".slot small").all_inner_texts()]


def test_takes_several_files_at_once(page, tmp_path):
    files = [tmp_path / f"{number}.jpg" for number in range(5)]
    for file in files:
        file.write_bytes(SELFIE)
    drop(page, files[:2], slot(page, "selfieImage"))
    expect(slot(page, "addressImage")).to_contain_text("1.jpg")
    assert names(page) == ["front.jpg", "back.png", "0.jpg", "1.jpg"]
    # Beside the slots: the first empty one, and on from there.
    button(page, "Leave out: ID back").click()
    drop(page, files[2:4], page.locator("h1"))
    expect(slot(page, "selfieImage")).to_contain_text("3.jpg")
    assert names(page) == ["front.jpg", "2.jpg", "3.jpg", "1.jpg"]
    drop(page, files, page.locator("h1"))
    expect(page.locator("#note")).to_have_text("5 files: only the first 4 were taken.")
    assert names(page) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_highlights_the_slot_that_a_dragged_file_is_for(page, tmp_path):
    file = tmp_path / "dragged.jpg"
    file.write_bytes(SELFIE)
    for field in ("addressImage", "idImage"):
        drag(page, ["dragEnter", "dragOver"], [file], slot(page, field))
        expect(page.locator(".drop.over")).to_contain_text(LABELS[FIELDS.index(field)])
    drag(page, ["drop"], [file], slot(page, "idImage"))
    expect(page.locator(".drop.over")).to_have_count(0)


@pytest.mark.parametrize(("focused", "taken"), [("#selfieImage", "selfieImage"), ("#admin", "idImage")])
def test_takes_a_file_that_is_pasted(page, focused, taken):
    page.locator(focused).focus()
    page.evaluate(
        """() => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File(["\\u0000"], "pasted.png", { type: "image/png" }));
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }"""
    )
    expect(slot(page, taken)).to_contain_text("pasted.png")
    assert names(page).count("pasted.png") == 1


def test_works_by_keyboard(page, site):
    page.get_by_label("API key").focus()
    for name in ("ID front", "ID back"):
        for _ in ("the file", "the button to leave it out"):
            page.keyboard.press("Tab")
        leave_out = button(page, f"Leave out: {name}")
        expect(leave_out).to_be_focused()
        page.keyboard.press("Enter")
        expect(leave_out).to_be_hidden()
    for _ in ("selfie", "leave it out", "address", "leave it out", "send"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    responded(page, "200 in ")
    expect(button(page, "Send")).to_be_focused()
    assert site.record().keys() & set(FIELDS) == {"selfieImage", "addressImage"}


def test_a_slow_upload_shows_how_far_it_is(page, site):
    page.evaluate(
        """() => {
            window.changes = [];
            const look = () => changes.push([
                document.querySelector("#progress").value, document.querySelector("#note").textContent,
                [...document.querySelectorAll("#send, #race, #mistakes button")].every(button => button.ariaDisabled === "true"),
                document.querySelector("#cancel").checkVisibility({ visibilityProperty: true }),
            ]);
            new MutationObserver(look).observe(document.querySelector("#note"), { childList: true });
        }"""
    )
    start_slow_upload(page, 2_000_000)
    responded(page, "200 in ")
    expect_pictures(page, 4)
    # The first is of the choice, the last of the end.
    changes = page.evaluate("changes")[1:-1]
    values = [value for value, *_ in changes]
    assert values == sorted(values)
    assert len({value for value in values if 0 < value < 1}) > 3, values
    assert values[-1] == 1
    assert changes[-1][1] == "5.4\u00a0MB sent, waiting for the response"
    assert all(disabled and cancel for *_, disabled, cancel in changes)
    expect(button(page, "Cancel")).to_be_hidden()
    expect(page.locator("#note")).to_have_text("4 images, 4.0 MB in all")
    assert site.record()["selfieImage"]["contentType"] == "image/png"


def test_an_upload_can_be_canceled_by_keyboard_and_never_responds(page, site):
    button(page, "Send").focus()
    start_slow_upload(page)
    expect(button(page, "Send")).to_be_disabled()
    # Neither Enter in a field nor another click sends a second one.
    page.get_by_label("Administrator").press("Enter")
    page.locator("#mistakes button").first.click(force=True)
    expect(page.locator("#response")).to_have_text("Your request …")
    button(page, "Send").focus()
    for _ in ("send two", "cancel"):
        page.keyboard.press("Tab")
    expect(button(page, "Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    responded(page, "Canceled.")
    expect(button(page, "Send")).to_be_focused()
    expect(page.locator("#log")).to_contain_text("Bad Request, from the gateway")
    assert len(site.record()) == 2, "something was stored"


def test_an_older_response_does_not_replace_a_newer_one(page):
    held = []
    page.route("**/v3/Image", lambda route: held.append(route))
    with page.expect_request("**/v3/Image"):
        send(page)
    button(page, "Cancel").click()
    responded(page, "Canceled.")
    page.unroute("**/v3/Image")
    page.locator("#mistakes button").first.click()
    responded(page, "400 in ")
    with contextlib.suppress(Exception):
        held[0].fulfill(status=200, body="older")
    page.locator("#mistakes button").nth(3).click()
    responded(page, "missing_data")
    expect(page.locator("#response")).not_to_contain_text("older")


def test_an_older_record_does_not_replace_a_newer_one(page):
    held = []
    page.route("**/submission?id=closed-submission", lambda route: held.append(route))
    with page.expect_request("**/submission?id=closed-submission"):
        button(page, "closed-submission").click()
    button(page, "second-submission").click()
    expect(page.locator("#shown")).to_have_text("second-submission")
    with page.expect_response("**/submission?id=closed-submission") as response:
        held[0].continue_()
    response.value.finished()
    # By the time that another response has been read, the page has read the older one.
    page.evaluate("fetch('/demo').then(response => response.text())")
    assert page.locator("#shown").inner_text() == "second-submission"


PLACES = """() => ["#send", "#note", "#response", "#storage", "#images", "#requests", "#wrong"].map(id => {
    const { x, y, width, height } = document.querySelector(id).getBoundingClientRect();
    return [id, x, y + scrollY, width, id === "#requests" ? 0 : height];
})"""


@pytest.mark.parametrize("view", ["desktop, light", "phone, light"])
def test_nothing_jumps(browser, site, view):
    with opened(browser, site.page, view) as page:
        expect_ready(page)
        places = page.evaluate(PLACES)
        page.route("**/v3/Image", lambda route: None)
        send(page)
        expect(button(page, "Cancel")).to_be_visible()
        assert page.evaluate(PLACES) == places, "while it is sent"
        button(page, "Cancel").click()
        page.unroute("**/v3/Image")
        responded(page, "Canceled")
        assert page.evaluate(PLACES) == places, "canceled"
        for name in ("Send two at once", "Send"):
            button(page, name).click()
            responded(page, "200 in ")
            expect_pictures(page, 4)
            # The stored images are above the rest on a phone, so their place is reserved, too.
            assert page.evaluate(PLACES) == places, name


def test_on_a_phone_the_response_and_the_images_follow_the_form(browser, site):
    with opened(browser, site.page, "phone, light") as page:
        tops = [page.locator(id).bounding_box()["y"] for id in ("#form", "#response", "#images", "#mistakes", "#log")]
        assert tops == sorted(tops)


def test_each_mistake_gets_the_response_that_it_names(page, site):
    rows = []
    for mistake in page.locator("#mistakes button").all():
        row, label, code = mistake.inner_text().split("\n")
        mistake.click()
        expect(page.locator("#response strong")).to_have_text(label)
        text = json.loads(page.locator("#response pre").first.inner_text())
        assert text.get("errorCode", text["message"]) == code, label
        from_gateway = "from the gateway" in page.locator("#response").inner_text()
        assert from_gateway == (row == "–"), label
        expect(page.locator("#log li").first).to_contain_text(f"{code}, from the gateway" if row == "–" else code)
        rows.append(row)
    assert rows == MISTAKES
    expect(page.locator("#log b").first).to_have_text("413")
    assert len(site.record()) == 2, "something was stored"


def test_two_requests_at_once_leave_one_set(page, site):
    button(page, "Send two at once").click()
    responded(page, "All four images are from one request")
    expect(page.locator("#response b.good")).to_have_count(2)
    expect_pictures(page, 4)
    record = site.record()
    assert len({record[field]["contentType"] for field in FIELDS}) == 1, record


def test_shows_what_others_store_without_a_reload(page, site):
    page.evaluate("window.isTheSame = true")
    site.put_selfie(SELFIE)
    expect(page.locator("#log")).to_contain_text("200 ok")
    expect(page.locator("#images")).to_contain_text("JPEG, 5.8 KB")
    expect(page.locator("#images")).to_contain_text("by second@example.com")
    site.put_selfie(LETTER)
    expect(page.locator("#images")).to_contain_text("PNG, 3.6 KB")
    assert page.evaluate("window.isTheSame")


def test_the_address_names_the_submission(page, site):
    button(page, "second-submission").click()
    expect(button(page, "second-submission")).to_have_attribute("aria-pressed", "true")
    send(page)
    responded(page, "200 in ")
    expect_pictures(page, 4)
    page.reload()
    expect(page.get_by_label("Submission", exact=True)).to_have_value("second-submission")
    expect(page.locator("#shown")).to_have_text("second-submission")
    expect_pictures(page, 4)
    page.goto(f"{site.page}/?submission=a%26b")
    expect(page.get_by_label("Submission", exact=True)).to_have_value("a&b")
    expect(page.locator("#shown")).to_have_text("no such submission")
    assert page.locator("#submissions button").all_inner_texts() == [
        "demo-submission",
        "second-submission",
        "closed-submission",
        "nobodys-submission",
    ]


def test_says_what_is_wrong_and_goes_on(page, site):
    page.get_by_label("Submission", exact=True).fill("none")
    expect(page.locator("#shown")).to_have_text("no such submission")
    page.get_by_label("Submission", exact=True).fill("demo-submission")
    expect(page.locator("#shown")).to_have_text("demo-submission")
    # A record that no function writes.
    site.submissions.put_item(Item=site.record() | {"selfieImage": {"key": "k", "width": {"toString": "", "valueOf": ""}}})
    page.locator("#mistakes button").first.click()
    expect(page.locator("#shown")).to_contain_text("Cannot convert")
    send(page)
    expect(page.locator("#shown")).to_have_text("demo-submission")
    expect_pictures(page, 4)
    site.process.kill()
    expect(page.locator("#live")).to_have_text("○ the local stack doesn't respond")
    send(page)
    responded(page, "The local stack doesn't respond.")


def test_lists_the_last_fifty_requests_until_they_are_cleared(browser, site):
    with httpx.Client() as client:
        for number in range(51):
            client.get(f"{site.api}/{number}")
        with opened(browser, site.page) as page:
            rows = page.locator("#log li")
            expect(rows).to_have_count(50)
            expect(rows.first).to_contain_text("GET /v3/Image/50")
            expect(rows.last).to_contain_text("GET /v3/Image/1,")
            client.get(f"{site.api}/51")
            expect(rows.first).to_contain_text("GET /v3/Image/51")
            expect(rows).to_have_count(50)
            button(page, "Clear").click()
            expect(rows).to_have_count(0)
            expect(button(page, "Clear")).to_be_disabled()
            page.reload()
            expect_ready(page)
            expect(rows).to_have_count(0)
            client.get(f"{site.api}/52")
            expect(rows).to_have_count(1)


def test_a_request_opens_to_its_details_and_stays_open(page, site):
    mistake = page.locator("#mistakes button", has_text="A fault on our side")
    mistake.click()
    responded(page, "500 in ")
    row = page.locator("#log li").first
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    request_id = re.search("x-amzn-requestid: (.*)", page.locator("#response").inner_text())[1]
    for text in [request_id, "37.3\u00a0KB in, 65\u00a0B out", "The terminal has the cause", "decode ", "read "]:
        expect(row.locator("dl")).to_contain_text(text)
    site.put_selfie(SELFIE)
    expect(page.locator("#log li")).to_have_count(2)
    opened = page.locator("#log li").nth(1)
    expect(opened.locator("dl")).to_be_visible()
    expect(opened.locator("summary")).to_be_focused()


def test_all_bars_have_one_scale(page):
    send(page)
    responded(page, "200 in ")
    page.locator("#mistakes button", has_text="Unknown admin").click()
    responded(page, "invalid_admin")
    page.locator("#mistakes button", has_text="Another path").click()
    responded(page, "Missing Authentication Token")
    expect(page.locator("#log li")).to_have_count(3)
    bars = page.evaluate(
        """() => [...document.querySelectorAll("#log .bar")].map(bar => [
            bar.checkVisibility({ visibilityProperty: true }),
            [...bar.children].map(step => [parseFloat(step.style.getPropertyValue("--ms")), step.getBoundingClientRect().width]),
            bar.getBoundingClientRect().width,
        ])"""
    )
    (gateways, none, _), (_, two, _), (_, four, width) = bars
    assert (gateways, none, len(two), len(four)) == (False, [], 2, 4)
    scale = sum(ms for ms, _ in four)
    for steps in (two, four):
        assert sum(pixels for _, pixels in steps) == pytest.approx(width * sum(ms for ms, _ in steps) / max(scale, sum(ms for ms, _ in two)), abs=1)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")
@pytest.mark.parametrize(("mistake", "status"), [(None, 200), ("A GIF", 400), ("A wrong key", 403)])
def test_a_request_can_be_repeated_by_curl(page, site, tmp_path, mistake, status):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if mistake:
        page.locator("#mistakes button", has_text=mistake).click()
    else:
        page.get_by_label("Administrator").fill("second@example.com")
        send(page)
    responded(page, f"{status} ")
    text = page.locator("#response pre").first.inner_text()
    row = page.locator("#log li").first
    row.locator("summary").click()
    button(row, "Copy as curl").click()
    expect(button(row, "Copied")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    assert f" {site.api} " in command
    for field, image in zip(FIELDS, [SELFIE, LETTER, SELFIE, LETTER]):
        (tmp_path / f"{field}.b64").write_bytes(base64.b64encode(image))
    output = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert f" {status} " in output.splitlines()[0] and output.endswith(text), output
    if not mistake:
        assert site.record()["selfieImage"]["updatedBy"] == "second@example.com"


def test_a_browser_without_the_newest_functions_will_do(browser, site):
    with browser.new_context() as context:
        context.add_init_script("delete Uint8Array.prototype.toBase64; delete Blob.prototype.bytes;")
        page = context.new_page()
        page.goto(site.page)
        expect_ready(page)
        expect(page.locator("#older")).to_be_hidden()
        send(page)
        responded(page, "200 in ")


def older(page, site):
    """Opens the page as a browser does that doesn't know its colors."""
    html = httpx.get(site.page).text.replace("@supports (color: light-dark(red, red))", "@supports (color: unknown(red, red))")
    page.route(f"{site.page}/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(site.page)
    expect_ready(page)
    expect(page.locator("#older")).to_have_text(re.compile("^This page needs a newer browser: Chrome or Edge 123"))
    expect(page.locator("#older")).to_be_visible()


def test_a_page_that_cannot_start_says_so(browser, site):
    with browser.new_context() as context:
        context.add_init_script("delete window.EventSource;")
        page = context.new_page()
        page.goto(site.page)
        expect(page.locator("#older")).to_have_text("The page can't start: EventSource is not defined")
        expect(page.locator("#older")).to_be_visible()


def test_what_is_clicked_is_large_enough(page):
    for remove in page.get_by_role("button", name="Leave out").all():
        box = remove.bounding_box()
        assert box["width"] >= 24 and box["height"] >= 24


def sends(page, site):
    send(page)
    responded(page, "200 in ")
    expect_pictures(page, 4)
    page.get_by_text("Record").click()


def chooses_what_will_not_pass(page, site):
    choose(page, "idImage", "a long name of a photo from a phone.heic", HEIC)
    choose(page, "selfieImage", "large.png", large_png(4_900_000))
    button(page, "Leave out: Address").click()
    expect(page.locator("#note")).to_have_class("bad")


def chooses_too_much(page, site):
    choose(page, "selfieImage", "large.png", large_png(4_900_000))
    expect(page.locator("#note")).to_contain_text("4.9 MB in all won't pass")


def drags(page, site):
    drag(page, ["dragEnter", "dragOver"], [ROOT / "events/images/selfie.jpg"], slot(page, "selfieImage"))
    expect(page.locator(".drop.over")).to_have_count(1)


def uploads(page, site):
    start_slow_upload(page)


def cancels(page, site):
    start_slow_upload(page)
    button(page, "Cancel").click()
    responded(page, "Canceled")


def is_refused(page, site):
    page.locator("#mistakes button", has_text="7 MB").click()
    responded(page, "413 from the gateway in ")


def fails(page, site):
    page.locator("#mistakes button", has_text="A fault on our side").click()
    responded(page, "500 in ")
    page.locator("#log summary").first.click()


def sends_two(page, site):
    button(page, "Send two at once").click()
    responded(page, "All four images")


def lists_requests(page, site):
    for mistake in page.locator("#mistakes button").all():
        mistake.click()
        expect(button(page, "Send")).to_be_enabled()
    sends(page, site)
    page.locator("#log summary").nth(1).click()


def shows_no_submission(page, site):
    page.get_by_label("Submission", exact=True).fill("none")
    expect(page.locator("#shown")).to_have_text("no such submission")


def loses_the_stack(page, site):
    sends(page, site)
    site.process.kill()
    expect(page.locator("#live")).to_contain_text("doesn't respond")
    send(page)
    responded(page, "The local stack doesn't respond.")
    # What was shown stays.
    page.locator("#submissions button").first.click()
    expect(page.locator("#shown")).to_have_text("the local stack doesn't respond")
    expect(page.locator("#images img")).to_have_count(4)


def does_nothing(page, site):
    pass


STATES = [does_nothing, chooses_what_will_not_pass, chooses_too_much, drags, uploads, cancels, sends, sends_two, is_refused]
STATES += [fails, lists_requests, shows_no_submission, loses_the_stack, older]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_each_state_is_a_good_picture_and_breaks_no_rule_of_accessibility(browser, site, state, view):
    with opened(browser, site.page, view) as page:
        expect_ready(page)
        state(page, site)
        expect_no_broken_picture(page)
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond == 0, "something is wider than the window"
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{state.__name__} {view}.png", full_page=True)
        if "AXE" in os.environ or os.environ.get("CI"):
            page.evaluate(Path(os.environ["AXE"]).read_text())
            violations = page.evaluate("axe.run().then(run => run.violations.map(({ id, nodes }) => [id, nodes[0].html]))")
            assert violations == []


@pytest.mark.skipif("SCREENSHOT" not in os.environ, reason="SCREENSHOT is not a file to write")
def test_takes_a_screenshot(page):
    # Later ones are above: the requests end with the GIF's.
    for mistake in reversed(page.locator("#mistakes button").all()[1:]):
        mistake.click()
        expect(button(page, "Send")).to_be_enabled()
    send(page)
    expect_pictures(page, 4)
    page.locator("#mistakes button").first.click()
    expect(page.locator("#log li")).to_have_count(len(MISTAKES) + 1)
    page.locator("#log summary").first.click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1)
    picture.save(ROOT / os.environ["SCREENSHOT"], optimize=True)


def test_a_polyglot_jpeg_is_a_picture(browser, page, site):
    # In a comment after the first marker, and after the end.
    script = SCRIPT.encode()
    comment = b"\xff\xfe" + (len(script) + 2).to_bytes(2) + script
    polyglot = SELFIE[:2] + comment + SELFIE[2:] + b"<html>" + script
    choose(page, "idImage", "polyglot.jpg", polyglot)
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
    responded(page, "selfieImage: an SVG; send a JPEG or PNG")
    assert "selfieImage" not in site.record()


def test_an_svg_in_the_storage_is_not_shown_and_runs_nothing(browser, site):
    site.store_selfie(SVG, "image/svg+xml")
    refused = site.selfie()
    assert (refused.status_code, refused.text.endswith("its contentType is no image's")) == (502, True)
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


def test_every_response_is_harmless(site):
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
    asked += ["GET image?id=demo-submission&field=idImage", "PUT v3/Image", "OPTIONS v3/Image", "DELETE events"]
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
    # The gateway's response under another name: a document of another site, which may send requests anywhere.
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
