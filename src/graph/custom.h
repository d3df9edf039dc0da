// Functions of the host with a rule of their own. One application is a FunctionCall: it collects what forward says, and if it is
// recorded a node owns it, for the rule to read.
#pragma once
#include <memory>

#include "base/host.h"
#include "graph/node.h"

namespace gradus {

class FunctionCall;
class CustomRule;

constexpr int kWrittenByFunction = UINT16_MAX - 1;            // as Storage::bump's `by`

// What the host supplies.
struct Function {
  Count refs;
  bool once_differentiable = false;                           // the rule runs unrecorded: graph/second.h
  virtual ~Function() = default;
  virtual std::string name() const = 0;                       // "MyExp"
  virtual std::string node_name() const { return name() + "Backward"; }
  virtual void forward(FunctionCall& call, std::span<const Tensor> inputs, std::vector<Tensor>& results) = 0;   // some may be null
  // One gradient or null per input, from one per result.
  virtual void pull(FunctionCall& call, std::span<const Tensor> gradients, std::vector<Tensor>& results) = 0;
  // One tangent or null per result, from one per input.
  virtual bool has_jvp() const { return false; }
  virtual void push(FunctionCall&, std::span<const Tensor>, std::vector<Tensor>&) {}
};
inline void retain(Function* f) { f->refs.up(); }
inline void release(Function* f) { if (f->refs.down()) delete f; }

class FunctionCall : public Object {
 public:
  FunctionCall(Ref<Function> function, std::span<const Tensor> inputs);
  ~FunctionCall();
  FunctionCall(const FunctionCall&) = delete;
  FunctionCall& operator=(const FunctionCall&) = delete;

  // From forward only; what is given again replaces the former.
  void save(std::span<const Tensor> values);                  // inputs, results, others or null
  void mark_dirty(std::span<const Tensor> written);
  void mark_non_differentiable(std::span<const Tensor> results);
  void set_materialize(bool on);                              // off: the rule sees null where no gradient came
  bool records() const;                                       // whether a node will be made

  size_t input_count() const { return inputs_.size(); }
  size_t result_count() const { return present_.size(); }     // after forward
  bool needs_input_grad(size_t input) const;                  // from the rule: by the pass that runs it
  size_t saved_count() const { return saved_count_; }
  Tensor saved(size_t i) const;                               // with the history that it had; null where null was saved
  struct Note { size_t index; bool is_output, freed, packed; Meta meta; };
  std::vector<Note> notes() const;                            // what is saved, for reports: null ones apart; of freed ones the index only
  void set_state(void* state, void (*destroy)(void*));        // destroy may be null; the former state is destroyed
  void* state() const { return state_; }
  const Function& function() const { return *function_; }

 private:
  friend class Application;
  friend class CustomRule;
  friend class SecondRule;
  enum class Input : uint8_t { none, whole, floating };       // whole: of integers, which have no gradient
  struct Entry {
    enum class Source : uint8_t { none, input, output, other } source = Source::none;
    Saved saved{};
    Edge history;                                             // of others; owned
    void let_go();
  };
  struct Kept {                                               // an entry of one's own
    Entry entry;
    ~Kept() { entry.let_go(); }
    void share(const Entry& e);
  };
  struct Outputs { std::vector<Tensor> saved, dirty, constant; bool records = false; };   // while forward runs
  Outputs& during_forward(const char* what) const;
  void keep_all(Node* n, std::span<const Tensor> inputs, std::span<const Tensor> raw, std::span<const Tensor> dirty);
  void drop_all();
  void held(const SeeHeld& see) const;
  Tensor missing(const Node* n, uint32_t nr) const;

  Ref<Function> function_;
  std::vector<Input> inputs_;
  std::vector<bool> needs_, present_;                         // by input; by result: whether it is a tensor
  std::vector<Entry> entries_;
  size_t saved_count_ = 0;
  bool materialize_ = true;
  Outputs* outputs_ = nullptr;
  Node* node_ = nullptr;                                      // not owned: the node owns this
  void* state_ = nullptr;
  std::unique_ptr<HostData> state_owner_;                     // what destroys the state; null if nothing does
};
inline void retain(FunctionCall* c) { c->refs.up(); }
inline void release(FunctionCall* c) { if (c->refs.down()) delete c; }

FunctionCall* function_call_of(const Node* n);                // what it recorded; null for another node

// Runs forward without recording, and records one node when recording is on and an input needs a gradient.
void apply_function(const Ref<Function>& function, std::span<const Tensor> inputs, std::vector<Tensor>& results);

}  // namespace gradus
