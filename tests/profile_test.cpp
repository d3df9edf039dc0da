// The profiler: what is counted, how calls nest, what links a call to the backward of its node. No clock is trusted: times are
// compared with each other only.
#include "profile/profile.h"

#include <sstream>

#include "fixture.h"
#include "graph/observer.h"

namespace gradus {
namespace {

class Profiler : public Core {
 protected:
  ~Profiler() override { stop_observing(context_); }
  Ref<Profile> start(ProfileOptions o = {}) { return start_profile(context_, o); }
  void stop(const Ref<Profile>& p) { stop_profile(context_, *p); }

  static std::string name_of(const Recorder& r, const ProfileEvent& e) { return r.text(e.name); }
  static std::vector<ProfileEvent> named(const Recorder& r, const std::string& name) {
    std::vector<ProfileEvent> found;
    for (const ProfileEvent& e : r.events())
      if (r.text(e.name) == name) found.push_back(e);
    return found;
  }
  static int64_t calls(const Recorder& r, const std::string& name) {
    int64_t n = 0;
    for (const ProfileRow& row : r.rows())
      if (r.text(row.name) == name) n += row.calls;
    return n;
  }
  // The names in the first column of a table.
  static std::vector<std::string> names_in(const std::string& table) {
    std::istringstream lines(table);
    std::string line;
    std::vector<std::string> names;
    for (int i = 0; std::getline(lines, line) && line.find("CPU time total:") == std::string::npos; ++i) {
      std::string word;
      if (i > 2 && std::istringstream(line) >> word && word[0] != '-') names.push_back(word);
    }
    return names;
  }
};

TEST_F(Profiler, CountsWhatRunsWhileItRuns) {
  const Tensor x = tensor({1, 2, 3}, {3});
  mul(x, x);
  const auto p = start();
  EXPECT_EQ(context_.attention.load(), Context::kObserved);
  for (int i = 0; i < 10; ++i) mul(x, x);
  call_in_place(add_op, {x, 1.0});
  stop(p);
  EXPECT_EQ(context_.attention.load(), 0u);
  mul(x, x);
  const Recorder& r = p->recorder;
  EXPECT_EQ(calls(r, "mul"), 10);
  EXPECT_EQ(calls(r, "add_"), 1);
  EXPECT_EQ(calls(r, "add"), 0);
  EXPECT_EQ(named(r, "mul")[0].bytes, 24);
  EXPECT_EQ(named(r, "add_")[0].bytes, 0);                    // into memory that was there
  expect_error(Status::state, "profile", [&] { stop(p); });
}

TEST_F(Profiler, CallsInsideACallAreItsChildrenAndNoTimeIsCountedTwice) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
  const auto p = start();
  const Tensor y = call(*find_op("std"), {x, Value(std::nullopt), Value(std::nullopt), false});
  backward({&y, 1}, {});
  stop(p);
  const Recorder& r = p->recorder;
  std::vector<int64_t> inside(r.events().size());
  int64_t outermost = 0, self = 0, nested = 0;
  for (const ProfileEvent& e : r.events()) {
    EXPECT_GE(e.self, 0);
    EXPECT_LE(e.self, e.duration);
    EXPECT_GE(e.start, 0);
    self += e.self;
    if (e.parent < 0) { outermost += e.duration; continue; }
    const ProfileEvent& parent = r.events()[static_cast<size_t>(e.parent)];
    inside[static_cast<size_t>(e.parent)] += e.duration;
    EXPECT_LE(parent.start, e.start);
    EXPECT_LE(e.start + e.duration, parent.start + parent.duration);
    ++nested;
  }
  EXPECT_GT(nested, 3);
  EXPECT_EQ(self, outermost);
  EXPECT_LE(outermost, r.duration());
  for (size_t i = 0; i < inside.size(); ++i) EXPECT_EQ(inside[i], r.events()[i].duration - r.events()[i].self);
  int64_t rows = 0;
  for (const ProfileRow& row : r.rows()) {
    EXPECT_LE(row.self, row.total);
    EXPECT_LE(row.total, outermost);
    rows += row.self;
  }
  EXPECT_EQ(rows, self);
}

TEST_F(Profiler, TheNumberOfANodeLinksACallToItsBackward) {
  const Tensor x = leaf({1, 2}, {2}), w = leaf({3, 4}, {2});
  const auto p = start();
  const Tensor y = mul(sin(x), w), s = call(*find_op("sum"), {y});
  const uint64_t sine = named(p->recorder, "sin")[0].sequence, product = y.impl()->grad_fn->sequence;
  backward({&s, 1}, {});
  stop(p);
  const Recorder& r = p->recorder;
  EXPECT_GT(sine, 0u);
  ASSERT_EQ(named(r, "SinBackward0").size(), 1u);
  EXPECT_EQ(named(r, "SinBackward0")[0].sequence, sine);
  EXPECT_EQ(named(r, "mul")[0].sequence, product);
  EXPECT_EQ(named(r, "MulBackward0")[0].sequence, product);
  ASSERT_EQ(named(r, "AccumulateGrad").size(), 2u);
  EXPECT_EQ(named(r, "AccumulateGrad")[0].sequence, 0u);
  const ProfileEvent pass = named(r, "backward").at(0);
  EXPECT_EQ(pass.kind, EventKind::pass);
  EXPECT_EQ(r.text(r.events()[static_cast<size_t>(named(r, "SinBackward0")[0].parent)].name), "backward");
  EXPECT_EQ(named(r, "MulBackward0")[0].bytes, 32);           // two gradients of two doubles
}

TEST_F(Profiler, AWriteThroughAViewIsLinkedThoughItsNodesAreThree) {
  const Tensor x = leaf({1, 2, 3, 4}, {4}), y = mul(x, 2.0);
  const auto p = start();
  const Tensor v = narrow(y, 0, 1, 2);
  call_in_place(mul_op, {v, 3.0});
  const Tensor s = call(*find_op("sum"), {y});
  backward({&s, 1}, {});
  stop(p);
  const ProfileEvent write = named(p->recorder, "mul_").at(0);
  bool found = false;
  for (const ProfileEvent& e : named(p->recorder, "MulBackward0")) found |= e.sequence >= write.first_sequence && e.sequence <= write.sequence;
  EXPECT_TRUE(found) << write.first_sequence << " to " << write.sequence;
}

TEST_F(Profiler, AFailureIsMarkedAndTheNextCallIsNotInsideIt) {
  const Tensor x = tensor({1, 2}, {2}), z = tensor({1, 2, 3}, {3});
  const auto p = start();
  expect_error(Status::shape, "add", [&] { add(x, z); });
  mul(x, x);
  stop(p);
  EXPECT_TRUE(named(p->recorder, "add")[0].failed);
  EXPECT_FALSE(named(p->recorder, "mul")[0].failed);
  EXPECT_EQ(named(p->recorder, "mul")[0].parent, -1);
}

TEST_F(Profiler, RangesNestAroundCallsAndEndWithTheProfile) {
  const Tensor x = tensor({1, 2}, {2});
  const auto p = start();
  begin_range(context_, "outer");
  begin_range(context_, "inner");
  mul(x, x);
  end_range(context_);
  begin_range(context_, "open");
  stop(p);
  end_range(context_);
  end_range(context_);
  expect_error(Status::state, "no range", [&] { end_range(context_); });
  const Recorder& r = p->recorder;
  ASSERT_EQ(r.events().size(), 4u);
  EXPECT_EQ(name_of(r, r.events()[2]), "mul");
  EXPECT_EQ(r.events()[2].parent, 1);
  EXPECT_EQ(r.events()[1].parent, 0);
  EXPECT_GE(r.events()[3].duration, 0);
}

TEST_F(Profiler, EventsAreBoundedAndTheTableIsNot) {
  const Tensor x = tensor({1, 2}, {2});
  ProfileOptions o;
  o.max_events = 5;
  const auto p = start(o);
  for (int i = 0; i < 100; ++i) mul(x, x);
  stop(p);
  EXPECT_EQ(p->recorder.events().size(), 5u);
  EXPECT_EQ(p->recorder.dropped(), 95u);
  EXPECT_EQ(calls(p->recorder, "mul"), 100);
}

TEST_F(Profiler, ATableIsSortedByTheColumnThatIsAskedFor) {
  const Tensor x = tensor({1, 2}, {2});
  const auto p = start();
  for (int i = 0; i < 3; ++i) sin(x);
  for (int i = 0; i < 7; ++i) cos(x);
  exp(x);
  stop(p);
  using Names = std::vector<std::string>;
  const Recorder& r = p->recorder;
  EXPECT_EQ(names_in(profile_table(r, {"count"})), (Names{"cos", "sin", "exp"}));
  EXPECT_EQ(names_in(profile_table(r, {"bytes"})), (Names{"cos", "sin", "exp"}));
  EXPECT_EQ(names_in(profile_table(r, {"name"})), (Names{"cos", "exp", "sin"}));
  EXPECT_EQ(names_in(profile_table(r, {"count", 2})), (Names{"cos", "sin"}));
  std::vector<std::pair<int64_t, std::string>> self;
  for (const ProfileRow& row : r.rows()) self.emplace_back(-row.self, r.text(row.name));
  std::sort(self.begin(), self.end());
  const Names names = names_in(profile_table(r, {}));
  ASSERT_EQ(names.size(), self.size());
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i], self[i].second);
  expect_error(Status::unknown_name, "'speed'", [&] { profile_table(r, {"speed"}); });
}

