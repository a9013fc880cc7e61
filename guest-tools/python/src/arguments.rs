//! Which of a step's arguments `main` takes, and how.

use rustpython_vm::{
    PyObject, PyObjectRef, PyRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyCode, PyDict, PyDictRef, PyFunction, PyStrRef, PyTupleRef},
    bytecode::CodeFlags,
    function::{FuncArgs, KwArgs, PosArgs},
};

use crate::interpreter::Python;

/// The outcome of matching the step's arguments with `main`'s parameters.
pub enum Bound {
    /// What to call `main` with.
    Call(FuncArgs),
    /// Parameters without a default that the step gives nothing for.
    Missing(Vec<String>),
}

/// What may be passed to a callable.
#[derive(Default)]
struct Parameters {
    /// Name, and the default if it has one.
    positional_only: Vec<(String, Option<PyObjectRef>)>,
    /// Name, and whether it has a default.
    named: Vec<(String, bool)>,
    takes_any: bool,
}

/// Picks from `args` what `main` declares; the rest is dropped, unless `main`
/// takes `**kwargs`.
pub fn bind(
    main: &PyObject,
    args: &PyDictRef,
    python: &Python,
    vm: &VirtualMachine,
) -> PyResult<Bound> {
    let parameters = parameters(main, python, vm)?;
    let mut missing = Vec::new();

    let mut positional = Vec::with_capacity(parameters.positional_only.len());
    for (name, default) in parameters.positional_only {
        match args.get_item_opt(name.as_str(), vm)?.or(default) {
            Some(value) => positional.push(value),
            None => missing.push(name),
        }
    }

    let mut keywords: Vec<(String, PyObjectRef)> = Vec::with_capacity(parameters.named.len());
    for (name, has_default) in parameters.named {
        match args.get_item_opt(name.as_str(), vm)? {
            Some(value) => keywords.push((name, value)),
            None if has_default => {}
            None => missing.push(name),
        }
    }
    if parameters.takes_any {
        for (name, value) in args {
            let name = PyStrRef::try_from_object(vm, name)?
                .to_string_lossy()
                .into_owned();
            if !keywords.iter().any(|(known, _)| *known == name) {
                keywords.push((name, value));
            }
        }
    }

    if !missing.is_empty() {
        return Ok(Bound::Missing(missing));
    }
    let keywords = KwArgs::new(
        keywords
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    );
    Ok(Bound::Call(FuncArgs::new(
        PosArgs::new(positional),
        keywords,
    )))
}

fn parameters(main: &PyObject, python: &Python, vm: &VirtualMachine) -> PyResult<Parameters> {
    match main.downcast_ref::<PyFunction>() {
        // A decorator's wrapper says what it wraps; `inspect` follows that.
        Some(_) if !has_attribute(main, "__wrapped__", vm)? => of_function(main, vm),
        _ => of_callable(main, python, vm),
    }
}

fn has_attribute(object: &PyObject, name: &'static str, vm: &VirtualMachine) -> PyResult<bool> {
    Ok(vm
        .get_attribute_opt(object, vm.ctx.intern_str(name))?
        .is_some())
}

/// The code of a plain function; nothing else has one.
pub fn code_of(callable: &PyObject, vm: &VirtualMachine) -> Option<PyRef<PyCode>> {
    callable.downcast_ref::<PyFunction>()?;
    callable.get_attr("__code__", vm).ok()?.downcast().ok()
}

fn of_function(main: &PyObject, vm: &VirtualMachine) -> PyResult<Parameters> {
    let code = code_of(main, vm).ok_or_else(|| vm.new_type_error("main has no code"))?;
    let code = &code.code;
    let defaults = Option::<PyTupleRef>::try_from_object(vm, main.get_attr("__defaults__", vm)?)?;
    let keyword_defaults = main.get_attr("__kwdefaults__", vm)?;
    let keyword_defaults = keyword_defaults.downcast_ref::<PyDict>();

    let ordinary = code.arg_count as usize;
    let positional_only = code.posonlyarg_count as usize;
    let defaults = defaults.as_ref().map_or(&[][..], |d| d.as_slice());
    let first_default = ordinary.saturating_sub(defaults.len());

    let mut parameters = Parameters {
        takes_any: code.flags.contains(CodeFlags::VARKEYWORDS),
        ..Parameters::default()
    };
    for (index, name) in code.varnames.iter().take(ordinary).enumerate() {
        let name = name.as_str().to_owned();
        let default = index
            .checked_sub(first_default)
            .and_then(|i| defaults.get(i));
        if index < positional_only {
            parameters.positional_only.push((name, default.cloned()));
        } else {
            parameters.named.push((name, default.is_some()));
        }
    }
    for name in code
        .varnames
        .iter()
        .skip(ordinary)
        .take(code.kwonlyarg_count as usize)
    {
        let has_default = match keyword_defaults {
            Some(defaults) => defaults.get_item_opt(name.as_str(), vm)?.is_some(),
            None => false,
        };
        parameters
            .named
            .push((name.as_str().to_owned(), has_default));
    }
    Ok(parameters)
}

/// Anything else that can be called: asks `inspect.signature`.
fn of_callable(main: &PyObject, python: &Python, vm: &VirtualMachine) -> PyResult<Parameters> {
    let found = python
        .runtime("parameters", vm)?
        .call((main.to_owned(),), vm)?;
    let mut parameters = Parameters::default();
    for entry in Vec::<PyTupleRef>::try_from_object(vm, found)? {
        let [name, kind, default] = entry.as_slice() else {
            return Err(vm.new_type_error("a parameter has a name, a kind and a default"));
        };
        let name = PyStrRef::try_from_object(vm, name.clone())?
            .to_string_lossy()
            .into_owned();
        let default = PyTupleRef::try_from_object(vm, default.clone())?;
        let default = default.as_slice().first().cloned();
        match PyStrRef::try_from_object(vm, kind.clone())?
            .to_string_lossy()
            .as_ref()
        {
            "positional" => parameters.positional_only.push((name, default)),
            "named" => parameters.named.push((name, default.is_some())),
            _ => parameters.takes_any = true,
        }
    }
    Ok(parameters)
}
