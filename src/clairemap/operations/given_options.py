"""Options of Snakemake that may be given only once: of several, it uses the last one and ignores the others."""

from collections import Counter
from collections.abc import Sequence

from clairemap.errors import SettingsError

REMEDIES = {
    "--configfile": "name all files after one, a later file overrides earlier ones: --configfile base.yaml my.yaml",
    "--config": "write all values after one: --config seed=1 work_dir=work",
}
NAMES = {**{name: name for name in REMEDIES}, "--configfiles": "--configfile", "-C": "--config"}


def check_given_once(words: Sequence[str]) -> None:
    """Check that a command line has no settings that Snakemake ignores.

    Raises:
        SettingsError: an option with settings is given several times.
    """
    given = Counter(NAMES.get(word.partition("=")[0]) for word in words)
    for option, remedy in REMEDIES.items():
        if given[option] > 1:
            raise SettingsError(
                f"{option} is given {given[option]} times, but Snakemake uses only the last one; {remedy}"
            )
