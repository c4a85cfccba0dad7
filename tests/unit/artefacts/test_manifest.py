from pathlib import Path

import pytest

from clairemap.artefacts.manifest import ArrayEntry, Manifest, manifest_of, read_manifest, write_manifest
from clairemap.errors import StoreError

ENTRY = ArrayEntry((2, 4, 4), "uint16", "0", {"band_names": ["red", "nir"]}, 3, 120, "ab")
MANIFEST = Manifest({"scene": "älps", "georeferenced": True}, {"optical": ENTRY, "label": ENTRY})


def test_manifest_is_next_to_its_store():
    assert manifest_of(Path("work/a/pair.zarr")) == Path("work/a/pair.json")


def test_round_trip_does_not_depend_on_order(tmp_path: Path):
    write_manifest(tmp_path / "a.json", MANIFEST)
    assert read_manifest(tmp_path / "a.json", tmp_path / "a.zarr") == MANIFEST
    turned = Manifest(dict(reversed(MANIFEST.attributes.items())), dict(reversed(MANIFEST.arrays.items())))
    write_manifest(tmp_path / "b.json", turned)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("text", [None, "{", "{}", '{"attributes": {}, "arrays": {"optical": {"files": 3}}}'])
def test_error_names_manifest_and_store(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(StoreError, match=r"a\.json: not a valid manifest .*delete it and .*a\.zarr"):
        read_manifest(tmp_path / "a.json", tmp_path / "a.zarr")
