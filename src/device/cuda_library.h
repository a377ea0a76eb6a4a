/* cuda_library.h — NVIDIA's libraries, opened at run time: the driver, NVRTC and cuBLAS.
 *
 * One binary runs with and without them. Declared here is only what cuda_context.c and
 * cuda_compile.c call, by the documentation of CUDA 12 and 13. Every function returns 0 for
 * success.
 */
#ifndef METAL_LLM_CUDA_LIBRARY_H
#define METAL_LLM_CUDA_LIBRARY_H

#include "error.h"

typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef unsigned long long CUdeviceptr;

enum {
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_NO_BINARY = 209,
    CUDA_ERROR_UNSUPPORTED_PTX = 222,
    CUDA_STREAM_NON_BLOCKING = 1,
    CUDA_EVENT_DEFAULT = 0,
    CUDA_EVENT_DISABLE_TIMING = 2,
    CUDA_CAPTURE_RELAXED = 2,
    CUDA_ATTRIBUTE_MAX_SHARED_BYTES = 8, /* of a block */
    CUDA_ATTRIBUTE_MULTIPROCESSORS = 16,
    CUDA_ATTRIBUTE_MAJOR = 75,
    CUDA_ATTRIBUTE_MINOR = 76,
    CUDA_FUNCTION_MAX_THREADS = 0, /* of a block */
    CUDA_LAUNCH_PROGRAMMATIC_SERIALIZATION = 6,
};

typedef struct CUlaunchAttribute {
    int id;
    char padding[4];
    union {
        char bytes[64];
        int number;
    } value;
} CUlaunchAttribute;

typedef struct CUlaunchConfig {
    unsigned grid[3], block[3], shared_bytes;
    CUstream stream;
    CUlaunchAttribute *attributes;
    unsigned attribute_count;
} CUlaunchConfig;

#define CUDA_DRIVER_FUNCTIONS(FUNCTION)                                                            \
    FUNCTION(cuInit, unsigned flags)                                                               \
    FUNCTION(cuDriverGetVersion, int *version)                                                     \
    FUNCTION(cuGetErrorString, int result, const char **text)                                      \
    FUNCTION(cuDeviceGetCount, int *count)                                                         \
    FUNCTION(cuDeviceGet, int *device, int ordinal)                                                \
    FUNCTION(cuDeviceGetName, char *name, int size, int device)                                    \
    FUNCTION(cuDeviceGetAttribute, int *value, int attribute, int device)                          \
    FUNCTION(cuDevicePrimaryCtxRetain, CUcontext *context, int device)                             \
    FUNCTION(cuDevicePrimaryCtxRelease_v2, int device)                                             \
    FUNCTION(cuCtxSetCurrent, CUcontext context)                                                   \
    FUNCTION(cuMemGetInfo_v2, size_t *unused, size_t *total)                                       \
    FUNCTION(cuMemAlloc_v2, CUdeviceptr *address, size_t bytes)                                    \
    FUNCTION(cuMemFree_v2, CUdeviceptr address)                                                    \
    FUNCTION(cuMemcpyHtoDAsync_v2, CUdeviceptr to, const void *from, size_t bytes, CUstream on)    \
    FUNCTION(cuMemcpyDtoHAsync_v2, void *to, CUdeviceptr from, size_t bytes, CUstream on)          \
    FUNCTION(cuModuleLoadData, CUmodule *module, const void *code)                                 \
    FUNCTION(cuModuleUnload, CUmodule module)                                                      \
    FUNCTION(cuModuleGetFunction, CUfunction *function, CUmodule module, const char *name)         \
    FUNCTION(cuFuncGetAttribute, int *value, int attribute, CUfunction function)                   \
    FUNCTION(cuLaunchKernelEx, const CUlaunchConfig *config, CUfunction function,                  \
             void **parameters, void **extra)                                                      \
    FUNCTION(cuStreamCreate, CUstream *stream, unsigned flags)                                     \
    FUNCTION(cuStreamDestroy_v2, CUstream stream)                                                  \
    FUNCTION(cuStreamSynchronize, CUstream stream)                                                 \
    FUNCTION(cuStreamWaitEvent, CUstream stream, CUevent event, unsigned flags)                    \
    FUNCTION(cuStreamBeginCapture_v2, CUstream stream, int mode)                                   \
    FUNCTION(cuStreamEndCapture, CUstream stream, CUgraph *graph)                                  \
    FUNCTION(cuGraphInstantiateWithFlags, CUgraphExec *exec, CUgraph graph,                        \
             unsigned long long flags)                                                             \
    FUNCTION(cuGraphLaunch, CUgraphExec exec, CUstream stream)                                     \
    FUNCTION(cuGraphExecDestroy, CUgraphExec exec)                                                 \
    FUNCTION(cuGraphDestroy, CUgraph graph)                                                        \
    FUNCTION(cuEventCreate, CUevent *event, unsigned flags)                                        \
    FUNCTION(cuEventDestroy_v2, CUevent event)                                                     \
    FUNCTION(cuEventRecord, CUevent event, CUstream stream)                                        \
    FUNCTION(cuEventSynchronize, CUevent event)                                                    \
    FUNCTION(cuEventElapsedTime, float *milliseconds, CUevent start, CUevent end)

