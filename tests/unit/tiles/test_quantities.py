import numpy as np
import pytest

from clairemap.tiles.quantities import quantities, quantity_names


def test_indices_follow_the_bands_by_name_in_any_order():
    bands = ("nir", "green", "red")
    values = np.array([[3000.0], [1000.0], [1000.0]])
    assert quantity_names("optical", bands, "db") == (*bands, "NDVI", "NDWI")
    assert quantities("optical", bands, "db", values)[:, 0] == pytest.approx([3000, 1000, 1000, 0.5, -0.5])


@pytest.mark.parametrize(
    ("sensor", "bands", "scale", "names"),
    [
        ("optical", ("B04", "B08"), "db", ("NDVI",)),
        ("optical", ("b1", "b2", "b3"), "db", ()),
        ("optical", ("red", "green", "blue"), "db", ()),
        ("sar", ("VH", "VV"), "db", ("VV/VH",)),
        ("sar", ("VH", "VV"), "digital", ()),
        ("sar", ("HH",), "db", ()),
    ],
)
def test_indices_exist_only_where_band_names_and_scale_allow(
    sensor: str, bands: tuple[str, ...], scale: str, names: tuple[str, ...]
):
    assert quantity_names(sensor, bands, scale) == (*bands, *names)
    values = np.ones((len(bands), 2), np.uint16)
    assert quantities(sensor, bands, scale, values).shape == (len(bands) + len(names), 2)


def test_polarisation_ratio_is_a_difference_of_decibels():
    assert quantities("sar", ("VH", "VV"), "db", np.array([[-18.0], [-11.0]]))[2, 0] == 7.0


def test_index_of_dark_or_negative_pixels_stays_within_its_range():
    values = np.array([[0.0, -5.0, 10.0], [0.0, -5.0, -9.0]], np.float32)
    found = quantities("optical", ("red", "nir"), "db", values)[2]
    assert found.tolist() == [0.0, 0.0, -1.0]
