#include "graph/checkpoint.h"

#include <algorithm>
#include <atomic>

#include "base/context.h"
#include "base/stack.h"
#include "dispatch/registry.h"
#include "graph/history.h"

namespace gradus {
namespace {

struct Enough {};                                             // ends a second run

// A tensor that was there before, as it was then: saved as values of nodes are, so that hooks in force pack it, too.
class Kept {
 public:
  Kept() = default;
  Kept(const Tensor& t, const Op& by) : wants_grad_(t && needs_grad(t.impl())) {
    if (t) keep(saved_, by, detach(t), 0, false);
  }
  Kept(Kept&& o) noexcept : saved_(std::exchange(o.saved_, kNothing)), wants_grad_(o.wants_grad_) {}
  Kept& operator=(Kept&& o) noexcept {
    std::swap(saved_, o.saved_);
    std::swap(wants_grad_, o.wants_grad_);
    return *this;
  }
  ~Kept() { drop(saved_); }
  explicit operator bool() const { return saved_.tensor != nullptr; }

  Tensor get() const {
    if (!saved_.tensor) return {};
    const Tensor t = detach(unpack("checkpoint", saved_));
    if (wants_grad_) set_requires_grad(t.impl(), true);
    return t;
  }
  Tensor result() const { return unpack("checkpoint", saved_); }
  void held(const SeeHeld& see) const { gradus::held(saved_, see); }

 private:
  static constexpr Saved kNothing = {{nullptr}, 0, 0, false, false};
  Saved saved_ = kNothing;
  bool wants_grad_ = false;
};

// The record in whose name a checkpoint keeps tensors.
const Op& checkpoint_op() {
  static const Op& made = unlisted_op("checkpoint(Tensor?[] inputs) -> Tensor[]");
  return made;
}

struct Frame : KeptResults {                                  // one run of a segment
  Count refs;
  Segment f;
  CheckpointOptions options;
  std::vector<Kept> inputs;
  Generator random;
  std::vector<Meta> metas;                                    // of what the ops saved, in order
  std::vector<Kept> values;                                   // of the second run, until they are asked for
  struct Result { const Op* op; bool kept; Generator random; std::vector<Kept> tensors; };
  std::vector<Result> results;                                // of calls that are kept, with the random stream behind them; if
  size_t next_result = 0;                                     // somebody is asked, of those that are not, too
  std::vector<bool> inside;                                   // the compositions around the call: whether they are kept
  std::atomic<Thread*> reader{nullptr};
  bool again = false;                                         // the second run
  bool complete = false;                                      // the first one: a pass inside it may want a second one before

  bool is_named(const Op& op) const { return std::find(options.kept.begin(), options.kept.end(), &op) != options.kept.end(); }
  bool decide(const Op& op, const Args& args);
  const Result* next(const Op& op);
  void enter(const Op& composition, const Args& args) override;
  void leave() override { inside.pop_back(); }
  bool give(const Op& op, const Args& args, Tensors& out) override;
  void take(const Op& op, const Tensors& out) override;
  Tensor value(size_t i);
  void run_again();
  void held(const SeeHeld& see) const;
};
void retain(Frame* f) { f->refs.up(); }
void release(Frame* f) { if (f->refs.down()) delete f; }

struct Placeholder : Packed {
  Ref<Frame> frame;
  size_t index;
  Placeholder(Ref<Frame> f, size_t i) : frame(std::move(f)), index(i) {}
  Tensor unpack() override { return frame->value(index); }
  void held(const SeeHeld& see) const override { frame->held(see); }
};

// The first run: what is saved is counted, not kept.
class Counting : public SavedHooks {
 public:
  explicit Counting(Ref<Frame> f) : frame_(std::move(f)) {}
  Ref<Packed> pack(const Tensor& value, const Op&) override {
    frame_->metas.push_back(value.meta());
    return Ref<Packed>::adopt(new Placeholder(frame_, frame_->metas.size() - 1));
  }

