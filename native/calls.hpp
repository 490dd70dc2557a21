// Prepared passes and steps that Python calls like functions: for one sample the way in and out must cost less than the
// network. What does not fit (another shape, a list, another dtype) is Python's to handle: NotImplemented says so.
#pragma once

#include <cstring>

namespace maillon {

namespace {

// What a plan was made from, as far as Python can replace it: links by their type, attributes and arrays by identity.
class Watch {
  public:
    // types: (object, its type). attributes: (dictionary, key, value). absent: (dictionary, key that is not in it, how
    // many keys it has, or -1 when one of them may go and leave its place to this one). slots: (Parameter, attribute,
    // value).
    Watch(nb::list types, nb::list attributes, nb::list absent, nb::list slots) {
        for (nb::handle row : types) types_.push_back({row[0], row[1]});
        for (nb::handle row : attributes) attributes_.push_back({row[0], row[1], row[2]});
        for (nb::handle row : absent) absent_.push_back({row[0], row[1], nb::cast<Py_ssize_t>(row[2])});
        for (nb::handle row : slots) slots_.push_back({row[0], row[1], row[2], place(row[0], row[2])});
    }

    bool same() const {
        for (const Typed& typed : types_)
            if (reinterpret_cast<PyObject*>(Py_TYPE(typed.object.ptr())) != typed.type.ptr()) return false;
        for (const Attribute& attribute : attributes_)
            if (found(attribute.dictionary, attribute.key) != attribute.value.ptr()) return false;
        for (const Absent& absent : absent_)
            if (PyDict_Size(absent.dictionary.ptr()) != absent.size && found(absent.dictionary, absent.key) != nullptr)
                return false;
        for (const InSlot& slot : slots_)
            if (now(slot) != slot.value.ptr()) return false;
        return true;
    }

  private:
    struct Typed {
        nb::object object, type;
    };
    struct Attribute {
        nb::object dictionary, key, value;
    };
    struct Absent {
        nb::object dictionary, key;
        Py_ssize_t size;
    };
    struct InSlot {
        nb::object parameter, name, value;
        Py_ssize_t place; // where in the Parameter the value stands, in pointers; 0: not known
    };

    static PyObject* found(const nb::object& dictionary, const nb::object& key) {
        PyObject* value = PyDict_GetItemWithError(dictionary.ptr(), key.ptr());
        if (value == nullptr && PyErr_Occurred()) throw nb::python_error();
        return value;
    }

    // A Parameter has nothing but slots: the one that holds the value, if one alone does, is read without a look-up.
    static Py_ssize_t place(nb::handle parameter, nb::handle value) {
        const nb::object size = nb::steal(PyObject_GetAttrString((PyObject*)Py_TYPE(parameter.ptr()), "__basicsize__"));
        if (!size.is_valid()) throw nb::python_error();
        const auto* words = reinterpret_cast<PyObject* const*>(parameter.ptr());
        const Py_ssize_t end = nb::cast<Py_ssize_t>(size) / Py_ssize_t(sizeof(PyObject*));
        Py_ssize_t place = 0;
        for (Py_ssize_t i = sizeof(PyObject) / sizeof(PyObject*); i < end; ++i) {
            if (words[i] != value.ptr()) continue;
            if (place != 0) return 0;
            place = i;
        }
        return place;
    }

    static PyObject* now(const InSlot& slot) {
        if (slot.place != 0) return reinterpret_cast<PyObject* const*>(slot.parameter.ptr())[slot.place];
        PyObject* value = PyObject_GetAttr(slot.parameter.ptr(), slot.name.ptr());
        if (value == nullptr) throw nb::python_error();
        Py_DECREF(value); // the Parameter still holds it
        return value;
    }

    std::vector<Typed> types_;
    std::vector<Attribute> attributes_;
    std::vector<Absent> absent_;
    std::vector<InSlot> slots_;
};

// An array that is copied to or from where a program has it.
struct Slot {
    char* place;
    std::vector<Py_ssize_t> shape;
    Py_ssize_t item;
    char format;
    nb::tuple empty; // what numpy.empty is given for one like it

