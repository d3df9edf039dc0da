// Random numbers from Philox4x32-10. Element i of an array takes word i of the stream that begins at a block, or words 2i and
// 2i + 1, whatever the strides of the array and the number of threads.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

struct Stream {
  uint64_t seed = 0, block = 0;                               // blocks of four 32-bit words
};

// Words that uniform and normal take per element; all others take two.
constexpr int words_of(Dtype t) { return t == Dtype::f64 ? 2 : 1; }

// Of floating dtypes. Uniform in [from, to), with as many random bits as the dtype has digits; from itself where both agree.
void uniform(const View& out, Stream s, double from, double to);
// By Box and Muller's transform of two neighbours: tails reach 6.6 standard deviations in float, 8.5 in double.
void normal(const View& out, Stream s, double mean, double std);
void exponential(const View& out, Stream s, double rate);
void log_normal(const View& out, Stream s, double mean, double std);
void cauchy(const View& out, Stream s, double median, double scale);

// Of any real dtype.
void geometric(const View& out, Stream s, double p);          // tries until the first success, from 1 on
void integers(const View& out, Stream s, int64_t low, uint64_t count);         // low … low + count - 1; count 0 is 2^64
void bernoulli(const View& out, Stream s, double p);
void bernoulli(const View& out, Stream s, const View& p);     // p broadcasts to out

// mask: which elements are kept, each with probability 1 - p; out: those of in times 1 / (1 - p), else 0. One word per element.
// All are contiguous.
void dropout(const View& out, const View& mask, const View& in, Stream s, double p);
void masked(const View& out, const View& in, const View& mask, double scale);

// Of one row of p: num draws by probabilities that need not sum to 1; without replacement all different.
void permutation(const View& out, Stream s);
void multinomial(const View& out, const View& p, Stream s, bool replacement);

// The stream itself, in vectors of this machine (random_bits.cpp).
void random_words(Stream s, int64_t blocks, uint32_t* out);
// min(low + width u, most), u in [0, 1) from the upper `digits` bits of a word.
struct UniformRange { double low, width, most; };
void uniform_floats(const uint32_t* words, int64_t n, int digits, UniformRange range, float* out);
void uniform_doubles(const uint64_t* words, int64_t n, UniformRange range, double* out);
void normal_floats(const uint32_t* words, int64_t pairs, float mean, float std, float* out);
void normal_doubles(const uint64_t* words, int64_t pairs, double mean, double std, double* out);
// mask[i] = words[i] >= threshold; out[i] = in[i] * scale where the mask is set, else 0. Without words the mask is given.
void keep_floats(const uint32_t* words, uint32_t threshold, const float* in, float scale, int64_t n, bool* mask, float* out);

}  // namespace gradus::kernels
