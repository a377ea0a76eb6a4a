/* MetalPerformanceShaders.m — matrix products, by OpenBLAS. */
#include "Metal.h"

#include "stand_in.h"

#include <cblas.h>
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
    double alpha, beta;
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

/* The elements as floats, rows close together; the caller frees them. */
- (float *)floats {
    NSUInteger rows = descriptor->rows, columns = descriptor->columns;
    float *all = malloc(rows * columns * sizeof *all);
    for (NSUInteger row = 0; row < rows; row++) {
        const unsigned char *from = buffer->contents + offset + row * descriptor->rowBytes;
        for (NSUInteger i = 0; i < columns; i++)
            all[row * columns + i] = descriptor->type == FLOAT16
                                         ? (float)((const _Float16 *)(const void *)from)[i]
                                         : ((const float *)(const void *)from)[i];
    }
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
    device = [wanted retain];
    transposeLeft = left;
    transposeRight = right;
    rows = resultRows;
    columns = resultColumns;
    interior = interiorColumns;
    alpha = scale;
    beta = before;
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
    float *a = [left floats], *b = [right floats];
    float *out = (float *)(void *)(result->buffer->contents + result->offset);
    cblas_sgemm(CblasRowMajor, m->transposeLeft ? CblasTrans : CblasNoTrans,
                m->transposeRight ? CblasTrans : CblasNoTrans, (int)m->rows, (int)m->columns,
                (int)m->interior, (float)m->alpha, a, (int)left->descriptor->columns, b,
                (int)right->descriptor->columns, (float)m->beta, out,
                (int)(result->descriptor->rowBytes / sizeof(float)));
    free(a);
    free(b);
    if (![result->buffer isWhole]) stand_in_complain("a product wrote outside of its buffer");
    return nil;
}

@end
