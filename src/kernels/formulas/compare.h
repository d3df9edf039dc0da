// Formulas that answer 1 or 0; see unary.h. They have no slopes.

#define GRADUS_TEST static constexpr bool integers = true, light = true
struct Lt { GRADUS_TEST; GRADUS_VALUE2 { return select(a < b, V(1), V(0)); } };
struct Gt { GRADUS_TEST; GRADUS_VALUE2 { return select(a > b, V(1), V(0)); } };
struct Le { GRADUS_TEST; GRADUS_VALUE2 { return select(a <= b, V(1), V(0)); } };
struct Ge { GRADUS_TEST; GRADUS_VALUE2 { return select(a >= b, V(1), V(0)); } };
struct Eq { GRADUS_TEST; GRADUS_VALUE2 { return select(a == b, V(1), V(0)); } };
struct Ne { GRADUS_TEST; GRADUS_VALUE2 { return select(a == b, V(0), V(1)); } };
struct LogicalAnd { GRADUS_TEST; GRADUS_VALUE2 { return select((a == 0) | (b == 0), V(0), V(1)); } };
struct LogicalOr  { GRADUS_TEST; GRADUS_VALUE2 { return select((a == 0) & (b == 0), V(0), V(1)); } };
struct LogicalXor { GRADUS_TEST; GRADUS_VALUE2 { return select((a == 0) ^ (b == 0), V(1), V(0)); } };
using Comparison = List<Lt, Gt, Le, Ge, Eq, Ne, LogicalAnd, LogicalOr, LogicalXor>;

struct LogicalNot { GRADUS_TEST; GRADUS_VALUE { return select(x == 0, V(1), V(0)); } };
struct Isnan      { GRADUS_TEST; GRADUS_VALUE { return select(is_nan(x), V(1), V(0)); } };
struct Isinf      { GRADUS_TEST; GRADUS_VALUE { return select(is_inf(x), V(1), V(0)); } };
struct Isfinite   { GRADUS_TEST; GRADUS_VALUE { return select(is_finite(x), V(1), V(0)); } };
struct Signbit    { GRADUS_TEST; GRADUS_VALUE { return select(sign_bit(x), V(1), V(0)); } };
#undef GRADUS_TEST
using UnaryTest = List<LogicalNot, Isnan, Isinf, Isfinite, Signbit>;
