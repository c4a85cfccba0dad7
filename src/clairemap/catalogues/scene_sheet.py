"""The sample sheet of pairs: names, cells, and files of items that have no document of their own."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.catalogues.documents import is_address
from clairemap.catalogues.item import Item, with_absolute_links
from clairemap.catalogues.pairing import Pair
from clairemap.errors import SettingsError
from clairemap.paths import path_exists
from clairemap.provenance import write_text_whole
from clairemap.scenes import MAX_NAME_CHARACTERS, REQUIRED, Split
from clairemap.sheet_file import csv_text
from clairemap.text import shortened

ITEM_ENDINGS = (".json", ".geojson")
HASH_CHARACTERS = 8
MAX_NAMED = 5


@dataclass(frozen=True)
class Columns:
    """Cells that are the same in all rows. With `by_day`, the day of the optical item is added to the region's name."""

    region: str
    by_day: bool
    split: Split
    label: str

    def region_of(self, optical: Item) -> str:
        """Return the region of an optical item."""
        return f"{self.region}_{optical.start:%Y%m%d}" if self.by_day else self.region


def write_sheet(pairs: Sequence[Pair], sheet: Path, columns: Columns, *, force: bool) -> int:
    """Write the sample sheet with a row per pair; return the number of item files written to `items` beside it.

    Items without a document of their own are written to files. The sheet is written last; unchanged files are not
    rewritten.

    Raises:
        SettingsError: a file exists with other content and `force` is False.
    """
    unique = dict.fromkeys(item for pair in pairs for item in (pair.optical, pair.sar))
    files = _item_files([item for item in unique if not _has_document(item)], sheet.absolute().parent / "items")
    names = valid_names([pair.optical for pair in pairs])
    rows = [_row(name, pair, files, columns) for name, pair in zip(names, pairs, strict=True)]
    texts = {path: _as_json(item) for item, path in files.items()}
    texts[sheet] = csv_text((*REQUIRED, "optical_date", "sar_date"), rows)
    changed = {path: text for path, text in texts.items() if not _has_content(path, text)}
    if (existing := [path for path in changed if path_exists(path)]) and not force:
        raise SettingsError(
            f"--sheet {sheet}: would replace files with other content ({shortened(existing, MAX_NAMED)}); name another "
            "sheet, or set --force to replace them (labels and splits that were added are lost)"
        )
    for path, text in changed.items():
        write_text_whole(path, text)
    return len(files)


def _row(name: str, pair: Pair, files: dict[Item, Path], columns: Columns) -> tuple[object, ...]:
    optical, sar = pair.optical, pair.sar
    given = (name, columns.region_of(optical), columns.split, _cell(optical, files), _cell(sar, files), columns.label)
    return (*given, optical.day or "", sar.day or "")


def valid_names(items: Iterable[Item]) -> list[str]:
    """Return a name for each item that is valid for a scene, from its identifier; unique, also if case is ignored."""
    taken: set[str] = set()
    names = []
    for item in items:
        name = next(candidate for candidate in _candidates(item) if candidate.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names


def valid_name(text: str) -> str:
    """Return a text with the characters of names of scenes and regions; its length may be too large."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-") or "scene"


def _candidates(item: Item) -> Iterator[str]:
    """Yield the identifier as a valid name, and the same with a hash of collection and identifier."""
    name = valid_name(item.id)
    digest = hashlib.sha256(f"{item.collection}\0{item.id}".encode()).hexdigest()[:HASH_CHARACTERS]
    if len(name) <= MAX_NAME_CHARACTERS:
        yield name
    yield f"{name[: MAX_NAME_CHARACTERS - HASH_CHARACTERS - 1]}_{digest}"


def _item_files(items: Sequence[Item], folder: Path) -> dict[Item, Path]:
    return {item: folder / f"{name}.json" for item, name in zip(items, valid_names(items), strict=True)}


def _has_document(item: Item) -> bool:
    """Whether a cell can name the item's own document."""
    cell = item.located.cell
    if cell is None or is_address(cell):
        return cell is not None
    return cell.lower().endswith(ITEM_ENDINGS) and path_exists(Path(cell))


def _cell(item: Item, files: dict[Item, Path]) -> str:
    if item in files:
        return str(files[item])
    cell = str(item.located.cell)
    return cell.replace(";", "%3B") if is_address(cell) else cell  # `;` separates the files of a cell


def _as_json(item: Item) -> str:
    return json.dumps(with_absolute_links(item.located), indent=2, ensure_ascii=False) + "\n"


def _has_content(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()