 private:
  Ref<Frame> frame_;
};

// The second run: what is saved is what was wanted.
class Collecting : public SavedHooks {
 public:
  explicit Collecting(Frame& f) : frame_(f) {}
  Ref<Packed> pack(const Tensor& value, const Op& by) override {
    if (enough_) throw Enough();                              // a segment that went on all the same
    const size_t i = count_++, all = frame_.metas.size();
    if (frame_.options.check) {
      GRADUS_CHECK(i < all, state, "checkpoint: the second run saves more than the {} values of the first, the next one by {}", all, name(by));
      const Meta& was = frame_.metas[i];
      GRADUS_CHECK(was.dtype == value.dtype() && same(was.sizes, value.sizes()), state,
                   "checkpoint: the second run saves {} of shape {} as value {} by {}, the first saved {} of shape {}", name(value.dtype()),
                   text(value.sizes()), i, name(by), name(was.dtype), text(was.sizes));
    }
    if (i < all) frame_.values[i] = Kept(value, by);           // with its version: the segment may write it yet
    enough_ = count_ == all && (frame_.options.early_stop || !frame_.complete);
    if (enough_) throw Enough();
    return {};
  }
  size_t count() const { return count_; }
  bool enough() const { return enough_; }

 private:
  Frame& frame_;
  size_t count_ = 0;
  bool enough_ = false;
};

// The kept results of a frame are asked for, for a while.
class ResultsInForce {
 public:
  explicit ResultsInForce(KeptResults* r) : context_(context()), before_(context_.results) { set(r); }
  explicit ResultsInForce(Frame& f) : context_(context()), before_(context_.results) { set(f.options.kept.empty() && !f.options.keep ? before_ : &f); }
  ~ResultsInForce() { set(before_); }
  ResultsInForce(const ResultsInForce&) = delete;
  ResultsInForce& operator=(const ResultsInForce&) = delete;

