// A prepared forward pass that Python calls like a function: for one sample the way in and out must cost less than the
// network. What does not fit (another shape, a list, another dtype) is Python's to handle: NotImplemented says so.
#pragma once

#include <cstring>

namespace maillon {

namespace {

class Predictor {
  public:
    // parameters: the Parameter objects; arrays: their data when the program was made; plan: whatever owns the memory
    // that the program works on, alive as long as this.
    Predictor(Operations& operations, uint64_t input, nb::tuple shape, uint64_t output, nb::object empty,
              nb::tuple empty_arguments, nb::list parameters, nb::list arrays, nb::object plan, int threads)
        : operations_(operations), input_(at<char>(input)), output_(at<const char>(output)), empty_(std::move(empty)),
          empty_arguments_(std::move(empty_arguments)), plan_(std::move(plan)), threads_(threads) {
        item_ = operations.program.wide ? 8 : 4;
        for (nb::handle size : shape) shape_.push_back(nb::cast<Py_ssize_t>(size));
        for (size_t i = 0; i < nb::len(parameters); ++i) watched_.push_back({parameters[i], arrays[i]});
        name_ = nb::steal(PyUnicode_InternFromString("data"));
    }

    nb::object call(nb::handle x) {
        if (!parameters_stay()) return not_implemented();
        // Nothing of Python runs between the first look at `given` and the last: another thread may call this too.
        nb::object result = nb::steal(PyObject_Call(empty_.ptr(), empty_arguments_.ptr(), nullptr));
        if (!result.is_valid()) throw nb::python_error();
        Py_buffer given, made;
        if (PyObject_GetBuffer(x.ptr(), &given, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
            PyErr_Clear();
            return not_implemented();
        }
        if (!matches(given)) {
            PyBuffer_Release(&given);
            return not_implemented();
        }
        if (PyObject_GetBuffer(result.ptr(), &made, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) != 0) {
            PyBuffer_Release(&given);
            throw nb::python_error();
        }
        std::memcpy(input_, given.buf, size_t(given.len));
        run_program(operations_, threads_);
        std::memcpy(made.buf, output_, size_t(made.len));
        PyBuffer_Release(&made);
        PyBuffer_Release(&given);
        return result;
    }

  private:
    struct Watched {
        nb::object parameter, array;
    };

    static nb::object not_implemented() { return nb::borrow(Py_NotImplemented); }

    bool parameters_stay() const {
        for (const Watched& watched : watched_) {
            PyObject* now = PyObject_GetAttr(watched.parameter.ptr(), name_.ptr());
            if (now == nullptr) throw nb::python_error();
            const bool same = now == watched.array.ptr();
            Py_DECREF(now);
            if (!same) return false;
        }
        return true;
    }

    bool matches(const Py_buffer& given) const {
        if (given.itemsize != item_ || given.ndim != int(shape_.size())) return false;
        if (given.format == nullptr || given.format[0] != (item_ == 8 ? 'd' : 'f') || given.format[1] != 0) return false;
        for (int i = 0; i < given.ndim; ++i)
            if (given.shape[i] != shape_[size_t(i)]) return false;
        return true;
    }

    Operations& operations_;
    char* input_;
    const char* output_;
    nb::object empty_, name_;
    nb::tuple empty_arguments_;
    nb::object plan_;
    std::vector<Py_ssize_t> shape_;
    std::vector<Watched> watched_;
    Py_ssize_t item_;
    int threads_;
};

void bind_predictor(nb::module_& m) {
    nb::class_<Predictor>(m, "Predictor")
        .def(nb::init<Operations&, uint64_t, nb::tuple, uint64_t, nb::object, nb::tuple, nb::list, nb::list, nb::object,
                      int>(),
             nb::keep_alive<1, 2>())
        .def("__call__", &Predictor::call);
}

} // namespace

} // namespace maillon
