"""The demo region: six simulated scenes on both sides of 12° E, where two UTM zones meet.

::

    west_north (train)   centre_north (predict)   east_north (test)
    west_south (train)   centre_south (train)     east_south (val)

Scenes in the west and centre overlap by a few hundred metres or more, and so do centre_north and the east: the mosaic
must blend scenes in two CRSs. The scored scenes in the east do not overlap with each other or with training scenes, and
their distance to training is larger than the network's receptive field. centre_north has clouds and no labels.
``config/scenes.csv`` lists the same scenes; a test compares them.
"""

from dataclasses import dataclass

from clairemap.errors import SettingsError
from clairemap.grid.points import Shift, Size
from clairemap.scenes import Split
from clairemap.simulate.scene import SceneRecipe

REGION = "demo"
DATA_FOLDER = "data/demo"
LANDSCAPE_SEED = 21
"""Added to the given seed: of the first forty landscapes, the only one with all classes in every scene."""

_ZONE_32, _ZONE_33 = "EPSG:32632", "EPSG:32633"
_DEGREES = "EPSG:4326"


@dataclass(frozen=True)
class DemoScene:
    """A scene of the demo: recipe, and cells of the sample sheet."""

    recipe: SceneRecipe
    split: Split
    optical_date: str
    sar_date: str

    @property
    def row(self) -> dict[str, str]:
        """The scene's row in the sample sheet, by column."""
        folder = f"{DATA_FOLDER}/{self.recipe.name}"
        return {
            "scene": self.recipe.name,
            "region": REGION,
            "split": self.split,
            "optical": f"{folder}/optical.tif",
            "sar": f"{folder}/sar.tif",
            "label": "" if self.split == "predict" else f"{folder}/label.tif",
            "cloud": f"{folder}/cloud.tif",
            "optical_date": self.optical_date,
            "sar_date": self.sar_date,
        }


DEMO_SCENES = (
    DemoScene(
        SceneRecipe(
            name="west_south",
            optical_crs=_ZONE_32,
            west_m=703_800,
            north_m=5_329_700,
            size_px=1024,
            sar_crs=_DEGREES,
            sar_pixel=Size(height=9.0e-5, width=1.3e-4),
            shift_px=Shift(dy=-2.2, dx=3.4),
            cloud_share=0.04,
            swath=(0.10, -0.06),
        ),
        split="train",
        optical_date="2026-05-14",
        sar_date="2026-05-15",
    ),
    DemoScene(
        SceneRecipe(
            name="west_north",
            optical_crs=_ZONE_32,
            west_m=703_500,
            north_m=5_339_300,
            size_px=1024,
            sar_crs=_ZONE_33,
            sar_pixel=Size(height=10.0, width=10.0),
            shift_px=Shift(dy=1.7, dx=-4.1),
            cloud_share=0.09,
            swath=(0.05, -0.12),
        ),
        split="train",
        optical_date="2026-05-14",
        sar_date="2026-05-12",
    ),
    DemoScene(
        SceneRecipe(
            name="centre_south",
            optical_crs=_ZONE_33,
            west_m=264_300,
            north_m=5_329_600,
            size_px=1024,
            sar_crs=_ZONE_32,
            sar_pixel=Size(height=12.0, width=12.0),
            shift_px=Shift(dy=5.6, dx=1.2),
            cloud_share=0.03,
            swath=(0.04, -0.10),
        ),
        split="train",
        optical_date="2026-05-17",
        sar_date="2026-05-15",
    ),
    DemoScene(
        SceneRecipe(
            name="centre_north",
            optical_crs=_ZONE_32,
            west_m=713_200,
            north_m=5_339_000,
            size_px=1120,
            sar_crs=_DEGREES,
            sar_pixel=Size(height=9.0e-5, width=1.3e-4),
            shift_px=Shift(dy=-3.3, dx=-2.6),
            cloud_share=0.38,
            swath=(-0.02, -0.14),
        ),
        split="predict",
        optical_date="2026-05-14",
        sar_date="2026-05-15",
    ),
    DemoScene(
        SceneRecipe(
            name="east_north",
            optical_crs=_ZONE_33,
            west_m=277_500,
            north_m=5_339_400,
            size_px=896,
            sar_crs=_DEGREES,
            sar_pixel=Size(height=1.0e-4, width=1.5e-4),
            shift_px=Shift(dy=2.9, dx=4.7),
            cloud_share=0.10,
            swath=(0.07, -0.08),
        ),
        split="test",
        optical_date="2026-05-17",
        sar_date="2026-05-18",
    ),
    DemoScene(
        SceneRecipe(
            name="east_south",
            optical_crs=_ZONE_33,
            west_m=277_400,
            north_m=5_330_440,
            size_px=896,
            sar_crs=_ZONE_32,
            sar_pixel=Size(height=10.0, width=10.0),
            shift_px=Shift(dy=-1.4, dx=-5.3),
            cloud_share=0.05,
            swath=(0.02, -0.12),
        ),
        split="val",
        optical_date="2026-05-17",
        sar_date="2026-05-18",
    ),
)


def demo_scene(name: str) -> DemoScene:
    """Return a demo scene by name.

    Raises:
        SettingsError: the demo has no such scene.
    """
    for scene in DEMO_SCENES:
        if scene.recipe.name == name:
            return scene
    known = ", ".join(scene.recipe.name for scene in DEMO_SCENES)
    raise SettingsError(f"--scene {name!r}: unknown demo scene (known: {known})")
