// What Python sees of the core. No arithmetic here: addresses and sizes come checked from engine/verify.py.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "clock.hpp"
#include "isa.hpp"
#include "lookout.hpp"
#include "pace.hpp"
#include "program.hpp"
#include "team.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace maillon {

namespace {

using Addresses = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T> T* at(uint64_t address) { return reinterpret_cast<T*>(address); }

// Whether the elements are of this format, NumPy's letter. An array that was read from a file may say its byte order as
// well, and call a whole number of 64 bits q.
bool holds(const Py_buffer& buffer, char letter) {
    const char* format = buffer.format == nullptr ? "" : buffer.format;
    if (*format == '<' || *format == '=') ++format;
    return (*format == letter || (letter == 'l' && *format == 'q' && buffer.itemsize == 8)) && format[1] == 0;
}

const Core& core_named(const std::string& name) {
    const Core* cores[max_cores];
    const int count = available_cores(cores);
    for (int i = 0; i < count; ++i)
        if (name == cores[i]->name) return *cores[i];
    throw std::invalid_argument("no instruction set " + name);
}

std::vector<std::string> instruction_sets() {
    const Core* cores[max_cores];
    const int count = available_cores(cores);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.emplace_back(cores[i]->name);
    return names;
}

// The names of all operations in the order of their numbers, and how many fields they have.
std::vector<std::tuple<std::string, int64_t>> operations() {
    const Core* cores[max_cores];
    available_cores(cores);
    std::vector<std::tuple<std::string, int64_t>> known;
    for (int64_t number = 0; const Entry* entry = entry_of(*cores[0], number); ++number)
        known.emplace_back(entry->name, entry->words);
    return known;
}

// The words of a NumPy bit generator, which Python keeps alive, and the lock that all who draw from it take. Only the
// thread that called a training draws from its streams; between blocks it holds the locks without the GIL.
struct Stream : WordStream {
    // twister: where NumPy keeps the state of its Mersenne Twister; 0 where that is not known.
    Stream(nb::capsule capsule, nb::object its_lock, uint64_t its_wanted, uint64_t twister)
        : acquire_(its_lock.attr("acquire")), release_(its_lock.attr("release")), wanted_(at<uint32_t>(its_wanted)) {
        void* pointer = PyCapsule_GetPointer(capsule.ptr(), "BitGenerator");
        if (pointer == nullptr) throw nb::python_error();
        source = static_cast<BitGenerator*>(pointer);
        if (twister != 0) {
            key = at<uint32_t>(twister);
            position = at<int32_t>(twister + 4 * twister_words);
        }
        wanted = wanted_;
        lock = [](WordStream& words) { static_cast<Stream&>(words).take(); };
        unlock = [](WordStream& words) { static_cast<Stream&>(words).give(); };
    }

    // Gives back all that this thread holds; raises what was raised while it waited for a lock (KeyboardInterrupt).
    static void leave() {
        if (held_here.empty() && !raised) return;
        nb::gil_scoped_acquire gil;
        give_all();
        if (raised) std::rethrow_exception(std::exchange(raised, nullptr));
    }

    static void give_all() {
        while (!held_here.empty()) held_here.back()->give();
    }

    // From here on words are counted, and whether others draw some.
    void count_from_here() {
        look();
        drawn = 0;
        others_ = false;
    }

    // Whether nobody else has drawn since then; nothing where that cannot be told.
    std::optional<bool> alone() {
        if (key == nullptr) return {};
        look();
        return !others_;
    }

  private:
    static constexpr double again_seconds = 0.01;

    void take() {
        nb::gil_scoped_acquire gil;
        if (__atomic_load_n(wanted_, __ATOMIC_RELAXED) != 0 || !acquired(false, -1)) {
            // Nobody waits for a lock while he holds another one: two could wait for each other.
            give_all();
            let_others_first();
            do __atomic_store_n(wanted_, 1, __ATOMIC_RELAXED);
            while (!acquired(true, again_seconds));
            __atomic_store_n(wanted_, 0, __ATOMIC_RELAXED);
        }
        held = true;
        others_ = others_ || (key != nullptr && !as_left());
        held_here.push_back(this);
    }

