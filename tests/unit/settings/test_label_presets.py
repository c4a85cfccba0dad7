from pathlib import Path

import pytest
import yaml

from clairemap.settings import Settings, load_settings

PRESETS = Path(__file__).parents[3] / "config" / "labels"
CODES = {
    "esa_worldcover": {10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100},
    "dynamic_world": set(range(9)),
    "corine": set(range(1, 45))
    | {111, 112, 121, 122, 123, 124, 131, 132, 133, 141, 142, 211, 212, 213, 221, 222, 223, 231, 241, 242, 243, 244}
    | {311, 312, 313, 321, 322, 323, 324, 331, 332, 333, 334, 335, 411, 412, 421, 422, 423, 511, 512, 521, 522, 523},
}
"""Codes of each product, by the product's own documentation."""


def preset(name: str) -> Settings:
    return load_settings(yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8")))


def test_each_preset_is_tested():
    assert {path.stem for path in PRESETS.glob("*.yaml")} == set(CODES)


@pytest.mark.parametrize("name", CODES)
def test_each_code_of_a_product_has_a_class(name: str):
    settings = preset(name)
    assert {source for c in settings.legend.classes for source in c.sources} == CODES[name]
    assert settings.labels.product


def test_codes_of_corine_rasters_and_polygons_have_the_same_class():
    legend = preset("corine").legend
    index = legend.code_table_of("clc.tif", {}).index_of_code
    order = [source for c in legend.classes for source in c.sources if isinstance(source, int) and source > 100]
    assert order == sorted(order) and len(order) == 44
    for raster_code, clc_code in enumerate(order, start=1):
        assert index[raster_code] == index[clc_code]
        assert legend.classes[index[clc_code]].code == clc_code // 10
