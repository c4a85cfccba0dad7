"""Base class of all sections of the settings, and their errors."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from clairemap.errors import SettingsError
from clairemap.settings.faults import fault_messages


class Section(BaseModel):
    """A section of the settings: unknown keys are errors, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings of a stage from JSON.

        Raises:
            SettingsError: not valid JSON, or keys or values are missing or not allowed; the message lists all of them.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            remedy = "To print the command of each stage: snakemake --dry-run --forceall --printshellcmds"
            raise settings_error(error, cls, f"--settings ({cls.__name__})", remedy) from None


def settings_error(error: ValidationError, model: type[BaseModel], source: str, remedy: str) -> SettingsError:
    """Return an error that lists all errors found by pydantic, with the remedy as the last line."""
    faults = [f"  {fault}" for fault in fault_messages(error, model)]
    return SettingsError(f"{source}: {len(faults)} error(s)\n" + "\n".join(faults) + f"\n{remedy}")
