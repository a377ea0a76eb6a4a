#include "Metal.h"

#include "device/kernel.h"
#include "device/kernel_sources.h"
#include "stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern simt_entry *const simt_entries[]; /* in the order of kernel_table */

enum { FENCE = 256, LANGUAGE_3_0 = 3 << 16 };
enum { APPLE7 = 1007, MAC2 = 2002, METAL3 = 5001, FAMILIES = 16 }; /* of MTLGPUFamily */
enum { NOT_ENQUEUED, ENQUEUED, COMMITTED, SCHEDULED, COMPLETED, FAILED }; /* a status */

static size_t max_buffer = (size_t)8 << 30, working_set = (size_t)10 << 30;

void stand_in_set_limits(size_t largest, size_t all) {
    max_buffer = largest;
    working_set = all;
}

static const long families_of_m1[FAMILIES] = {1001, 1002, 1003,   1004, 1005, 1006,
                                              APPLE7, MAC2, 3001, 3002, 3003, METAL3};
static long families[FAMILIES];

void stand_in_set_families(const long *wanted) {
    memset(families, 0, sizeof families);
    for (int i = 0; wanted && i < FAMILIES - 1 && wanted[i]; i++)
        families[i] = wanted[i];
}

int stand_in_has_family(long family) {
    const long *all = families[0] ? families : families_of_m1;
    if (family == APPLE7 && stand_in_lacks("matrix units")) return 0;
    for (int i = 0; i < FAMILIES; i++)
        if (all[i] == family) return 1;
    return 0;
}

