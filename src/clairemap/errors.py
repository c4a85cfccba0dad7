"""Errors for users, each with its own exit code.

A message says what is wrong, where (file, window, key), the value, and what to do. ``docs/errors.md`` lists the errors
by exit code; a test checks that the list is complete.
"""


class ClairemapError(Exception):
    """Base of all errors caused by input, settings or the machine, not by a bug."""

    exit_code = 1

    @property
    def report(self) -> str:
        """Message, name and exit code of the error, for logs."""
        text = str(self)
        gap = "\n" if "\n" in text else " "
        return f"{text}{gap}({type(self).__name__}, exit code {self.exit_code})"


class SettingsError(ClairemapError):
    """A key or value of the settings is not allowed, or does not fit the machine."""

    exit_code = 10


class SampleSheetError(ClairemapError):
    """The sample sheet has errors; the message lists all of them with row and remedy."""

    exit_code = 11


class MissingFileError(ClairemapError):
    """A file named by the sample sheet, a data set's list or the settings does not exist."""

    exit_code = 12


class UnreadableFileError(ClairemapError):
    """A file cannot be read: truncated, damaged or of an unsupported format."""

    exit_code = 13


class NoOverlapError(ClairemapError):
    """SAR and optical of a scene do not overlap, or no polygon touches the scene."""

    exit_code = 14


class BandCountError(ClairemapError):
    """A raster's bands do not match the settings."""

    exit_code = 15


class LabelError(ClairemapError):
    """Labels contain codes or names without a class, or a vector file lacks layer, column or polygons."""

    exit_code = 16


class EmptySceneError(ClairemapError):
    """No pixel of a scene is valid in either sensor."""

    exit_code = 17


class GridError(ClairemapError):
    """CRSs, resolutions or grids do not match, or the georeferencing is not supported."""

    exit_code = 18


class RegistrationRejectedError(ClairemapError):
    """The registration was rejected and `registration.on_rejected` is error."""

    exit_code = 19


class BundleError(ClairemapError):
    """A model does not fit the data or the settings, or its files are damaged."""

    exit_code = 20


class TrainingError(ClairemapError):
    """Loss or gradient is not finite, or the training processes cannot connect."""

    exit_code = 21


class NoTrainingDataError(ClairemapError):
    """There are no labelled pixels to train on."""

    exit_code = 22


class ExplainerError(ClairemapError):
    """The language model for explanations cannot be loaded or run."""

    exit_code = 23


class DiskFullError(ClairemapError):
    """No space is left for an output."""

    exit_code = 24


class StoreError(ClairemapError):
    """An intermediate file or store is incomplete, damaged, or from other settings."""

    exit_code = 25


class MapCheckError(ClairemapError):
    """A map is not a valid COG, is not on its region's grid, or contains invalid values."""

    exit_code = 26


class ValuesError(ClairemapError):
    """A raster's values contradict the settings or the raster's tags, for example another SAR scale."""

    exit_code = 27


class RadiometryError(ClairemapError):
    """A scene's values do not match those of the training scenes: another unit, offset or band order."""

    exit_code = 28


class OperationError(ClairemapError):
    """A command around a run is not possible: nothing to accept, no run to show, or a run that cannot be planned."""

    exit_code = 29


class RecoverError(ClairemapError):
    """An earlier run in the folder was killed or is still running, or `make recover` cannot clean up after it."""

    exit_code = 30


class RemoteFileError(ClairemapError):
    """A file on a server cannot be read, or is another one than resolve_scene read."""

    exit_code = 31


class SampleError(ClairemapError):
    """The sample of a map cannot be drawn, or its interpretation does not fit it."""

    exit_code = 33


class TimeBudgetError(ClairemapError):
    """Training reached its time limit and saved its state; running again resumes."""

    exit_code = 75


class MemoryLimitError(ClairemapError):
    """A stage needs more memory than its job may use."""

    exit_code = 76
