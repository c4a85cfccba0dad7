from pathlib import Path
from types import ModuleType

import pytest

from clairemap.catalogues import walk as walking
from clairemap.catalogues.documents import Document, DocumentError, resolved, start_of
from clairemap.catalogues.walk import walk

SERVER = "https://stac.example"


def page(number: int, link: dict | None = None) -> dict:
    item = {"type": "Feature", "id": f"item{number}", "links": [{"rel": "self", "href": f"./items/{number}"}]}
    return {"type": "FeatureCollection", "features": [item], "links": [link] if link else []}


def test_pages_of_an_address_are_read_unless_they_must_be_posted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    answers: dict[str, Document] = {
        f"{SERVER}/items": page(1, {"rel": "next", "href": "?page=2"}),
        f"{SERVER}/items?page=2": page(2, {"rel": "next", "method": "POST", "href": f"{SERVER}/search"}),
        str(tmp_path / "saved.json"): page(3, {"rel": "next", "href": f"{SERVER}/items?page=9"}),
    }

    def read(place: str) -> Document:
        if place not in answers:
            raise DocumentError("is missing")
        return answers[place]

    monkeypatch.setattr(walking, "read_document", read)
    found = walk([f"{SERVER}/items", str(tmp_path / "saved.json")])
    assert [item.cell for item in found.items] == [
        f"{SERVER}/items/1",
        str(tmp_path / "items" / "3"),
        f"{SERVER}/items/2",
    ]
    assert found.open_pages == [str(tmp_path / "saved.json"), f"{SERVER}/items?page=2"] and not found.faults


def test_documents_that_link_to_each_other_are_read_once_and_others_are_faults(
    made_catalogues: ModuleType, tmp_path: Path
):
    links = [{"rel": "child", "href": "./catalog.json"}, {"rel": "item", "href": "./legend.json"}, {"rel": "item"}]
    links += [{"rel": "child", "href": "s3://bucket/catalog.json"}]
    old = {"stac_version": "0.9.0", "id": "old", "links": links}  # no type before 1.0
    start = made_catalogues.write_json(tmp_path / "catalog.json", old)
    made_catalogues.write_json(tmp_path / "legend.json", {"type": "legend", "links": []})
    made_catalogues.write_json(tmp_path / "list.json", [1, 2])
    found = walk([str(start), str(start), str(tmp_path / "list.json")])
    assert not found.items
    assert found.faults == [
        f"{tmp_path}/list.json: is not a STAC document: its JSON is not an object",
        f"{tmp_path}/legend.json: is not a STAC item, collection or catalogue (its type is 'legend')",
        "s3://bucket/catalog.json: cannot be read: only files and addresses with http:// or https:// can; download it",
    ]


@pytest.mark.parametrize(
    ("href", "base", "found"),
    [
        ("./a.json", "/data/catalog.json", "/data/a.json"),
        ("../b/a.json", "/data/c/item.json", "/data/b/a.json"),
        ("../b/a.json", f"{SERVER}/c/item.json", f"{SERVER}/b/a.json"),
        ("/a.json", f"{SERVER}/c/item.json", f"{SERVER}/a.json"),
        ("s3://bucket/a.tif", "/data/catalog.json", "s3://bucket/a.tif"),
        ("/vsis3/bucket/a.tif", f"{SERVER}/c/item.json", "/vsis3/bucket/a.tif"),
        ("file:///data/a%20b.json", f"{SERVER}/c/item.json", "/data/a b.json"),
    ],
)
def test_links_are_relative_to_their_document(href: str, base: str, found: str):
    assert resolved(href, base) == found


def test_what_the_user_names_starts_at_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    assert start_of("a.json") == str(tmp_path / "a.json") and start_of(f"{SERVER}/a") == f"{SERVER}/a"
