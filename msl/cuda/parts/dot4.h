/* dot4.h — kernels/parts/dot4.h by the instruction of that purpose */
static int dot4(int sum, uint a, uint b) {
    return __dp4a(int(a), int(b), sum);
}
