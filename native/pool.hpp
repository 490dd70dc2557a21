// Threads that wait for work, and the barrier at which a team meets.
#pragma once

#include <atomic>
#include <cstdint>

#include "team.hpp"

namespace maillon {

class Barrier {
  public:
    void reset(int size) { size_ = size; }
    void wait();
    // How often a thread waited so long that another one cannot have been running.
    int64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }

  private:
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> phase_{0};
    std::atomic<int64_t> stalls_{0};
    int size_ = 1;
};

using Work = void (*)(void* context, const Team& team);

// Runs `work` in `threads` threads, the caller one of them, and returns when all have ended. One caller at a time has
// the pool's threads: another one meanwhile, a child after fork, or an operating system that gives no more threads, go
// on with those they have: results do not depend on it.
void run_team(int threads, Work work, void* context);

} // namespace maillon
