"""The page in a real browser, with a real service behind it: what its readers do, by clicking and by keys."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.index.filter_language import parse_filter
from image_similarity.index.filters import And, Equals, Range
from image_similarity.models.inventory import pull_models
from image_similarity.options import ModelChoice
from image_similarity.service.app import create_app
from image_similarity.service.options import ServiceOptions
from image_similarity.settings import Settings
from tests.support.browser import BROKEN, DESK, OTHER, PHONE, Reader, chromium, fitted_shop, reader
from tests.support.hub import fabricate, hub_server
from tests.support.pictures import four_corners
from tests.support.service import DATASET, MODEL, Service, running
from tests.support.serving import serving
from tests.support.shop import paint_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

FIRST = "helmet03"
WORDY = "SigLIP2-B-224"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def workspace(browser: Browser, drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted_shop(drawn_shop, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def service(workspace: Path) -> Iterator[Service]:
    with running(workspace, "--model", OTHER) as service:
        yield service


@pytest.fixture
def desk(browser: Browser, service: Service) -> Iterator[Reader]:
    with reader(browser, service.address) as somebody:
        yield somebody


@pytest.fixture
def phone(browser: Browser, service: Service) -> Iterator[Reader]:
    with reader(browser, service.address, phone=True, dark=True) as somebody:
        yield somebody


@pytest.fixture(scope="module")
def helmet(workspace: Path) -> Path:
    """A photo that always finds its product first: an image of the catalogue."""
    return workspace.parent / "sample" / "images" / f"{FIRST}_1.jpg"


# A photo ------------------------------------------------------------------------------------------------------------


def test_a_chosen_photo_is_seen_at_once_and_finds_its_product(desk: Reader, helmet: Path) -> None:
    waiting: list[Route] = []
    desk.page.route("**/v1/photos", lambda route: waiting.append(route))  # the service takes its time
    desk.open()
    desk.shot("start")
    desk.find("input[type=file]").first.set_input_files(helmet)
    desk.find(".stage img[src^=blob]").wait_for()
    assert desk.find(".results .card").count() == 0
    waiting[0].continue_()
    assert desk.found()[0] == FIRST
    card = desk.find(".results .card").first
    words = card.locator(".word").inner_text()
    assert words in ("very close", "close", "look-alike")
    assert "match probability" in card.inner_text()
    shares = [
        bar.evaluate("bar => bar.offsetWidth / bar.parentElement.offsetWidth") for bar in desk.find(".bar span").all()
    ]
    scores = [
        float(score)
        for score in desk.find(".score > span:last-child").evaluate_all("all => all.map(e => e.lastChild.data)")
    ]
    assert shares == pytest.approx(scores, abs=0.03)
    assert (
        f"20 products, closest first. {card.locator('.title').inner_text()}: {words}."
        in desk.find("#status").inner_text()
    )
    desk.shot("photo")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_wherever_one_is(desk: Reader, helmet: Path, way: str) -> None:
    desk.open("?view=catalogue")
    desk.page.evaluate(
        """([way, text]) => {
          const transfer = new DataTransfer();
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          transfer.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
          const event = way === "drop"
            ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
          document.querySelector("main").dispatchEvent(event);
        }""",
        [way, base64.b64encode(helmet.read_bytes()).decode()],
    )
    assert desk.found()[0] == FIRST


def test_a_phone_takes_a_photo(phone: Reader, helmet: Path) -> None:
    phone.open()
    phone.find(
        "label",
    ).filter(has_text="Take a photo").wait_for()
    camera = phone.find("input[capture=environment]")
    camera.set_input_files(helmet)
    assert phone.found()[0] == FIRST
    phone.shot("phone-photo")


def test_a_photo_is_sent_small_upright_and_without_where_it_was_taken(desk: Reader, tmp_path: Path) -> None:
    picture = Image.new("RGB", (3000, 2000), "white")
    picture.paste("red", (0, 0, 1500, 2000))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: its left is above
    exif[0x010E] = "my kitchen"
    picture.save(tmp_path / "lying.jpg", exif=exif)
    data = (tmp_path / "lying.jpg").read_bytes()
    assert b"my kitchen" in data
    desk.open()
    sent = desk.page.evaluate(
        """async (text) => {
          const { prepare } = await import("/page/photo.js");
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const blob = await prepare(new File([bytes], "lying.jpg", { type: "image/jpeg" }));
          return [...new Uint8Array(await blob.arrayBuffer())];
        }""",
        base64.b64encode(data).decode(),
    )
    assert b"my kitchen" not in bytes(sent)
    small = Image.open(io.BytesIO(bytes(sent)))
    assert (small.size, dict(small.getexif())) == ((683, 1024), {})
    red, white = (small.crop((100, top, 600, top + 300)).resize((1, 1)).tobytes() for top in (100, 700))
    assert (red[0] > 240, red[1] < 20, min(white) > 240) == (True, True, True)
    desk.show(tmp_path / "lying.jpg")
    assert desk.find(".stage img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [683, 1024]


def test_a_photo_that_the_browser_cannot_read_is_left_to_the_service(
    desk: Reader, helmet: Path, tmp_path: Path
) -> None:
    Image.open(helmet).save(tmp_path / "photo.tiff")
    desk.open()
    assert desk.show(tmp_path / "photo.tiff")[0] == FIRST
    desk.page.wait_for_function("() => document.querySelector('.stage img').naturalWidth > 0")


def test_what_goes_wrong_is_said_and_the_photo_stays(desk: Reader, helmet: Path, tmp_path: Path) -> None:
    desk.open()
    desk.page.route("**/v1/photos", lambda route: route.abort())
    desk.find("input[type=file]").first.set_input_files(helmet)
    alert = desk.page.get_by_role("alert")
    alert.get_by_text("does not respond").wait_for()
    assert desk.find(".stage img").get_attribute("src").startswith("blob:")  # type: ignore[union-attr]
    desk.shot("trouble")
    desk.page.unroute("**/v1/photos")
    desk.button("Try again").click()
    assert desk.found()[0] == FIRST
    assert alert.inner_text() == ""
    (tmp_path / "no.png").write_text("no picture")
    desk.find("input[type=file]:not([capture])").last.set_input_files(tmp_path / "no.png")
    alert.get_by_text("image").wait_for()
    assert all("Failed to load resource" in said for said in desk.complaints)
    desk.complaints.clear()


# A crop -------------------------------------------------------------------------------------------------------------


def test_a_crop_is_drawn_moved_and_resized_with_a_mouse_and_the_results_follow(desk: Reader, helmet: Path) -> None:
    desk.open()
    whole = desk.show(helmet)
    area = desk.find(".stage").bounding_box()
    assert area is not None

    def drag(*points: tuple[float, float]) -> None:
        places = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in points]
        desk.page.mouse.move(*places[0])
        desk.page.mouse.down()
        desk.page.mouse.move(*places[1], steps=3)
        desk.page.mouse.up()

    drag((0.2, 0.2), (0.5, 0.7))
    cropped = desk.cropped(0.2, 0.2, 0.3, 0.5)
    assert cropped != whole
    drag((0.35, 0.4), (0.45, 0.3))  # inside: it moves
    assert desk.cropped(0.3, 0.1, 0.3, 0.5) != cropped
    drag((0.595, 0.595), (0.9, 0.9))  # a corner: it is resized
    desk.cropped(0.3, 0.1, 0.6, 0.8)
    desk.shot("crop")
    desk.page.go_back()
    desk.page.go_back()
    assert desk.cropped(0.2, 0.2, 0.3, 0.5) == cropped
    desk.button("Whole photo").click()
    desk.shows(whole)


def test_a_crop_is_drawn_with_a_finger(phone: Reader, helmet: Path) -> None:
    phone.open()
    whole = phone.show(helmet)
    phone.find(".stage").scroll_into_view_if_needed()
    area = phone.find(".stage").bounding_box()
    assert area is not None
    touch = phone.page.context.new_cdp_session(phone.page)
    for kind, share in (("touchStart", 0.2), ("touchMove", 0.3), ("touchMove", 0.6), ("touchEnd", None)):
        at = (
            [] if share is None else [{"x": area["x"] + share * area["width"], "y": area["y"] + share * area["height"]}]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    assert phone.cropped(0.2, 0.2, 0.4, 0.4) != whole


def test_a_crop_is_moved_and_resized_with_keys(desk: Reader, helmet: Path) -> None:
    desk.open()
    whole = desk.show(helmet)
    box = desk.page.get_by_role("application", name="Crop: the whole photo")
    box.focus()
    for key in (*["Shift+ArrowLeft"] * 20, *["Shift+ArrowUp"] * 10, *["ArrowRight"] * 5, "ArrowDown"):
        desk.page.keyboard.press(key)
    assert desk.cropped(0.1, 0.02, 0.6, 0.8) != whole
    assert desk.page.get_by_role("application").get_attribute("aria-label") == (
        "Crop: 60% wide, 80% high, 10% from the left, 2% from the top"
    )
    desk.page.keyboard.press("Escape")
    desk.shows(whole)


def test_an_answer_that_comes_too_late_is_dropped(desk: Reader, helmet: Path) -> None:
    desk.open()
    whole = desk.show(helmet)
    held: list[Route] = []
    desk.page.route("**/v1/search", lambda route: held.append(route) if not held else route.continue_())
    box = desk.page.get_by_role("application")
    box.press("Shift+ArrowLeft")
    desk.page.wait_for_url("**crop=*")
    for _ in range(25):
        box.press("Shift+ArrowLeft")
    newer = desk.cropped(0, 0, 0.48, 1)
    assert newer != whole
    held[0].continue_()
    desk.page.wait_for_timeout(300)
    assert desk.found() == newer


# Words --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wordy(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service whose model supports text queries for colours."""
    folder = tmp_path_factory.mktemp("words")
    with pytest.MonkeyPatch.context() as patch, hub_server() as hub:
        fabricate(patch, hub, WORDY)
        settings = Settings(root=folder / "data", precision="fp32", hub_address=hub.address)
        pull_models([WORDY], settings)
        Workspace(settings=settings).fit(DATASET, paint_shop(folder / "pictures"), model=WORDY)
        with serving(
            create_app(ServiceOptions(Dataset.named(DATASET), (ModelChoice(WORDY, precision="fp32"),)), settings)
        ) as address:
            yield address + "/"


