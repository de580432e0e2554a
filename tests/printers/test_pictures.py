"""Pictures of machines: nothing but pixels comes in, and nothing but files of ours goes out."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import model_to_dict
from django.test import Client
from django.urls import reverse
from PIL import Image

from core.errors import Refused
from printers.domain import pictures
from tests import factories

SCRIPT = b"<script>window.__xss=1</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def drawn(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "#2563eb").save(file, kind, **how)
    return file.getvalue()


def accept(content: bytes, name: str = "photo.png") -> Image.Image:
    kept = pictures.accept(SimpleUploadedFile(name, content))
    return Image.open(io.BytesIO(kept.read()))


def hollow_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_what_browsers_show_is_kept_under_a_random_name(kind: str, ending: str) -> None:
    names = {pictures.accept(SimpleUploadedFile("../../evil.php", drawn(kind))).name for _ in range(2)}

    assert len(names) == 2
    for name in names:
        stem, _dot, found = name.partition(".")
        assert found == ending
        assert len(stem) == 32
        assert set(stem) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        b"<html>" + SCRIPT,
        b"",
        b"GIF89a" + b"\0" * 40,
        drawn("GIF"),
        drawn("TIFF"),
        drawn("BMP"),
        drawn("PNG")[:60],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 200,
    ],
    ids=["svg", "html", "empty", "broken gif", "gif", "tiff", "bmp", "half a png", "eps", "noise"],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as no:
        accept(content)
    assert no.value.codes == ("picture_unreadable",)
    assert no.value.violations[0].field == "picture"


def test_a_polyglot_loses_its_second_meaning() -> None:
    """A picture that is also a page: a comment inside, a page behind."""
    image = Image.new("RGB", (20, 20))
    file = io.BytesIO()
    image.save(file, "JPEG", comment=SCRIPT)
    kept = pictures.accept(SimpleUploadedFile("p.html", file.getvalue() + SCRIPT + SVG)).read()

    assert b"script" not in kept
    assert b"svg" not in kept


def test_metadata_is_dropped_but_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "where the telephone stood"
    kept = accept(drawn("JPEG", (40, 30), exif=exif))

    assert kept.size == (30, 40)
    assert not kept.getexif()


def test_a_clear_picture_stays_clear_and_a_large_one_is_made_smaller() -> None:
    assert accept(drawn("PNG", mode="RGBA")).mode == "RGBA"
    assert max(accept(drawn("JPEG", (4000, 3000))).size) == pictures.LONGEST_SIDE


@pytest.mark.parametrize("size", [(9000, 9000), (12000, 12000), (60000, 60000)])
def test_a_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(Refused) as no:
        accept(hollow_png(*size))
    assert no.value.codes == ("picture_too_large",)


def test_a_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_MAX_BYTES", 100)
    with pytest.raises(Refused) as no:
        accept(drawn() + b"\0" * 100)
    assert no.value.codes == ("picture_too_large",)


class TestInTheAdmin:
    @pytest.fixture
    def trainer(self, people: object, client: Client) -> Client:
        client.force_login(people.bob)
        return client

    def send(self, trainer: Client, name: str, content: bytes) -> tuple[object, object]:
        machine = factories.PrinterFactory()
        full = model_to_dict(machine)
        data = {
            k: v for k, v in full.items() if v is not None and v is not False and v != "" and k != "picture"
        }
        data["picture"] = SimpleUploadedFile(name, content, content_type="image/png")
        answer = trainer.post(reverse("admin:printers_printer_change", args=[machine.pk]), data)
        machine.refresh_from_db()
        return answer, machine

    def test_a_picture_is_kept_under_our_name(self, trainer: Client) -> None:
        answer, machine = self.send(trainer, "../../../etc/passwd.png", drawn())

        assert answer.status_code == 302
        assert machine.picture.name.startswith("printers/")
        assert "passwd" not in machine.picture.name
        shown = trainer.get(machine.picture.url)
        assert shown["Content-Type"] == "image/png"
        assert shown["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in shown["Content-Security-Policy"]
        assert "attachment" not in shown.get("Content-Disposition", "")

    @pytest.mark.parametrize(("name", "content"), [("a.svg", SVG), ("a.png", SVG), ("a.png", b"<html>")])
    def test_what_is_no_picture_is_refused_at_its_field(
        self, trainer: Client, name: str, content: bytes
    ) -> None:
        answer, machine = self.send(trainer, name, content)

        assert answer.status_code == 200
        assert "picture" in answer.context["adminform"].form.errors
        assert not machine.picture


class TestServing:
    """Whatever lies in the directory: only pictures are shown, nothing else is a page."""

    @pytest.fixture(autouse=True)
    def directory(self, settings: object, tmp_path: Path) -> Path:
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        }
        settings.MEDIA_ROOT = tmp_path / "media"
        (tmp_path / "secret.txt").write_text("the secret key")
        default_storage.save("printers/a.png", ContentFile(drawn()))
        default_storage.save("printers/page.html", ContentFile(SCRIPT))
        default_storage.save("printers/page.svg", ContentFile(SVG))
        return tmp_path

    def test_strangers_are_sent_to_the_log_in(self, client: Client, db: None) -> None:
        assert client.get("/media/printers/a.png").status_code == 302

    @pytest.mark.parametrize("name", ["page.html", "page.svg"])
    def test_what_is_no_picture_is_a_file_to_save(self, client: Client, people: object, name: str) -> None:
        client.force_login(people.alice)
        answer = client.get(f"/media/printers/{name}")

        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "path",
        [
            "../secret.txt",
            "printers/../../secret.txt",
            "%2e%2e/secret.txt",
            "..%2fsecret.txt",
            "printers/..%5c..%5csecret.txt",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "printers/a.png%00.html",
            "printers",
            "printers/",
            ".",
            "nothing.png",
            "x" * 3000,
        ],
    )
    def test_nothing_outside_is_reached(self, client: Client, people: object, path: str) -> None:
        client.force_login(people.alice)
        assert client.get(f"/media/{path}").status_code == 404

    def test_other_methods_are_refused(self, client: Client, people: object) -> None:
        client.force_login(people.alice)
        assert client.delete("/media/printers/a.png").status_code == 405
