// Long programs can be left before their end. Once in a while the thread that called asks whether somebody wants that:
// between two operations, and between the parts of the longest ones.
#pragma once

#include <atomic>

namespace maillon {

struct Operation;

class Lookout {
  public:
    using Ask = bool (*)(void* context); // whether to leave

    // seconds: between two questions.
    Lookout(Ask ask, void* context, double seconds);

    // A program begins, which may be left in the operations before `until`.
    void begin(const Operation* until);

    // By the caller alone: before an operation, and after it.
    void enter(const Operation* op) { open_ = op < until_; }
    void leave(const Operation* op);

    // Whether the program was left after this operation: the same for all threads, once they have met after `leave`.
    bool left(const Operation* op) const { return left_.load(std::memory_order_relaxed) == op; }

    // Whether what is under way is to be left. The parts of an operation that are still to come are then left out, but
    // no meeting of the team is. Only the caller asks; others may know a little later.
    bool leaving(bool caller);

  private:
    Ask ask_;
    void* context_;
    double seconds_, next_; // when to ask again
    const Operation* until_ = nullptr;
    bool open_ = false;
    std::atomic<bool> leaving_{false};
    std::atomic<const Operation*> left_{nullptr};
};

} // namespace maillon
