"""Settings and scenes of a run, and which scenes belong to which job."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from clairemap.errors import MissingFileError, SampleSheetError, SettingsError
from clairemap.scenes import SampleSheet, Scene, read_sample_sheet
from clairemap.settings import Settings, load_settings


@dataclass(frozen=True)
class Plan:
    """Checked settings and sample sheet of a run."""

    settings: Settings
    sheet: SampleSheet

    @classmethod
    def read(
        cls, config: Mapping[str, Any], checkout: Path, source: str = "config", checked_sheet: str | None = None
    ) -> Self:
        """Return the plan for Snakemake's `config`; `checkout` is the folder of the Snakefile.

        `source` names the settings in messages; `checked_sheet` is the digest of a sheet that was checked before.

        Raises:
            SettingsError: the settings are not valid, or the path of the checkout contains braces.
            SampleSheetError: the sample sheet is not valid.
            MissingFileError: a file of initial weights does not exist.
        """
        if set(str(checkout)) & set("{}"):
            raise SettingsError(
                f"{checkout}: the path of the workflow contains braces, which Snakemake interprets as wildcards: "
                "move the workflow to another folder"
            )
        settings = load_settings(config, source)
        plan = cls(
            settings,
            read_sample_sheet(
                Path(settings.scenes), Path(settings.data_dir), checked_sheet, trains=settings.model is None
            ),
        )
        if missing := [str(path) for path in plan.initial_weights.values() if not path.is_file()]:
            raise MissingFileError(
                f"training.initial_optical, training.initial_sar: {', '.join(missing)} does not exist; "
                "correct the path, or set it to null"
            )
        return plan

    @cached_property
    def initial_weights(self) -> dict[str, Path]:
        """Files of initial weights by sensor; empty if the settings name none."""
        training = self.settings.training
        named = {"optical": training.initial_optical, "sar": training.initial_sar}
        return {sensor: Path(path) for sensor, path in named.items() if path}

    @cached_property
    def train_and_val(self) -> tuple[str, ...]:
        """Names of the labelled train and val scenes: changes to test scenes do not rerun training."""
        return tuple(scene.scene for scene in self.sheet.of_split("train", "val") if scene.label)

    def test_of(self, region: str) -> tuple[str, ...]:
        """Return the names of a region's labelled test scenes, which are audited for the region's figures only."""
        return tuple(scene.scene for scene in self.scenes_of(region) if self.is_tested(scene))

    @cached_property
    def labelled_regions(self) -> tuple[str, ...]:
        """Names of the regions with labelled scenes."""
        return tuple(region for region in self.sheet.regions if any(map(is_labelled, self.sheet.in_region(region))))

    @cached_property
    def train(self) -> tuple[str, ...]:
        """Names of the labelled train scenes."""
        return tuple(name for name in self.train_and_val if self.sheet[name].split == "train")

    def maps_of(self, region: str) -> list[str]:
        """Return the names of a region's maps: the region's name, or those of its scenes if each has its own map."""
        if self.settings.mosaic.grid == "region":
            return [region]
        return list(self.sheet.names_in(region))

    def scenes_of(self, region: str, map_name: str | None = None) -> list[Scene]:
        """Return the scenes of a region; only those of the named map if each scene has its own map.

        Raises:
            SampleSheetError: there is no such region, or it has no such map.
        """
        if map_name is None or map_name == region and self.settings.mosaic.grid == "region":
            return list(self.sheet.in_region(region))
        if self.settings.mosaic.grid == "region" or self.sheet[map_name].region != region:
            raise SampleSheetError(f"region {region!r} has no map {map_name!r}")
        return [self.sheet[map_name]]

    def scenes_read(
        self, rule: str, *, scene: str | None = None, region: str | None = None, map_name: str | None = None
    ) -> tuple[str, ...]:
        """Return the names of the scenes that a job of a rule reads; its scene, region and map are its wildcards.

        Raises:
            SampleSheetError: there is no such region, or it has no such map.
        """
        if scene is not None:
            return (scene,)
        if region is None:
            return self.train_and_val
        if rule == "audit_places":
            return self.test_of(region)
        if rule == "audit_splits":
            return (*self.train_and_val, *self.test_of(region))
        if rule == "score_region":
            return tuple(dict.fromkeys((*self.train_and_val, *self.sheet.names_in(region))))
        return tuple(found.scene for found in self.scenes_of(region, map_name))

    def is_tested(self, scene: Scene) -> bool:
        """Whether a scene has labels for testing: with a model from another project, each labelled scene."""
        return is_labelled(scene) and (scene.split == "test" or self.settings.model is not None)

    def is_compared(self, scene: Scene) -> bool:
        """Whether a scene is also mapped and scored with one sensor masked out."""
        return self.settings.metrics.compare_sensors and scene.split == "test" and is_labelled(scene)


def has_both_sensors(scene: Scene) -> bool:
    """Whether a scene has an optical and a SAR file."""
    return scene.optical is not None and scene.sar is not None


def is_labelled(scene: Scene) -> bool:
    """Whether a scene has a label file."""
    return scene.label is not None
