// Threads that wait for work, and the barrier at which a team meets. Whoever waits looks for a short while whether it
// is over, and then sleeps: a thread that is not running now needs a processor to go on, perhaps this one.
#include <atomic>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "clock.hpp"
#include "team.hpp"

namespace maillon {

namespace {

constexpr double spin_seconds = 50e-6; // what sleeping and being woken costs, at most
constexpr int looks = 64;              // between two looks at the clock

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Whether it is `over` within spin_seconds.
template <class Over> bool spin(Over over) {
    double end = 0; // the clock is not looked at before it must be
    for (;;) {
        for (int i = 0; i < looks; ++i) {
            if (over()) return true;
            pause();
        }
        const double now = seconds_now();
        if (end == 0) end = now + spin_seconds;
        if (now > end) return false;
    }
}

// Returns when `value` is no longer `old`. `slept` gets the time beyond what spinning covers.
template <class T> void wait_for_change(const std::atomic<T>& value, T old, double* slept = nullptr) {
    if (spin([&] { return value.load(std::memory_order_acquire) != old; })) return;
    const double begun = seconds_now();
    value.wait(old, std::memory_order_acquire);
    if (slept != nullptr) *slept += seconds_now() - begun + spin_seconds;
}

} // namespace

class Barrier {
  public:
    void begin(int size) {
        size_ = size;
        slept_ = 0;
    }

    void wait(bool caller) {
        const uint32_t phase = phase_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size_)
            return wait_for_change(phase_, phase, caller ? &slept_ : nullptr);
        arrived_.store(0, std::memory_order_relaxed);
        phase_.store(phase + 1, std::memory_order_release);
        phase_.notify_all();
    }

    double* slept() { return &slept_; } // the caller's seconds, which the caller alone counts

  private:
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> phase_{0};
    int size_ = 1;
    double slept_ = 0;
};

namespace {

struct Pool {
    struct Helper { // waits at its own counter: those that a piece of work does not need sleep on
        alignas(64) std::atomic<uint32_t> works{0};
        std::thread thread;
    };

    alignas(64) std::atomic<int> running{0}; // helpers that have not finished this piece of work
    Work work = nullptr;
    void* context = nullptr;
    int size = 1;
    Barrier barrier;
    std::vector<std::unique_ptr<Helper>> helpers;

    void help(Helper& own, int rank) {
        for (uint32_t done = 0;; ++done) {
            wait_for_change(own.works, done);
            work(context, Team{rank, size, &barrier});
            if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
        }
    }

    int grown_to(int wanted) {
        while (int(helpers.size()) + 1 < wanted) {
            helpers.push_back(std::make_unique<Helper>());
            Helper& helper = *helpers.back();
            const int rank = int(helpers.size());
            try {
                helper.thread = std::thread([this, &helper, rank] { help(helper, rank); });
            } catch (const std::system_error&) {
                helpers.pop_back();
                return rank;
            }
        }
        return wanted;
    }

    double run(int wanted, Work what, void* on) {
        size = grown_to(wanted);
        work = what;
        context = on;
        barrier.begin(size);
        running.store(size - 1, std::memory_order_release);
        for (int i = 0; i + 1 < size; ++i) {
            helpers[size_t(i)]->works.fetch_add(1, std::memory_order_acq_rel);
            helpers[size_t(i)]->works.notify_one();
        }
        what(on, Team{0, size, &barrier});
        for (int left; (left = running.load(std::memory_order_acquire)) != 0;)
            wait_for_change(running, left, barrier.slept());
        return *barrier.slept();
    }
};

// Never destroyed: its threads wait until the process ends.
std::atomic<Pool*> pool{nullptr};
std::atomic<bool> busy{false};

#if defined(_WIN32)
void watch_forks() {}
#else
void forget() { // in a child of fork, which has none of the threads
    pool.store(nullptr);
    busy.store(false);
}

void watch_forks() {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget); });
}
#endif

} // namespace

void Team::wait() const {
    if (size > 1) barrier->wait(rank == 0);
}

double run_team(int threads, Work work, void* context) {
    if (threads > 1 && !busy.exchange(true, std::memory_order_acquire)) {
        watch_forks();
        Pool* mine = pool.load();
        if (mine == nullptr) pool.store(mine = new Pool);
        const double slept = mine->run(threads, work, context);
        busy.store(false, std::memory_order_release);
        return slept;
    }
    work(context, Team{});
    return 0;
}

} // namespace maillon
