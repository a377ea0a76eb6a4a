#include "utf8.h"

static size_t length_from_first_byte(unsigned char byte) {
    if (byte < 0x80) return 1;
    if (byte < 0xC0) return 0;
    if (byte < 0xE0) return 2;
    if (byte < 0xF0) return 3;
    return byte < 0xF8 ? 4 : 0;
}

size_t utf8_decode(const char *text, size_t size, uint32_t *character) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)text;
    size_t length = size ? length_from_first_byte(byte[0]) : 0;
    if (length == 0 || length > size) return 0;

    uint32_t value = length == 1 ? byte[0] : byte[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (byte[i] & 0x3Fu);
    }
    if (value < smallest[length] || value > 0x10FFFF) return 0;
    if (value >= 0xD800 && value <= 0xDFFF) return 0;
    *character = value;
    return length;
}

void utf8_repair(char *text, size_t size) {
    uint32_t character;
    for (size_t at = 0, length; at < size; at += length) {
        length = utf8_decode(text + at, size - at, &character);
        if (length) continue;
        text[at] = '?';
        length = 1;
    }
}

size_t utf8_whole(const char *text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];
        if (byte < 0x80) return size;
        if (byte < 0xC0) continue; /* inside a character: its first byte lies further back */
        return length_from_first_byte(byte) > back ? size - back : size;
    }
    return size;
}
