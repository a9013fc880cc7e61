//! An exception as a failed step.

use rustpython_vm::{
    AsObject, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyStrRef, PyTupleRef},
};

use crate::{
    bindings::noetl::tool::types::{Failure, ToolError},
    interpreter::Python,
    json::Unfit,
    step::Config,
};

/// Describes `exception` with its place in the playbook.
pub fn raised(
    exception: PyBaseExceptionRef,
    config: &Config,
    python: &Python,
    vm: &VirtualMachine,
) -> ToolError {
    let class = exception.class().name().to_string();
    let failure = describe(exception, config, python, vm).unwrap_or_else(|_| Failure {
        message: format!(
            "{class} ({}); it can't be described, because describing it failed too",
            config.file
        ),
        kind: class,
        code: None,
        details: None,
    });
    ToolError::Failed(failure)
}

fn describe(
    exception: PyBaseExceptionRef,
    config: &Config,
    python: &Python,
    vm: &VirtualMachine,
) -> PyResult<Failure> {
    let parts = python.runtime("describe", vm)?.call(
        (
            exception,
            vm.ctx.new_str(config.file.as_str()),
            vm.ctx.new_int(config.line),
            vm.ctx.new_str(config.code.as_str()),
        ),
        vm,
    )?;
    let parts = PyTupleRef::try_from_object(vm, parts)?;
    let text = |index: usize| -> PyResult<String> {
        let part = parts
            .as_slice()
            .get(index)
            .cloned()
            .ok_or_else(|| vm.new_index_error("describe() gives three texts"))?;
        Ok(PyStrRef::try_from_object(vm, part)?
            .to_string_lossy()
            .into_owned())
    };
    Ok(Failure {
        kind: text(0)?,
        message: text(1)?,
        code: None,
        details: Some(text(2)?),
    })
}

/// `main` returned what JSON can't say. `line` is that of `main` in the playbook.
pub fn unfit(unfit: Unfit, config: &Config, line: Option<usize>) -> ToolError {
    let place = match line {
        Some(line) => format!("{}, line {line}, in main", config.file),
        None => config.file.clone(),
    };
    ToolError::Failed(Failure {
        kind: unfit.kind.to_owned(),
        message: format!("{} ({place})", unfit.message),
        code: None,
        details: None,
    })
}