    void give() {
        nb::gil_scoped_acquire gil;
        held = false;
        note();
        held_here.erase(std::find(held_here.begin(), held_here.end(), this));
        release_();
    }

    // `others_` is up to date, and where the twister stands is noted. Others may draw meanwhile, so behind the lock.
    void look() {
        if (key == nullptr) return;
        if (!held) take();
        give();
        leave();
    }

    // Where the twister stands. Whoever draws changes its position, or all of its words.
    void note() {
        if (key != nullptr) left_[0] = uint32_t(*position), left_[1] = key[0], left_[2] = key[twister_words - 1];
    }
    bool as_left() const {
        return left_[0] == uint32_t(*position) && left_[1] == key[0] && left_[2] == key[twister_words - 1];
    }

    bool acquired(bool blocking, double seconds) {
        try {
            return nb::cast<bool>(acquire_(blocking, seconds));
        } catch (nb::python_error&) {
            raised = std::current_exception();
            return false;
        }
    }

    // Who waits is woken more slowly than this thread comes back.
    void let_others_first() const {
        nb::gil_scoped_release released;
        const double end = seconds_now() + again_seconds;
        while (__atomic_load_n(wanted_, __ATOMIC_RELAXED) != 0 && seconds_now() < end)
            std::this_thread::sleep_for(std::chrono::microseconds(20));
    }

    static thread_local std::vector<Stream*> held_here;
    static thread_local std::exception_ptr raised;

    nb::object acquire_, release_;
    uint32_t* wanted_;
    uint32_t left_[3]{};
    bool others_ = false;
};

thread_local std::vector<Stream*> Stream::held_here;
thread_local std::exception_ptr Stream::raised;

constexpr int64_t in_python = -1; // the number of an operation that is a function to call

// A function that Python carries out as an operation, and where what it raises is kept for whoever called the program.
// The plan owns it, as it owns the memory: a program that did would close circles which Python cannot see.
struct PythonCall {
    nb::handle function;
    nb::object* raised;
};

// The exception that is set, with its traceback, as an object.
nb::object taken_exception() {
#if PY_VERSION_HEX >= 0x030C0000
    return nb::steal(PyErr_GetRaisedException());
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return nb::steal(value);
#endif
}

// Whom a long program asks, on the thread that called it: handlers of signals, and whoever may have interrupted a
// training.
struct Asked {
    nb::object raised; // by a handler, or by a function in Python that is an operation; until somebody takes it
    nb::object interrupted = nb::none(); // a function that says whether the program is to be left
    double seconds = 0;                  // between two questions

    void ask(nb::object function, double every) {
        interrupted = std::move(function);
        seconds = every;
    }

    static bool whether_to_leave(void* asked) {
        nb::gil_scoped_acquire gil;
        Stream::give_all(); // a handler may draw
        auto& it = *static_cast<Asked*>(asked);
        PyObject* answer = nullptr;
        if (PyErr_CheckSignals() == 0) {
            if (it.interrupted.is_none()) return false;
            answer = PyObject_CallNoArgs(it.interrupted.ptr());
        }
        if (answer == nullptr) {
            it.raised = taken_exception();
            return true;
        }
        const bool leave = answer == Py_True;
        Py_DECREF(answer);
        return leave;
    }

