/* passes.c — the tables name their passes, which need a device: no fuzz target runs one. */
#include "model/gpt2.h"

#include <stdlib.h>

void gpt2_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted) {
    (void)run, (void)config, (void)weights, (void)wanted;
    abort();
}
