#include "metal_objc.h"

#include <stdatomic.h>
#include <stddef.h>

/* Of the Objective-C runtime. */
extern void objc_msgSend(void);
extern id objc_getClass(const char *name);
extern SEL sel_registerName(const char *name);

void (*metal_send)(void) = objc_msgSend;

SEL metal_selector(MetalMessage message) {
#define METAL_MESSAGE_SELECTOR(Class, Result, name, selector, ...) selector,
    static const char *const names[] = {METAL_MESSAGES(METAL_MESSAGE_SELECTOR)};
    static _Atomic(SEL) selectors[MESSAGE_COUNT];
    SEL selector = atomic_load_explicit(&selectors[message], memory_order_relaxed);
    if (selector) return selector;
    selector = sel_registerName(names[message]);
    atomic_store_explicit(&selectors[message], selector, memory_order_relaxed);
    return selector;
}

id metal_class(const char *name) {
    return objc_getClass(name);
}

id metal_pool_open(void) {
    return send(new, metal_class("NSAutoreleasePool"));
}

void metal_pool_close(id pool) {
    send(drain, pool);
}

id metal_string(const char *text) {
    return send(string, metal_class("NSString"), text);
}

void metal_release(id *object) {
    if (*object) send(release, *object);
    *object = NULL;
}
