use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use minijinja::Environment;
use minijinja::value::{Enumerator, Object, Value};
use serde_json::{Map, Value as Json};

use super::convert;
use super::environment::FUEL;
use super::measure::{self, Unmeasured};
use super::metered::{self, Meters};

/// What expressions see: `workload`, `vars`, `result`, `execution_id` and the
/// earlier steps by name. Cloning costs two reference counts; a value is
/// converted once, when it is set.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: Arc<HashMap<String, Sized>>,
    vars: Arc<Vars>,
    work: Arc<Work>,
}

/// What the templates that share a scope have done. They are those of one step.
#[derive(Debug)]
pub(crate) struct Work {
    fuel: AtomicU64,
    bytes: AtomicUsize,
}

/// What the templates of a step may do together: as much as this many that do
/// all that one may.
const STEP_FUEL: u64 = 4 * FUEL;
/// What all of a step's templates may give, in bytes of memory.
const STEP_BYTES: usize = 64 << 20;

impl Default for Work {
    fn default() -> Self {
        Self {
            fuel: AtomicU64::new(STEP_FUEL),
            bytes: AtomicUsize::new(STEP_BYTES),
        }
    }
}

impl Work {
    /// Whether one more template may run.
    pub(crate) fn start(&self) -> Result<(), ()> {
        (self.fuel.load(Relaxed) > 0).then_some(()).ok_or(())
    }

    pub(crate) fn used(&self, fuel: u64) {
        let left = self.fuel.load(Relaxed);
        self.fuel.store(left.saturating_sub(fuel), Relaxed);
    }

    /// Counts a value that a template gives.
    pub(crate) fn give(&self, value: &Value) -> Result<(), String> {
        let mut left = self.bytes.load(Relaxed);
        let taken = measure::take(value, &mut left);
        self.bytes.store(left, Relaxed);
        taken.map_err(|why| match why {
            Unmeasured::TooLarge => format!(
                "what the templates of this step give takes more than {STEP_BYTES} bytes in memory, their limit"
            ),
            Unmeasured::TooDeep => format!("the value nests deeper than {} levels", convert::MAX_DEPTH),
            Unmeasured::Broken(message) => message,
        })
    }
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
        let mut scope = self.for_step();
        scope.set("result", result);
        scope
    }

    /// A copy of this scope for the templates of another step, which have done
    /// nothing yet.
    #[must_use]
    pub fn for_step(&self) -> Self {
        Self {
            work: Arc::default(),
            ..self.clone()
        }
    }

    pub(crate) fn work(&self) -> &Work {
        &self.work
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
            meters: Meters::new(),
        })
    }
}

struct Root {
    names: Arc<HashMap<String, Sized>>,
    vars: Value,
    meters: Meters,
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
            metered::WHOLE => Some(self.meters.whole.clone()),
            metered::TEXT => Some(self.meters.text.clone()),
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