/* Sizes are those of Apple Silicon, whatever this system has; see --wrap in the Makefile. */
int __wrap_getpagesize(void);
int __wrap_getpagesize(void) {
    return STAND_IN_PAGE;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static BOOL is_a(id object, const char *class, const char *role) {
    if (object && [object isKindOfClass:objc_getClass(class)]) return YES;
    stand_in_complain("%s is no %s", role, class + (strncmp(class, "StandIn", 7) ? 0 : 7));
    return NO;
}

/* --- device --- */

id MTLCreateSystemDefaultDevice(void) {
    return stand_in_is_broken("device") ? nil : [StandInMTLDevice new];
}

@implementation StandInMTLDevice

- (id)init {
    simt = simt_new();
    return self;
}

- (void)dealloc {
    simt_free(simt);
    [super dealloc];
}

- (NSString *)name {
    return [NSString stringWithUTF8String:"stand-in"];
}

- (BOOL)supportsFamily:(NSInteger)family {
    return stand_in_has_family(family) && !(family == METAL3 && stand_in_is_broken("family"));
}

- (NSUInteger)maxBufferLength {
    return max_buffer;
}

- (NSUInteger)currentAllocatedSize {
    return allocated;
}

- (uint64_t)recommendedMaxWorkingSetSize {
    return working_set;
}

- (id)newCommandQueue {
    if (stand_in_is_broken("queue")) return nil;
    StandInMTLCommandQueue *queue = [StandInMTLCommandQueue new];
    queue->device = [self retain];
    return queue;
}

- (id)newBuffer:(Class)class over:(void *)contents length:(NSUInteger)length {
    StandInMTLBuffer *buffer = [class new];
    buffer->device = [self retain];
    buffer->contents = contents;
    buffer->length = length;
    allocated += length;
    return buffer;
}

- (BOOL)accepts:(NSUInteger)length options:(MTLResourceOptions)options {
    if (length == 0 || length > max_buffer)
        stand_in_complain("a buffer of %lu bytes is asked for", length);
    if (options) stand_in_complain("a buffer has options %lu, not shared storage", options);
    return length && length <= max_buffer;
}

- (id)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options {
    if (![self accepts:length options:options] || stand_in_is_broken("buffer")) return nil;
    unsigned char *memory = aligned_alloc(FENCE, (2 * FENCE + length + FENCE - 1) / FENCE * FENCE);
    if (!memory) return nil;
    memset(memory, 0xE5, FENCE);
    memset(memory + FENCE, 0xFF, length); /* NaN */
    memset(memory + FENCE + length, 0xE5, FENCE);
    return [self newBuffer:objc_getClass("StandInMTLBuffer") over:memory + FENCE length:length];
}

- (id)newBufferWithBytesNoCopy:(void *)pointer
                        length:(NSUInteger)length
                       options:(MTLResourceOptions)options
                   deallocator:(id)deallocator {
    if ((uintptr_t)pointer % STAND_IN_PAGE || length % STAND_IN_PAGE)
        stand_in_complain("no copy: %p with %lu bytes are no whole pages", pointer, length);
    if (deallocator) stand_in_complain("no copy: a block is passed");
    if (![self accepts:length options:options] || stand_in_is_broken("no copy")) return nil;
    return [self newBuffer:objc_getClass("StandInMTLBufferNoCopy") over:pointer length:length];
}

/* As Apple's compiler words it. */
static void fail(NSError **error, const char *format, const char *detail) {
    char text[512];
    snprintf(text, sizeof text, format, detail);
    if (error) *error = [NSError errorWithText:text];
}

/* Behind the lines that only say where the next one is from. */
static const char *behind_marks(const char *text) {
    while (!strncmp(text, "#line ", 6))
        text += strcspn(text, "\n") + 1;
    return text;
}

/* The same but for the files that the lines are from. */
static BOOL is_same(const char *text, const char *other) {
    for (;;) {
        text = behind_marks(text);
        other = behind_marks(other);
        size_t length = strcspn(text, "\n") + 1;
        if (strncmp(text, other, length)) return NO;
        if (!text[length - 1]) return YES;
        text += length;
        other += length;
    }
}

static BOOL is_known(const char *text) {
    BOOL known = NO;
    for (size_t i = 0; i < kernel_count && !known; i++) {
        if (i && !strcmp(kernel_table[i].file, kernel_table[i - 1].file)) continue;
        char *own = kernel_source_text(NULL, kernel_table[i].file, NULL, NULL);
        known = own && is_same(text, own);
        free(own);
    }
    return known;
}

/* "file:1:1:", as the first #line says. */
static const char *first_place(const char *text) {
    static char place[4200];
    static const char mark[] = "#line 1 \"";
    bool is_marked = !strncmp(text, mark, sizeof mark - 1);
    const char *path = is_marked ? text + sizeof mark - 1 : "program_source";
    snprintf(place, sizeof place, "%.*s:1:1:", (int)strcspn(path, "\"\n"), path);
    return place;
}

- (id)newLibraryWithSource:(NSString *)source options:(id)given error:(NSError **)error {
    if (!is_a(source, "NSString", "a library's source") ||
        !is_a(given, "MTLCompileOptions", "a library's options"))
        return nil;
    MTLCompileOptions *options = given;
    if (!options->isSafe || !options->isPrecise)
        stand_in_complain("a library is compiled with fast-math");
    if (options->languageVersion != LANGUAGE_3_0)
        stand_in_complain("a library is not compiled as Metal 3.0");
    StandInMTLLibrary *library = [StandInMTLLibrary new];
    library->text = strdup([source UTF8String]);
    if (!bind_read(&library->bound, "program_source", library->text, strlen(library->text)))
        fail(error, "Compilation failed: \n\n%s error: cannot be read\n", library->bound.error);
    else if (!is_known(library->text))
        fail(error, "Compilation failed: \n\n%s error: only the program's own kernels are there\n",
             first_place(library->text));
    else
        return library;
    [library release];
    return nil;
}

/* What the families allow, by "Metal feature set tables": matrices of 8×8 from Apple7 on. A file with
 * one kernel that takes them is refused whole. */
static BOOL is_supported(const char *text) {
    return !strstr(text, "simdgroup_multiply") || stand_in_has_family(APPLE7);
}

- (id)newComputePipelineStateWithFunction:(id)function error:(NSError **)error {
    if (!is_a(function, "StandInMTLFunction", "a pipeline's function")) return nil;
    if (!is_supported(((StandInMTLFunction *)function)->library->text)) {
        fail(error, "%s", "Encountered unlowered function call to air.simdgroup");
        return nil;
    }
    if (stand_in_is_broken("pipeline")) {
        fail(error, "%s", "Compiler encountered an internal error");
        return nil;
    }
    StandInMTLComputePipelineState *state = [StandInMTLComputePipelineState new];
    state->function = [function retain];
    return state;
}

@end

/* --- library --- */

@implementation MTLCompileOptions

- (void)setLanguageVersion:(NSUInteger)version {
    languageVersion = version;
}

- (void)setFastMathEnabled:(BOOL)enabled {
    isSafe = isPrecise = !enabled;
}

- (void)setMathMode:(NSInteger)mode {
    isSafe = mode == 0;
}

- (void)setMathFloatingPointFunctions:(NSInteger)functions {
    isPrecise = functions == 1;
}

/* An older system has only the one switch. */
- (BOOL)respondsToSelector:(SEL)selector {
    return [super respondsToSelector:selector] && !stand_in_is_broken("math mode");
}

@end

@implementation StandInMTLLibrary

- (void)dealloc {
    bind_free(&bound);
    free(text);
    [super dealloc];
}

static simt_entry *entry_of(const char *kernel) {
    for (size_t i = 0; i < kernel_count; i++)
        if (!strcmp(kernel_table[i].name, kernel)) return simt_entries[i];
    return NULL;
}

- (id)newFunctionWithName:(NSString *)name {
    if (!is_a(name, "NSString", "a function's name") || stand_in_is_broken("function")) return nil;
    for (size_t i = 0; i < bound.kernel_count; i++) {
        if (strcmp(bound.kernels[i].name, [name UTF8String])) continue;
        StandInMTLFunction *function = [StandInMTLFunction new];
        function->library = [self retain];
        function->kernel = &bound.kernels[i];
        function->entry = entry_of(bound.kernels[i].name);
        return function;
    }
    return nil;
}

@end

@implementation StandInMTLFunction

- (void)dealloc {
    [library release];
    [super dealloc];
}

@end

@implementation StandInMTLComputePipelineState

- (void)dealloc {
    [function release];
    [super dealloc];
}

- (NSUInteger)threadExecutionWidth {
    return stand_in_is_broken("width") ? 2 * STAND_IN_LANES : STAND_IN_LANES;
}

/* On a GPU it depends on the registers that a kernel takes; here some take more than others. */
- (NSUInteger)maxTotalThreadsPerThreadgroup {
    return 1024 - 192 * (strlen(function->kernel->name) % 3);
}

@end

/* --- buffer --- */

@implementation StandInMTLBuffer

- (void *)contents {
    return contents;
}

- (BOOL)isWhole {
    for (int i = 0; i < FENCE; i++)
        if (contents[i - FENCE] != 0xE5 || contents[length + (NSUInteger)i] != 0xE5) return NO;
    return YES;
}

- (void)freeContents {
    free(contents - FENCE);
}

- (void)dealloc {
    if (![self isWhole]) stand_in_complain("a buffer was written outside of its %lu bytes", length);
    [self freeContents];
    device->allocated -= length;
    [device release];
    [super dealloc];
}

@end

@implementation StandInMTLBufferNoCopy

- (BOOL)isWhole {
    return YES;
}

- (void)freeContents {
}

@end

/* --- queue --- */

@implementation StandInMTLCommandQueue

- (id)commandBuffer {
    if (stand_in_is_broken("command buffer")) return nil;
    if (openCount == STAND_IN_COMMANDS)
        stand_in_complain("commandBuffer: %d are not done, and Metal waits for one of them",
                          STAND_IN_COMMANDS);
    openCount++;
    StandInMTLCommandBuffer *commands = [StandInMTLCommandBuffer new];
    commands->queue = [self retain];
    return [commands autorelease];
}

- (void)runUntil:(id)last {
    while (pendingCount) {
        StandInMTLCommandBuffer *commands = pending[0];
        pendingCount--;
        memmove(pending, pending + 1, pendingCount * sizeof *pending);
        [commands run];
        BOOL isLast = commands == last;
        [commands release];
        if (isLast) break;
    }
}

/* A GPU may be done at once or only when somebody waits: both are right, so both happen. */
- (void)take:(id)commands {
    pending[pendingCount++] = [commands retain];
    if (pendingCount == STAND_IN_COMMANDS || rand() % 2) [self runUntil:nil];
}

- (void)dealloc {
    [device release];
    [super dealloc];
}

@end

@implementation StandInOperation

- (NSError *)runOn:(StandInMTLDevice *)device {
    (void)device;
    return nil;
}

@end

@implementation StandInMTLCommandBuffer

- (BOOL)acceptsEncoding:(const char *)what {
    if (status != NOT_ENQUEUED)
        stand_in_complain("%s: the command buffer has been committed", what);
    else if (encoder)
        stand_in_complain("%s: another encoder is open", what);
    return status == NOT_ENQUEUED && !encoder;
}

- (id)computeCommandEncoder {
    if (![self acceptsEncoding:"computeCommandEncoder"] || stand_in_is_broken("encoder")) return nil;
    encoder = [StandInMTLComputeCommandEncoder new];
    encoder->commands = [self retain];
    encoder->isOpen = YES;
    return [encoder autorelease];
}

- (void)append:(StandInOperation *)operation {
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 64;
        operations = realloc(operations, capacity * sizeof *operations);
    }
    operations[count++] = operation;
}

