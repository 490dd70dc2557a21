#include "lookout.hpp"

#include "clock.hpp"
#include "team.hpp"

namespace maillon {

Lookout::Lookout(Ask ask, void* context, double seconds)
    : ask_(ask), context_(context), seconds_(seconds), next_(seconds_now() + seconds) {}

void Lookout::begin(const Operation* until) {
    until_ = until;
    open_ = false;
    leaving_.store(false, std::memory_order_relaxed);
    left_.store(nullptr, std::memory_order_relaxed);
}

bool Lookout::leaving(bool caller) {
    if (caller && open_ && !leaving_.load(std::memory_order_relaxed) && seconds_now() >= next_) {
        leaving_.store(ask_(context_), std::memory_order_relaxed);
        next_ = seconds_now() + seconds_;
    }
    return leaving_.load(std::memory_order_relaxed);
}

void Lookout::leave(const Operation* op) {
    if (leaving(true)) left_.store(op, std::memory_order_relaxed);
}

bool Team::asks_lookout() const { return lookout->leaving(rank == 0); }

} // namespace maillon
