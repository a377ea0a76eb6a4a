#include "print.h"
#include "error.h"

#include <string.h>

/* In pieces: a character of two bytes is a control character at the border of two only if a piece
 * ends with its first byte, which then begins the next. */
void print_bytes(FILE *file, const char *bytes, size_t size) {
    char piece[256];
    while (size) {
        size_t count = size < sizeof piece ? size : sizeof piece;
        if (count < size && (unsigned char)bytes[count - 1] == 0xC2) count--;
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
