/* Foundation.h — the little of Foundation that the stand-in and the product use. */
#ifndef STAND_IN_FOUNDATION_H
#define STAND_IN_FOUNDATION_H

#include <objc/objc.h>
#include <objc/runtime.h>
#include <stdint.h>

typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef double CFTimeInterval;

__attribute__((objc_root_class))
@interface NSObject {
    Class isa;
    NSInteger references;
}
+ (id)alloc;
+ (id)new;
- (id)init;
- (id)retain;
- (void)release;
- (id)autorelease;
- (void)dealloc;
- (BOOL)respondsToSelector:(SEL)selector;
- (BOOL)isKindOfClass:(Class)wanted;
@end

@interface NSAutoreleasePool : NSObject {
    NSAutoreleasePool *outer;
    id *objects;
    NSUInteger count, capacity;
}
- (void)drain;
@end

@interface NSString : NSObject {
    char *characters;
}
+ (NSString *)stringWithUTF8String:(const char *)text;
- (const char *)UTF8String;
@end

@interface NSError : NSObject {
    NSString *text;
}
+ (NSError *)errorWithText:(const char *)text;
- (NSString *)localizedDescription;
@end

#endif
