// One hook on several tensors: called once per backward pass.
#include <algorithm>

#include "autograd/engine.h"
#include "base/context.h"
#include "graph/history.h"

namespace gradus {
namespace {

struct Watched {                                              // shared by the hooks of the tensors
  std::vector<Edge> places;                                   // not owned: the tensors' hooks are part of the nodes
  bool any;
  MultiHook run;
};

struct Progress {                                             // of one pass
  std::shared_ptr<Watched> watched;                           // so that no other gets its address meanwhile
  Tensors gradients;
  std::vector<bool> expected;                                 // what the pass needs; others are only passed on
  size_t missing = 0;
  bool done = false;
};

Progress& progress_of(Run& run, const std::shared_ptr<Watched>& w) {
  std::shared_ptr<void>& place = run.scratch(w.get());
  if (!place) {
    auto p = std::make_shared<Progress>();
    p->watched = w;
    p->gradients.resize(w->places.size());
    for (const Edge& e : w->places) p->expected.push_back(run.reaches(e.node));
    p->missing = static_cast<size_t>(std::count(p->expected.begin(), p->expected.end(), true));
    place = p;
  }
  return *static_cast<Progress*>(place.get());
}

void finish(const Watched& w, Progress& p) {
  if (std::exchange(p.done, true)) return;
  w.run(p.gradients);
  p.gradients.clear();
}

void arrived(const std::shared_ptr<Watched>& w, size_t i, const Tensor& g) {
  Run& run = static_cast<Run&>(*context().pass);
  Progress& p = progress_of(run, w);
  if (p.done) return;
  const bool first = std::none_of(p.gradients.begin(), p.gradients.end(), [](const Tensor& t) { return static_cast<bool>(t); });
  p.gradients[i] = g;
  if (p.expected[i]) --p.missing;
  if (w->any || p.missing == 0) return finish(*w, p);
  if (first) run.at_end([w, &p] { finish(*w, p); });          // a rule on the way may have sent no gradient
}

}  // namespace

std::vector<uint64_t> add_multi_hook(std::span<const Tensor> tensors, bool any, MultiHook f) {
  GRADUS_CHECK(!tensors.empty(), value, "hook: no tensors given");
  for (size_t i = 0; i < tensors.size(); ++i) GRADUS_CHECK(needs_grad(tensors[i].impl()), state, "hook: tensor {} does not require grad", i);
  const auto watched = std::make_shared<Watched>(Watched{{}, any, std::move(f)});
  std::vector<uint64_t> ids;
  ids.reserve(tensors.size());
  try {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Edge e = history(tensors[i].impl());
      release(e.node);
      watched->places.push_back(e);
      ids.push_back(add_hook(tensors[i].impl(), [watched, i](const Tensor& g) { arrived(watched, i, g); return Tensor(); }));
    }
  } catch (...) {
    for (size_t i = 0; i < ids.size(); ++i) remove_hook(tensors[i].impl(), ids[i]);
    throw;
  }
  return ids;
}

}  // namespace gradus
