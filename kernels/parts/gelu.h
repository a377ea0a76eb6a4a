// gelu.h — GELU, the tanh approximation, as activation.metal has it
#pragma once
static float gelu_of(float x)
{
    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.0f + precise::tanh(inner));
}
