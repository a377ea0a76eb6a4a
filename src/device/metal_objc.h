/* metal_objc.h — Apple's Metal from C: the messages that this program sends, each with its type.
 *
 * Declared here is only what is used, by Apple's documentation. No message returns a structure and
 * none takes a block, so objc_msgSend serves for all. Ownership is Objective-C's: what alloc, new…
 * and retain return is the caller's to release; everything else lives until the pool is closed, if
 * nobody retains it.
 */
#ifndef METAL_LLM_METAL_OBJC_H
#define METAL_LLM_METAL_OBJC_H

#include <stdbool.h>
#include <stdint.h>

#ifndef __OBJC__
typedef struct objc_object *id;
typedef struct objc_selector *SEL;
#endif
typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef struct MTLSize {
    NSUInteger width, height, depth;
} MTLSize;

enum {
    MTL_STORAGE_SHARED = 0,     /* MTLResourceStorageModeShared */
    MTL_FAMILY_APPLE7 = 1007,   /* MTLGPUFamilyApple7 */
    MTL_FAMILY_METAL3 = 5001,   /* MTLGPUFamilyMetal3 */
    MTL_LANGUAGE_3_0 = 3 << 16, /* MTLLanguageVersion3_0 */
    MTL_MATH_SAFE = 0,          /* MTLMathModeSafe */
    MTL_FUNCTIONS_PRECISE = 1,  /* MTLMathFloatingPointFunctionsPrecise */
    MTL_COMMANDS_FAILED = 5,    /* MTLCommandBufferStatusError */
    MPS_FLOAT16 = 0x10000010,   /* MPSDataTypeFloat16 */
    MPS_FLOAT32 = 0x10000020,   /* MPSDataTypeFloat32 */
};