typedef struct nvrtcProgram_st *nvrtcProgram;

#define CUDA_NVRTC_FUNCTIONS(FUNCTION)                                                             \
    FUNCTION(nvrtcVersion, int *major, int *minor)                                                 \
    FUNCTION(nvrtcGetNumSupportedArchs, int *count)                                                \
    FUNCTION(nvrtcGetSupportedArchs, int *architectures)                                           \
    FUNCTION(nvrtcCreateProgram, nvrtcProgram *program, const char *source, const char *name,      \
             int header_count, const char *const *headers, const char *const *header_names)        \
    FUNCTION(nvrtcDestroyProgram, nvrtcProgram *program)                                           \
    FUNCTION(nvrtcCompileProgram, nvrtcProgram program, int count, const char *const *options)     \
    FUNCTION(nvrtcGetProgramLogSize, nvrtcProgram program, size_t *size)                           \
    FUNCTION(nvrtcGetProgramLog, nvrtcProgram program, char *log)                                  \
    FUNCTION(nvrtcGetCUBINSize, nvrtcProgram program, size_t *size)                                \
    FUNCTION(nvrtcGetCUBIN, nvrtcProgram program, char *code)                                      \
    FUNCTION(nvrtcGetPTXSize, nvrtcProgram program, size_t *size)                                  \
    FUNCTION(nvrtcGetPTX, nvrtcProgram program, char *code)

typedef struct cublasContext *cublasHandle;

enum {
    CUBLAS_NORMAL = 0,
    CUBLAS_TRANSPOSED = 1,
    CUBLAS_COMPUTE_FLOAT = 68,
    CUBLAS_ALGORITHM_DEFAULT = -1,
    CUBLAS_FLOAT = 0,
    CUBLAS_HALF = 2,
};

#define CUDA_BLAS_FUNCTIONS(FUNCTION)                                                              \
    FUNCTION(cublasCreate_v2, cublasHandle *handle)                                                \
    FUNCTION(cublasDestroy_v2, cublasHandle handle)                                                \
    FUNCTION(cublasSetStream_v2, cublasHandle handle, CUstream stream)                             \
    FUNCTION(cublasSetWorkspace_v2, cublasHandle handle, void *workspace, size_t bytes)            \
    FUNCTION(cublasGemmEx, cublasHandle handle, int transpose_a, int transpose_b, int m, int n,    \
             int k, const void *alpha, const void *a, int a_type, int lda, const void *b,          \
             int b_type, int ldb, const void *beta, void *c, int c_type, int ldc,                  \
             int compute_type, int algorithm)

#define CUDA_POINTER(name, ...) int (*name)(__VA_ARGS__);
typedef struct CUDADriver {
    CUDA_DRIVER_FUNCTIONS(CUDA_POINTER)
} CUDADriver;
typedef struct CUDACompiler {
    CUDA_NVRTC_FUNCTIONS(CUDA_POINTER)
} CUDACompiler;
typedef struct CUDABlas {
    CUDA_BLAS_FUNCTIONS(CUDA_POINTER)
} CUDABlas;
#undef CUDA_POINTER

/* Each library is opened once and stays open. NULL and `error`, which says what to install, if it
 * is not there. */
const CUDADriver *cuda_driver(LLMError *error);
const CUDACompiler *cuda_compiler(LLMError *error);
const CUDABlas *cuda_blas(LLMError *error);

#endif
