/* dispatch.h — what Metal would say of a launch before any thread runs. */
#ifndef METAL_LLM_MSL_CHECK_DISPATCH_H
#define METAL_LLM_MSL_CHECK_DISPATCH_H

#include "checker.h"
#include "options.h"

/* Adds what it refuses, and what is hardly meant. */
void dispatch_check(Findings *findings, const Options *options, const Program *program);

#endif
