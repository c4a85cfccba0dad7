from dataclasses import dataclass
from pathlib import Path

import pytest

from clairemap.artefacts.document import DocumentModel, document_text, read_document, write_document
from clairemap.errors import StoreError


class Model(DocumentModel):
    """Pydantic document."""

    name: str
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plain:
    """Dataclass document."""

    name: str
    values: tuple[float, ...] = ()


@pytest.mark.parametrize("document", [Model(name="é", values=(1e-7, 1 / 3)), Plain("é", (1e-7, 1 / 3))])
def test_round_trip(tmp_path: Path, document: Model | Plain):
    write_document(tmp_path / "new" / "d.json", document)
    assert read_document(tmp_path / "new" / "d.json", type(document), "document", "a_rule") == document
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["d.json"]


def test_non_finite_values_are_rejected():
    with pytest.raises(ValueError, match="not JSON compliant"):
        document_text(Plain("a", (float("nan"),)))


@pytest.mark.parametrize("kind", [Model, Plain])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("{", "Invalid JSON"),
        ('{"name": 3}', "name: .*got 3"),
        ('{"name": "a", "values": ["x"]}', r"values\.0: .*got 'x'"),
    ],
)
def test_errors_name_file_key_value_and_remedy(tmp_path: Path, kind: type, text: str | None, expected: str):
    path = tmp_path / "d.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(
        StoreError, match=rf"d\.json: not a valid document \({expected}.*\); delete it and run a_rule again"
    ):
        read_document(path, kind, "document", "a_rule")


def test_unknown_keys_of_a_model_are_rejected(tmp_path: Path):
    (tmp_path / "d.json").write_text('{"name": "a", "unknown": "b"}')
    with pytest.raises(StoreError, match="unknown"):
        read_document(tmp_path / "d.json", Model, "document", "a_rule")
