"""Names of the files that the rules write: maps, files of a scene, files of the model.

Rules and scripts use these names. A path may contain Snakemake wildcards.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FUSED: Final = "fused"
"""View that uses both sensors (`settings.View`), and the name of its folder."""

MAPS = ("landcover", "confidence", "optical_share", "source_count")


@dataclass(frozen=True)
class MapFiles:
    """Files of one map. All names start with the prefix: ``results/alps/alps`` for ``alps.landcover.tif``."""

    prefix: Path

    def _file(self, ending: str) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.{ending}")

    @property
    def name(self) -> str:
        """Name of the map."""
        return self.prefix.name

    @property
    def landcover(self) -> Path:
        """Map of class codes."""
        return self._file("landcover.tif")

    @property
    def confidence(self) -> Path:
        """Map of the probability of the mapped class, percent."""
        return self._file("confidence.tif")

    @property
    def optical_share(self) -> Path:
        """Map of the optical sensor's share in the result, percent."""
        return self._file("optical_share.tif")

    @property
    def source_count(self) -> Path:
        """Map of the number of scenes with a result."""
        return self._file("source_count.tif")

    @property
    def styles(self) -> dict[str, Path]:
        """QGIS style of each map, by the map's key."""
        return {key: self._file(f"{key}.qml") for key in MAPS}

    @property
    def categories(self) -> Path:
        """Category names of the land-cover map, for GDAL."""
        return self._file("landcover.tif.aux.xml")

    @property
    def table(self) -> Path:
        """Attribute table of the land-cover map, for ArcGIS."""
        return self._file("landcover.tif.vat.dbf")

    @property
    def encoding(self) -> Path:
        """Text encoding of the attribute table."""
        return self._file("landcover.tif.vat.cpg")

    @property
    def item(self) -> Path:
        """STAC item."""
        return self._file("item.json")

    @property
    def model(self) -> Path:
        """Copy of the model's card."""
        return self._file("model.json")

    @property
    def polygons(self) -> Path:
        """Land-cover map as polygons; exists if `deliver.vector` is set."""
        return self._file("landcover.gpkg")

    @property
    def probabilities(self) -> Path:
        """Store of the map's class probabilities, for maps before post-processing."""
        return self._file("probabilities.zarr")

    @property
    def probabilities_manifest(self) -> Path:
        """Manifest of this store."""
        return self._file("probabilities.json")

    @property
    def check(self) -> Path:
        """Result of the check of the finished maps."""
        return self._file("check.json")


@dataclass(frozen=True)
class SampleFiles:
    """Files of a region's sample. Interpreters get `table` and `geopackage`; `design` is in the work folder.

    These three are no outputs for Snakemake, which deletes outputs before a job and after a failed one: people write
    into the first two, and a sample outlives its map. `drawn` is the output: a hash of the design.
    """

    results: Path
    work: Path
    region: str

    @property
    def table(self) -> Path:
        """The sample as CSV."""
        return self.results / self.region / f"{self.region}.sample.csv"

    @property
    def geopackage(self) -> Path:
        """The sample as GeoPackage."""
        return self.results / self.region / f"{self.region}.sample.gpkg"

    @property
    def design(self) -> Path:
        """Strata, chances and map classes of the units."""
        return self.work / "samples" / f"{self.region}.json"

    @property
    def drawn(self) -> Path:
        """SHA-256 of the design, written when all files of the sample are."""
        return self.design.with_suffix(".sha256")

    @property
    def estimates(self) -> Path:
        """Accuracy and areas, estimated from the interpreted sample."""
        return self.results / self.region / "estimates.json"

    @property
    def estimates_table(self) -> Path:
        """The same as CSV."""
        return self.results / self.region / "estimates.csv"

    @property
    def published_design(self) -> Path:
        """Copy of the design beside the estimates."""
        return self.results / self.region / f"{self.region}.sample_design.json"