    // What was raised, once: None where it was something else that ended the program.
    nb::object take_raised() { return raised.is_valid() ? std::exchange(raised, nb::object()) : nb::none(); }
};

// On the thread that called the training: the first one of its team.
bool call_python(const Operation& op, const Team&) {
    nb::gil_scoped_acquire gil;
    Stream::give_all();
    const PythonCall& call = *op.as<const PythonCall*>();
    PyObject* result = PyObject_CallNoArgs(call.function.ptr());
    if (result == nullptr) {
        *call.raised = taken_exception();
        return false;
    }
    const bool fine = result == Py_True;
    Py_DECREF(result);
    return fine;
}

// One tuple an operation: its number, its fields as bytes, its work, its stream (-1: none), whether one thread does it,
// whether it may end the step. The fields of one that draws end with room for its stream's address.
struct Operations {
    Operations(const std::string& set, bool wide, int64_t rows, nb::list table, const std::vector<Stream*>& streams)
        : core(core_named(set)), arena(core, wide, rows) {
        for (nb::handle each : table) {
            const nb::tuple row = nb::cast<nb::tuple>(each);
            if (row.size() != 6) throw std::invalid_argument("a table of operations has other columns");
            if (nb::cast<int64_t>(row[0]) == in_python) {
                if (PyCallable_Check(row[1].ptr()) == 0)
                    throw std::invalid_argument("an operation in Python is no function");
                calls.push_back({row[1], &asked.raised});
                *static_cast<const PythonCall**>(arena.add(call_python, 8)) = &calls.back();
                continue;
            }
            const Entry* entry = entry_of(core, nb::cast<int64_t>(row[0]));
            if (entry == nullptr) throw std::invalid_argument("no such operation");
            const nb::bytes fields = nb::cast<nb::bytes>(row[1]);
            if (int64_t(fields.size()) != entry->words * 8)
                throw std::invalid_argument("the fields of an operation are of another length");
            const int64_t stream = nb::cast<int64_t>(row[3]);
            if (stream >= int64_t(streams.size())) throw std::invalid_argument("no such stream");
            void* to = arena.add(*entry, nb::cast<double>(row[2]), nb::cast<bool>(row[4]), nb::cast<bool>(row[5]));
            std::memcpy(to, fields.data(), fields.size());
            if (stream < 0) continue;
            WordStream* words = streams[size_t(stream)];
            std::memcpy(static_cast<char*>(to) + fields.size() - sizeof words, &words, sizeof words);
        }
        arena.finish();
        streams_.assign(streams.begin(), streams.end());
    }

    // It may be left in its first operations, so many of them. kept: address and bytes of what these change, and of
    // what is to be there again then.
    void may_leave(int64_t operations, const std::vector<std::tuple<uint64_t, int64_t>>& kept) {
        Program& leaves = arena.program;
        copies_.clear();
        kept_.clear();
        for (const auto& [place, bytes] : kept) {
            copies_.emplace_back(size_t(bytes));
            kept_.push_back({at<char>(place), copies_.back().data(), bytes});
        }
        leaves.until = arena.operation(operations);
        leaves.kept = kept_.data();
        leaves.kept_end = kept_.data() + kept_.size();
        leaves.streams = streams_.data();
        leaves.streams_end = streams_.data() + streams_.size();
    }

    const Core& core;
    Arena arena;
    const Program& program = arena.program;
    std::deque<PythonCall> calls;
    mutable Pace pace;
    mutable Asked asked;

    nb::object take_raised() { return asked.take_raised(); }

  private:
    std::vector<WordStream*> streams_;
    std::deque<std::vector<char>> copies_;
    std::vector<Kept> kept_;
};

struct Once {
    const Core& core;
    const Program& program;
    Lookout* lookout;
    bool fine = true;
};

// paced: with as many threads as pay. False, too, where it was left: with what was raised to be taken.
bool run_program(const Operations& operations, int threads, bool paced) {
    const Program& program = operations.program;
    std::optional<Lookout> lookout;
    if (program.until != nullptr) {
        lookout.emplace(Asked::whether_to_leave, &operations.asked, operations.asked.seconds);
        operations.core.begin(program, *lookout);
    }
    Once once{operations.core, program, lookout ? &*lookout : nullptr};
    const Work work = [](void* context, const Team& threads) {
        auto& it = *static_cast<Once*>(context);
        Team team = threads;
        team.lookout = it.lookout;
        const bool fine = it.core.run(it.program, team);
        if (team.rank == 0) it.fine = fine;
    };
    run_with(operations.pace, paced, program.work, threads, work, &once);
    if (!once.fine) operations.core.put_back(program, once.lookout);
    Stream::leave();
    return once.fine;
}

struct TriedPace { // for tests: trainings have their own
    std::shared_ptr<std::atomic<double>> crowded_until = std::make_shared<std::atomic<double>>(0);
    Pace pace{*crowded_until};

