"""How the answers of the demo's sample were simulated, and the true areas: ``{region}.truth.json``."""

from pathlib import Path

from clairemap.artefacts.document import DocumentModel, read_document, write_document


class SimulatedAnswers(DocumentModel):
    """Simulated answers for a sample of the demo region.

    Attributes:
        units: answered units.
        wrong: units with a wrong answer on purpose.
        area_ha: true area of each class by name, hectares, of the ground that is mapped.
        stamp: version and code.
    """

    units: int
    wrong: int
    area_ha: dict[str, float]
    stamp: dict[str, str]


def write_simulated_answers(path: Path, simulated: SimulatedAnswers) -> None:
    """Write the document as JSON."""
    write_document(path, simulated)


def read_simulated_answers(path: Path) -> SimulatedAnswers:
    """Return the document.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, SimulatedAnswers, "file of true areas", "interpret_demo")
