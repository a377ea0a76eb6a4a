/* families.c — names this Mac's GPU and the families of features that it has, for the log of a test
 * run. */
#include "device/metal_objc.h"

#include <stdio.h>

int main(void) {
    static const struct {
        NSInteger number; /* of MTLGPUFamily */
        const char *name;
    } families[] = {{1001, "Apple1"},  {1002, "Apple2"},  {1003, "Apple3"},  {1004, "Apple4"},
                    {1005, "Apple5"},  {1006, "Apple6"},  {1007, "Apple7"},  {1008, "Apple8"},
                    {1009, "Apple9"},  {1010, "Apple10"}, {2001, "Mac1"},    {2002, "Mac2"},
                    {3001, "Common1"}, {3002, "Common2"}, {3003, "Common3"}, {5001, "Metal3"},
                    {5002, "Metal4"}};
    id pool = metal_pool_open();
    id device = MTLCreateSystemDefaultDevice();
    if (!device) {
        puts("no Metal device");
        metal_pool_close(pool);
        return 1;
    }
    printf("%s:", send(text, send(name, device)));
    for (unsigned i = 0; i < sizeof families / sizeof *families; i++)
        if (send(supports_family, device, families[i].number)) printf(" %s", families[i].name);
    printf("; Metal Performance Shaders: %s\n", MPSSupportsMTLDevice(device) ? "yes" : "no");
    metal_release(&device);
    metal_pool_close(pool);
    return 0;
}