    TriedPace another() const { return {crowded_until, Pace{*crowded_until}}; }
};

struct Trainer {
    // feeds: address of the data, bytes a row, address of the batch, one line each
    Trainer(Operations& whole, nb::object rest, Addresses feeds, int64_t rows, int64_t batch_size, uint64_t order,
            nb::object words, uint64_t result)
        : core(whole.core) {
        training.whole = &whole.program;
        if (!rest.is_none()) training.rest = &nb::cast<Operations&>(rest).program;
        if (training.rest != nullptr && training.rest->gathers() != whole.program.gathers())
            throw std::invalid_argument("one program gathers gradients and the other does not");
        for (size_t i = 0; i < feeds.shape(0) / 3; ++i) {
            const uint64_t* feed = feeds.data() + 3 * i;
            feeds_.push_back({at<const char>(feed[0]), int64_t(feed[1]), at<char>(feed[2])});
        }
        training.feeds = feeds_.data();
        training.feed_count = int(feeds_.size());
        training.rows = rows;
        training.batch_size = batch_size;
        training.order = at<int64_t>(order);
        if (!words.is_none()) {
            training.words = &nb::cast<Stream&>(words);
            training.shuffle = true;
        }
        training.result = at<const double>(result);
    }

    void record(uint64_t to, uint64_t prediction, int64_t row_bytes) {
        training.record = at<char>(to);
        training.prediction = at<const char>(prediction);
        training.prediction_row_bytes = row_bytes;
    }

    // turns: 0 for no schedule, 1 for one that goes on after each update, 2 for one that does between two epochs
    void schedule(int turns, uint64_t rows, int64_t count, int64_t width, uint64_t options) {
        training.timetable = {Timetable::Turns(turns), at<const double>(rows), count, width, at<double>(options)};
    }

    std::tuple<int64_t, int64_t, int> run(int threads, bool paced, int64_t max_steps, int64_t max_epochs,
                                          double seconds, uint64_t epoch_totals) {
        Slice slice;
        slice.max_steps = max_steps;
        slice.max_epochs = max_epochs;
        slice.seconds = seconds;
        slice.epoch_totals = at<double>(epoch_totals);
        slice.threads = threads;
        slice.paced = paced;
        slice.clock = seconds_now;
        slice.begun = seconds_now();
        std::optional<Lookout> lookout = this->lookout();
        slice.lookout = lookout ? &*lookout : nullptr;
        core.train(training, slice);
        Stream::leave();
        return {slice.steps, slice.epochs, int(slice.ending)};
    }

    // 0: the loss went wrong; 1: fine; 2: it was left.
    int evaluate(int threads, bool paced) {
        if (training.whole->gathers()) throw std::invalid_argument("its gradients are gathered");
        std::optional<Lookout> lookout = this->lookout();
        const Evaluated evaluated = core.evaluate(training, threads, paced, lookout ? &*lookout : nullptr);
        Stream::leave();
        return int(evaluated);
    }

    void flush() {
        if (!training.whole->gathers()) throw std::invalid_argument("nothing is gathered");
        core.flush(training);
    }

    const Core& core;
    Training training;
    Asked asked;

  private:
    std::optional<Lookout> lookout() {
        if (training.whole->until == nullptr) return {};
        return std::optional<Lookout>(std::in_place, Asked::whether_to_leave, &asked, asked.seconds);
    }

