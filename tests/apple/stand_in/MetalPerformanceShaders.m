/* MetalPerformanceShaders.m — matrix products, by the CPU's library. */
#include "Metal.h"

#include "device/cpu_matmul.h"
#include "stand_in.h"

#include <stdlib.h>

enum { FLOAT16 = 0x10000010, FLOAT32 = 0x10000020 }; /* MPSDataType */

BOOL MPSSupportsMTLDevice(id device) {
    return device && !stand_in_is_broken("MPS");
}

@interface MPSMatrixDescriptor : NSObject {
  @public
    NSUInteger rows, columns, rowBytes;
    uint32_t type;
}
+ (MPSMatrixDescriptor *)matrixDescriptorWithRows:(NSUInteger)rows
                                          columns:(NSUInteger)columns
                                         rowBytes:(NSUInteger)rowBytes
                                         dataType:(uint32_t)type;
@end

@interface MPSMatrix : NSObject {
  @public
    StandInMTLBuffer *buffer;
    NSUInteger offset;
    MPSMatrixDescriptor *descriptor;
}
- (id)initWithBuffer:(id)wanted offset:(NSUInteger)from descriptor:(MPSMatrixDescriptor *)shape;
@end

@interface MPSMatrixMultiplication : NSObject {
  @public
    StandInMTLDevice *device;
    BOOL transposeLeft, transposeRight;
    NSUInteger rows, columns, interior;
}
- (id)initWithDevice:(id)wanted
       transposeLeft:(BOOL)left
      transposeRight:(BOOL)right
          resultRows:(NSUInteger)resultRows
       resultColumns:(NSUInteger)resultColumns
     interiorColumns:(NSUInteger)interiorColumns
               alpha:(double)scale
                beta:(double)before;
- (void)encodeToCommandBuffer:(id)commands
                   leftMatrix:(MPSMatrix *)left
                  rightMatrix:(MPSMatrix *)right
                 resultMatrix:(MPSMatrix *)result;
@end

@interface StandInProduct : StandInOperation {
  @public
    MPSMatrixMultiplication *multiplication;
    MPSMatrix *left, *right, *result;
}
@end

static NSUInteger size_of(uint32_t type) {
    return type == FLOAT16 ? 2 : 4;
}

@implementation MPSMatrixDescriptor

+ (MPSMatrixDescriptor *)matrixDescriptorWithRows:(NSUInteger)rows
                                          columns:(NSUInteger)columns
                                         rowBytes:(NSUInteger)rowBytes
                                         dataType:(uint32_t)type {
    if (type != FLOAT16 && type != FLOAT32)
        stand_in_complain("a matrix has elements of type 0x%x", type);
    if (!rows || !columns || rowBytes % size_of(type) || rowBytes < columns * size_of(type))
        stand_in_complain("a matrix of %lu × %lu has rows of %lu bytes", rows, columns, rowBytes);
    if (stand_in_is_broken("descriptor")) return nil;
    MPSMatrixDescriptor *descriptor = [self new];
    descriptor->rows = rows;
    descriptor->columns = columns;
    descriptor->rowBytes = rowBytes;
    descriptor->type = type;
    return [descriptor autorelease];
}

@end

@implementation MPSMatrix

- (id)initWithBuffer:(id)wanted offset:(NSUInteger)from descriptor:(MPSMatrixDescriptor *)shape {
    if (![wanted isKindOfClass:objc_getClass("StandInMTLBuffer")] || stand_in_is_broken("matrix")) {
        if (![wanted isKindOfClass:objc_getClass("StandInMTLBuffer")])
            stand_in_complain("a matrix lies in what is no buffer");
        [self release];
        return nil;
    }
    buffer = [wanted retain];
    offset = from;
    descriptor = [shape retain];
    NSUInteger size = size_of(shape->type);
    NSUInteger bytes = (shape->rows - 1) * shape->rowBytes + shape->columns * size;
    if (from % size) stand_in_complain("a matrix begins at %lu, in the middle of an element", from);
    if (from > buffer->length || bytes > buffer->length - from)
        stand_in_complain("a matrix of %lu bytes at %lu exceeds its buffer of %lu", bytes, from,
                          buffer->length);
    return self;
}

- (void)dealloc {
    [buffer release];
    [descriptor release];
    [super dealloc];
}