def test_words_find_products_where_the_model_knows_words(browser: Browser, wordy: str, helmet: Path) -> None:
    with reader(browser, wordy) as somebody:
        somebody.open()
        somebody.page.get_by_label("Text", exact=True).fill("green")
        somebody.button("Search").click()
        assert somebody.found()[0] == "green"
        assert somebody.page.get_by_role("heading", name="Looks like “green”").count() == 1
        somebody.shot("words")
        words = somebody.found()
        somebody.show(helmet)  # words and a photo together
        assert somebody.state()["text"] == "green"
        somebody.button("Remove").click()
        assert somebody.found() == words


def test_words_are_not_asked_for_where_no_model_knows_any(desk: Reader) -> None:
    desk.open()
    assert not desk.page.get_by_label("Text", exact=True).is_visible()


# Results ------------------------------------------------------------------------------------------------------------


def test_filters_are_made_of_the_catalogue_and_leave_out_the_rest(desk: Reader, service: Service, helmet: Path) -> None:
    desk.open()
    before = desk.show(helmet)
    desk.page.get_by_label("department").select_option("Fitness")
    desk.page.get_by_label("price, at most").fill("30")
    desk.page.get_by_label("price, at most").press("Enter")
    found = desk.changed(before)
    desk.page.wait_for_url("**to.price=30*")
    found = desk.found()
    products = [service.get(f"/v1/products/{each}").json()["attributes"] for each in found]
    assert products and all(each["department"] == "Fitness" and float(each["price"]) <= 30 for each in products)
    desk.shot("filters")
    desk.page.get_by_label("price, at most").fill("0.01")
    desk.page.get_by_label("price, at most").press("Enter")
    desk.find(".empty:visible").get_by_text("no product passes the filters").wait_for()
    desk.button("Show all products").click()
    assert desk.found() == before