- (void)commit {
    if (status != NOT_ENQUEUED) {
        stand_in_complain("commit: the command buffer has been committed before");
        return;
    }
    if (encoder) stand_in_complain("commit: an encoder is still open");
    status = COMMITTED;
    [queue take:self];
}

- (void)run {
    NSAutoreleasePool *pool = [NSAutoreleasePool new];
    begin = now();
    if (stand_in_is_broken("commands"))
        error = [NSError errorWithText:"Caused GPU Hang Error (00000003)"];
    for (NSUInteger i = 0; i < count && !error; i++)
        error = [operations[i] runOn:queue->device];
    [error retain];
    [self forget];
    end = now();
    status = error ? FAILED : COMPLETED;
    queue->openCount--;
    [pool drain];
}

- (void)waitUntilCompleted {
    if (status < COMMITTED)
        stand_in_complain("waitUntilCompleted: the command buffer has not been committed");
    else if (status < COMPLETED)
        [queue runUntil:self];
}

- (NSUInteger)status {
    return status;
}

- (NSError *)error {
    return error;
}

- (CFTimeInterval)GPUStartTime {
    if (status < COMPLETED) stand_in_complain("GPUStartTime: the GPU is not done");
    return begin;
}

- (CFTimeInterval)GPUEndTime {
    if (status < COMPLETED) stand_in_complain("GPUEndTime: the GPU is not done");
    return end;
}

- (void)forget {
    for (NSUInteger i = 0; i < count; i++)
        [operations[i] release];
    count = 0;
}

- (void)dealloc {
    if (status < COMPLETED) queue->openCount--;
    [self forget];
    free(operations);
    [error release];
    [queue release];
    [super dealloc];
}

@end
