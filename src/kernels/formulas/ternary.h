// Formulas of three inputs; see unary.h.

#define GRADUS_VALUE3 template <class V> static constexpr V value(V a, V b, V c)
#define GRADUS_VALUE3_WITH template <class V> constexpr V value(V a, V b, V c) const
#define GRADUS_SLOPE3(i) \
  template <class V> static constexpr V slope##i([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V c, [[maybe_unused]] V y)
#define GRADUS_SLOPE3_WITH(i) \
  template <class V> constexpr V slope##i([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V c, [[maybe_unused]] V y) const

struct Where {                                                // a is the condition
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE3 { return select(a == 0, c, b); }
  GRADUS_SLOPE3(0) { return V(0); }
  GRADUS_SLOPE3(1) { return select(a == 0, V(0), V(1)); }
  GRADUS_SLOPE3(2) { return select(a == 0, V(1), V(0)); }
};
using Ternary = List<Where>;
