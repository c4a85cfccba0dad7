"""Settings of the folder in which a trained model is handed on."""

from pydantic import Field

from clairemap.settings.section import Section


class BundleSettings(Section):
    """The folder to hand the model on."""

    licence: str | None = Field(
        None, min_length=1, description="licence of the model, for the folder's README (null: not stated)"
    )
    zip: bool = Field(False, description="also write the folder as one .zip file")
