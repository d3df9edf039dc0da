// The quota of the process's own control group, from files as the kernel writes them.
#include <gtest/gtest.h>

#include <climits>
#include <filesystem>
#include <fstream>

#include "base/cpus.h"

namespace fs = std::filesystem;

class Cgroup : public testing::Test {
 protected:
  Cgroup() {
    std::string name = (fs::temp_directory_path() / "gradus-cgroup-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~Cgroup() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int cpus(const std::string& groups) const {
    put("groups", groups);
    return gradus::cgroup_cpus((root_ / "groups").c_str(), (root_ / "mount").c_str());
  }
  fs::path root_;
};

TEST_F(Cgroup, WithoutFilesThereIsNoQuota) { EXPECT_EQ(cpus("0::/a/b\n"), INT_MAX); }
TEST_F(Cgroup, MaxIsNoQuota) {
  put("mount/a/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus("0::/a\n"), INT_MAX);
}
TEST_F(Cgroup, TheOwnGroupCountsNotTheRootAlone) {
  put("mount/a/b/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus("0::/a/b\n"), 2);
}
TEST_F(Cgroup, TheLeastOfAllGroupsAboveCounts) {
  put("mount/cpu.max", "400000 100000\n");
  put("mount/a/cpu.max", "250000 100000\n");
  put("mount/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus("0::/a/b\n"), 3);
  EXPECT_EQ(cpus("0::/elsewhere\n"), 4);
  EXPECT_EQ(cpus("0::/\n"), 4);
  EXPECT_EQ(cpus("0::/../..\n"), 4);
}
TEST_F(Cgroup, PartsOfAProcessorAreRoundedUp) {
  put("mount/a/cpu.max", "1000 100000\n");
  EXPECT_EQ(cpus("0::/a\n"), 1);
}
TEST_F(Cgroup, VersionOneIsRead) {
  put("mount/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n");
  put("mount/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  put("mount/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cpus("5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n"), 3);
  EXPECT_EQ(cpus("5:cpuset:/docker/x\n"), INT_MAX);
}
TEST_F(Cgroup, NonsenseIsNoQuota) {
  put("mount/a/cpu.max", "0 0\n");
  EXPECT_EQ(cpus("0::/a\n"), INT_MAX);
  EXPECT_EQ(cpus("nonsense\n:\n\n"), INT_MAX);
  EXPECT_EQ(cpus("0::/" + std::string(5000, 'x') + "\n"), INT_MAX);
}
TEST(Cpus, ThereIsOne) { EXPECT_GE(gradus::usable_cpus(), 1); }
