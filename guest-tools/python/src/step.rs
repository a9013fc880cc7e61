//! One step: compile its code, run it, call `main`, give back what it returns.

use rustpython_compiler_core::{
    bytecode::{BasicBag, CodeObject},
    marshal,
};
use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyCode, PyDictRef, PyTupleRef},
    compiler,
    scope::Scope,
};
use serde::Deserialize;

use crate::{
    arguments::{self, Bound},
    bindings::noetl::tool::types::{Invocation, Output, ToolError},
    entropy, failure,
    interpreter::{self, Python},
    json,
};

/// What the playbook says of a python step.
#[derive(Deserialize)]
pub struct Config {
    /// Python source text.
    pub code: String,
    /// The playbook's file, for messages.
    #[serde(default = "unnamed")]
    pub file: String,
    /// The line in `file` of the first line of `code`, from 1.
    #[serde(default = "first")]
    pub line: usize,
}

fn unnamed() -> String {
    "<step>".to_owned()
}

fn first() -> usize {
    1
}

/// Lines that a playbook may have before the code: they are blank lines to the
/// compiler, so that every position it notes is one in the playbook.
const MAX_LINE: usize = 1_000_000;

/// Why a step has no result.
enum Stop {
    Raised(PyBaseExceptionRef),
    Error(ToolError),
}

impl From<PyBaseExceptionRef> for Stop {
    fn from(exception: PyBaseExceptionRef) -> Self {
        Self::Raised(exception)
    }
}

fn read(config: &str) -> Result<Config, ToolError> {
    let config: Config = serde_json::from_str(config).map_err(|error| {
        ToolError::InvalidInput(format!("the config of a python step needs `code`: {error}"))
    })?;
    if config.line == 0 || config.line > MAX_LINE {
        return Err(ToolError::InvalidInput(format!(
            "`line` is {}, and must be from 1 to {MAX_LINE}",
            config.line
        )));
    }
    Ok(config)
}

/// Compiles the step's code to marshalled bytecode.
pub fn prepare(config: &str) -> Result<Vec<u8>, ToolError> {
    let config = read(config)?;
    interpreter::enter(|vm, _| {
        let code = bytecode(&config, vm)
            .map_err(|_| ToolError::InvalidInput("the code has a syntax error".to_owned()))?;
        let mut bytes = Vec::new();
        marshal::serialize_code(&mut bytes, &code);
        Ok(bytes)
    })
}

/// Runs the step in this instance.
pub fn run(invocation: &Invocation) -> Result<Output, ToolError> {
    let config = read(&invocation.config)?;
    interpreter::enter(|vm, python| {
        let result = attempt(&config, invocation, vm, python);
        // What the instance holds is never freed piece by piece: its memory
        // goes as a whole, right after this.
        let result = result.map_err(|stop| match stop {
            Stop::Raised(exception) => failure::raised(exception, &config, python, vm),
            Stop::Error(error) => error,
        });
        flush(python, vm);
        result
    })
}

fn attempt(
    config: &Config,
    invocation: &Invocation,
    vm: &VirtualMachine,
    python: &Python,
) -> Result<Output, Stop> {
    entropy::renew(vm, python)?;
    let args = std::mem::ManuallyDrop::new(parse_arguments(&invocation.args, vm, python)?);
    let prepared = invocation.prepared.as_deref().and_then(unmarshal);
    let code = match prepared {
        Some(code) => code,
        None => bytecode(config, vm)?,
    };
    let code = PyCode::new_ref_from_bytecode(vm, code);
    let scope = Scope::with_builtins(None, python.globals.clone(), vm);
    vm.run_code_obj(code, scope)?;

    let Some(main) = python.globals.get_item_opt("main", vm)? else {
        return Err(invalid(format!(
            "the code defines no function `main` ({}, line {}). Add `def main(...):` with the step's arguments as parameters.",
            config.file, config.line
        )));
    };
    if !main.is_callable() {
        return Err(invalid(format!(
            "`main` is of type {}, and must be a function ({}, line {})",
            main.class().name(),
            config.file,
            config.line
        )));
    }
    let call = match arguments::bind(&main, &args, python, vm)? {
        Bound::Call(call) => call,
        Bound::Missing(names) => return Err(missing(&names, &main, &args, config, vm)),
    };
    let mut result = main.call(call, vm)?;
    if result.class().is(vm.ctx.types.coroutine_type) {
        result = python.runtime("run_async", vm)?.call((result,), vm)?;
    }
    let data = json::write(&result, vm)
        .map_err(|unfit| Stop::Error(failure::unfit(unfit, config, line_of(&main, vm))))?;
    std::mem::forget((result, main));
    Ok(Output { data })
}

fn invalid(message: String) -> Stop {
    Stop::Error(ToolError::InvalidInput(message))
}

fn parse_arguments(args: &str, vm: &VirtualMachine, python: &Python) -> Result<PyDictRef, Stop> {
    let parsed = python
        .parse_json
        .call((vm.ctx.new_str(args.trim_start()), 0), vm)
        .and_then(|found| PyTupleRef::try_from_object(vm, found))
        .map_err(|_| invalid("the arguments are not JSON that Python can read".to_owned()))?;
    let value: Option<PyObjectRef> = parsed.as_slice().first().cloned();
    value
        .and_then(|value| PyDictRef::try_from_object(vm, value).ok())
        .ok_or_else(|| invalid("the arguments must be a JSON object".to_owned()))
}

/// The bytecode that `prepare` gave out, if it can be read.
fn unmarshal(mut bytes: &[u8]) -> Option<CodeObject> {
    marshal::deserialize_code(&mut bytes, BasicBag).ok()
}

fn bytecode(config: &Config, vm: &VirtualMachine) -> PyResult<CodeObject> {
    let mut source = String::with_capacity(config.line + config.code.len());
    source.extend(std::iter::repeat_n('\n', config.line - 1));
    source.push_str(&config.code);
    // Not `vm.compile`: it parses twice more to warn of odd escapes.
    compiler::compile(
        &source,
        compiler::Mode::Exec,
        &config.file,
        vm.compile_opts(),
    )
    .map_err(|error| vm.new_syntax_error(&error, Some(&source)))
}

fn missing(
    names: &[String],
    main: &PyObject,
    args: &PyDictRef,
    config: &Config,
    vm: &VirtualMachine,
) -> Stop {
    let mut given: Vec<String> = Vec::new();
    for (name, _) in args {
        if let Ok(name) = name.str(vm) {
            given.push(format!("'{}'", name.to_string_lossy()));
        }
    }
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let given = if given.is_empty() {
        "no arguments".to_owned()
    } else {
        given.join(", ")
    };
    invalid(format!(
        "main() needs {}, which the step's args do not give ({}, line {}). The step gives {given}.",
        names.join(", "),
        config.file,
        line_of(main, vm).unwrap_or(config.line),
    ))
}

/// The line of `def main` in the playbook.
fn line_of(main: &PyObject, vm: &VirtualMachine) -> Option<usize> {
    Some(arguments::code_of(main, vm)?.code.first_line_number?.get())
}

/// The last lines of output that had no end.
fn flush(python: &Python, vm: &VirtualMachine) {
    if let Ok(flush) = python.runtime("flush_output", vm) {
        let _ = flush.call((), vm);
    }
}
