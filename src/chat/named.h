/* named.h — the templates that are known by name and run no Jinja. */
#ifndef METAL_LLM_CHAT_NAMED_H
#define METAL_LLM_CHAT_NAMED_H

#include "chat_template.h"
#include "jinja.h"

typedef struct NamedTemplate {
    const char *name;
    void (*write)(TextBuilder *, const List *messages, const ChatInput *);
} NamedTemplate;

/* NULL if there is none of this name. */
const NamedTemplate *named_template(const char *name);
/* Their names, for messages. */
extern const char named_templates[];

#endif
