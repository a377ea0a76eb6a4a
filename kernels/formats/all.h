// all.h — every block format
#pragma once
#include "formats/iq4_nl.h"
#include "formats/q2_K.h"
#include "formats/q3_K.h"
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q4_K.h"
#include "formats/q5_0.h"
#include "formats/q5_1.h"
#include "formats/q5_K.h"
#include "formats/q6_K.h"
#include "formats/q8_0.h"
