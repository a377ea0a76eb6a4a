/* strict.h — refuses what Metal refuses and clang's C++ for OpenCL takes, on clang's syntax
 * tree. */
#ifndef METAL_LLM_MSL_STRICT_STRICT_H
#define METAL_LLM_MSL_STRICT_STRICT_H

#include <stdio.h>

/* Read the output of clang++ --config msl/strict/flags -Xclang -ast-dump=json. Returns 1 if
 * anything was refused, each with file, line and column on stderr; 2 if that is not a syntax tree;
 * else 0. */
int strict_check(FILE *tree);

#endif
