// References of copies, casts and fills. A cast to the result's dtype is the suite's.
#include "oracle/oracle.h"

namespace gradus::oracle {

Oracles copies() {
  return {
      {"clone", [](const Arguments& a) { return std::vector<Array>{a.array(0)}; }},
      {"_to_copy", [](const Arguments& a) { return std::vector<Array>{a.array(0)}; }},
      {"copy",
       [](const Arguments& a) {
         Array out = a.array(0);
         const Array from = a.array(1);
         std::vector<int64_t> index(out.ndim(), 0);
         for (double& v : out.values) {
           v = from.read(index);
           step(index, out.sizes);
         }
         return std::vector<Array>{out};
       }},
      {"fill", [](const Arguments& a) { return std::vector<Array>{Array(a.array(0).sizes, a.number(1))}; }},
      {"fill_tensor", [](const Arguments& a) { return std::vector<Array>{Array(a.array(0).sizes, a.array(1).values[0])}; }},
      {"zero", [](const Arguments& a) { return std::vector<Array>{Array(a.array(0).sizes)}; }},
  };
}

}  // namespace gradus::oracle
