// silu.h — SiLU, as gated_activation.metal has it
#pragma once
static float silu_of(float x) { return x / (1.0f + precise::exp(-x)); }
