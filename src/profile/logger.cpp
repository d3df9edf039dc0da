#include "profile/logger.h"

#include <vector>

#include "base/log.h"
#include "graph/observer.h"
#include "profile/text.h"

namespace gradus {
namespace {

class Logger final : public Observer {
 public:
  explicit Logger(Context& c) : context_(c) {}

  void after_call(const CallEvent& e) override {
    if (!logs(context_, 3)) return;
    const std::string results = e.outputs ? shapes_of(std::span<const Tensor>(e.outputs->data(), e.outputs->size())) : "failed";
    log(context_, 3, format("{}({}) -> {}", e.name, shapes_of(e.values), results));
  }
  void before_node(const NodeEvent& e) override {
    std::string shapes;
    for (size_t nr = 0; nr <= e.others.size(); ++nr) (shapes += nr ? ", " : "") += e.incoming(nr) ? text(e.incoming(nr).sizes()) : "none";
    incoming_.emplace_back(e.node, std::move(shapes));
  }
  void after_node(const NodeEvent& e) override {
    std::string shapes;
    while (!incoming_.empty()) {                              // a failing one may have left its own behind
      auto [node, text] = std::move(incoming_.back());
      incoming_.pop_back();
      if (node != e.node) continue;
      shapes = std::move(text);
      break;
    }
    const std::string produced = !e.produced ? "failed" : e.node->is_sink() ? "accumulated" : shapes_of(std::span<const Tensor>(e.produced->data(), e.produced->size()));
    log(context_, 2, format("{} #{}: {} -> {}", node_name(e.node), e.node->sequence, shapes, produced));
  }
  void left() override { delete this; }

 private:
  Context& context_;
  std::vector<std::pair<const Node*, std::string>> incoming_;
};

}  // namespace

void start_logger(Context& c) {
  if (logs(c, 2)) observe(c, new Logger(c));
}

}  // namespace gradus
