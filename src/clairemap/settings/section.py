"""What all sections of the settings share: strict keys, fixed values, errors that list every fault."""

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
            SettingsError: it is not valid JSON, or keys or values are missing or not allowed; the text lists them.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            remedy = "To print the full command of each stage: snakemake --dry-run --forceall --printshellcmds"
            raise settings_error(error, cls, f"--settings ({cls.__name__})", remedy) from None


def settings_error(error: ValidationError, model: type[BaseModel], source: str, remedy: str) -> SettingsError:
    """Return an error that lists every fault pydantic found, with a last line that says where to look."""
    faults = [f"  {fault}" for fault in fault_messages(error, model)]
    return SettingsError(f"{source}: {len(faults)} fault(s)\n" + "\n".join(faults) + f"\n{remedy}")
