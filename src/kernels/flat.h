// Unrolls the loop that follows: GCC's -O2 leaves loops of constant count as loops over arrays in memory.
#pragma once

#define GRADUS_FLAT _Pragma("GCC unroll 32")
