/* bindings.h — what the options give, bound to what the kernel asks for. */
#ifndef METAL_LLM_MSL_CHECK_BINDINGS_H
#define METAL_LLM_MSL_CHECK_BINDINGS_H

#include "options.h"

/* Give each binding its place. False, with a message, if one is missing, does not suit, or is for
 * nothing. */
bool bindings_find(Options *options, const Program *program);

bool binding_is_given(const Binding *binding);
/* Has it elements in the kernel's memory? */
bool binding_has_memory(const Binding *binding);
/* Its elements as findings count them: bytes, and "element" or "texel". */
size_t binding_unit(const Binding *binding, const char **word);

/* In the kernel's process: memory for all. False, with a message, if there is none. */
bool bindings_place(Options *options, Checker *checker);
/* What the kernel finds there; before each launch. */
void bindings_fill(const Options *options, Checker *checker);
/* A launch's arguments. */
void bindings_arguments(const Options *options, void *arguments[SIMT_ARGUMENTS]);

#endif
