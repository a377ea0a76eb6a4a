#include "print.h"
#include "error.h"
#include "utf8.h"

#include <string.h>

/* In pieces of whole characters. */
void print_bytes(FILE *file, const char *bytes, size_t size) {
    char piece[256];
    while (size) {
        size_t count = size < sizeof piece ? size : utf8_whole(bytes, sizeof piece);
        memcpy(piece, bytes, count);
        make_printable(piece, count, "");
        fwrite(piece, 1, count, file);
        bytes += count;
        size -= count;
    }
}

void print_name(FILE *file, const char *text) {
    print_bytes(file, text, strlen(text));
}