@dataclass(frozen=True)
class SceneFolder:
    """Files of one scene, such as ``work/scenes/west``."""

    folder: Path

    @property
    def files_read(self) -> Path:
        """What was read of the scene's files, see `raster.identity`; not an output of a rule."""
        return self.folder / "files_read.json"

    @property
    def sources(self) -> Path:
        """What the scene's cells consist of; only for scenes with other cells than single rasters."""
        return self.folder / "sources.json"

    @property
    def registration(self) -> Path:
        """Offset of SAR against optical."""
        return self.folder / "registration.json"

    @property
    def registration_picture(self) -> Path:
        """Checkerboard of both sensors; exists if the scene has both."""
        return self.folder / "registration.png"

    @property
    def polygon_sources(self) -> Path:
        """What was read of the scene's vector labels, see `raster.identity`; not an output of a rule."""
        return self.folder / "label_sources.json"

    @property
    def label(self) -> Path:
        """Label raster of the map's codes; exists if the scene's labels are polygons."""
        return self.folder / "label.tif"

    @property
    def label_counts(self) -> Path:
        """What was burnt of the polygons."""
        return self.folder / "label.json"

    @property
    def pair(self) -> Path:
        """Store of the scene's rasters on one grid."""
        return self.folder / "pair.zarr"

    @property
    def tiles(self) -> Path:
        """Tile index."""
        return self.folder / "tiles.parquet"

    @property
    def radiometry_check(self) -> Path:
        """Comparison of the scene's values with those of the training scenes."""
        return self.folder / "radiometry_check.json"

    @property
    def probabilities(self) -> Path:
        """Store of class probabilities from both sensors."""
        return self.probabilities_of(FUSED)

    def probabilities_of(self, view: str) -> Path:
        """Return the store of class probabilities of a view: fused, optical or sar."""
        return self.folder / view / "probabilities.zarr"

    @property
    def explanations(self) -> Path:
        """Explanations of the tiles."""
        return self.folder / "explanations.jsonl"


TRAINED_FOLDER: Final = "model"
GIVEN_FOLDER: Final = "given_model"
"""Folders of the model in `work_dir`: the trained one, and the copy of one that the settings name (`model`)."""


@dataclass(frozen=True)
class ModelFolder:
    """Files of the model, such as ``work/model``."""

    folder: Path

    @property
    def initial(self) -> Path:
        """What was read of the files of initial weights, see `raster.identity`; not an output of a rule."""
        return self.folder / "initial.json"

    @property
    def weights(self) -> Path:
        """Weights of the network."""
        return self.folder / "model.safetensors"

    @property
    def card(self) -> Path:
        """Model card."""
        return self.folder / "model.json"

    @property
    def history(self) -> Path:
        """Training history."""
        return self.folder / "history.csv"

    @property
    def statistics(self) -> Path:
        """Band statistics of the training tiles."""
        return self.folder / "statistics.json"

    @property
    def training_splits(self) -> Path:
        """Split of each tile of the training scenes."""
        return self.folder / "training_splits.parquet"

    @property
    def radiometry(self) -> Path:
        """Radiometry of the training scenes."""
        return self.folder / "radiometry.json"

    @property
    def origin(self) -> Path:
        """Origin of the model; exists if the model is from another project."""
        return self.folder / "origin.json"

    def audit_of(self, region: str) -> Path:
        """Return the audit of a region's splits: training scenes, and the region's test scenes."""
        return self.folder / "audits" / f"{region}.json"

    def splits_of(self, region: str) -> Path:
        """Return the split of each tile of the training scenes and the region's test scenes."""
        return self.folder / "audits" / f"{region}.splits.parquet"


BUNDLE_FOLDER: Final = "model.bundle"
"""Folder in `results_dir` to hand the model on. No region has this name, because it contains a dot."""


@dataclass(frozen=True)
class BundleFolder:
    """Files of a shared model, such as ``results/model.bundle``."""

    folder: Path

    @property
    def model(self) -> ModelFolder:
        """Files of the model."""
        return ModelFolder(self.folder)

    @property
    def readme(self) -> Path:
        """What the model is and how to map with it."""
        return self.folder / "README.md"

    @property
    def config(self) -> Path:
        """Config file to start with."""
        return self.folder / "my.yaml"

    @property
    def sheet(self) -> Path:
        """Header of a sample sheet to start with."""
        return self.folder / "scenes.csv"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the folder."""
        model = self.model
        copied = model.weights, model.card, model.radiometry, model.statistics, model.origin
        return (*copied, self.readme, self.config, self.sheet)

    @property
    def zip_file(self) -> Path:
        """The folder as one file."""
        return self.folder.with_name(f"{self.folder.name}.zip")
