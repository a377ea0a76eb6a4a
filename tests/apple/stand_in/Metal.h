/* Metal.h — the stand-in's devices, libraries, buffers and command buffers.
 *
 * What Apple declares as protocols are classes here, StandInMTLDevice for MTLDevice: nobody finds
 * them by Apple's names, as nobody does on a Mac.
 */
#ifndef STAND_IN_METAL_H
#define STAND_IN_METAL_H

#include "Foundation.h"
#include "bind/bind.h"
#include "simt.h"

typedef struct MTLSize {
    NSUInteger width, height, depth;
} MTLSize;
typedef NSUInteger MTLResourceOptions;

enum { STAND_IN_PAGE = 16384, STAND_IN_BINDINGS = 31, STAND_IN_LANES = 32 };
enum { STAND_IN_COMMANDS = 64 }; /* of a queue, before it lets the caller wait */

@interface StandInMTLDevice : NSObject {
  @public
    size_t allocated;
    Simt *simt;
    unsigned long long launches;
}
- (NSString *)name;
- (BOOL)supportsFamily:(NSInteger)family;
- (NSUInteger)maxBufferLength;
- (NSUInteger)currentAllocatedSize;
- (uint64_t)recommendedMaxWorkingSetSize;
- (id)newCommandQueue;
- (id)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options;
- (id)newBufferWithBytesNoCopy:(void *)pointer
                        length:(NSUInteger)length
                       options:(MTLResourceOptions)options
                   deallocator:(id)deallocator;
- (id)newLibraryWithSource:(NSString *)source options:(id)options error:(NSError **)error;
- (id)newComputePipelineStateWithFunction:(id)function error:(NSError **)error;
@end

@interface MTLCompileOptions : NSObject {
  @public
    NSUInteger languageVersion;
    BOOL isSafe, isPrecise;
}
- (void)setLanguageVersion:(NSUInteger)version;
- (void)setFastMathEnabled:(BOOL)enabled;
- (void)setMathMode:(NSInteger)mode;
- (void)setMathFloatingPointFunctions:(NSInteger)functions;
@end

@interface StandInMTLLibrary : NSObject {
  @public
    char *text;
    BoundFile bound;
}
- (id)newFunctionWithName:(NSString *)name;
@end

@interface StandInMTLFunction : NSObject {
  @public
    StandInMTLLibrary *library;
    const BoundKernel *kernel;
    simt_entry *entry;
}
@end

@interface StandInMTLComputePipelineState : NSObject {
  @public
    StandInMTLFunction *function;
}
- (NSUInteger)threadExecutionWidth;
- (NSUInteger)maxTotalThreadsPerThreadgroup;
@end

@interface StandInMTLBuffer : NSObject {
  @public
    StandInMTLDevice *device;
    unsigned char *contents;
    NSUInteger length;
}
- (void *)contents;
- (void)freeContents;
- (BOOL)isWhole; /* false if something was written outside of it */
@end

/* Over memory of the caller. */
@interface StandInMTLBufferNoCopy : StandInMTLBuffer
@end

@interface StandInMTLCommandQueue : NSObject {
  @public
    StandInMTLDevice *device;
    NSUInteger pendingCount, openCount; /* committed; made and not done */
    id pending[STAND_IN_COMMANDS];
}
- (id)commandBuffer;
- (void)take:(id)commands;
- (void)runUntil:(id)last; /* NULL: all that was committed */
@end

@class StandInMTLComputeCommandEncoder;

/* One dispatch or matrix product on its way: `run` and what it needs. */
@interface StandInOperation : NSObject
/* NULL, or why it failed. */
- (NSError *)runOn:(StandInMTLDevice *)device;
@end

@interface StandInMTLCommandBuffer : NSObject {
  @public
    StandInMTLCommandQueue *queue;
    NSUInteger status;
    StandInMTLComputeCommandEncoder *encoder; /* the open one; not owned */
    NSUInteger count, capacity;
    StandInOperation **operations;
    NSError *error;
    double begin, end;
}
- (id)computeCommandEncoder;
- (void)commit;
- (void)waitUntilCompleted;
- (NSUInteger)status;
- (NSError *)error;
- (CFTimeInterval)GPUStartTime;
- (CFTimeInterval)GPUEndTime;
/* True if something may be encoded now; else a complaint about `what`. */
- (BOOL)acceptsEncoding:(const char *)what;
- (void)run;
- (void)forget;
- (void)append:(StandInOperation *)operation; /* takes it over */
@end

/* A buffer from some offset on, or bytes of its own. */
typedef struct StandInBinding {
    StandInMTLBuffer *buffer;
    NSUInteger offset;
    NSUInteger length; /* of the bytes; 0: none are bound */
    unsigned char bytes[64];
} StandInBinding;

@interface StandInMTLComputeCommandEncoder : NSObject {
  @public
    StandInMTLCommandBuffer *commands;
    BOOL isOpen;
    StandInMTLComputePipelineState *pipeline;
    StandInBinding bindings[STAND_IN_BINDINGS]; /* since the last dispatch */
    size_t scratch[STAND_IN_BINDINGS];
}
- (void)setComputePipelineState:(id)state;
- (void)setBuffer:(id)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index;
- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index;
- (void)setThreadgroupMemoryLength:(NSUInteger)length atIndex:(NSUInteger)index;
- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads;
- (void)endEncoding;
@end

id MTLCreateSystemDefaultDevice(void);

#endif