def test_filters_say_any_name_and_value_in_the_language(desk: Reader) -> None:
    desk.open()
    name, value = 'a]b[c" and', '" or "x" = "'
    given = [
        {"kind": "is", "name": name, "value": value},
        {"kind": "from", "name": "1 price", "value": "-2.50"},
        {"kind": "to", "name": "in", "value": "1e21"},
        {"kind": "to", "name": "price", "value": "no number"},
    ]
    said = desk.page.evaluate("async given => (await import('/page/filters.js')).expression(given)", given)
    assert parse_filter(said) == And(
        (Equals(name, value, 1), Range("1 price", low=-2.5, at=45), Range("in", high=1e21, at=67))
    )


def test_more_can_be_loaded(desk: Reader, helmet: Path) -> None:
    desk.open()
    before = desk.show(helmet)
    assert len(before) == 20
    desk.button("Load more").click()
    after = desk.changed(before)
    assert after[:20] == before
    assert len(after) == 35  # all of them
    assert not desk.button("Load more").is_visible()
    assert desk.page.evaluate("document.activeElement.dataset.key") == after[20]


def test_only_shape_or_only_colour_may_count(desk: Reader, helmet: Path) -> None:
    desk.open()
    everything = desk.show(helmet)
    desk.page.get_by_label("Colour", exact=True).and_(desk.find("[type=radio]")).check(force=True)
    colour = desk.changed(everything)
    desk.page.get_by_label("Shape").check(force=True)
    assert desk.changed(colour) not in (everything, colour)
    assert desk.state()["match"] == "shape"


