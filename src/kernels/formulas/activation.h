// Formulas of activation functions; see unary.h.

struct Relu {                                                 // a NaN stays one, and lets the gradient through
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE { return select(x <= 0, V(0), x); }
  GRADUS_SLOPE { return select(y <= 0, V(0), V(1)); }
};
struct Threshold {
  static constexpr bool integers = true, light = true, masks = true;
  Number threshold, value_below;
  GRADUS_VALUE_WITH { return select(x <= V(threshold), V(value_below), x); }
  GRADUS_SLOPE_WITH { return select(x <= V(threshold), V(0), V(1)); }
};
struct LeakyRelu {
  static constexpr bool light = true;
  Number negative_slope;
  GRADUS_VALUE_WITH { return select(x > 0, x, x * V(negative_slope)); }
  GRADUS_SLOPE_WITH { return select(x > 0, V(1), V(negative_slope)); }
};
struct Hardtanh {                                             // 0 at both kinks; a NaN lets the gradient through
  static constexpr bool integers = true, light = true, masks = true;
  Number low, high;
  GRADUS_VALUE_WITH { return select(x < V(low), V(low), select(x > V(high), V(high), x)); }
  GRADUS_SLOPE_WITH { return select((x <= V(low)) | (x >= V(high)), V(0), V(1)); }
};
struct Hardsigmoid {
  static constexpr bool light = true, masks = true;
  GRADUS_VALUE { return select(x <= -3, V(0), select(x >= 3, V(1), (x + 3) / 6)); }
  GRADUS_SLOPE { return select((x > -3) & (x < 3), V(1.0 / 6), V(0)); }
};
struct Hardswish {                                            // -1/2 at -3, 1 at 3
  static constexpr bool light = true, masks = true;
  GRADUS_VALUE { return select(x <= -3, V(0), select(x >= 3, x, x * (x + 3) / 6)); }
  GRADUS_SLOPE { return select(x < -3, V(0), select(x >= 3, V(1), x / 3 + 0.5)); }
};
struct Hardshrink {
  static constexpr bool light = true, masks = true;
  Number lambd;
  GRADUS_VALUE_WITH { return select((x >= -V(lambd)) & (x <= V(lambd)), V(0), x); }
  GRADUS_SLOPE_WITH { return select((x >= -V(lambd)) & (x <= V(lambd)), V(0), V(1)); }
};
struct Softshrink {
  static constexpr bool light = true, masks = true;
  Number lambd;
  GRADUS_VALUE_WITH { return select(x > V(lambd), x - V(lambd), select(x < -V(lambd), x + V(lambd), select(is_nan(x), x, V(0)))); }
  GRADUS_SLOPE_WITH { return select((x >= -V(lambd)) & (x <= V(lambd)), V(0), V(1)); }
};
struct Softsign {
  static constexpr bool light = true;
  GRADUS_VALUE { return x / (1 + abs(x)); }
  GRADUS_SLOPE { return 1 / ((1 + abs(x)) * (1 + abs(x))); }
};
using ActivationLight = List<Relu, Threshold, LeakyRelu, Hardtanh, Hardsigmoid, Hardswish, Hardshrink, Softshrink, Softsign>;

struct Gelu {                                                 // by the normal distribution, so that the left tail keeps its digits
  GRADUS_VALUE { return x * normal_cdf(x); }
  GRADUS_SLOPE { return normal_cdf(x) + x * (0.3989422804014327 * exp(-0.5 * (x * x))); }
};
struct GeluTanh {                                             // (1 + tanh u) / 2 = sigmoid(2 u): no cancellation on the left
  template <class V> [[gnu::always_inline]] static constexpr V twice_u(V x) { return x * (1.5957691216057308 + 0.07135481627260025 * (x * x)); }
  GRADUS_VALUE { return x * sigmoid(twice_u(x)); }
  GRADUS_SLOPE {
    const V s = sigmoid(twice_u(x));
    return s + x * (s * (1 - s)) * (1.5957691216057308 + 0.21406444881780076 * (x * x));
  }
};
struct Silu {
  GRADUS_VALUE { return x * sigmoid(x); }
  GRADUS_SLOPE { const V s = sigmoid(x); return s * (1 + x * (1 - s)); }
};
struct Elu {                                                  // at 0 the slope of the negative branch
  Number alpha, scale, input_scale;
  GRADUS_VALUE_WITH {
    const V below = select(x < 0, x, V(0)) * V(input_scale);
    return select(x < 0, expm1(below) * V(alpha.f * scale.f), x * V(scale));
  }
  GRADUS_SLOPE_WITH {
    const V below = select(x <= 0, x, V(0)) * V(input_scale);
    return select(x <= 0, exp(below) * V(alpha.f * scale.f * input_scale.f), V(scale));
  }
};
struct Softplus {                                             // log(1 + e^z) / beta, z = beta x, as max(z, 0) + log1p(e^-|z|)
  Number beta, threshold;
  GRADUS_VALUE_WITH {
    const V z = x * V(beta);
    return select(z > V(threshold), x, (select(z > 0, z, V(0)) + log1p(exp(-abs(z)))) / V(beta));
  }
  GRADUS_SLOPE_WITH {
    const V z = x * V(beta);
    return select(z > V(threshold), V(1), sigmoid(z));
  }
};
struct LogSigmoid {                                           // sigmoid(-x) by z = e^-|x|, so that its own slope keeps its digits on both sides
  GRADUS_VALUE { return select(x > 0, V(0), x) - log1p(exp(-abs(x))); }
  GRADUS_SLOPE { const V z = exp(select(x > 0, -x, x)); return select(x > 0, z, V(1)) / (1 + z); }
};
struct Mish {                                                 // tanh(log(1 + e)) = n / (n + 2), n = e (e + 2), e = e^x; beyond 40 it is x
  template <class V> [[gnu::always_inline]] static constexpr V n(V x) {
    const V e = exp(select(x > 40, V(40), x));
    return e * (e + 2);
  }
  GRADUS_VALUE { const V k = n(x); return x * (k / (k + 2)); }
  GRADUS_SLOPE {
    const V k = n(x), r = 1 / (k + 2);
    return k / (k + 2) + select(x > 40, V(0), x) * (4 * (k + 1) * r * r) * sigmoid(x);
  }
};
struct Tanhshrink {                                           // x - tanh x, near 0 by the polynomial of tanh
  GRADUS_VALUE {
    constexpr double c[] = {0.0002322510406793850946, -0.0005880541548418729003, 0.001455464802800744916, -0.003592083166343457503,
                            0.008863232113541473187, -0.02186948838378092915, 0.05396825396475762478, -0.1333333333333019618, 0.3333333333333332867};
    const V u = x * x;
    V p = 0.00001833596211003942041 * u + -0.00008154737806525365223;
    for (int k = 0; k < 9; ++k) p = p * u + c[k];
    return select(u < 0.36, x * (u * p), x - tanh(x));
  }
  GRADUS_SLOPE { const V t = tanh(x); return t * t; }
};
using Activation = List<Gelu, GeluTanh, Silu, Elu, Softplus, LogSigmoid, Mish, Tanhshrink>;
