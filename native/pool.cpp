#include "pool.hpp"

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

namespace maillon {

namespace {

constexpr int spins = 4000;       // some 40 µs: longer than any part of a step makes a thread wait
constexpr int patient_spins = 64; // between two offers of the processor, once it is clear that somebody is not running

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct Pool {
    std::atomic<uint32_t> generation{0}; // goes up with every piece of work
    std::atomic<int> members{0};         // threads that take part in this one, the caller included
    std::atomic<int> running{0};         // pool threads that have not finished it
    Work work = nullptr;
    void* context = nullptr;
    Barrier barrier;
    std::vector<std::thread> threads;

    void loop(int rank, uint32_t seen) {
        for (;;) {
            for (int i = 0; i < spins && generation.load(std::memory_order_acquire) == seen; ++i) pause();
            generation.wait(seen, std::memory_order_acquire);
            seen = generation.load(std::memory_order_acquire);
            const int size = members.load(std::memory_order_acquire);
            if (rank < size) work(context, Team{rank, size, &barrier});
            // Threads that sit this one out report too: nobody may still look at it when the next one is laid out.
            if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
        }
    }

    int grown_to(int wanted) {
        while (int(threads.size()) + 1 < wanted) {
            const int rank = int(threads.size()) + 1;
            const uint32_t seen = generation.load();
            try {
                threads.emplace_back([this, rank, seen] { loop(rank, seen); });
            } catch (const std::system_error&) {
                return int(threads.size()) + 1;
            }
        }
        return wanted;
    }

    void run(int wanted, Work what, void* on) {
        const int size = grown_to(wanted);
        work = what;
        context = on;
        barrier.reset(size);
        members.store(size, std::memory_order_release);
        running.store(int(threads.size()), std::memory_order_release);
        generation.fetch_add(1, std::memory_order_acq_rel);
        generation.notify_all();
        what(on, Team{0, size, &barrier});
        for (int i = 0; i < spins && running.load(std::memory_order_acquire) != 0; ++i) pause();
        for (int left; (left = running.load(std::memory_order_acquire)) != 0;) running.wait(left);
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

void Barrier::wait() {
    const uint32_t phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
        arrived_.store(0, std::memory_order_relaxed);
        phase_.store(phase + 1, std::memory_order_release);
        return;
    }
    for (int i = 0; i < spins; ++i) {
        if (phase_.load(std::memory_order_acquire) != phase) return;
        pause();
    }
    stalls_.fetch_add(1, std::memory_order_relaxed);
    while (phase_.load(std::memory_order_acquire) == phase) {
        std::this_thread::yield();
        for (int i = 0; i < patient_spins && phase_.load(std::memory_order_acquire) == phase; ++i) pause();
    }
}

void Team::wait() const {
    if (size > 1) barrier->wait();
}

void run_team(int threads, Work work, void* context) {
    if (threads > 1 && !busy.exchange(true, std::memory_order_acquire)) {
        watch_forks();
        Pool* mine = pool.load();
        if (mine == nullptr) pool.store(mine = new Pool);
        mine->run(threads, work, context);
        busy.store(false, std::memory_order_release);
    } else {
        work(context, Team{});
    }
}

} // namespace maillon
