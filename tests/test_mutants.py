"""The mutation test's proofs are of mutants that there are, and what it takes out is what it should."""

import mutate
import pytest

from toolchain import KERNELS


def test_every_proof_has_its_mutant():
    mutants = {
        (path.name, mutant.before, mutant.after)
        for path in mutate.source_files()
        for mutant in mutate.make_mutants(path.read_text())
    }
    assert [key for key in mutate.read_proofs() if key not in mutants] == []


def test_a_header_is_tried_by_those_that_include_it():
    assert mutate.users(KERNELS / "layernorm.metal") == [KERNELS / "layernorm.metal"]
    through = mutate.users(KERNELS / "formats/blocks.h")  # which the formats' headers include
    assert {"dequantise.metal", "linear_blocks.metal"} <= {path.name for path in through}


KERNEL = """using namespace metal;
kernel void k(device float *out [[buffer(0)]], constant uint &N [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    BODY
}
"""
BODIES = {
    "threadgroup_barrier(mem_flags::mem_threadgroup);": ["barrier: ;"],
    "simdgroup_barrier(mem_flags::mem_none); // a barrier": ["barrier: ;"],
    "if (i >= N) return;": ["guard: if (false) return;"],
    "if (i >= N || i > 9) return;": [
        "guard: if (false) return;",
        "guard: if (i > 9) return;",
        "guard: if (i >= N) return;",
    ],
    "if (i < N) out[i] = i;": ["guard: if (true) out[i] = i;"],
    "if (i == 0) out[i] = i;": [],
    "out[min(i, N - 1)] = i;": ["guard: out[(i)] = i;"],
    "float sum = 0.0f, last = 1.0f;": [
        "initialiser: float sum, last = 1.0f;",
        "initialiser: float sum = 0.0f, last;",
    ],
    "const uint n = 4;": [],
    "for (uint c = 0; c < N; c++) out[c] = c;": ["initialiser: for (uint c; c < N; c++) out[c] = c;"],
    "out[0] = -INFINITY;": ["initialiser: ;"],
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_taken_out(body):
    mutants = mutate.make_mutants(KERNEL.replace("BODY", body))
    assert [f"{mutant.kind}: {mutant.after}" for mutant in mutants] == BODIES[body]
