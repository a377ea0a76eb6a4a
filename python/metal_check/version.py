"""The version: that of metal-llm, which this is part of."""

VERSION = "0.2.0"
