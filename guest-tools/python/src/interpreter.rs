//! The one interpreter of an instance: started at build time, part of the
//! snapshot, used for one step.

use std::cell::OnceCell;

use rustpython_vm::{
    AsObject, Interpreter, PyObjectRef, PyResult, Settings, VirtualMachine, builtins::PyDictRef,
    builtins::PyStrRef, compiler, scope::Scope,
};

use crate::bindings::noetl::tool::log;

/// Python's side of the tool: imports, output streams, descriptions of failures.
const RUNTIME: &str = include_str!("runtime.py");

/// The name of the module that a step's code runs in. Not `__main__`: the tool
/// calls `main` itself, so a script's `if __name__ == "__main__"` must not.
const STEP_MODULE: &str = "step";

/// Nested Python calls before a `RecursionError`, as in CPython.
const RECURSION_LIMIT: usize = 1000;

/// A started interpreter and the objects that every run needs of it.
pub struct Python {
    interpreter: Interpreter,
    /// `json`'s native scanner: `(text, 0)` gives `(value, end)`.
    pub parse_json: PyObjectRef,
    /// The namespace of the module `step`.
    pub globals: PyDictRef,
    runtime: PyDictRef,
}

thread_local! {
    static PYTHON: OnceCell<Python> = const { OnceCell::new() };
}

/// Starts the interpreter, imports what steps use, and keeps it all in memory.
///
/// # Panics
/// If the standard library does not start: the build fails, and says why.
pub fn start() {
    PYTHON.with(|cell| {
        let python = build();
        crate::settle::close_gaps();
        assert!(cell.set(python).is_ok(), "the interpreter is started once");
    });
}

/// Gives the interpreter to `f`.
///
/// # Panics
/// If there is no interpreter: the component was not made by `scripts/build-guests.sh`.
pub fn enter<R>(f: impl FnOnce(&VirtualMachine, &Python) -> R) -> R {
    PYTHON.with(|cell| {
        let python = cell
            .get()
            .expect("this component has no snapshot of an interpreter in it");
        python.interpreter.enter(|vm| f(vm, python))
    })
}

impl Python {
    /// A function or value of `runtime.py`.
    pub fn runtime(&self, name: &str, vm: &VirtualMachine) -> PyResult {
        self.runtime.get_item(name, vm)
    }
}

fn build() -> Python {
    let mut settings = Settings::default();
    settings.isolated = true;
    settings.ignore_environment = true;
    settings.user_site_directory = false;
    settings.import_site = false;
    settings.write_bytecode = false;
    settings.install_signal_handlers = false;
    settings.utf8_mode = 1;
    settings.argv = vec![String::new()];

    let builder = Interpreter::builder(settings);
    let modules = rustpython_stdlib::stdlib_module_defs(&builder.ctx);
    let interpreter = builder
        .add_native_modules(&modules)
        .add_frozen_modules(rustpython_pylib::FROZEN_STDLIB)
        .build();

    let (runtime, globals, parse_json) = interpreter.enter(|vm| {
        vm.recursion_limit.set(RECURSION_LIMIT);
        prepare(vm).unwrap_or_else(|exception| {
            let mut text = String::new();
            let _ = vm.write_exception(&mut text, &exception);
            panic!("the python tool did not start: {text}");
        })
    });
    Python {
        interpreter,
        parse_json,
        globals,
        runtime,
    }
}

fn prepare(vm: &VirtualMachine) -> PyResult<(PyDictRef, PyDictRef, PyObjectRef)> {
    let modules = vm.sys_module.get_attr("modules", vm)?;

    let runtime = vm.ctx.new_dict();
    let write = vm.new_function("write_log", |warning: bool, text: PyStrRef| {
        let level = if warning {
            log::Level::Warn
        } else {
            log::Level::Info
        };
        log::write(level, &text.to_string_lossy());
    });
    runtime.set_item("write_log", write.into(), vm)?;
    let module = vm.new_module("_noetl", runtime.clone(), None);
    modules.set_item("_noetl", module.into(), vm)?;
    let code = vm
        .compile(RUNTIME, compiler::Mode::Exec, "<noetl>")
        .map_err(|error| error.into_pyexception(vm, Some(RUNTIME)))?;
    vm.run_code_obj(code, Scope::with_builtins(None, runtime.clone(), vm))?;

    let globals = vm.ctx.new_dict();
    let step = vm.new_module(STEP_MODULE, globals.clone(), None);
    modules.set_item(STEP_MODULE, step.into(), vm)?;

    runtime.get_item("warm", vm)?.call((), vm)?;
    let parse_json = runtime.get_item("parse_json", vm)?;
    runtime.get_item("empty_freelists", vm)?.call((), vm)?;
    crate::settle::make_immortal(runtime.get_item("tracked", vm)?.call((), vm)?, vm)?;
    debug_assert!(!vm.is_none(parse_json.as_object()));
    Ok((runtime, globals, parse_json))
}
