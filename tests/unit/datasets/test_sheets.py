from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairemap.datasets import sheets
from clairemap.datasets.samples import Sample
from clairemap.datasets.sheets import arrange_in_sheets, rectangles
from clairemap.errors import BandCountError, GridError, UnreadableFileError

CHIP_PX = 32
Make = Callable[..., Sample]


@pytest.fixture
def make(made_datasets: ModuleType, tmp_path: Path) -> Make:
    """Return ``make(name, split, optical=values, sar=values, nodata=None)``: a sample of chips."""

    def make(name: str, split: str = "train", nodata: float | None = None, **roles: np.ndarray) -> Sample:
        roles = roles or {"optical": np.full((3, CHIP_PX, CHIP_PX), len(name), np.uint8)}
        files = {role: tmp_path / role / f"{name}.tif" for role in roles}
        for role, values in roles.items():
            made_datasets.write(files[role], values, nodata=nodata)
        return Sample(name, "made", split, files)  # type: ignore[arg-type]

    return make


@given(st.integers(0, 500), st.integers(1, 12))
def test_rectangles_have_no_gaps_and_contain_each_member_once(count: int, side: int) -> None:
    parts = list(rectangles(list(range(count)), side))
    assert [member for members, _ in parts for member in members] == list(range(count))
    for members, columns in parts:
        assert len(members) % columns == 0 and columns <= side and len(members) // columns <= side
    assert len(parts) <= count // side**2 + 2


def test_chips_keep_their_order_and_splits_do_not_mix(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_SHEET_PX", 2 * CHIP_PX)
    made = arrange_in_sheets([make(f"c{number}", "val" if number == 3 else "train") for number in range(8)], CHIP_PX)
    assert [(sheet.name, sheet.split, sheet.rows, sheet.columns) for sheet in made] == [
        ("made_train_01", "train", 2, 2),
        ("made_train_02", "train", 1, 2),
        ("made_train_03", "train", 1, 1),
        ("made_val_01", "val", 1, 1),
    ]
    places = [(row, column, chip.name) for row, column, chip in made[0].positions()]
    assert places == [(0, 0, "c0"), (0, 1, "c1"), (1, 0, "c2"), (1, 1, "c4")]


def test_chips_with_other_nodata_or_sensors_get_separate_sheets(make: Make) -> None:
    sar = np.ones((1, CHIP_PX, CHIP_PX), np.float32)
    chips = [
        make("a", sar=sar, nodata=np.nan),
        make("b", sar=sar, nodata=0),
        make("c", sar=sar, nodata=np.nan),
        make("d", sar=sar),
        make("e", sar=sar, optical=sar, nodata=0),
    ]
    made = arrange_in_sheets(chips, CHIP_PX)
    assert [[chip.name for chip in sheet.chips] for sheet in made] == [["a", "c"], ["b"], ["d"], ["e"]]
    assert [sheet.formats["sar"].nodata for sheet in made] == ["nan", "0", None, "0"]


def test_a_chip_of_another_size_is_an_error(make: Make) -> None:
    odd = make("odd", optical=np.zeros((3, CHIP_PX, CHIP_PX + 1), np.uint8))
    with pytest.raises(GridError, match=r"odd\.tif: has 32 x 33 px.*32 x 32"):
        arrange_in_sheets([make("a"), odd], CHIP_PX)


@pytest.mark.parametrize(
    "values", [np.zeros((4, CHIP_PX, CHIP_PX), np.uint8), np.zeros((3, CHIP_PX, CHIP_PX), np.int16)]
)
def test_a_chip_with_other_bands_is_an_error_that_names_both_files(make: Make, values: np.ndarray) -> None:
    with pytest.raises(BandCountError, match=r"other\.tif: has . band.*a\.tif has 3 of uint8"):
        arrange_in_sheets([make("a"), make("other", "test", optical=values)], CHIP_PX)


def test_a_damaged_chip_is_an_error(make: Make) -> None:
    chip = make("damaged")
    chip.files["optical"].write_bytes(b"no raster")
    with pytest.raises(UnreadableFileError, match=r"damaged\.tif.*download it again"):
        arrange_in_sheets([make("a"), chip], CHIP_PX)