def test_two_models_answer_side_by_side(desk: Reader, service: Service, helmet: Path) -> None:
    desk.open()
    first = desk.show(helmet)
    desk.page.get_by_label("Compare with").select_option(OTHER)
    desk.find(".two").wait_for()
    assert desk.found(0) == first
    asked = {"image": {"photo": desk.state()["photo"]}, "model": OTHER, "number": 20}
    alone = [each["product_id"] for each in service.post("/v1/search", json=asked).json()["matches"]]
    assert desk.found(1) == alone != first
    assert desk.find("h3:visible").all_inner_texts() == [MODEL, OTHER]
    desk.shot("two-models")


def test_where_no_product_is_likely_enough_it_says_so(desk: Reader, tmp_path: Path) -> None:
    four_corners(400, 300).save(tmp_path / "nothing.png")  # like nothing in the shop
    desk.open()
    before = desk.show(tmp_path / "nothing.png")
    desk.page.get_by_label("Minimum match probability").select_option("0.9")
    desk.find(".empty:visible").get_by_text("No match").wait_for()
    desk.shot("no-match")
    desk.page.get_by_role("radio", name="Shape").check(force=True)
    with_minimum = desk.page.get_by_label("Minimum match probability")
    assert with_minimum.is_visible() and with_minimum.input_value() == "0.9"  # shape has probabilities of its own
    desk.page.get_by_role("radio", name="Everything").check(force=True)
    desk.find(".empty:visible").get_by_text("No match").wait_for()
    desk.button("Show similar products anyway").click()
    assert desk.found() == before


@pytest.mark.parametrize("way", ["photo", "product"])
def test_a_result_is_marked_good_or_bad(desk: Reader, service: Service, helmet: Path, way: str) -> None:
    def kept() -> tuple[int, int]:
        counts = service.get("/v1/feedback").json()
        return counts["good"], counts["bad"]

    desk.open(f"?product={FIRST}" if way == "product" else "")
    if way == "photo":
        desk.show(helmet)
    desk.found()
    good, bad = kept()
    buttons = [desk.page.get_by_role("button", name=f"A {word} result").first for word in ("good", "bad")]
    buttons[0].click()
    desk.find(".good[aria-pressed=true]").wait_for()
    assert kept() == (good + 1, bad)
    buttons[1].click()
    desk.find(".bad[aria-pressed=true]").wait_for()
    assert buttons[0].get_attribute("aria-pressed") == "false"
    assert kept() == (good, bad + 1)


# A product ----------------------------------------------------------------------------------------------------------