    std::vector<Feed> feeds_;
};

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T> struct Factors {
    const Core& core;
    const T *a, *b;
    T *c, *workspace;
    int64_t m, n, k;
    bool transposed;
};

// Where an array's values lie. NumPy says it too, in its __array_interface__, but takes ten times as long.
uint64_t address(nb::handle array) {
    Py_buffer values;
    if (PyObject_GetBuffer(array.ptr(), &values, PyBUF_STRIDES) != 0) throw nb::python_error();
    const uint64_t begin = reinterpret_cast<uint64_t>(values.buf);
    PyBuffer_Release(&values);
    return begin;
}

template <class T> using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Where the n values of an array lie; null where it is not an array of so many in C order.
template <class T> const T* place(nb::handle array, size_t n) {
    Py_buffer values;
    if (PyObject_GetBuffer(array.ptr(), &values, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
        PyErr_Clear();
        return nullptr;
    }
    const bool fits = size_t(values.len) == n * sizeof(T) && size_t(values.buf) % alignof(T) == 0 &&
                      holds(values, sizeof(T) == 8 ? 'd' : 'f');
    const auto* begin = static_cast<const T*>(values.buf);
    PyBuffer_Release(&values);
    return fits ? begin : nullptr;
}

// The two loops of LBFGS for one training, whose pairs are mostly those of the call before: their products are kept.
class PairProducts {
  public:
    explicit PairProducts(const std::string& set) : core_(core_named(set)) {}

    // False, with nothing done, where arrays are not all alike.
    template <class T>
    bool run(nb::list changes, nb::list steps, const std::vector<double>& weights, double scale, Vector<T> q,
             int threads, bool paced) {
        const size_t count = changes.size(), n = q.shape(0);
        if (count == 0 || steps.size() != count || weights.size() != count) return false;
        const size_t known = keep<T>(changes, steps, n);
        if (pairs_.size() < count) return false;
        std::vector<const T*> y(count), s(count);
        std::vector<double*> between(count), among(count);
        for (size_t i = 0; i < count; ++i) {
            Pair& pair = pairs_[i];
            y[i] = static_cast<const T*>(pair.y);
            s[i] = static_cast<const T*>(pair.s);
            between[i] = pair.between.data() + pair.gone;
            among[i] = pair.among.data() + pair.gone;
        }
        std::vector<double> by_step(count), by_change(count);
        struct Given {
            const Core& core;
            TwoLoops<T> loops;
        } given{core_, {y.data(), s.data(), weights.data(), between.data(), among.data(), by_step.data(),
                       by_change.data(), int64_t(count), int64_t(known), scale, q.data(), int64_t(n)}};
        const Work work = [](void* context, const Team& team) {
            const auto& it = *static_cast<Given*>(context);
            if constexpr (sizeof(T) == 4) it.core.two_loops_float(it.loops, team);
            else it.core.two_loops_double(it.loops, team);
        };
        nb::gil_scoped_release released;
        run_with(pace_, paced, 8.0 * double(count) * double(n), threads, work, &given);
        return true;
    }

  private:
    struct Pair {
        nb::object change, step;
        const void *y, *s;                  // their values
        std::vector<double> between, among; // its products with the pairs up to it
        size_t gone = 0;                    // of these, how many are no longer there

        bool is(const nb::list& changes, const nb::list& steps, size_t place) const {
            return change.ptr() == PyList_GET_ITEM(changes.ptr(), Py_ssize_t(place)) &&
                   step.ptr() == PyList_GET_ITEM(steps.ptr(), Py_ssize_t(place));
        }
    };

    // Let the pairs be these, as far as they are arrays of n numbers: how many of them, from the first on, were there at
    // the last call.
    template <class T> size_t keep(nb::list changes, nb::list steps, size_t n) {
        if (n != n_ || sizeof(T) != size_) pairs_.clear();
        n_ = n, size_ = sizeof(T);
        while (!pairs_.empty() && !pairs_.front().is(changes, steps, 0)) {
            pairs_.pop_front();
            for (Pair& pair : pairs_) ++pair.gone;
        }
        size_t known = 0;
        while (known < pairs_.size() && known < changes.size() && pairs_[known].is(changes, steps, known)) ++known;
        while (pairs_.size() > known) pairs_.pop_back();
        for (size_t i = known; i < changes.size(); ++i) {
            const T *y = place<T>(changes[i], n), *s = place<T>(steps[i], n);
            if (y == nullptr || s == nullptr) break;
            const std::vector<double> room(i + 1);
            pairs_.push_back({nb::borrow(changes[i]), nb::borrow(steps[i]), y, s, room, room});
        }
        return known;
    }

    const Core& core_;
    size_t n_ = 0, size_ = 0; // of the arrays: numbers, and bytes of each
    std::deque<Pair> pairs_;
    Pace pace_;
};

// For tests and benchmarks: the shapes are checked in engine/native.py.
template <class T>
void matmul(const std::string& set, Matrix<const T> a, Matrix<const T> b, Matrix<T> c, uint64_t workspace,
            bool transposed, int threads) {
    Factors<T> factors{core_named(set),      a.data(),           b.data(),           c.data(), at<T>(workspace),
                       int64_t(c.shape(0)), int64_t(c.shape(1)), int64_t(a.shape(1)), transposed};
    nb::gil_scoped_release released;
    run_team(
        threads,
        [](void* context, const Team& team) {
            const auto& it = *static_cast<Factors<T>*>(context);
            if constexpr (sizeof(T) == 4)
                it.core.matmul_float(it.a, it.b, it.c, it.workspace, it.m, it.n, it.k, it.transposed, team);
            else
                it.core.matmul_double(it.a, it.b, it.c, it.workspace, it.m, it.n, it.k, it.transposed, team);
        },
        &factors);
}

template <class T>
void elementary(const std::string& set, const std::string& name,
                nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> x,
                nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu> y) {
    const Core& core = core_named(set);
    bool known;
    if constexpr (sizeof(T) == 4)
        known = core.elementary_float(name.c_str(), x.data(), y.data(), int64_t(x.shape(0)));
    else
        known = core.elementary_double(name.c_str(), x.data(), y.data(), int64_t(x.shape(0)));
    if (!known) throw std::invalid_argument("no function " + name);
}

} // namespace

} // namespace maillon

