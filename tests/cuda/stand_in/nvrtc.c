/* nvrtc.c — a compiler that notes what it was given: the driver's side runs the emulator's build.
 */
#include "stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int architectures[] = {75, 80, 90};

struct nvrtcProgram_st {
    char file[128], code[192], log[512];
    bool is_ptx;
};

int nvrtcVersion(int *major, int *minor) {
    CALL();
    *major = 13;
    *minor = 0;
    return 0;
}

int nvrtcGetNumSupportedArchs(int *count) {
    CALL();
    *count = sizeof architectures / sizeof *architectures;
    return 0;
}

int nvrtcGetSupportedArchs(int *known) {
    CALL();
    memcpy(known, architectures, sizeof architectures);
    return 0;
}

int nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *name,
                       int header_count, const char *const *headers,
                       const char *const *header_names) {
    CALL();
    if (!strstr(source, "MSL_ENTRY(") && !strstr(source, "MSL_INSTANCE("))
        stand_in_complain("%s has no entry point", name);
    for (int i = 0; i < header_count; i++)
        if (!*headers[i] || !*header_names[i]) stand_in_complain("a header is empty");
    *program = stand_in_new("program", sizeof **program);
    **program = (struct nvrtcProgram_st){.is_ptx = false};
    snprintf((*program)->file, sizeof(*program)->file, "%s", name);
    return 0;
}

int nvrtcDestroyProgram(nvrtcProgram *program) {
    CALL();
    stand_in_free("program", *program);
    *program = NULL;
    return 0;
}

static bool has_option(int count, const char *const *options, const char *wanted) {
    for (int i = 0; i < count; i++)
        if (!strcmp(options[i], wanted)) return true;
    return false;
}

/* The first option is "-arch=sm_90" or "-arch=compute_90". */
int nvrtcCompileProgram(nvrtcProgram program, int count, const char *const *options) {
    stand_in_need("program", program);
    int failed = stand_in_call(__func__);
    snprintf(program->log, sizeof program->log,
             "%s(1): warning: told to fail\n%s(2): error: told to fail\n2 were found\n",
             program->file, program->file);
    if (failed) return failed;
    bool whole = has_option(count, options, "-DMSL_WHOLE_SIMDGROUPS"),
         partial = has_option(count, options, "-DMSL_PARTIAL_SIMDGROUPS");
    if (whole == partial || !has_option(count, options, "-default-device"))
        stand_in_complain("%s is compiled with other options than kernels are", program->file);
    program->is_ptx = !strncmp(options[0], "-arch=compute_", 14);
    snprintf(program->code, sizeof program->code, "%s %s %c",
             program->is_ptx ? ".version"
                             : "\x7f"
                               "ELF",
             program->file, partial ? 'P' : 'W');
    return 0;
}

int nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size) {
    CALL();
    *size = strlen(program->log) + 1;
    return 0;
}

int nvrtcGetProgramLog(nvrtcProgram program, char *log) {
    CALL();
    strcpy(log, program->log);
    return 0;
}

static int code_size(nvrtcProgram program, bool is_ptx, size_t *size) {
    stand_in_need("program", program);
    if (program->is_ptx != is_ptx) stand_in_complain("code of the other kind is asked for");
    *size = strlen(program->code) + 1;
    return 0;
}

int nvrtcGetCUBINSize(nvrtcProgram program, size_t *size) {
    CALL();
    return code_size(program, false, size);
}

int nvrtcGetPTXSize(nvrtcProgram program, size_t *size) {
    CALL();
    return code_size(program, true, size);
}

int nvrtcGetCUBIN(nvrtcProgram program, char *code) {
    CALL();
    strcpy(code, program->code);
    return 0;
}

int nvrtcGetPTX(nvrtcProgram program, char *code) {
    CALL();
    strcpy(code, program->code);
    return 0;
}
