// Which library a program has loaded, and what of it lives.
#include "base/memory.h"
#include "capi/guard.h"
#include "kernels/lapack.h"

using namespace gradus;
using namespace gradus::capi;

uint32_t gradus_version(void) { return GRADUS_VERSION_NUMBER; }
const char* gradus_version_string(void) { return GRADUS_VERSION_TEXT; }
uint32_t gradus_api_level(void) { return GRADUS_API_LEVEL; }

int32_t gradus_has_feature(const char* name, size_t length) {
  if (!name) return 0;
  const std::string_view wanted(name, length);
  for (std::string_view feature : {"threads", "simd", "dlpack"})
    if (feature == wanted) return 1;
  return wanted == "lapack" && kernels::has_lapack();
}

const char* gradus_status_name(gradus_status status) {
  switch (status) {
#define GRADUS_CASE(name) case name: return #name;
    GRADUS_CASE(GRADUS_OK) GRADUS_CASE(GRADUS_E_ARGUMENT) GRADUS_CASE(GRADUS_E_NULL) GRADUS_CASE(GRADUS_E_HANDLE)
    GRADUS_CASE(GRADUS_E_SHAPE) GRADUS_CASE(GRADUS_E_DTYPE) GRADUS_CASE(GRADUS_E_INDEX) GRADUS_CASE(GRADUS_E_VALUE)
    GRADUS_CASE(GRADUS_E_MEMORY) GRADUS_CASE(GRADUS_E_STATE) GRADUS_CASE(GRADUS_E_BUSY) GRADUS_CASE(GRADUS_E_GRAPH_FREED)
    GRADUS_CASE(GRADUS_E_IN_PLACE) GRADUS_CASE(GRADUS_E_ANOMALY) GRADUS_CASE(GRADUS_E_UNSUPPORTED) GRADUS_CASE(GRADUS_E_UNKNOWN_NAME)
    GRADUS_CASE(GRADUS_E_UNKNOWN_FIELD) GRADUS_CASE(GRADUS_E_CALLBACK) GRADUS_CASE(GRADUS_E_CANCELLED) GRADUS_CASE(GRADUS_E_IO)
    GRADUS_CASE(GRADUS_E_INTERNAL)
#undef GRADUS_CASE
    default: return (status & 0xff) && status > 0xff ? gradus_status_name(status & ~0xff) : "unknown";
  }
}

const char* gradus_dtype_name(int32_t dtype) { return dtype > 0 && dtype < kDtypes ? name(static_cast<Dtype>(dtype)).data() : nullptr; }
int64_t gradus_dtype_size(int32_t dtype) { return dtype > 0 && dtype < kDtypes ? size_of(static_cast<Dtype>(dtype)) : 0; }

void gradus_live_counts(gradus_counts* counts) {
  if (!counts) return;
  const MemoryUse memory = memory_use();
  const auto live = [](Live what) { return static_cast<uint64_t>(live_count(what)); };
  gradus_counts c{};
  c.contexts = live(Live::contexts);
  c.tensors = live(Live::tensors);
  c.graph_nodes = live(Live::nodes);
  c.foreign_blocks = live(Live::foreign_blocks);
  c.callbacks = live(Live::callbacks);
  c.bytes_live = memory.live_bytes;
  c.bytes_peak = memory.peak_bytes;
  c.bytes_kept = memory.kept_bytes;
  c.profiles = live(Live::profiles);
  c.optimizers = live(Live::optimizers);
  c.schedulers = live(Live::schedulers);
  c.files = live(Live::files);
  c.function_calls = live(Live::function_calls);
  write_info(counts, c);
}

void gradus_memory_trim(void) { trim_memory(); }
