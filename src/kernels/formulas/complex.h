// The formulas that are compiled for complex numbers, too: those that are holomorphic where they are smooth, and tests. A gradient is
// multiplied by the conjugate of their slope. Of abs, whose values are real, the slope is the gradient itself.

using ComplexUnary = List<Exp, Exp2, Expm1, Sigmoid, Tanh, Sinh, Cosh, Log, Log2, Log10, Log1p, Asinh, Acosh, Atanh, Sin, Cos, Tan, Asin, Acos, Atan,
                          Neg, Abs, Square, Sqrt, Rsqrt, Reciprocal, Silu, Sinc, LogicalNot, Isnan, Isinf, Isfinite>;
using ComplexBinary = List<AddScaled, SubScaled, Mul, Div, Pow, Logaddexp, Eq, Ne, LogicalAnd, LogicalOr, LogicalXor>;
using ComplexTernary = List<Where, Addcmul, Addcdiv, Lerp>;
