#include "npy.h"

#include <stdio.h>
#include <string.h>

/* --- .npy --- */

enum { PREAMBLE = 10, ALIGNMENT = 64, HEADER_MOST = PREAMBLE + 3 * ALIGNMENT + 1 };

/* Returns its bytes. Format: version 1.0 of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
static size_t make_header(const NpyArray *array, char header[HEADER_MOST]) {
    char text[2 * ALIGNMENT];
    int size = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                        array->type);
    for (size_t i = 0; i < array->rank; i++)
        size +=
            snprintf(text + size, sizeof text - (size_t)size, i ? ", %zu" : "%zu", array->shape[i]);
    size += snprintf(text + size, sizeof text - (size_t)size, array->rank == 1 ? ",), }" : "), }");
    int padded = (PREAMBLE + size + ALIGNMENT) / ALIGNMENT * ALIGNMENT - PREAMBLE;
    const char preamble[PREAMBLE] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)padded, 0};
    memcpy(header, preamble, PREAMBLE);
    snprintf(header + PREAMBLE, HEADER_MOST - PREAMBLE, "%-*s\n", padded - 1, text);
    return (size_t)(PREAMBLE + padded);
}

static size_t data_bytes(const NpyArray *array) {
    size_t bytes = array->item;
    for (size_t i = 0; i < array->rank; i++)
        bytes *= array->shape[i];
    return bytes;
}

void npy_write(OutputFile *file, const NpyArray *array, LLMError *error) {
    char header[HEADER_MOST];
    if (error_is_set(error)) return;
    output_file_write(file, header, make_header(array, header), error);
    output_file_write(file, array->data, data_bytes(array), error);
}

/* --- .npz: section 4.3 of PKWARE's APPNOTE.TXT --- */

enum { LOCAL = 30, CENTRAL = 46, END = 22, VERSION = 20, NAME_MOST = 64 };
enum { YEAR_1980 = 1 << 5 | 1 }; /* the first of January: files alike have the same bytes */

typedef struct ZipEntry {
    char name[NAME_MOST];
    size_t offset, size;
    uint32_t crc;
} ZipEntry;

/* The CRC-32 of ISO 3309, continued: each byte is looked up. */
typedef uint32_t CrcTable[256];

static void make_table(CrcTable table) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        table[byte] = byte;
        for (int bit = 0; bit < 8; bit++)
            table[byte] = table[byte] >> 1 ^ (table[byte] & 1 ? 0xEDB88320u : 0);
    }
}

static uint32_t crc_of(const CrcTable table, uint32_t crc, const void *data, size_t size) {
    const unsigned char *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
    return ~crc;
}

/* The least byte first. */
static unsigned char *put(unsigned char *at, size_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        *at++ = (unsigned char)(value >> 8 * i);
    return at;
}

/* What a local header and the central directory have in common, from the version on. */
static unsigned char *put_entry(unsigned char *at, const ZipEntry *entry) {
    at = put(at, VERSION, 2);
    at = put(at, 0, 4); /* no flags, stored */
    at = put(at, 0, 2);
    at = put(at, YEAR_1980, 2);
    at = put(at, entry->crc, 4);
    at = put(at, entry->size, 4);
    at = put(at, entry->size, 4);
    at = put(at, strlen(entry->name), 2);
    return put(at, 0, 2);
}

static void write_local(OutputFile *file, const CrcTable table, ZipEntry *entry,
                        const NpyArray *array, LLMError *error) {
    char header[HEADER_MOST];
    unsigned char local[LOCAL];
    size_t header_size = make_header(array, header), bytes = data_bytes(array);
    entry->size = header_size + bytes;
    entry->crc = crc_of(table, crc_of(table, 0, header, header_size), array->data, bytes);
    put_entry(put(local, 0x04034B50, 4), entry);
    output_file_write(file, local, LOCAL, error);
    output_file_write(file, entry->name, strlen(entry->name), error);
    output_file_write(file, header, header_size, error);
    output_file_write(file, array->data, bytes, error);
}

static void write_central(OutputFile *file, const ZipEntry *entry, LLMError *error) {
    unsigned char central[CENTRAL] = {0};
    put_entry(put(put(central, 0x02014B50, 4), VERSION, 2), entry);
    put(central + CENTRAL - 4, entry->offset, 4);
    output_file_write(file, central, CENTRAL, error);
    output_file_write(file, entry->name, strlen(entry->name), error);
}

static void write_end(OutputFile *file, size_t count, size_t offset, size_t size, LLMError *error) {
    unsigned char end[END] = {0}, *at = put(put(end, 0x06054B50, 4), 0, 4);
    put(put(put(put(at, count, 2), count, 2), size, 4), offset, 4);
    output_file_write(file, end, END, error);
}

enum { ENTRIES_MOST = 16 };

void npz_write(OutputFile *file, const NpzEntry *entries, size_t count, LLMError *error) {
    ZipEntry list[ENTRIES_MOST];
    CrcTable table;
    make_table(table);
    size_t offset = 0, central = 0;
    for (size_t i = 0; i < count && i < ENTRIES_MOST && !error_is_set(error); i++) {
        snprintf(list[i].name, NAME_MOST, "%s.npy", entries[i].name);
        list[i].offset = offset;
        size_t name = strlen(list[i].name), data = data_bytes(&entries[i].array);
        if (offset + LOCAL + name + HEADER_MOST + data > UINT32_MAX)
            error_set(error, LLM_ERROR_ARGUMENT,
                      "the arrays have more than 4 GB, too many for an .npz file");
        else
            write_local(file, table, &list[i], &entries[i].array, error);
        offset += LOCAL + name + list[i].size;
        central += CENTRAL + name;
    }
    for (size_t i = 0; i < count && !error_is_set(error); i++)
        write_central(file, &list[i], error);
    write_end(file, count, offset, central, error);
}
