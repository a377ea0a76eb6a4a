#include "metal_facts.h"

#include <stdio.h>

const char *metal_unsuited(id device) {
    if (!device) return "there is no Metal device here";
    if (!MPSSupportsMTLDevice(device)) return "Metal Performance Shaders does not support this GPU";
    if (!send(supports_family, device, MTL_FAMILY_METAL3))
        return "this GPU is too old: Metal 3 is needed (M1, A14 or newer)";
    return NULL;
}

/* "Metal feature set tables": SIMD-scoped matrix multiply operations, from Apple7 on. A Mac's other
 * GPUs and virtual ones have Metal 3 without them. */
bool metal_has_matrices(id device) {
    return send(supports_family, device, MTL_FAMILY_APPLE7);
}

void metal_details(id device, char *text, size_t size) {
    static const struct {
        NSInteger number; /* of MTLGPUFamily */
        const char *name;
    } families[] = {{1001, "Apple1"},  {1002, "Apple2"},  {1003, "Apple3"},  {1004, "Apple4"},
                    {1005, "Apple5"},  {1006, "Apple6"},  {1007, "Apple7"},  {1008, "Apple8"},
                    {1009, "Apple9"},  {1010, "Apple10"}, {2001, "Mac1"},    {2002, "Mac2"},
                    {3001, "Common1"}, {3002, "Common2"}, {3003, "Common3"}, {5001, "Metal3"},
                    {5002, "Metal4"}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families && used < size; i++)
        if (send(supports_family, device, families[i].number))
            used += (size_t)snprintf(text + used, size - used, "%s ", families[i].name);
    if (used && used < size) used--; /* the last space */
    if (used < size)
        snprintf(text + used, size - used, "; a buffer has at most %.1f GiB",
                 (double)send(max_buffer, device) / (1024.0 * 1024 * 1024));
}
