#include "pace.hpp"

#include <algorithm>

#include "clock.hpp"

namespace maillon {

namespace {

constexpr double least_seconds = 2e-3, least_steps = 3; // from which on a mean says something
constexpr double one_step_seconds = 10e-3;              // a step so long says something by itself
constexpr double memory_seconds = 30e-3;                // older steps count half
constexpr double late_share = 0.1;                      // of the time, waited for threads that were not running
constexpr double shortest_rest = 50e-3, longest_rest = 1.0;
constexpr double crowded_rests = 4; // for so many rests the next trainings begin alone: short ones lose most by a trial
constexpr double rest_for_loss = 20; // seconds alone for each that a trial of all threads has lost
constexpr int64_t longest_interval = 10000; // steps
constexpr double light_work = 2e8;          // a millisecond or two of one thread's

} // namespace

std::atomic<double> Pace::everywhere{0};

void Pace::Recent::add(double more_seconds, double more_waited) {
    if (seconds > memory_seconds) {
        steps /= 2;
        seconds /= 2;
        waited /= 2;
    }
    steps += 1;
    seconds += more_seconds;
    waited += more_waited;
}

bool Pace::Recent::enough() const {
    return (seconds >= least_seconds && steps >= least_steps) || seconds >= one_step_seconds;
}

// Whether even a short while is enough to tell that one thread alone is faster.
bool Pace::Recent::hopeless(double alone_s) const { return late() && seconds - steps * alone_s > least_seconds; }

bool Pace::Recent::late() const { return waited > late_share * seconds; }

bool Pace::together(double now, bool light) {
    if (fresh_) {
        fresh_ = false;
        together_ = !light; // rest_ is 0: until it is known what a step takes alone
        const double crowded = crowded_until_->load(std::memory_order_relaxed) - now;
        if (crowded > 0) {
            together_ = false;
            rest_ = std::min(crowded, longest_rest);
        }
    }
    return together_;
}

void Pace::note(double now, double seconds, double waited) {
    recent_.add(seconds, waited);
    stretch_ += seconds;
    steps_ += together_;
    const bool unproved = together_ && together_s_ == 0 && alone_s_ > 0;
    if (!recent_.enough() && !(unproved && recent_.hopeless(alone_s_))) return;
    if (together_) {
        together_s_ = recent_.mean();
        const bool slower = alone_s_ > 0 && together_s_ > alone_s_;
        if (slower || steps_ >= trial_after_ || (alone_s_ == 0 && recent_.late())) {
            trial_ = true;
            steps_ = 0;
            trial_after_ = std::min(2 * trial_after_, longest_interval);
            go(false);
        } else if (stretch_ > memory_seconds) {
            rest_ = 0; // they have proved worth it
        }
        return;
    }
    alone_s_ = recent_.mean();
    if (trial_) {
        trial_ = false;
        if (together_s_ > alone_s_) rest(now);
        else go(true);
    } else if (stretch_ >= rest_) {
        go(true);
    }
}

void Pace::go(bool together) {
    together_ = together;
    last_ = recent_;
    recent_ = {};
    stretch_ = 0;
}

// Alone for so long that what all threads have lost counts for little, and longer each time that nothing has changed.
void Pace::rest(double now) {
    const double lost = last_.seconds - last_.steps * alone_s_;
    rest_ = std::clamp(std::max(rest_for_loss * lost, 2 * rest_), shortest_rest, longest_rest);
    if (last_.late()) crowded_until_->store(now + crowded_rests * rest_, std::memory_order_relaxed);
}

void run_with(Pace& pace, bool paced, double operations, int threads, Work work, void* context) {
    if (threads == 1) return work(context, Team{});
    if (!paced) return void(run_team(threads, work, context));
    const double begun = seconds_now();
    double waited = 0;
    if (pace.together(begun, operations < light_work)) waited = run_team(threads, work, context);
    else work(context, Team{});
    const double ended = seconds_now();
    pace.note(ended, ended - begun, waited);
}

} // namespace maillon