/* MESSAGE(class or protocol, result, name, selector, arguments…) */
#define METAL_MESSAGES(MESSAGE)                                                                    \
    MESSAGE(NSObject, id, alloc, "alloc")                                                          \
    MESSAGE(NSObject, id, new, "new")                                                              \
    MESSAGE(NSObject, id, retain, "retain")                                                        \
    MESSAGE(NSObject, void, release, "release")                                                    \
    MESSAGE(NSObject, bool, responds, "respondsToSelector:", SEL selector)                         \
    MESSAGE(NSAutoreleasePool, void, drain, "drain")                                               \
    MESSAGE(NSString, id, string, "stringWithUTF8String:", const char *text)                       \
    MESSAGE(NSString, const char *, text, "UTF8String")                                            \
    MESSAGE(NSError, id, description, "localizedDescription")                                      \
                                                                                                   \
    MESSAGE(MTLDevice, id, name, "name")                                                           \
    MESSAGE(MTLDevice, bool, supports_family, "supportsFamily:", NSInteger family)                 \
    MESSAGE(MTLDevice, NSUInteger, max_buffer, "maxBufferLength")                                  \
    MESSAGE(MTLDevice, NSUInteger, allocated, "currentAllocatedSize")                              \
    MESSAGE(MTLDevice, uint64_t, working_set, "recommendedMaxWorkingSetSize")                      \
    MESSAGE(MTLDevice, id, new_queue, "newCommandQueue")                                           \
    MESSAGE(MTLDevice, id, new_buffer, "newBufferWithLength:options:", NSUInteger bytes,           \
            NSUInteger options)                                                                    \
    MESSAGE(MTLDevice, id, new_buffer_over,                                                        \
            "newBufferWithBytesNoCopy:length:options:deallocator:", void *data, NSUInteger bytes,  \
            NSUInteger options, id deallocator)                                                    \
    MESSAGE(MTLDevice, id, new_library, "newLibraryWithSource:options:error:", id source,          \
            id options, id *error)                                                                 \
    MESSAGE(MTLDevice, id, new_pipeline,                                                           \
            "newComputePipelineStateWithFunction:error:", id function, id *error)                  \
                                                                                                   \
    MESSAGE(MTLCompileOptions, void, set_language, "setLanguageVersion:", NSUInteger version)      \
    MESSAGE(MTLCompileOptions, void, set_fast_math, "setFastMathEnabled:", bool fast)              \
    MESSAGE(MTLCompileOptions, void, set_math_mode, "setMathMode:", NSInteger mode)                \
    MESSAGE(MTLCompileOptions, void, set_math_functions,                                           \
            "setMathFloatingPointFunctions:", NSInteger functions)                                 \
    MESSAGE(MTLLibrary, id, new_function, "newFunctionWithName:", id name)                         \
    MESSAGE(MTLComputePipelineState, NSUInteger, simd_width, "threadExecutionWidth")               \
    MESSAGE(MTLComputePipelineState, NSUInteger, max_threads, "maxTotalThreadsPerThreadgroup")     \
    MESSAGE(MTLBuffer, void *, contents, "contents")                                               \
                                                                                                   \
    MESSAGE(MTLCommandQueue, id, command_buffer, "commandBuffer")                                  \
    MESSAGE(MTLCommandBuffer, id, compute_encoder, "computeCommandEncoder")                        \
    MESSAGE(MTLCommandBuffer, void, commit, "commit")                                              \
    MESSAGE(MTLCommandBuffer, void, wait, "waitUntilCompleted")                                    \
    MESSAGE(MTLCommandBuffer, NSUInteger, status, "status")                                        \
    MESSAGE(MTLCommandBuffer, id, error, "error")                                                  \
    MESSAGE(MTLCommandBuffer, double, gpu_start, "GPUStartTime")                                   \
    MESSAGE(MTLCommandBuffer, double, gpu_end, "GPUEndTime")                                       \
    MESSAGE(MTLComputeCommandEncoder, void, set_pipeline, "setComputePipelineState:", id pipeline) \
    MESSAGE(MTLComputeCommandEncoder, void, set_buffer, "setBuffer:offset:atIndex:", id buffer,    \
            NSUInteger offset, NSUInteger index)                                                   \
    MESSAGE(MTLComputeCommandEncoder, void, set_bytes,                                             \
            "setBytes:length:atIndex:", const void *bytes, NSUInteger length, NSUInteger index)    \
    MESSAGE(MTLComputeCommandEncoder, void, set_scratch,                                           \
            "setThreadgroupMemoryLength:atIndex:", NSUInteger bytes, NSUInteger index)             \
    MESSAGE(MTLComputeCommandEncoder, void, dispatch_groups,                                       \
            "dispatchThreadgroups:threadsPerThreadgroup:", MTLSize groups, MTLSize threads)        \
    MESSAGE(MTLComputeCommandEncoder, void, end_encoding, "endEncoding")                           \
                                                                                                   \
    MESSAGE(MPSMatrixDescriptor, id, matrix_descriptor,                                            \
            "matrixDescriptorWithRows:columns:rowBytes:dataType:", NSUInteger rows,                \
            NSUInteger columns, NSUInteger row_bytes, uint32_t type)                               \
    MESSAGE(MPSMatrix, id, init_matrix, "initWithBuffer:offset:descriptor:", id buffer,            \
            NSUInteger offset, id descriptor)                                                      \
    MESSAGE(                                                                                       \
        MPSMatrixMultiplication, id, init_multiplication,                                          \
        "initWithDevice:transposeLeft:transposeRight:resultRows:resultColumns:interiorColumns:"    \
        "alpha:beta:",                                                                             \
        id device, bool transpose_left, bool transpose_right, NSUInteger rows, NSUInteger columns, \
        NSUInteger interior, double alpha, double beta)                                            \
    MESSAGE(MPSMatrixMultiplication, void, encode_multiplication,                                  \
            "encodeToCommandBuffer:leftMatrix:rightMatrix:resultMatrix:", id commands, id left,    \
            id right, id result)

#define METAL_MESSAGE_NUMBER(Class, Result, name, selector, ...) MESSAGE_##name,
typedef enum MetalMessage { METAL_MESSAGES(METAL_MESSAGE_NUMBER) MESSAGE_COUNT } MetalMessage;
#undef METAL_MESSAGE_NUMBER

#define METAL_MESSAGE_TYPE(Class, Result, name, selector, ...)                                     \
    typedef Result name##_message(id receiver, SEL message, ##__VA_ARGS__);
METAL_MESSAGES(METAL_MESSAGE_TYPE)
#undef METAL_MESSAGE_TYPE

/* objc_msgSend, to be called as what the message is; a variable, since gcc refuses to call a
 * function itself as another type. */
extern void (*metal_send)(void);
SEL metal_selector(MetalMessage message);

/* send(set_buffer, encoder, buffer, 0, 3): [encoder setBuffer:buffer offset:0 atIndex:3] */
#define send(message, receiver, ...)                                                               \
    (((message##_message *)metal_send)(receiver, metal_selector(MESSAGE_##message), ##__VA_ARGS__))

/* A class by its name; NULL if the system lacks it. */
id metal_class(const char *name);
/* Temporary objects live until their pool is closed. Pools are a thread's own, and nest. */
id metal_pool_open(void);
void metal_pool_close(id pool);
/* A temporary string. */
id metal_string(const char *text);
/* Release it and forget it. NULL is fine. */
void metal_release(id *object);

/* Functions of the frameworks Metal and MetalPerformanceShaders. */
id MTLCreateSystemDefaultDevice(void); /* the caller's to release */
bool MPSSupportsMTLDevice(id device);

#endif