 private:
  void set(KeptResults* r) {
    context_.results = r;
    if (r) context_.attention.fetch_or(Context::kResults, std::memory_order_relaxed);
    else context_.attention.fetch_and(~uint32_t{Context::kResults}, std::memory_order_relaxed);
  }
  Context& context_;
  KeptResults* before_;
};

// The state that a second run borrows: random stream and modes are put back.
class Restored {
 public:
  explicit Restored(const Frame& f) : random_(context().generator) {
    context().inference_mode = false;
    if (f.options.keep_random) context().generator = f.random;
  }
  ~Restored() { context().generator = random_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  GradMode modes_{true};
  Generator random_;
};

// Whether a call of the first run is kept. What is asked computes without a trace.
bool Frame::decide(const Op& op, const Args& args) {
  if (!inside.empty() && inside.back()) return true;          // parts of a composition that is kept
  if (is_named(op)) return true;
  if (!options.keep) return false;
  const HooksScope none(nullptr);
  const GradMode off(false);
  const ResultsInForce quiet(nullptr);
  return options.keep(op, args);
}

// What the first run noted of this call of the second one; null: nothing.
const Frame::Result* Frame::next(const Op& op) {
  if (!options.keep && !is_named(op) && (inside.empty() || !inside.back())) return nullptr;
  GRADUS_CHECK(next_result < results.size() && results[next_result].op == &op, state, "checkpoint: the second run calls {} where the first did not", name(op));
  return &results[next_result++];
}

void Frame::enter(const Op& composition, const Args& args) {
  bool kept = false;
  if (again) {
    const Result* r = next(composition);
    kept = r && r->kept;
  } else {
    kept = decide(composition, args);
    if (kept || options.keep) results.push_back({&composition, kept, {}, {}});
  }
  inside.push_back(kept);
}

bool Frame::give(const Op& op, const Args& args, Tensors& out) {
  if (op.view) return false;                                  // costs nothing, and has to stay a view
  if (!again) {
    const bool kept = decide(op, args);
    if (kept || options.keep) results.push_back({&op, kept, {}, {}});
    return false;
  }
  const Result* r = next(op);
  if (!r || !r->kept || r->tensors.empty()) return false;     // empty: it failed in the first run
  for (const Kept& k : r->tensors) out.push_back(alias(k.result()));
  if (options.keep_random) context().generator = r->random;
  return true;
}

void Frame::take(const Op& op, const Tensors& out) {
  if (again || results.empty()) return;
  Result& r = results.back();                                 // nothing was called since give
  if (r.op != &op || !r.kept || !r.tensors.empty()) return;
  const HooksScope none(nullptr);                             // what is kept is kept
  r.random = context().generator;
  for (const Tensor& t : out) r.tensors.emplace_back(t, op);
}

void Frame::held(const SeeHeld& see) const {
  const SeeHeld ours = [&](const TensorImpl* t, std::string_view by) { see(t, by.empty() ? name(checkpoint_op()) : by); };
  for (const Kept& k : inputs) k.held(ours);
  for (const Result& r : results)
    for (const Kept& k : r.tensors) k.held(ours);
  for (const Kept& k : values) k.held(ours);
}

// One thread at a time reads what a frame has: a second run is the host's code, for which nobody can be made to wait.
class Reading {
 public:
  explicit Reading(std::atomic<Thread*>& by) : by_(by) {
    outermost_ = by_.compare_exchange_strong(before_, &this_thread(), std::memory_order_acquire);
    GRADUS_CHECK(outermost_ || before_ == &this_thread(), state, "checkpoint: a pass of another thread is using it: passes over one checkpoint go one after the other");
  }
  ~Reading() {
    if (outermost_) by_.store(nullptr, std::memory_order_release);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  std::atomic<Thread*>& by_;
  Thread* before_ = nullptr;
  bool outermost_;
};

Tensor Frame::value(size_t i) {
  const Reading reading(reader);
  if (i >= values.size() || !values[i]) run_again();
  GRADUS_CHECK(i < values.size() && values[i], state, "checkpoint: the second run did not save value {} of {}", i, metas.size());
  const Kept taken = std::exchange(values[i], Kept());
  return taken.result();
}

void Frame::run_again() {
  GRADUS_CHECK(!again, state, "checkpoint: the second run needs a value of its own");
  GRADUS_CHECK(!stack_is_short(this_thread()), state, "checkpoint: second runs are nested, one inside the other, and the thread's stack has no room for another");
  values.clear();
  values.resize(metas.size());
  next_result = 0;
  again = true;
  struct Done {                                               // the first run may be under way: a pass inside the segment
    Frame& f;
    std::vector<bool> inside;
    ~Done() { f.again = false, f.inside = std::move(inside); }
  } done{*this, std::exchange(inside, {})};
  Tensors given, outputs;
  for (const Kept& k : inputs) given.push_back(k.get());
  const Restored restored(*this);
  const auto collecting = Ref<Collecting>::adopt(new Collecting(*this));
  const HooksScope hooks(collecting.get());
  const ResultsInForce kept(*this);
  try {
    f(given, outputs);
  } catch (...) {                                             // Enough, or what a callback has made of it
    if (collecting->enough()) return;
    throw;
  }
  GRADUS_CHECK(!options.check || collecting->count() >= metas.size(), state, "checkpoint: the second run saves {} values, the first saved {}", collecting->count(),
               metas.size());
}

}  // namespace

void checkpoint(Segment f, std::span<const Tensor> inputs, const CheckpointOptions& options, Tensors& outputs) {
  Context& c = context();
  check_hooks_permitted();
  if (!c.grad_mode || c.inference_mode) return f(Tensors(inputs), outputs);
  const auto frame = Ref<Frame>::adopt(new Frame);
  frame->f = std::move(f);
  frame->options = options;
  frame->random = c.generator;
  frame->inputs.reserve(inputs.size());
  for (const Tensor& t : inputs) frame->inputs.emplace_back(t, checkpoint_op());
  const auto counting = Ref<Counting>::adopt(new Counting(frame));
  const HooksScope hooks(counting.get());
  const ResultsInForce kept(*frame);
  frame->f(Tensors(inputs), outputs);
  frame->complete = true;
}

void checkpoint_loop(Step step, int64_t steps, std::span<const Tensor> state, const CheckpointOptions& options, Tensors& last) {
  GRADUS_CHECK(steps >= 0, value, "checkpoint: {} steps", steps);
  const auto shared = std::make_shared<Step>(std::move(step));
  struct Halves {                                             // steps [from, to)
    static void run(const std::shared_ptr<Step>& step, const CheckpointOptions& o, int64_t from, int64_t to, const Tensors& state, Tensors& next) {
      if (to == from) { next = state; return; }
      if (to - from == 1) return (*step)(from, state, next);
      const int64_t middle = from + (to - from) / 2;
      const auto half = [&](int64_t a, int64_t b, const Tensors& in, Tensors& out) {
        checkpoint([step, o, a, b](const Tensors& s, Tensors& n) { run(step, o, a, b, s, n); }, {in.data(), in.size()}, o, out);
      };
      Tensors between;
      half(from, middle, state, between);
      half(middle, to, between, next);
    }
  };
  Halves::run(shared, options, 0, steps, Tensors(state), last);
}

}  // namespace gradus
