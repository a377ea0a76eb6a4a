/* Encoder.m — a kernel's arguments and sizes, looked at against the kernel's own signature. */
#include "Metal.h"

#include "stand_in.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 4096 }; /* of setBytes */

static MTLSize last_groups, last_threads;

void stand_in_last_sizes(size_t sizes[6]) {
    memcpy(sizes, &last_groups, sizeof last_groups);
    memcpy(sizes + 3, &last_threads, sizeof last_threads);
}

/* Bytes of a scalar or vector type, 0 for others. */
static size_t size_of(const char *type) {
    static const struct {
        const char *name;
        size_t size;
    } types[] = {{"float4", 16}, {"half4", 8}, {"float2", 8}, {"float", 4}, {"uint", 4}, {"int", 4},
                 {"ulong", 8},   {"long", 8},  {"half", 2},   {"uchar", 1}, {"ushort", 2}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, type)) return types[i].size;
    return 0;
}

/* A kernel with what it was given, on its way to the SIMT target. */
@interface StandInDispatch : StandInOperation {
  @public
    StandInMTLComputePipelineState *pipeline;
    MTLSize groups, threads;
    StandInBinding bindings[STAND_IN_BINDINGS];
    size_t scratch[STAND_IN_BINDINGS];
}
@end

@implementation StandInDispatch

- (void)dealloc {
    for (int i = 0; i < STAND_IN_BINDINGS; i++)
        [bindings[i].buffer release];
    [pipeline release];
    [super dealloc];
}

static SimtSize simt_size(NSUInteger x, NSUInteger y, NSUInteger z) {
    return (SimtSize){(unsigned)x, (unsigned)y, (unsigned)z};
}

/* As if the kernel had been compiled wrongly: the first number that it writes, of two bytes or four,
 * is another. */
- (void)spoil {
    const BoundKernel *kernel = pipeline->function->kernel;
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        if (parameter->kind != BOUND_BUFFER || !parameter->writable) continue;
        const StandInBinding *binding = &bindings[parameter->index];
        binding->buffer->contents[binding->offset + 1] ^= 0x80;
        return;
    }
}

- (NSError *)runOn:(StandInMTLDevice *)device {
    void *arguments[SIMT_BUFFERS] = {0};
    for (int i = 0; i < STAND_IN_BINDINGS; i++)
        if (bindings[i].buffer)
            arguments[i] = bindings[i].buffer->contents + bindings[i].offset;
        else if (bindings[i].length)
            arguments[i] = bindings[i].bytes;
    const char *name = pipeline->function->kernel->name;
    SimtLaunch launch = {
        .kernel = name,
        .entry = pipeline->function->entry,
        .threads = simt_size(groups.width * threads.width, groups.height * threads.height,
                             groups.depth * threads.depth),
        .group_threads = simt_size(threads.width, threads.height, threads.depth),
        .arguments = arguments,
        .scratch = scratch,
        .simd_width = STAND_IN_LANES,
        .seed = device->launches++,
    };
    char text[256] = "";
    bool done = simt_run(device->simt, &launch, text, sizeof text);
    if (stand_in_spoils(name)) [self spoil];
    for (int i = 0; i < STAND_IN_BINDINGS; i++)
        if (bindings[i].buffer && ![bindings[i].buffer isWhole])
            stand_in_complain("%s wrote outside of the buffer at %d", name, i);
    return done ? nil : [NSError errorWithText:text];
}

@end

@implementation StandInMTLComputeCommandEncoder

/* False, with a complaint, behind endEncoding. */
- (BOOL)isOpenFor:(const char *)message {
    if (!isOpen) stand_in_complain("%s: the encoder has ended", message);
    return isOpen;
}

- (BOOL)is:(NSUInteger)index inside:(NSUInteger)limit for:(const char *)message {
    if (index >= limit) stand_in_complain("%s: there is no index %lu", message, index);
    return index < limit;
}

- (void)setComputePipelineState:(id)state {
    static const char message[] = "setComputePipelineState";
    if (![self isOpenFor:message]) return;
    if (![state isKindOfClass:objc_getClass("StandInMTLComputePipelineState")]) {
        stand_in_complain("%s: that is no pipeline state", message);
        return;
    }
    [state retain];
    [pipeline release];
    pipeline = state;
}

- (void)setBuffer:(id)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index {
    static const char message[] = "setBuffer";
    if (![self isOpenFor:message] || ![self is:index inside:STAND_IN_BINDINGS for:message]) return;
    if (![buffer isKindOfClass:objc_getClass("StandInMTLBuffer")]) {
        stand_in_complain("%s: that is no buffer, at %lu", message, index);
        return;
    }
    if (offset >= ((StandInMTLBuffer *)buffer)->length)
        stand_in_complain("%s: offset %lu of a buffer of %lu bytes, at %lu", message, offset,
                          ((StandInMTLBuffer *)buffer)->length, index);
    if (((StandInMTLBuffer *)buffer)->device != commands->queue->device)
        stand_in_complain("%s: the buffer is of another device, at %lu", message, index);
    [buffer retain];
    [bindings[index].buffer release];
    bindings[index] = (StandInBinding){.buffer = buffer, .offset = offset};
}

- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index {
    static const char message[] = "setBytes";
    if (![self isOpenFor:message] || ![self is:index inside:STAND_IN_BINDINGS for:message]) return;
    if (!bytes || length == 0 || length > MOST_BYTES) {
        stand_in_complain("%s: %lu bytes, at %lu", message, length, index);
        return;
    }
    StandInBinding *binding = &bindings[index];
    [binding->buffer release];
    *binding = (StandInBinding){.length = length};
    memcpy(binding->bytes, bytes, length < sizeof binding->bytes ? length : sizeof binding->bytes);
}

- (void)setThreadgroupMemoryLength:(NSUInteger)length atIndex:(NSUInteger)index {
    static const char message[] = "setThreadgroupMemoryLength";
    if (![self isOpenFor:message] || ![self is:index inside:STAND_IN_BINDINGS for:message]) return;
    if (length == 0 || length % 16 || length > SIMT_THREADGROUP_BYTES)
        stand_in_complain("%s: %lu bytes, at %lu", message, length, index);
    scratch[index] = length;
}

/* What the kernel has at this [[buffer(index)]] or [[threadgroup(index)]], or NULL. */
static const BoundParameter *parameter_at(const BoundKernel *kernel, BOOL isScratch,
                                          unsigned index) {
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        BOOL suits = isScratch ? parameter->kind == BOUND_THREADGROUP
                               : parameter->kind == BOUND_BUFFER || parameter->kind == BOUND_CONSTANT;
        if (suits && parameter->index == index) return parameter;
    }
    return NULL;
}

static BOOL fits_buffer(const BoundKernel *kernel, const BoundParameter *parameter,
                        const StandInBinding *binding) {
    size_t size = size_of(parameter->type);
    uintptr_t address = (uintptr_t)binding->buffer->contents + binding->offset;
    if (size == 0 || address % size == 0) return YES;
    stand_in_complain("%s: '%s' is misaligned", kernel->name, parameter->name);
    return NO;
}

static BOOL fits_bytes(const BoundKernel *kernel, const BoundParameter *parameter,
                       const StandInBinding *binding) {
    size_t size = size_of(parameter->type);
    if (parameter->kind == BOUND_CONSTANT && (size == 0 || size == binding->length)) return YES;
    stand_in_complain("%s: '%s' is bound to %lu bytes", kernel->name, parameter->name,
                      binding->length);
    return NO;
}

/* Every parameter is bound, to what suits it, and nothing else is. */
- (BOOL)hasBound:(const BoundKernel *)kernel {
    BOOL right = YES;
    for (unsigned i = 0; i < STAND_IN_BINDINGS; i++) {
        const StandInBinding *binding = &bindings[i];
        const BoundParameter *parameter = parameter_at(kernel, NO, i);
        BOOL isBound = binding->buffer || binding->length;
        if (parameter && !isBound)
            stand_in_complain("%s: '%s' is not bound, at %u", kernel->name, parameter->name, i);
        else if (isBound && !parameter)
            stand_in_complain("%s: something is bound at %u, where it has nothing", kernel->name,
                              i);
        if (!parameter != !isBound) right = NO;
        if (parameter && isBound)
            right &= (binding->buffer ? fits_buffer : fits_bytes)(kernel, parameter, binding);
        if (!parameter_at(kernel, YES, i) == !scratch[i]) continue;
        stand_in_complain("%s: threadgroup memory at %u", kernel->name, i);
        right = NO;
    }
    return right;
}

- (BOOL)takes:(MTLSize)groups threads:(MTLSize)threads {
    const char *name = pipeline->function->kernel->name;
    NSUInteger count = threads.width * threads.height * threads.depth;
    NSUInteger most = [pipeline maxTotalThreadsPerThreadgroup];
    if (count == 0 || count > most)
        stand_in_complain("%s: a threadgroup of %lu threads, %lu at most", name, count, most);
    else if (groups.width == 0 || groups.height == 0 || groups.depth == 0)
        stand_in_complain("%s: a grid without threadgroups", name);
    else if (groups.width > UINT32_MAX / threads.width ||
             groups.height > UINT32_MAX / threads.height ||
             groups.depth > UINT32_MAX / threads.depth)
        stand_in_complain("%s: a grid of more than 2^32 threads", name);
    else
        return YES;
    return NO;
}

- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads {
    if (![self isOpenFor:"dispatchThreadgroups"]) return;
    if (!pipeline) {
        stand_in_complain("dispatchThreadgroups: no pipeline state is set");
        return;
    }
    if (![self hasBound:pipeline->function->kernel] || ![self takes:groups threads:threads]) return;
    StandInDispatch *dispatch = [StandInDispatch new];
    dispatch->pipeline = [pipeline retain];
    dispatch->groups = last_groups = groups;
    dispatch->threads = last_threads = threads;
    memcpy(dispatch->bindings, bindings, sizeof bindings);
    memcpy(dispatch->scratch, scratch, sizeof scratch);
    [commands append:dispatch];
    memset(bindings, 0, sizeof bindings); /* the dispatch has the references now */
    memset(scratch, 0, sizeof scratch);
}

- (void)endEncoding {
    if (![self isOpenFor:"endEncoding"]) return;
    isOpen = NO;
    commands->encoder = nil;
}

- (void)dealloc {
    if (isOpen) {
        stand_in_complain("an encoder is released before its endEncoding");
        commands->encoder = nil;
    }
    for (int i = 0; i < STAND_IN_BINDINGS; i++)
        [bindings[i].buffer release];
    [pipeline release];
    [commands release];
    [super dealloc];
}

@end
