"""Draws validation bits per byte over training tokens.

python plot.py OUT.png NAME=LOG.jsonl …
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def main():
    out, *named_logs = sys.argv[1:]
    figure, axes = plt.subplots(figsize=(7, 4))
    for named_log in named_logs:
        name, log = named_log.split("=", 1)
        records = [json.loads(line) for line in Path(log).open()]
        axes.plot([r["tokens"] / 1e6 for r in records], [r["valid_bpb"] for r in records], label=name)
    axes.set(xlabel="million tokens", ylabel="validation bits per byte", ylim=(1.05, 1.45))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main()
