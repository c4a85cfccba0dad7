"""The errors that a user can meet, each with an exit code of its own.

The text of an error says what is wrong, where (file, window, key), the value seen and what to do about it.
``docs/errors.md`` lists them by code; a test keeps that page complete.
"""


class ClairemapError(Exception):
    """Base of all errors that come from input, settings or the machine rather than from a fault in the code."""

    exit_code = 1


class SettingsError(ClairemapError):
    """A key or a value of the settings is not allowed."""

    exit_code = 10


class SampleSheetError(ClairemapError):
    """The sample sheet has faults; the text lists all of them with row and remedy."""

    exit_code = 11


class MissingFileError(ClairemapError):
    """A file that the sample sheet or a stage names does not exist."""

    exit_code = 12


class UnreadableFileError(ClairemapError):
    """A file exists but can't be read: truncated, damaged or of an unknown format."""

    exit_code = 13


class NoOverlapError(ClairemapError):
    """Two rasters of one scene do not share any ground."""

    exit_code = 14


class BandCountError(ClairemapError):
    """A raster has other bands than the settings say."""

    exit_code = 15


class LabelError(ClairemapError):
    """A label raster holds codes that are neither in the legend nor among those to ignore."""

    exit_code = 16


class EmptySceneError(ClairemapError):
    """A scene has no valid pixel in either sensor."""

    exit_code = 17


class GridError(ClairemapError):
    """Coordinate reference systems, resolutions or grids don't fit together."""

    exit_code = 18


class RegistrationRejectedError(ClairemapError):
    """The registration was rejected and the settings make that an error."""

    exit_code = 19


class BundleError(ClairemapError):
    """A trained model doesn't fit the data that it is asked to map, or its files are damaged."""

    exit_code = 20


class TrainingError(ClairemapError):
    """Training can't go on: loss or gradient is not finite, or the processes don't find each other."""

    exit_code = 21


class NoTrainingDataError(ClairemapError):
    """No labelled pixel is left to train on."""

    exit_code = 22


class ExplainerError(ClairemapError):
    """The language model for explanations can't be loaded or run."""

    exit_code = 23


class DiskFullError(ClairemapError):
    """There is no space left where an output is written."""

    exit_code = 24


class StoreError(ClairemapError):
    """An intermediate store is incomplete or damaged."""

    exit_code = 25


class MapCheckError(ClairemapError):
    """A finished map is not what it has to be: not a valid COG, off its grid, or with values that it may not have."""

    exit_code = 26


class ValuesError(ClairemapError):
    """A raster's values can't be what the settings or tags say: another scale, untagged nodata, other codes."""

    exit_code = 27


class RadiometryError(ClairemapError):
    """A scene's values don't look like those of the training scenes: another unit, offset or order of bands."""

    exit_code = 28


class TimeBudgetError(ClairemapError):
    """Training stopped in time with its state saved; running the job again goes on from there."""

    exit_code = 75
