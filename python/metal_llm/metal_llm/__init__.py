"""Run language models: a thin binding of libmetal-llm (metal_llm.h)."""

from .library import Failure, Status
from .model import Chat, Model

__all__ = ["Chat", "Failure", "Model", "Status"]
