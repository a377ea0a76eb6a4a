/* chat_allocations.c — compiles and renders a template while each allocation in turn fails; prints
 * how many there were. Every failure must be LLM_ERROR_MEMORY. */
#include "chat/chat_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void __libc_free(void *);

static long countdown = -1; /* allocations before the one that fails */
static long alive;

static int fails(void) {
    if (countdown < 0 || countdown-- > 0) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    if (fails()) return NULL;
    alive++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (fails()) return NULL;
    alive++;
    return __libc_calloc(count, size);
}

void free(void *memory) {
    if (memory) alive--;
    __libc_free(memory);
}

static LLMStatus run(const char *source, size_t size) {
    ChatInput input = {.messages = "[{\"role\": \"user\", \"content\": \"Hello, you\"}]"};
    LLMError error = {0};
    ChatText text = {0};
    ChatTemplate *template = chat_template_new(source, size, &error);
    if (template) chat_template_render(template, &input, 0, &text, &error);
    chat_text_free(&text);
    chat_template_free(template);
    return error.status;
}

int main(int count, char **arguments) {
    static char source[1 << 16];
    FILE *file = count > 1 ? fopen(arguments[1], "rb") : NULL;
    if (!file) return 2;
    size_t size = fread(source, 1, sizeof source, file);
    fclose(file);
    long before = alive, failures = 0;
    for (;; failures++) {
        countdown = failures;
        LLMStatus status = run(source, size);
        int failed = countdown < 0;
        countdown = -1;
        if (alive != before) return puts("memory is lost"), 1;
        if (status != (failed ? LLM_ERROR_MEMORY : LLM_OK)) return printf("status %d\n", status), 1;
        if (!failed) break;
    }
    printf("%ld allocations\n", failures);
    return 0;
}
