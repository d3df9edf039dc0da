// How many processors this process may use.
#pragma once

namespace gradus {

// By its affinity and the quotas of its control group and of those above it; at least 1.
int usable_cpus();

// The quota alone, rounded up; INT_MAX for none. `groups` is /proc/self/cgroup, `mount` where the hierarchies are mounted.
int cgroup_cpus(const char* groups, const char* mount);

}  // namespace gradus