    // (address, shape, dtype, its format, bytes an element)
    explicit Slot(nb::handle row)
        : place(at<char>(nb::cast<uint64_t>(row[0]))), item(nb::cast<Py_ssize_t>(row[4])),
          format(nb::cast<std::string>(row[3])[0]), empty(nb::make_tuple(row[1], row[2])) {
        for (nb::handle size : row[1]) shape.push_back(nb::cast<Py_ssize_t>(size));
    }

    bool matches(const Py_buffer& given) const {
        if (given.itemsize != item || given.ndim != int(shape.size())) return false;
        if (!holds(given, format)) return false;
        for (int i = 0; i < given.ndim; ++i)
            if (given.shape[i] != shape[size_t(i)]) return false;
        return true;
    }

    // False where the array is another one than is wanted.
    bool take(nb::handle x) const {
        Py_buffer given;
        if (PyObject_GetBuffer(x.ptr(), &given, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
            PyErr_Clear();
            return false;
        }
        const bool fits = matches(given);
        if (fits) std::memcpy(place, given.buf, size_t(given.len));
        PyBuffer_Release(&given);
        return fits;
    }

    void give(nb::handle to) const {
        Py_buffer made;
        if (PyObject_GetBuffer(to.ptr(), &made, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) != 0) throw nb::python_error();
        std::memcpy(made.buf, place, size_t(made.len));
        PyBuffer_Release(&made);
    }
};

// A number that the core and Python keep both: what stands under a key of a dictionary, and in the core's memory.
struct Kept {
    nb::object dictionary, key, kind; // the type of what Python keeps
    const void* value;
    bool whole; // of 64 bits; otherwise a double

    // (dictionary, key, address, type)
    explicit Kept(nb::handle row)
        : dictionary(row[0]), key(row[1]), kind(row[3]), value(at<const void>(nb::cast<uint64_t>(row[2]))),
          whole(kind.ptr() == reinterpret_cast<PyObject*>(&PyLong_Type)) {}

    // Whether Python keeps the core's number.
    bool same() const {
        PyObject* found = PyDict_GetItemWithError(dictionary.ptr(), key.ptr());
        if (found == nullptr && PyErr_Occurred()) throw nb::python_error();
        if (found == nullptr || reinterpret_cast<PyObject*>(Py_TYPE(found)) != kind.ptr()) return false;
        bool fits;
        if (whole) {
            fits = PyLong_AsLongLong(found) == *static_cast<const int64_t*>(value);
        } else {
            const double number = PyFloat_AsDouble(found), own = *static_cast<const double*>(value);
            fits = number == own || (number != number && own != own);
        }
        if (PyErr_Occurred() == nullptr) return fits;
        PyErr_Clear();
        return false;
    }

    void give() const {
        nb::object number = nb::steal(whole ? PyLong_FromLongLong(*static_cast<const int64_t*>(value))
                                            : PyFloat_FromDouble(*static_cast<const double*>(value)));
        if (!whole && kind.ptr() != reinterpret_cast<PyObject*>(&PyFloat_Type)) number = kind(number);
        if (PyDict_SetItem(dictionary.ptr(), key.ptr(), number.ptr()) != 0) throw nb::python_error();
    }
};

// A program that Python calls like a function: with arrays, to arrays. NotImplemented where an array, the network or a
// number that Python keeps is another one than it was made for; None where the numbers went wrong.
class Call {
  public:
    // watch: what the program was made from; owner: whatever owns the memory that it works on, alive as long as this.
    Call(Operations& operations, nb::list inputs, nb::list outputs, nb::object empty, nb::object watched,
         nb::object owner, int threads, bool paced)
        : operations_(operations), empty_(std::move(empty)), owner_(std::move(owner)), threads_(threads),
          paced_(paced) {
        watch(std::move(watched));
        for (nb::handle row : inputs) inputs_.emplace_back(row);
        for (nb::handle row : outputs) outputs_.emplace_back(row);
    }

    // Another picture of what the program was made from.
    void watch(nb::object watched) {
        watch_ = &nb::cast<const Watch&>(watched);
        watched_ = std::move(watched);
    }

