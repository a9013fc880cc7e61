use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::Environment;
use minijinja::value::{Enumerator, Object, Value};
use serde_json::{Map, Value as Json};

use super::convert;

/// What expressions see: `workload`, `vars`, `result`, `execution_id` and the
/// earlier steps by name. Cloning costs two reference counts; a value is
/// converted once, when it is set.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: Arc<HashMap<String, Sized>>,
    vars: Arc<Vars>,
}

/// A value with the memory that it takes.
#[derive(Clone, Debug)]
struct Sized {
    value: Value,
    bytes: usize,
}

impl Sized {
    fn new(value: &Json) -> Self {
        Self {
            value: convert::from_json(value),
            bytes: convert::bytes(value),
        }
    }
}

impl Scope {
    /// A scope of these top-level names; the object under `vars` becomes the
    /// variables (null ones stay unset).
    #[must_use]
    pub fn new(names: Map<String, Json>) -> Self {
        let mut scope = Scope::default();
        for (name, value) in &names {
            match (name.as_str(), value) {
                ("vars", Json::Object(vars)) => {
                    for (name, value) in vars {
                        scope.set_var(name, value);
                    }
                }
                _ => scope.set(name, value),
            }
        }
        scope
    }

    /// Sets a top-level name: `workload`, `execution_id`, `result`, a step.
    pub fn set(&mut self, name: &str, value: &Json) {
        Arc::make_mut(&mut self.names).insert(name.to_owned(), Sized::new(value));
    }

    /// Sets a variable; null unsets it.
    pub fn set_var(&mut self, name: &str, value: &Json) {
        let vars = &mut Arc::make_mut(&mut self.vars).0;
        match value {
            Json::Null => vars.retain(|(known, _)| known != name),
            value => {
                let value = Sized::new(value);
                match vars.iter_mut().find(|(known, _)| known == name) {
                    Some((_, slot)) => *slot = value,
                    None => vars.push((name.to_owned(), value)),
                }
            }
        }
    }

    /// A copy of this scope with `result` in it, as `vars` and `next` see it.
    #[must_use]
    pub fn with_result(&self, result: &Json) -> Self {
        let mut scope = self.clone();
        scope.set("result", result);
        scope
    }

    /// The memory that its values take, in bytes: an estimate, not too low.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = self.names.values().map(|sized| sized.bytes);
        let vars = self.vars.0.iter().map(|(_, sized)| sized.bytes);
        names.chain(vars).sum()
    }

    pub(crate) fn root(&self) -> Value {
        Value::from_object(Root {
            names: self.names.clone(),
            vars: Value::from_dyn_object(self.vars.clone()),
        })
    }
}

struct Root {
    names: Arc<HashMap<String, Sized>>,
    vars: Value,
}

// Names only: an error of the template engine may print what it looked into.
impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names.keys()).finish()
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "vars" => Some(self.vars.clone()),
            name => self.names.get(name).map(|sized| sized.value.clone()),
        }
    }
}

/// The variables. One that is unset is undefined for `is defined`, and reads as
/// null everywhere else; that a name is declared at all is checked when the
/// playbook is parsed.
#[derive(Clone, Debug, Default)]
struct Vars(Vec<(String, Sized)>);

impl Object for Vars {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let set = self.0.iter().find(|(known, _)| known == name);
        Some(set.map_or_else(|| UNSET.clone(), |(_, sized)| sized.value.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(
            self.0
                .iter()
                .map(|(name, _)| Value::from(name.as_str()))
                .collect(),
        )
    }
}

/// The one undefined value that minijinja's strict modes let pass: what an
/// inline `if` without `else` gives.
static UNSET: LazyLock<Value> = LazyLock::new(|| {
    Environment::empty()
        .compile_expression("0 if false")
        .and_then(|expression| expression.eval(()))
        .unwrap_or_default()
});