#include "calls.hpp"

NB_MODULE(_core, m) {
#ifdef NDEBUG
    nb::set_leak_warnings(false); // what a program still holds when the interpreter ends is no leak
#endif
    using namespace maillon;
    m.def("instruction_sets", instruction_sets);
    m.def("operations", operations);
    m.def("address", address, "array"_a);
    nb::class_<Stream>(m, "Stream")
        .def(nb::init<nb::capsule, nb::object, uint64_t, uint64_t>(), "capsule"_a, "lock"_a, "wanted"_a, "twister"_a)
        .def_ro("begun", &Stream::begun)
        .def_ro("drawn", &Stream::drawn)
        .def_prop_ro("alone", &Stream::alone)
        .def("count_from_here", &Stream::count_from_here);
    nb::class_<Operations>(m, "Program")
        .def(nb::init<const std::string&, bool, int64_t, nb::list, const std::vector<Stream*>&>(),
             nb::keep_alive<1, 6>())
        .def_prop_ro("work", [](const Operations& it) { return it.program.work; })
        .def("run", run_program, "threads"_a, "paced"_a = false, nb::call_guard<nb::gil_scoped_release>())
        .def("may_leave", &Operations::may_leave, "operations"_a, "kept"_a)
        .def("ask", [](Operations& it, nb::object interrupted, double seconds) { it.asked.ask(interrupted, seconds); },
             "interrupted"_a.none(), "seconds"_a)
        .def("take_raised", &Operations::take_raised);
    nb::class_<Trainer>(m, "Training")
        .def(nb::init<Operations&, nb::object, Addresses, int64_t, int64_t, uint64_t, nb::object, uint64_t>(),
             "whole"_a, "rest"_a.none(), "feeds"_a, "rows"_a, "batch_size"_a, "order"_a, "words"_a.none(), "result"_a,
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), nb::keep_alive<1, 8>())
        .def("record", &Trainer::record)
        .def(
            "ask",
            [](Trainer& t, nb::object interrupted, double seconds) { t.asked.ask(interrupted, seconds); },
            "interrupted"_a.none(), "seconds"_a)
        .def("take_raised", [](Trainer& t) { return t.asked.take_raised(); })
        .def("schedule", &Trainer::schedule)
        .def_prop_ro("scheduled", [](const Trainer& t) { return t.training.timetable.taken; })
        .def_prop_ro("missing", [](const Trainer& t) { return t.training.timetable.missing; })
        .def("run", &Trainer::run, "threads"_a, "paced"_a, "max_steps"_a, "max_epochs"_a, "seconds"_a,
             "epoch_totals"_a, nb::call_guard<nb::gil_scoped_release>())
        .def("flush", &Trainer::flush, nb::call_guard<nb::gil_scoped_release>())
        .def("evaluate", &Trainer::evaluate, "threads"_a, "paced"_a, nb::call_guard<nb::gil_scoped_release>())
        .def_prop_rw(
            "accumulate", [](const Trainer& t) { return t.training.accumulate; },
            [](Trainer& t, int64_t accumulate) { t.training.accumulate = accumulate; })
        .def_prop_rw(
            "gathered", [](const Trainer& t) { return t.training.gathered; },
            [](Trainer& t, int64_t gathered) { t.training.gathered = gathered; })
        .def_prop_rw(
            "position", [](const Trainer& t) { return t.training.position; },
            [](Trainer& t, int64_t position) { t.training.position = position; })
        .def_prop_rw(
            "total", [](const Trainer& t) { return t.training.total; },
            [](Trainer& t, double total) { t.training.total = total; })
        .def_prop_rw(
            "size", [](const Trainer& t) { return t.training.size; },
            [](Trainer& t, double size) { t.training.size = size; });
    nb::class_<TriedPace>(m, "Pace")
        .def(nb::init<>())
        .def("another", &TriedPace::another)
        .def("together", [](TriedPace& it, double now, bool light) { return it.pace.together(now, light); }, "now"_a,
             "light"_a)
        .def("note", [](TriedPace& it, double now, double seconds, double waited) { it.pace.note(now, seconds, waited); },
             "now"_a, "seconds"_a, "waited"_a);
    // A copy made on the way in would take what is written to it along.
    const auto a = [](const char* name) { return nb::arg(name).noconvert(); };
    m.def("matmul", matmul<float>, "set"_a, a("a"), a("b"), a("c"), "workspace"_a, "transposed"_a, "threads"_a);
    m.def("matmul", matmul<double>, "set"_a, a("a"), a("b"), a("c"), "workspace"_a, "transposed"_a, "threads"_a);
    nb::class_<PairProducts>(m, "PairProducts")
        .def(nb::init<const std::string&>(), "set"_a)
        .def("two_loops", &PairProducts::run<float>, "changes"_a, "steps"_a, "weights"_a, "scale"_a, a("q"),
             "threads"_a, "paced"_a)
        .def("two_loops", &PairProducts::run<double>, "changes"_a, "steps"_a, "weights"_a, "scale"_a, a("q"),
             "threads"_a, "paced"_a);
    m.def("elementary", elementary<float>, "set"_a, "name"_a, a("x"), a("y"));
    m.def("elementary", elementary<double>, "set"_a, "name"_a, a("x"), a("y"));
    bind_calls(m);
}