def test_a_product_shows_its_pictures_what_is_known_and_what_looks_like_it(desk: Reader, service: Service) -> None:
    desk.open(f"?find={FIRST}")
    desk.find("a.open").click()
    desk.find(".about").wait_for()
    product = service.get(f"/v1/products/{desk.state()['product']}").json()
    assert desk.find("h1").inner_text() == product["title"]
    facts = desk.find(".about").inner_text()
    assert product["description"] in facts
    assert all(value in facts for value in product["attributes"].values())
    pictures = desk.find(".thumbnails button")
    assert pictures.count() == len(product["images"])
    before = desk.find(".about > .tile img").get_attribute("src")
    pictures.last.click()
    assert desk.find(".about > .tile img").get_attribute("src") != before
    assert product["product_id"] not in desk.found()
    desk.shot("product")


def test_the_pair_of_pictures_that_matched_is_seen_side_by_side(desk: Reader, service: Service) -> None:
    desk.open(f"?product={FIRST}")
    (first, *_) = service.get(f"/v1/products/{FIRST}/similar").json()["matches"]
    desk.button("Compare the images").first.click()
    dialog = desk.page.get_by_role("dialog")
    dialog.wait_for()
    shown = dialog.locator("img").evaluate_all("all => all.map(image => new URL(image.src).pathname)")
    assert shown == [first["query_image"]["url"], first["image"]["url"]]
    desk.page.wait_for_function(
        "() => [...document.querySelectorAll('dialog img')].every(i => i.complete && i.naturalWidth)"
    )
    assert desk.state()["pair"] == first["product_id"]
    desk.shot("pair")
    assert desk.barriers() == []
    desk.page.keyboard.press("Escape")
    desk.page.wait_for_function("() => !location.search.includes('pair')")
    assert dialog.count() == 0


def test_back_leads_to_the_results_and_to_the_place_in_them(desk: Reader, helmet: Path) -> None:
    desk.open()
    found = desk.show(helmet)
    desk.find(".results a.open").nth(15).click()
    desk.page.wait_for_url("**product=*")
    desk.find(".product .card").first.wait_for()
    assert desk.page.evaluate("document.activeElement.tagName") == "H1"
    assert desk.page.evaluate("scrollY") == 0
    desk.page.go_back()
    desk.page.wait_for_function("key => document.activeElement.dataset.key === key", arg=found[15])
    assert desk.found() == found
    assert desk.page.evaluate("scrollY") > 0


def test_every_state_can_be_shared(browser: Browser, desk: Reader, service: Service, helmet: Path) -> None:
    desk.open()
    before = desk.show(helmet)
    desk.page.get_by_role("application").press("Shift+ArrowLeft")
    desk.page.wait_for_url("**crop=*")
    desk.page.get_by_label("Compare with").select_option(OTHER)
    desk.page.get_by_label("price, at least").fill("5")
    desk.page.get_by_label("price, at least").press("Enter")
    desk.page.wait_for_url("**from.price=5*")
    found = [desk.changed(before), desk.found(1)]
    with reader(browser, service.address) as another:
        another.page.goto(desk.page.url)
        another.found()
        another.find(".two .column:nth-child(2) .card").first.wait_for()
        assert [another.found(), another.found(1)] == found
        assert another.page.get_by_label("price, at least").input_value() == "5"
        assert another.page.get_by_role("application").get_attribute("aria-label").startswith("Crop: 98%")  # type: ignore[union-attr]
        another.page.wait_for_function("() => document.querySelector('.stage img').naturalWidth > 0")


# The catalogue, the start, keys -------------------------------------------------------------------------------------


def test_the_catalogue_says_how_it_stands(desk: Reader, service: Service) -> None:
    desk.open()
    desk.page.get_by_role("link", name="Catalogue").click()
    desk.find("table").last.wait_for()
    catalogue = service.get("/v1/catalogue").json()
    said = desk.find("main").inner_text()
    assert f"Products\n{catalogue['products']}\nImages\n{catalogue['images']}\nUnusable images\n1" in said
    assert desk.find("time").get_attribute("datetime") == catalogue["last_fit"]
    broken = desk.find("tr").filter(has_text=BROKEN).inner_text()
    failure = service.get("/v1/failures").json()["failures"][0]
    assert failure["reason"] in broken and "ball01" in broken
    models = desk.page.get_by_role("group", name="Models").inner_text()
    assert f"{MODEL} (default)" in models and OTHER in models
    assert "On disk" in said and "KB" in said
    desk.shot("catalogue", whole=True)


