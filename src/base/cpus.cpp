#include "base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>

namespace gradus {
namespace {

constexpr int kMostCpus = 1 << 20;
constexpr size_t kPath = 4096;

// A machine may have more processors than a cpu_set_t has bits: the kernel says EINVAL then.
int affinity() {
  for (int room = 1024; room <= kMostCpus; room *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(room));
    if (!set) return 1;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(room));
    CPU_ZERO_S(bytes, set);
    const int n = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (n > 0) return n;
  }
  return 1;
}

bool read_line(const char* path, char (&line)[256]) {
  std::FILE* f = std::fopen(path, "re");
  if (!f) return false;
  const bool ok = std::fgets(line, sizeof line, f) != nullptr;
  std::fclose(f);
  return ok;
}

int rounded_up(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return INT_MAX;
  return static_cast<int>(std::min<long long>((quota - 1) / period + 1, INT_MAX));
}

// Of one directory: "max 100000" or "150000 100000" in version 2, two files in version 1.
int quota_in(const char* directory) {
  char path[kPath], line[256];
  long long quota = 0, period = 0;
  if (std::snprintf(path, sizeof path, "%s/cpu.max", directory) < static_cast<int>(sizeof path) && read_line(path, line))
    return std::sscanf(line, "%lld %lld", &quota, &period) == 2 ? rounded_up(quota, period) : INT_MAX;
  if (std::snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", directory) >= static_cast<int>(sizeof path)) return INT_MAX;
  if (!read_line(path, line) || std::sscanf(line, "%lld", &quota) != 1) return INT_MAX;
  if (std::snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory) >= static_cast<int>(sizeof path)) return INT_MAX;
  return read_line(path, line) && std::sscanf(line, "%lld", &period) == 1 ? rounded_up(quota, period) : INT_MAX;
}

// The least quota from a group up to the root. A path that is not there (another namespace's) counts as its parents.
int quota_of(const char* mount, const char* hierarchy, const char* group) {
  char path[kPath];
  const int root = std::snprintf(path, sizeof path, "%s%s", mount, hierarchy);
  const int n = std::snprintf(path, sizeof path, "%s%s%s", mount, hierarchy, group);
  if (root < 0 || n < root || n >= static_cast<int>(sizeof path)) return INT_MAX;
  int least = INT_MAX;
  for (;;) {
    least = std::min(least, quota_in(path));
    char* slash = std::strrchr(path + root, '/');
    if (!slash) return least;
    *slash = 0;
  }
}

bool names_cpu(const char* controllers) {                     // "cpu,cpuacct"
  for (const char* at = controllers; at; at = std::strchr(at, ',') ? std::strchr(at, ',') + 1 : nullptr)
    if (std::strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == 0)) return true;
  return false;
}

}  // namespace

int cgroup_cpus(const char* groups, const char* mount) {
  std::FILE* f = std::fopen(groups, "re");
  if (!f) return quota_of(mount, "", "");
  int least = INT_MAX;
  char line[kPath], hierarchy[64];
  while (std::fgets(line, sizeof line, f)) {                  // "0::/user.slice" or "4:cpu,cpuacct:/docker/7b"
    line[std::strcspn(line, "\n")] = 0;
    char* controllers = std::strchr(line, ':');
    char* group = controllers ? std::strchr(controllers + 1, ':') : nullptr;
    if (!group) continue;
    *group++ = 0;
    ++controllers;
    if (*controllers == 0) {
      least = std::min(least, quota_of(mount, "", group));
    } else if (names_cpu(controllers)) {
      std::snprintf(hierarchy, sizeof hierarchy, "/%s", controllers);
      least = std::min({least, quota_of(mount, hierarchy, group), quota_of(mount, "/cpu", group)});
    }
  }
  std::fclose(f);
  return least;
}

int usable_cpus() { return std::max(1, std::min(affinity(), cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup"))); }

}  // namespace gradus
