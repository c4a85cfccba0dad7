import numpy as np

from clairemap.simulate.materials import BACKSCATTER, MATERIALS, REFLECTANCE
from clairemap.simulate.seasons import CHANGED, backscatter_table, reflectance_table

NAMES = list(MATERIALS)


def ndvi(table: np.ndarray, name: str) -> float:
    red, _, _, nir = table[NAMES.index(name)]
    return float((nir - red) / (nir + red))


def test_spring_has_the_materials_unchanged():
    assert np.array_equal(reflectance_table("spring"), REFLECTANCE)
    assert np.array_equal(backscatter_table("spring"), BACKSCATTER)


def test_seasons_change_known_materials_only():
    for season, changed in CHANGED.items():
        assert set(changed) <= set(NAMES)
        same = [number for number, name in enumerate(NAMES) if name not in changed]
        assert np.array_equal(reflectance_table(season)[same], REFLECTANCE[same])


def test_vegetation_fades_towards_winter():
    by_season = [ndvi(reflectance_table(season), "broadleaves") for season in ("summer", "autumn", "winter")]
    assert by_season == sorted(by_season, reverse=True)
    assert ndvi(reflectance_table("summer"), "cereals") < 0.4 < ndvi(reflectance_table("spring"), "cereals")