    // After each call: the loss is returned in place of the outputs, object.name = value is set for each row of sets,
    // and Python is given the numbers of `kept`. The first output is set as prediction[0].prediction[1], the loss's
    // denominator as denominator[0].denominator[1].
    void step(uint64_t result, nb::tuple prediction, nb::tuple denominator) {
        result_ = at<const double>(result);
        prediction_ = std::move(prediction);
        denominator_ = std::move(denominator);
    }
    void leave(nb::list sets, nb::list kept) {
        sets_.clear();
        kept_.clear();
        for (nb::handle row : sets) sets_.push_back({row[0], row[1], row[2]});
        for (nb::handle row : kept) kept_.emplace_back(row);
    }

    nb::object call(nb::args given) {
        if (busy || given.size() != inputs_.size() || !watch_->same()) return not_implemented();
        for (const Kept& kept : kept_)
            if (!kept.same()) return not_implemented();
        // Made now: nothing of Python runs from the first look at `given` on, so that another thread may call this too.
        // But for links of the user's own and handlers of signals: who calls while they run is told that it is busy.
        std::vector<nb::object> made;
        for (const Slot& output : outputs_) {
            made.push_back(nb::steal(PyObject_Call(empty_.ptr(), output.empty.ptr(), nullptr)));
            if (!made.back().is_valid()) throw nb::python_error();
        }
        for (size_t i = 0; i < inputs_.size(); ++i)
            if (!inputs_[i].take(given[i])) return not_implemented();
        const bool fine = run();
        if (!fine && operations_.asked.raised.is_valid()) {
            const nb::object error = operations_.take_raised();
            PyErr_SetObject((PyObject*)Py_TYPE(error.ptr()), error.ptr());
            throw nb::python_error();
        }
        if (!fine) return nb::none();
        for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].give(made[i]);
        for (const Set& set : sets_) put(set.object, set.name, set.value);
        for (const Kept& kept : kept_) kept.give();
        if (result_ != nullptr) {
            if (prediction_.size() != 0) put(prediction_[0], prediction_[1], made[0]);
            if (denominator_.size() != 0) put(denominator_[0], denominator_[1], nb::float_(result_[1]));
            return nb::float_(result_[0]);
        }
        if (made.size() == 1) return made[0];
        const nb::object several = nb::steal(PyTuple_New(Py_ssize_t(made.size())));
        for (size_t i = 0; i < made.size(); ++i) PyTuple_SetItem(several.ptr(), Py_ssize_t(i), made[i].release().ptr());
        return several;
    }

    bool busy = false; // a call of another thread, or of this one, is in the middle of Python

  private:
    struct Set {
        nb::object object, name, value;
    };

    bool run() {
        struct Done {
            bool& flag;
            ~Done() { flag = false; }
        } done{busy};
        busy = !operations_.calls.empty() || operations_.program.until != nullptr;
        return run_program(operations_, threads_, paced_);
    }

    static nb::object not_implemented() { return nb::borrow(Py_NotImplemented); }
    static void put(nb::handle object, nb::handle name, nb::handle value) {
        if (PyObject_SetAttr(object.ptr(), name.ptr(), value.ptr()) != 0) throw nb::python_error();
    }

    Operations& operations_;
    const Watch* watch_ = nullptr;
    std::vector<Slot> inputs_, outputs_;
    std::vector<Set> sets_;
    std::vector<Kept> kept_;
    const double* result_ = nullptr;
    nb::tuple prediction_, denominator_;
    nb::object empty_, owner_, watched_;
    int threads_;
    bool paced_;
};

void bind_calls(nb::module_& m) {
    nb::class_<Watch>(m, "Watch")
        .def(nb::init<nb::list, nb::list, nb::list, nb::list>(), "types"_a, "attributes"_a, "absent"_a, "slots"_a)
        .def("same", &Watch::same);
    nb::class_<Call>(m, "Call")
        .def(nb::init<Operations&, nb::list, nb::list, nb::object, nb::object, nb::object, int, bool>(),
             nb::keep_alive<1, 2>())
        .def("watch", &Call::watch)
        .def("step", &Call::step)
        .def("leave", &Call::leave)
        .def_ro("busy", &Call::busy)
        .def("__call__", &Call::call);
}

} // namespace

} // namespace maillon