def test_the_first_screen_offers_products_and_finds_one_by_its_name(desk: Reader) -> None:
    desk.open()
    offered = desk.find(".start .card").count()
    assert offered == 12
    desk.page.get_by_label("Look a product up").fill("helmet0")
    desk.page.wait_for_url("**find=helmet0")
    desk.page.wait_for_function(
        "() => [...document.querySelectorAll('a.open')].every(a => a.dataset.key.startsWith('helmet'))"
    )
    desk.page.get_by_label("Look a product up").fill("nothing of this name")
    desk.page.get_by_text("No id and no title starts with").wait_for()


def key_for(workspace: Path, scope: str) -> str:
    command = [
        sys.executable,
        "-m",
        "image_similarity",
        "keys",
        "add",
        "somebody",
        "--scope",
        scope,
        "--workspace",
        str(workspace),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_service_with_keys_asks_for_one_and_shows_pictures_with_it(
    browser: Browser, workspace: Path, helmet: Path
) -> None:
    key = key_for(workspace, "write")
    with ExitStack() as stack:
        service = stack.enter_context(running(workspace, "--host", "0.0.0.0"))
        somebody = stack.enter_context(reader(browser, service.address.replace("0.0.0.0", "127.0.0.1")))
        somebody.page.goto(somebody.address)
        dialog = somebody.page.get_by_role("dialog")
        dialog.get_by_label("API key").fill("wrong")
        dialog.get_by_role("button", name="Use it").click()
        dialog.get_by_label("API key").wait_for()
        somebody.shot("key")
        assert somebody.barriers() == []
        dialog.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Use it").click()
        somebody.page.wait_for_function(
            "() => [...document.querySelectorAll('.start img')].some(i => i.src.startsWith('blob:') && i.naturalWidth)"
        )
        assert somebody.show(helmet)[0] == FIRST
        assert key not in somebody.page.url
        somebody.button("Forget API key").click()
        dialog.wait_for()
        assert all("401" in said for said in somebody.complaints)
        somebody.complaints.clear()


# For everybody ------------------------------------------------------------------------------------------------------

VIEWS = {
    "start": "",
    "photo": "?photo={photo}&crop=0.2,0.2,0.5,0.5&from.price=1&number=6",
    "two": "?photo={photo}&with=colour&number=6",
    "product": "?product=helmet03&number=6",
    "catalogue": "?view=catalogue",
}


@pytest.fixture(scope="module")
def kept(service: Service, helmet: Path) -> str:
    """A photo that the service keeps."""
    return str(service.post("/v1/photos", files={"file": helmet.read_bytes()}).json()["photo"])


@pytest.mark.parametrize("small", [False, True], ids=["desk in the light", "phone in the dark"])
def test_no_view_keeps_anybody_out_or_is_too_wide(browser: Browser, service: Service, kept: str, small: bool) -> None:
    with reader(browser, service.address, phone=small, dark=small) as somebody:
        for name, query in VIEWS.items():
            somebody.open(query.format(photo=kept))
            somebody.shot(f"{'phone' if small else 'desk'}-{name}")
            assert (name, somebody.barriers()) == (name, [])
            width = somebody.page.evaluate("document.documentElement.scrollWidth")
            assert (name, width) == (name, (PHONE if small else DESK)[0])


def test_the_keyboard_is_enough(desk: Reader) -> None:
    desk.open()
    desk.page.keyboard.press("Tab")
    skip = desk.page.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("link => link === document.activeElement && link.getBoundingClientRect().top >= 0")
    desk.page.keyboard.press("Enter")
    chosen = desk.find("a.open").nth(2)
    key = chosen.get_attribute("data-key")
    for _ in range(12):
        desk.page.keyboard.press("Tab")
        if chosen.evaluate("link => link === document.activeElement"):
            break
    assert chosen.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url(f"**product={key}")
    desk.find(".product .card").first.wait_for()
    assert desk.page.evaluate("document.activeElement.tagName") == "H1"
    assert desk.page.title().startswith(desk.find("h1").inner_text())