TEST_F(Profiler, ShapesMakeRowsOfTheirOwn) {
  const Tensor x = tensor({1, 2}, {2}), y = tensor({1, 2, 3, 4}, {2, 2});
  ProfileOptions o;
  o.shapes = true;
  const auto p = start(o);
  mul(x, x);
  mul(y, x);
  mul(y, 2.0);
  stop(p);
  TableOptions by_shape;
  by_shape.by_shape = true;
  EXPECT_EQ(names_in(profile_table(p->recorder, {})).size(), 1u);
  const std::string table = profile_table(p->recorder, by_shape);
  EXPECT_EQ(names_in(table).size(), 3u);
  for (const char* shapes : {"[[2], [2]]", "[[2, 2], [2]]", "[[2, 2]]"}) EXPECT_NE(table.find(shapes), std::string::npos) << shapes << "\n" << table;
}

TEST_F(Profiler, MemoryIsWhatACallLeavesAllocated) {
  ProfileOptions o;
  o.memory = true;
  const auto p = start(o);
  const Tensor y = zeros(Sizes{100000}, Dtype::f64);
  stop(p);
  EXPECT_GE(p->recorder.rows()[0].memory, 800000);
  EXPECT_LT(p->recorder.rows()[0].memory, 2000000);
}

TEST_F(Profiler, SeveralRunAtOnceAndComeAndGoInsideAPass) {
  const Tensor x = leaf({1, 2}, {2});
  const auto a = start();
  Ref<Profile> b;
  add_hook(x.impl(), [&](const Tensor&) {
    stop(a);
    b = start();
    mul(x, 2.0);
    return Tensor();
  });
  const Tensor s = call(*find_op("sum"), {mul(x, 3.0)});
  backward({&s, 1}, {});
  stop(b);
  EXPECT_EQ(calls(a->recorder, "MulBackward0"), 1);
  EXPECT_EQ(calls(a->recorder, "backward"), 1);
  EXPECT_EQ(calls(a->recorder, "AccumulateGrad"), 0);
  EXPECT_EQ(calls(b->recorder, "mul"), 1);
  EXPECT_EQ(calls(b->recorder, "backward"), 0);               // it had begun before
}

TEST_F(Profiler, WatchingChangesNoBit) {
  const auto run = [&] {
    const Tensor x = leaf({0.3, -1.7, 2.9}, {3});
    const Tensor y = mul(tanh(mul(x, x)), add(x, x)), s = call(*find_op("sum"), {y});
    backward({&s, 1}, {});
    return values(grad_of(x));
  };
  const std::vector<double> plain = run();
  const auto p = start();
  const std::vector<double> watched = run();
  stop(p);
  EXPECT_EQ(plain, watched);
}

TEST_F(Profiler, ItLivesUntilContextAndHandleHaveLetGo) {
  const int64_t before = live_count(Live::profiles);
  auto p = start();
  EXPECT_EQ(live_count(Live::profiles), before + 1);
  p = {};
  EXPECT_EQ(live_count(Live::profiles), before + 1);          // the context's
  stop_observing(context_);
  EXPECT_EQ(live_count(Live::profiles), before);
}

}  // namespace
}  // namespace gradus
