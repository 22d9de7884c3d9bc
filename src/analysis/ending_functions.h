// SPDX-License-Identifier: Apache-2.0
// Functions that take a program apart. A stack that holds one of them was made while the program ended.
#pragma once

#include <array>
#include <string_view>

namespace cowtrace::analysis {

struct EndingFunction {
  std::string_view function;  // as the symbol table has it
  bool returns;               // the program may go on afterwards (an embedded interpreter)
};

// exit() runs the handlers of atexit(), destructors of C++ and the dynamic linker's _dl_fini(), and never returns (C11
// 7.22.4.4). The others are the public functions by which programs end an interpreter or themselves.
inline constexpr std::array kEndingFunctions = {
    EndingFunction{"exit", false},                 // C library
    EndingFunction{"quick_exit", false},           // C library: handlers of at_quick_exit()
    EndingFunction{"__run_exit_handlers", false},  // glibc, where exit() jumps to it
    EndingFunction{"_dl_fini", false},             // glibc's dynamic linker
    EndingFunction{"Py_Exit", false},              // CPython
    EndingFunction{"Py_FinalizeEx", true},         // CPython
    EndingFunction{"Py_Finalize", true},           // CPython
    EndingFunction{"ruby_cleanup", true},          // CRuby
    EndingFunction{"ruby_finalize", true},         // CRuby
    EndingFunction{"perl_destruct", true},         // Perl
    EndingFunction{"php_module_shutdown", true},   // PHP
    EndingFunction{"proc_exit", false},            // PostgreSQL: its callbacks, then exit()
};

// CPython's main functions. A forked process that is in one of them and in no Python code has left the program that it was
// forked in: it gives back what it had compiled, and ends.
inline constexpr std::array<std::string_view, 2> kPythonMainFunctions = {"Py_RunMain", "Py_BytesMain"};

// Python functions of the standard library that run exit handlers, for processes that multiprocessing forked end without
// the interpreter's own end.
struct EndingPythonFunction {
  std::string_view function;
  std::string_view file;  // the end of its path
};
inline constexpr std::array kEndingPythonFunctions = {
    EndingPythonFunction{"_exit_function", "/multiprocessing/util.py"},
    EndingPythonFunction{"_shutdown", "/threading.py"},
    EndingPythonFunction{"shutdown", "/logging/__init__.py"},
    EndingPythonFunction{"_python_exit", "/concurrent/futures/thread.py"},
    EndingPythonFunction{"_python_exit", "/concurrent/futures/process.py"},
    EndingPythonFunction{"finalize._exitfunc", "/weakref.py"},
};

}  // namespace cowtrace::analysis
