/* transcendental.h — the functions that are worth a target's own version, from the C library.
 *
 * functions.h includes it as <transcendental.h>: a folder earlier on the include path replaces it.
 */
#ifndef METAL_LLM_MSL_TRANSCENDENTAL_H
#define METAL_LLM_MSL_TRANSCENDENTAL_H

namespace metal {

#ifndef MSL_OWN_EXP_AND_TANH
MSL_INLINE float exp(float x) {
    return __builtin_expf(x);
}
MSL_INLINE float tanh(float x) {
    return __builtin_tanhf(x);
}
#endif
MSL_INLINE float exp2(float x) {
    return __builtin_exp2f(x);
}
MSL_INLINE float log(float x) {
    return __builtin_logf(x);
}
MSL_INLINE float log2(float x) {
    return __builtin_log2f(x);
}
MSL_INLINE float pow(float x, float y) {
    return __builtin_powf(x, y);
}

} // namespace metal

#endif
