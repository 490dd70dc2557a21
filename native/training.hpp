// The loop over steps, which the caller walks alone; other threads help with a step at a time, where that pays.
#pragma once

#include "entry.hpp"
#include "program.hpp"
#include "simd.hpp"
#include "words.hpp"

namespace maillon::MAILLON_ISA {

// The operations from `op` to `end`: whether all were carried out.
MAILLON_INLINE bool run_alone(const Operation* op, const Operation* end, const Team& one) {
    for (; op != end; op = op->after(op->skip))
        if (!op->carry(*op, one)) return false;
    return true;
}

// The same of a program that may be left, by a team of any size, all threads of which get the same answer.
__attribute__((noinline)) inline bool run_looking(const Operation* op, const Operation* end, const Team& team) {
    const bool caller = team.rank == 0;
    Lookout& lookout = *team.lookout;
    const Team one{.lookout = team.lookout};
    for (; op != end; op = op->after(op->skip)) {
        bool fine = true;
        if (caller) lookout.enter(op);
        if (!op->alone) fine = op->carry(*op, team);
        else if (caller) op->fine = op->carry(*op, one);
        if (caller) lookout.leave(op);
        team.wait();
        if (op->alone && op->decides) fine = op->fine;
        if (!fine || lookout.left(op)) return false;
    }
    return true;
}

// The same by a team, all threads of which get the same answer.
inline bool run_part(const Operation* op, const Operation* end, const Team& team) {
    if (team.lookout != nullptr) return run_looking(op, end, team);
    if (team.size == 1) return run_alone(op, end, team);
    const Team one{};
    for (; op != end; op = op->after(op->skip)) {
        bool fine = true;
        if (!op->alone) fine = op->carry(*op, team);
        else if (team.rank == 0) op->fine = op->carry(*op, one);
        if (op->wait_after) team.wait();
        if (op->alone && op->decides) fine = op->fine; // such an operation is always waited for
        if (!fine) return false;
    }
    return true;
}

// All of a program.
inline bool run_once(const Program& program, const Team& team) {
    return run_part(program.begin, program.end, team);
}

struct Turn { // a mini-batch's among those gathered
    bool first; // nothing is gathered yet
    bool due;   // with it the gradients move the parameters
    bool ends;  // it is the last one of its epoch, so that they do soon
};

// One mini-batch's gradients added to those gathered. False, with the parameters and what is gathered as they were but
// for the divisor, when the loss went wrong, or when there would be nothing to divide by.
__attribute__((noinline)) inline bool run_gathering(const Program& program, const Turn& turn, const Team& team) {
    const Operation *clear = program.clear, *divide = program.divide;
    if (!run_part(program.begin, clear, team)) return false;
    if (turn.due || turn.ends) {
        team.wait(); // for the thread that adds the denominator
        const bool nothing = *program.divisor == 0;
        team.wait(); // before that thread goes on and forgets it
        if (nothing) return false;
    }
    if (!run_part(turn.first ? clear : clear->after(clear->skip), divide, team)) return false;
    return !turn.due || run_part(divide, program.end, team);
}

// What is gathered moves the parameters: once an epoch, so that one thread will do.
__attribute__((noinline)) inline void flush(Training& t) {
    run_alone(t.whole->divide, t.whole->end, Team{});
    t.gathered = 0;
}

// 0, 1, … in random order: Fisher and Yates' shuffle with PyTorch's words, as Generator.randperm.
inline void permute(int64_t* order, int64_t n, WordStream& words) {
    for (int64_t i = 0; i < n; ++i) order[i] = i;
    each_words(words, n - 1, [=](int64_t begin, const uint32_t* drawn, int64_t count) {
        for (int64_t k = 0; k < count; ++k) {
            const int64_t i = begin + k, j = i + int64_t(drawn[k] % uint32_t(n - i)), other = order[j];
            order[j] = order[i];
            order[i] = other;
        }
    });
}

MAILLON_INLINE void copy_row(char* to, const char* from, int64_t bytes) {
    if (bytes == 4) {
        std::memcpy(to, from, 4);
    } else if (bytes == 8) {
        std::memcpy(to, from, 8);
    } else {
        std::memcpy(to, from, size_t(bytes));
    }
}

inline constexpr int64_t far_apart = 256, ahead = 2; // bytes, rows

// The mini-batch of one row at `position`, copied to where the program reads it.
MAILLON_INLINE void gather_row(const Training& t, int64_t position) {
    const int64_t row = t.order ? t.order[position] : position;
    for (const Feed *feed = t.feeds, *end = feed + t.feed_count; feed != end; ++feed)
        copy_row(feed->batch, feed->data + row * feed->row_bytes, feed->row_bytes);
}

// The mini-batch that begins at `position`.
inline void gather(const Training& t, int64_t position, int64_t rows, const Team& team) {
    for (int f = 0; f < t.feed_count; ++f) {
        const Feed& feed = t.feeds[f];
        const Span part = share(rows, 1, team);
        if (t.order == nullptr) {
            std::memcpy(feed.batch + part.begin * feed.row_bytes, feed.data + (position + part.begin) * feed.row_bytes,
                        size_t((part.end - part.begin) * feed.row_bytes));
            continue;
        }
        for (int64_t i = part.begin; i < part.end; ++i) {
            if (feed.row_bytes >= far_apart && i + ahead < part.end) // rows are not adjacent: prefetch some while copying one
                for (int64_t b = 0; b < feed.row_bytes; b += 64)
                    __builtin_prefetch(feed.data + t.order[position + i + ahead] * feed.row_bytes + b);
            copy_row(feed.batch + i * feed.row_bytes, feed.data + t.order[position + i] * feed.row_bytes,
                     feed.row_bytes);
        }
    }
}

// The books: the losses, the clock, the end of an epoch.
inline void record_step(Training& t, Slice& slice, int64_t position, int64_t rows) {
    t.total += t.result[0] * t.result[1];
    t.size += t.result[1];
    if (t.record != nullptr) {
        const int64_t bytes = rows * t.prediction_row_bytes;
        std::memcpy(t.record, t.prediction, size_t(bytes));
        t.record += bytes;
    }
    t.position = position;
    ++slice.steps;
    if (position < t.rows) return;
    double* row = slice.epoch_totals + 3 * slice.epochs++;
    row[0] = t.total;
    row[1] = t.size;
    row[2] = slice.clock() - slice.begun;
    t.total = t.size = 0;
    t.position = 0;
}

// A program that may be left begins: it remembers what is to be put back then.
inline void begin_program(const Program& program, Lookout& lookout) {
    lookout.begin(program.until);
    for (const Kept* kept = program.kept; kept != program.kept_end; ++kept)
        std::memcpy(kept->copy, kept->place, size_t(kept->bytes));
    for (WordStream* const* words = program.streams; words != program.streams_end; ++words)
        (*words)->begun = (*words)->drawn;
}

__attribute__((noinline)) inline void begin_step(const Training& t, const Program& program, Lookout& lookout) {
    begin_program(program, lookout);
    if (t.shuffle) t.words->begun = t.words->drawn;
}

// What a program that may be left has kept is there again after it has failed, so that everything but words is as if it
// had not begun. Whether it was left.
inline bool put_back(const Program& program, Lookout* lookout) {
    if (lookout == nullptr) return false;
    for (const Kept* kept = program.kept; kept != program.kept_end; ++kept)
        std::memcpy(kept->place, kept->copy, size_t(kept->bytes));
    return lookout->leaving(false);
}

struct Step { // one mini-batch's, as the threads of a team carry it out
    const Training& training;
    const Program& program;
    int64_t position, rows;
    const Turn* turn; // null where nothing is gathered
    Lookout* lookout; // null where it is not left
    bool fine = true;
};

inline void carry_step(void* given, const Team& threads) {
    auto& step = *static_cast<Step*>(given);
    Team team = threads;
    team.lookout = step.lookout;
    gather(step.training, step.position, step.rows, team);
    team.wait();
    const bool fine = step.turn ? run_gathering(step.program, *step.turn, team) : run_once(step.program, team);
    if (team.rank == 0) step.fine = fine;
}

// The same by several threads; paced: by as many as pay.
__attribute__((noinline)) inline bool shared_step(Training& t, int threads, bool paced, Step& step) {
    run_with(t.pace, paced, t.whole->work, threads, carry_step, &step);
    return step.fine;
}

// Between two epochs of a slice: what is left over moves the parameters, and the options change. Whether it goes on.
template <bool gathers> bool next_epoch(Training& t) {
    const bool flushes = gathers && t.gathered != 0;
    if (flushes) flush(t);
    const auto turns = t.timetable.turns;
    const bool change = turns == Timetable::Turns::epochs || (turns == Timetable::Turns::updates && flushes);
    return !change || t.timetable.take();
}

// Until a limit of the slice. What an epoch leaves over moves the parameters before the next one; after the last epoch
// of a slice it waits for `flush`. The clock is looked at after long steps, and after some of many short ones.
template <bool gathers> void train_slice(Training& t, Slice& slice) {
    const double costs = t.whole->work; // looking at the clock costs some 25 ns
    const bool each = t.whole->calls || costs > 1e6;
    const int64_t interval = each ? 1 : costs < 1e3 ? 256 : int64_t(1e6 / costs) / 4 + 1;
    const Team one{.lookout = slice.lookout};
    const int threads = slice.threads;
    int64_t position = t.position;
    for (int64_t step = 0;; ++step) {
        const int64_t rows = t.rows - position < t.batch_size ? t.rows - position : t.batch_size;
        const Program& program = rows == t.batch_size ? *t.whole : *t.rest;
        if (slice.lookout != nullptr) begin_step(t, program, *slice.lookout);
        if (position == 0 && t.shuffle) permute(t.order, t.rows, *t.words);
        Turn turn{};
        double divisor = 0;
        if constexpr (gathers) {
            turn = {t.gathered == 0, t.gathered + 1 >= t.accumulate, position + rows == t.rows};
            divisor = *program.divisor;
        }
        bool fine;
        if (threads == 1) {
            if (rows == 1) gather_row(t, position);
            else gather(t, position, rows, one);
            if constexpr (gathers) fine = run_gathering(program, turn, one);
            else fine = slice.lookout != nullptr ? run_looking(program.begin, program.end, one)
                                                 : run_alone(program.begin, program.end, one);
        } else {
            Step shared{t, program, position, rows, gathers ? &turn : nullptr, slice.lookout};
            fine = shared_step(t, threads, slice.paced, shared);
        }
        if (!fine) {
            if constexpr (gathers) *program.divisor = divisor;
            slice.ending = put_back(program, slice.lookout) ? Ending::left : Ending::trouble;
            return;
        }
        if constexpr (gathers) t.gathered = turn.due ? 0 : t.gathered + 1;
        position += rows;
        record_step(t, slice, position, rows);
        if (position == t.rows) position = 0;
        const bool time_up = step % interval == 0 && slice.clock() - slice.begun > slice.seconds;
        const bool enough_epochs = slice.epochs == slice.max_epochs;
        bool enough_steps = step + 1 == slice.max_steps;
        if (t.timetable.turns == Timetable::Turns::updates && (!gathers || turn.due))
            enough_steps |= !t.timetable.take();
        if (!(enough_epochs || enough_steps || time_up) && (position != 0 || next_epoch<gathers>(t))) continue;
        slice.ending = enough_epochs ? Ending::epochs : enough_steps ? Ending::steps : Ending::time;
        return;
    }
}

// The loss and the gradients of the mini-batch at the training's position, which stays there.
inline Evaluated evaluate(Training& t, int threads, bool paced, Lookout* lookout) {
    const int64_t left = t.rows - t.position, rows = left < t.batch_size ? left : t.batch_size;
    const Program& program = rows == t.batch_size ? *t.whole : *t.rest;
    if (lookout != nullptr) begin_step(t, program, *lookout);
    Step step{t, program, t.position, rows, nullptr, lookout};
    if (shared_step(t, threads, paced, step)) return Evaluated::fine;
    return put_back(program, lookout) ? Evaluated::left : Evaluated::trouble;
}

inline void train(Training& t, Slice& slice) {
    if (t.whole->gathers()) train_slice<true>(t, slice);
    else train_slice<false>(t, slice);
}

} // namespace maillon::MAILLON_ISA
