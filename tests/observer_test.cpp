// Who watches a context may come and go while it is being told.
#include "graph/observer.h"

#include <functional>

#include "fixture.h"

using namespace gradus;

namespace {

class Watcher : public Observer {
 public:
  std::function<void()> act;
  int calls = 0, ends = 0, lefts = 0, running = 0, late = 0;

  void before_call(const CallEvent&) override { tell(calls); }
  void after_call(const CallEvent&) override { tell(ends); }
  void left() override {
    ++lefts;
    late += running;                                          // it may delete itself here
  }

 private:
  void tell(int& count) {
    late += lefts;
    ++running;
    ++count;
    if (act) act();
    --running;
  }
};

class Observers : public Core {
 protected:
  Observers() { for (Watcher* w : {&last_, &middle_, &first_}) observe(context_, w); }   // the newest is told first
  ~Observers() override { stop_observing(context_); }
  void call() { sin(tensor({1}, {1})); }
  Watcher first_, middle_, last_, extra_;
};

}  // namespace

TEST_F(Observers, OneMayRemoveTheNext) {
  first_.act = [&] { stop_observing(context_, &middle_); };
  call();
  EXPECT_EQ(middle_.calls + middle_.late, 0);
  EXPECT_EQ(middle_.lefts, 1);
  EXPECT_EQ(last_.calls, 1);
  EXPECT_EQ(last_.ends, 1);
}

TEST_F(Observers, OneMayRemoveTheOneBeforeIt) {
  middle_.act = [&] { stop_observing(context_, &first_); };
  call();
  EXPECT_EQ(first_.ends + first_.late, 0);
  EXPECT_EQ(first_.lefts, 1);
  EXPECT_EQ(last_.calls, 1);
}

TEST_F(Observers, OneMayRemoveItselfAndLeavesWhenItsCallbackIsOver) {
  middle_.act = [&] {
    EXPECT_EQ(stop_observing(context_, &middle_), middle_.calls == 1);
    EXPECT_FALSE(stop_observing(context_, &middle_));
  };
  call();
  call();
  EXPECT_EQ(middle_.calls, 1);
  EXPECT_EQ(middle_.ends + middle_.late, 0);
  EXPECT_EQ(middle_.lefts, 1);
  EXPECT_EQ(last_.ends, 2);
}

TEST_F(Observers, OneMayBeRemovedByACallInsideItsOwn) {
  first_.act = [&] {
    first_.act = nullptr;
    middle_.act = [&] { stop_observing(context_, &first_); };
    call();
    EXPECT_EQ(first_.lefts, 0);
  };
  call();
  EXPECT_EQ(first_.lefts, 1);
  EXPECT_EQ(first_.late, 0);
}

TEST_F(Observers, AllMayGoAndNobodyIsCalledAgain) {
  middle_.act = [&] { stop_observing(context_); };
  call();
  EXPECT_EQ(context_.observers, nullptr);
  EXPECT_EQ(context_.attention.load(), 0u);
  for (const Watcher* w : {&first_, &middle_, &last_}) {
    EXPECT_EQ(w->lefts, 1);
    EXPECT_EQ(w->late, 0);
  }
  EXPECT_EQ(last_.calls, 0);
}

TEST_F(Observers, OneThatComesMeanwhileMissesTheRest) {
  middle_.act = [&] {
    middle_.act = nullptr;
    observe(context_, &extra_);
  };
  call();
  EXPECT_EQ(extra_.calls, 0);
  EXPECT_EQ(last_.calls, 1);
  call();
  EXPECT_EQ(extra_.calls, 1);
}

TEST_F(Observers, OneThatIsRemovedAndThrowsIsLetGo) {
  middle_.act = [&] {
    stop_observing(context_, &middle_);
    fail(Status::state, "no");
  };
  expect_error(Status::state, "no", [&] { call(); });
  EXPECT_EQ(middle_.lefts, 1);
  EXPECT_EQ(last_.ends, 1);
}
