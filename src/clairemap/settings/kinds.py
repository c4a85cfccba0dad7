"""Value types of the settings: aligned sizes, fractions, paths."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from clairemap.errors import SettingsError
from clairemap.paths import expanded, expanded_input, hidden_character

ALIGN_PX = 128
"""Tile and window sizes are multiples of this, pixels: an attention window of 8 cells at stride 16."""


def _aligned(value: int) -> int:
    if value % ALIGN_PX:
        raise ValueError(f"{value} is not a multiple of {ALIGN_PX} px, as the network needs")
    return value


def _input_path(text: str) -> str:
    """Return the path of an input, with `~` and variables expanded."""
    if hidden := hidden_character(text):
        raise ValueError(f"{text!r} contains {hidden}: remove it")
    try:
        return str(expanded_input(text))
    except SettingsError as error:
        raise ValueError(str(error)) from None


def _output_folder(text: str) -> str:
    """Return the path of an output folder, with `~` and variables expanded."""
    if hidden := hidden_character(text):
        raise ValueError(f"{text!r} contains {hidden}: remove it")
    try:
        folder = str(Path(expanded(text)))
    except SettingsError as error:
        raise ValueError(str(error)) from None
    if set(folder) & set("{}"):
        raise ValueError(f"{folder!r} contains braces, which Snakemake interprets as wildcards: choose another folder")
    return folder


InputPath = Annotated[str, Field(min_length=1), AfterValidator(_input_path)]
OutputFolder = Annotated[str, Field(min_length=1), AfterValidator(_output_folder)]
AlignedPx = Annotated[int, Field(ge=ALIGN_PX, le=16384), AfterValidator(_aligned)]
Share = Annotated[float, Field(ge=0, le=1)]
