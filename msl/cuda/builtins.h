/* builtins.h — the compiler builtins that msl/common/ uses, under the names that NVRTC has. */
#ifndef METAL_LLM_MSL_CUDA_BUILTINS_H
#define METAL_LLM_MSL_CUDA_BUILTINS_H

/* CUDA has vectors of these names, of another kind. */
#define char2 msl_char2
#define char3 msl_char3
#define char4 msl_char4
#define uchar2 msl_uchar2
#define uchar3 msl_uchar3
#define uchar4 msl_uchar4
#define short2 msl_short2
#define short3 msl_short3
#define short4 msl_short4
#define ushort2 msl_ushort2
#define ushort3 msl_ushort3
#define ushort4 msl_ushort4
#define int2 msl_int2
#define int3 msl_int3
#define int4 msl_int4
#define uint2 msl_uint2
#define uint3 msl_uint3
#define uint4 msl_uint4
#define long2 msl_long2
#define long3 msl_long3
#define long4 msl_long4
#define ulong2 msl_ulong2
#define ulong3 msl_ulong3
#define ulong4 msl_ulong4
#define float2 msl_float2
#define float3 msl_float3
#define float4 msl_float4

#define __SIZE_TYPE__    unsigned long
#define __PTRDIFF_TYPE__ long

#define __builtin_inff()        __int_as_float(0x7F800000)
#define __builtin_nanf(payload) __int_as_float(0x7FC00000)

#define __builtin_expf      expf
#define __builtin_exp2f     exp2f
#define __builtin_logf      logf
#define __builtin_log2f     log2f
#define __builtin_log10f    log10f
#define __builtin_powf      powf
#define __builtin_sinf      sinf
#define __builtin_cosf      cosf
#define __builtin_tanf      tanf
#define __builtin_asinf     asinf
#define __builtin_acosf     acosf
#define __builtin_atanf     atanf
#define __builtin_atan2f    atan2f
#define __builtin_sinhf     sinhf
#define __builtin_coshf     coshf
#define __builtin_tanhf     tanhf
#define __builtin_asinhf    asinhf
#define __builtin_acoshf    acoshf
#define __builtin_atanhf    atanhf
#define __builtin_fabsf     fabsf
#define __builtin_floorf    floorf
#define __builtin_ceilf     ceilf
#define __builtin_truncf    truncf
#define __builtin_roundf    roundf
#define __builtin_rintf     rintf
#define __builtin_sqrtf     sqrtf
#define __builtin_fminf     fminf
#define __builtin_fmaxf     fmaxf
#define __builtin_fmodf     fmodf
#define __builtin_fdimf     fdimf
#define __builtin_copysignf copysignf
#define __builtin_fmaf      fmaf
#define __builtin_ldexpf    ldexpf
#define __builtin_frexpf    frexpf
#define __builtin_modff     modff
#define __builtin_nextafterf nextafterf
#define __builtin_ilogbf    ilogbf

#define MSL_OWN_FAST_EXP2

#define __builtin_isnormal(x) (__builtin_isfinite(x) && fabsf(x) >= 1.175494351e-38f)
#define __builtin_signbit(x)  (__float_as_int(x) < 0)

#define __builtin_popcount(x)  __popc(x)
#define __builtin_clz(x)       __clz(int(x))
#define __builtin_ctz(x)       (__ffs(int(x)) - 1)
#define __builtin_popcountl(x) __popcll(x)
#define __builtin_clzl(x)      __clzll((long long)(x))
#define __builtin_ctzl(x)      (__ffsll((long long)(x)) - 1)

#endif
