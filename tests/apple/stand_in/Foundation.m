#include "Foundation.h"

#include "stand_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- complaints --- */

static char complaints[1 << 14];
static char broken[64];

void stand_in_complain(const char *format, ...) {
    size_t length = strlen(complaints);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaints + length, sizeof complaints - length - 1, format, arguments);
    va_end(arguments);
    strcat(complaints, "\n");
}

const char *stand_in_complaints(void) {
    return complaints;
}

void stand_in_forget_complaints(void) {
    complaints[0] = 0;
}

void stand_in_break(const char *what) {
    snprintf(broken, sizeof broken, "%s", what);
}

/* Before anything else: what the program was started with. */
__attribute__((constructor)) static void break_at_start(void) {
    const char *what = getenv("STAND_IN_BREAK");
    if (what) stand_in_break(what);
}

int stand_in_is_broken(const char *what) {
    if (strcmp(broken, what)) return 0;
    broken[0] = 0;
    return 1;
}

int stand_in_lacks(const char *what) {
    return !strcmp(broken, what);
}

int stand_in_spoils(const char *kernel) {
    static const char result[] = "result of ";
    return !strncmp(broken, result, sizeof result - 1) &&
           !strcmp(broken + sizeof result - 1, kernel);
}

/* --- objects that live --- */

enum { CLASSES = 32, GRAVES = 4096 };

static struct {
    Class class;
    NSInteger count;
    size_t made;
} living[CLASSES];

static void count_living(Class class, NSInteger change) {
    int i = 0;
    while (living[i].class && living[i].class != class)
        i++;
    living[i].class = class;
    living[i].count += change;
    living[i].made += change > 0;
}

/* "StandInMTLBuffer" → "MTLBuffer" */
static const char *name_of(Class class) {
    const char *name = class_getName(class);
    return strncmp(name, "StandIn", 7) ? name : name + 7;
}

size_t stand_in_made(const char *class) {
    for (int i = 0; i < CLASSES && living[i].class; i++)
        if (!strcmp(name_of(living[i].class), class)) return living[i].made;
    return 0;
}

const char *stand_in_objects(void) {
    static char list[1024];
    size_t length = 0;
    list[0] = 0;
    for (int i = 0; i < CLASSES && living[i].class; i++)
        if (living[i].count)
            length +=
                (size_t)snprintf(list + length, sizeof list - length, "%s%ld %s",
                                 length ? ", " : "", living[i].count, name_of(living[i].class));
    return list;
}

__attribute__((destructor)) static void report(void) {
    const char *left = stand_in_objects();
    if (!complaints[0] && !left[0]) return;
    fprintf(stderr, "%s", complaints);
    if (left[0]) fprintf(stderr, "never released: %s\n", left);
    fflush(stderr);
    _exit(STAND_IN_FAILED);
}

/* What becomes of a released object: it stays for a while, to be recognised. */
__attribute__((objc_root_class))
@interface StandInReleased {
    Class isa;
}
@end

@implementation StandInReleased
@end

static void bury(id object) {
    static id graves[GRAVES];
    static unsigned next;
    object_setClass(object, objc_getClass("StandInReleased"));
    if (graves[next]) object_dispose(graves[next]);
    graves[next] = object;
    next = (next + 1) % GRAVES;
}

/* --- classes --- */

static id stand_in_autorelease(id object);

@implementation NSObject

+ (id)alloc {
    NSObject *object = class_createInstance(self, 0);
    object->references = 1;
    count_living(self, 1);
    return object;
}

+ (id)new {
    return [[self alloc] init];
}

- (id)init {
    return self;
}

- (id)retain {
    references++;
    return self;
}

- (void)release {
    if (--references == 0) [self dealloc];
}

- (id)autorelease {
    return stand_in_autorelease(self);
}

- (void)dealloc {
    count_living(isa, -1);
    bury(self);
}

- (BOOL)respondsToSelector:(SEL)selector {
    return class_getInstanceMethod(isa, selector) != NULL;
}

- (BOOL)isKindOfClass:(Class)wanted {
    for (Class class = isa; class; class = class_getSuperclass(class))
        if (class == wanted) return YES;
    return NO;
}

@end

static __thread NSAutoreleasePool *innermost;

@implementation NSAutoreleasePool

- (id)init {
    outer = innermost;
    innermost = self;
    return self;
}

- (void)take:(id)object {
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 16;
        objects = realloc(objects, capacity * sizeof *objects);
    }
    objects[count++] = object;
}

- (void)drain {
    [self release];
}

- (void)leave {
    if (innermost != self) stand_in_complain("an autorelease pool is drained before those in it");
    NSAutoreleasePool **link = &innermost;
    while (*link && *link != self)
        link = &(*link)->outer;
    if (*link) *link = outer;
}

- (void)dealloc {
    for (NSUInteger i = 0; i < count; i++)
        [objects[i] release];
    free(objects);
    [self leave];
    [super dealloc];
}

@end

static id stand_in_autorelease(id object) {
    if (innermost)
        [innermost take:object];
    else
        stand_in_complain("a %s is autoreleased where there is no pool",
                          name_of(object_getClass(object)));
    return object;
}

@implementation NSString

+ (NSString *)stringWithUTF8String:(const char *)text {
    if (!text) stand_in_complain("a string is made of NULL");
    NSString *string = [self new];
    string->characters = strdup(text ? text : "");
    return [string autorelease];
}

- (const char *)UTF8String {
    return characters;
}

- (void)dealloc {
    free(characters);
    [super dealloc];
}

@end

@implementation NSError

+ (NSError *)errorWithText:(const char *)text {
    NSError *error = [self new];
    error->text = [[NSString stringWithUTF8String:text] retain];
    return [error autorelease];
}

- (NSString *)localizedDescription {
    return text;
}

- (void)dealloc {
    [text release];
    [super dealloc];
}

@end
