"""Settings of the folder in which a trained model is shared."""

from pydantic import Field

from clairemap.settings.section import Section


class BundleSettings(Section):
    """The folder to share the model."""

    licence: str | None = Field(
        None, min_length=1, description="licence of the model, for the folder's README (null: not stated)"
    )
    zip: bool = Field(False, description="also write the folder as one .zip file")