- (float)at:(NSUInteger)row column:(NSUInteger)column {
    const void *from = buffer->contents + offset + row * descriptor->rowBytes;
    return descriptor->type == FLOAT16 ? (float)((const _Float16 *)from)[column]
                                       : ((const float *)from)[column];
}

/* The elements as floats, rows close together, or columns; the caller frees them. */
- (float *)floatsTransposed:(BOOL)transposed {
    NSUInteger rows = descriptor->rows, columns = descriptor->columns;
    float *all = malloc(rows * columns * sizeof *all);
    for (NSUInteger row = 0; row < rows; row++)
        for (NSUInteger i = 0; i < columns; i++)
            all[transposed ? i * rows + row : row * columns + i] = [self at:row column:i];
    return all;
}

@end

@implementation MPSMatrixMultiplication

- (id)initWithDevice:(id)wanted
       transposeLeft:(BOOL)left
      transposeRight:(BOOL)right
          resultRows:(NSUInteger)resultRows
       resultColumns:(NSUInteger)resultColumns
     interiorColumns:(NSUInteger)interiorColumns
               alpha:(double)scale
                beta:(double)before {
    if (stand_in_is_broken("multiplication")) {
        [self release];
        return nil;
    }
    device = [wanted retain];
    transposeLeft = left;
    transposeRight = right;
    rows = resultRows;
    columns = resultColumns;
    interior = interiorColumns;
    if (scale != 1 || before != 0)
        stand_in_complain("a product is scaled by %g, and what was there by %g", scale, before);
    return self;
}

- (void)dealloc {
    [device release];
    [super dealloc];
}

/* Of rows × columns, the other way round where it is transposed. */
static BOOL check(MPSMatrix *matrix, NSUInteger rows, NSUInteger columns, BOOL transposed,
                  const char *name) {
    NSUInteger wanted[2] = {transposed ? columns : rows, transposed ? rows : columns};
    const MPSMatrixDescriptor *shape = matrix->descriptor;
    if (shape->rows == wanted[0] && shape->columns == wanted[1]) return YES;
    stand_in_complain("the %s matrix is %lu × %lu, not %lu × %lu", name, shape->rows,
                      shape->columns, wanted[0], wanted[1]);
    return NO;
}

- (void)encodeToCommandBuffer:(id)commands
                   leftMatrix:(MPSMatrix *)left
                  rightMatrix:(MPSMatrix *)right
                 resultMatrix:(MPSMatrix *)result {
    if (![(StandInMTLCommandBuffer *)commands acceptsEncoding:"MPSMatrixMultiplication"]) return;
    if (!check(left, rows, interior, transposeLeft, "left") ||
        !check(right, interior, columns, transposeRight, "right") ||
        !check(result, rows, columns, NO, "result"))
        return;
    if (left->descriptor->type != right->descriptor->type || result->descriptor->type != FLOAT32)
        stand_in_complain("a product of matrices of types 0x%x and 0x%x to 0x%x",
                          left->descriptor->type, right->descriptor->type,
                          result->descriptor->type);
    StandInProduct *product = [StandInProduct new];
    product->multiplication = [self retain];
    product->left = [left retain];
    product->right = [right retain];
    product->result = [result retain];
    [(StandInMTLCommandBuffer *)commands append:product];
}

@end

@implementation StandInProduct

- (void)dealloc {
    [multiplication release];
    [left release];
    [right release];
    [result release];
    [super dealloc];
}

- (NSError *)runOn:(StandInMTLDevice *)device {
    const MPSMatrixMultiplication *m = multiplication;
    if (m->device != device) return [NSError errorWithText:"a product of another device"];
    LLMError error = {0};
    if (!cpu_matmul_open(1, &error)) return [NSError errorWithText:error.message];
    float *x = [left floatsTransposed:m->transposeLeft];
    float *weight = [right floatsTransposed:!m->transposeRight];
    cpu_matmul(&(CPUMatmul){
        .x = x,
        .weight = weight,
        .out = (float *)(void *)(result->buffer->contents + result->offset),
        .M = m->rows,
        .N = m->columns,
        .K = m->interior,
        .stride = result->descriptor->rowBytes / sizeof(float),
    });
    cpu_matmul_close(1);
    free(x);
    free(weight);
    if (![result->buffer isWhole]) stand_in_complain("a product wrote outside of its buffer");
    return nil;
}

@end
