//! A step's result as JSON text, with a message that names the place of what
//! can't be JSON.

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, VirtualMachine,
    builtins::{PyDict, PyFloat, PyInt, PyList, PyStr, PyTuple},
};

/// Containers inside containers. JSON readers refuse much deeper texts
/// (serde_json at 128).
const MAX_DEPTH: usize = 100;

/// Why a value has no JSON form.
pub struct Unfit {
    /// `TypeError` or `ValueError`, as Python's `json` would raise.
    pub kind: &'static str,
    /// Names the place: `result.items[2]: …`.
    pub message: String,
}

/// Turns `value` into JSON text.
pub fn write(value: &PyObject, vm: &VirtualMachine) -> Result<String, Unfit> {
    let mut writer = Writer {
        out: String::with_capacity(256),
        path: Vec::new(),
        open: Vec::new(),
        vm,
    };
    writer.value(value)?;
    Ok(writer.out)
}

enum Place {
    Index(usize),
    Key(String),
}

struct Writer<'a> {
    out: String,
    path: Vec<Place>,
    /// The containers around the current value, to notice one inside itself.
    open: Vec<*const PyObject>,
    vm: &'a VirtualMachine,
}

impl Writer<'_> {
    fn value(&mut self, value: &PyObject) -> Result<(), Unfit> {
        let types = &self.vm.ctx.types;
        if self.vm.is_none(value) {
            self.out.push_str("null");
        } else if let Some(text) = value.downcast_ref::<PyStr>() {
            self.text(text)?;
        } else if value.is(&self.vm.ctx.true_value) {
            self.out.push_str("true");
        } else if value.is(&self.vm.ctx.false_value) {
            self.out.push_str("false");
        } else if let Some(int) = value.downcast_ref::<PyInt>() {
            let int = self.whole(int)?;
            self.out.push_str(&int);
        } else if let Some(float) = value.downcast_ref::<PyFloat>() {
            let float = self.finite(float.to_f64())?;
            self.out.push_str(&float);
        } else if let Some(list) = value.downcast_ref::<PyList>() {
            // A copy: no lock is held, should anything run Python meanwhile.
            let items: Vec<PyObjectRef> = list.borrow_vec().to_vec();
            self.array(value, &items)?;
        } else if let Some(tuple) = value.downcast_ref::<PyTuple>() {
            self.array(value, tuple.as_slice())?;
        } else if value.fast_isinstance(types.dict_type) {
            self.object(value)?;
        } else {
            return Err(self.unfit_type(value));
        }
        Ok(())
    }

    fn text(&mut self, text: &PyStr) -> Result<(), Unfit> {
        let Some(text) = text.to_str() else {
            return Err(self.unfit(
                "ValueError",
                "the text has a lone surrogate (half of a UTF-16 pair), which JSON text in UTF-8 can't carry; \
                 clean it with .encode('utf-8', 'replace').decode()",
            ));
        };
        push_quoted(&mut self.out, text);
        Ok(())
    }

    /// A playbook's values hold integers of 64 bits: a larger one would come out
    /// as the nearest float.
    fn whole(&self, int: &PyInt) -> Result<String, Unfit> {
        let text = int.as_bigint().to_string();
        if text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
            return Err(self.unfit(
                "OverflowError",
                &format!(
                    "an integer of {} digits is more than the 64 bits that a playbook's value can hold; use str()",
                    text.trim_start_matches('-').len()
                ),
            ));
        }
        Ok(text)
    }

    fn finite(&self, float: f64) -> Result<String, Unfit> {
        if !float.is_finite() {
            let name = if float.is_nan() {
                "nan"
            } else if float > 0.0 {
                "inf"
            } else {
                "-inf"
            };
            return Err(self.unfit(
                "ValueError",
                &format!("{name} can't be turned into JSON, which has no such number; return None or a string"),
            ));
        }
        Ok(serde_json::Number::from_f64(float).map_or_else(String::new, |n| n.to_string()))
    }

    fn array(&mut self, container: &PyObject, items: &[PyObjectRef]) -> Result<(), Unfit> {
        self.enter(container)?;
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.path.push(Place::Index(index));
            self.value(item)?;
            self.path.pop();
        }
        self.out.push(']');
        self.open.pop();
        Ok(())
    }

    fn object(&mut self, container: &PyObject) -> Result<(), Unfit> {
        self.enter(container)?;
        self.out.push('{');
        let items = container
            .downcast_ref::<PyDict>()
            .map(|dict| dict.items_vec())
            .unwrap_or_default();
        for (index, (key, item)) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            let key = self.key(key)?;
            push_quoted(&mut self.out, &key);
            self.out.push(':');
            self.path.push(Place::Key(key));
            self.value(item)?;
            self.path.pop();
        }
        self.out.push('}');
        self.open.pop();
        Ok(())
    }

    /// A key as Python's `json` writes it.
    fn key(&self, key: &PyObject) -> Result<String, Unfit> {
        if let Some(text) = key.downcast_ref::<PyStr>() {
            return text.to_str().map(str::to_owned).ok_or_else(|| {
                self.unfit(
                    "ValueError",
                    "a key has a lone surrogate (half of a UTF-16 pair), which JSON can't carry",
                )
            });
        }
        if self.vm.is_none(key) {
            return Ok("null".to_owned());
        }
        if key.is(&self.vm.ctx.true_value) {
            return Ok("true".to_owned());
        }
        if key.is(&self.vm.ctx.false_value) {
            return Ok("false".to_owned());
        }
        if let Some(int) = key.downcast_ref::<PyInt>() {
            return Ok(int.as_bigint().to_string());
        }
        if let Some(float) = key.downcast_ref::<PyFloat>() {
            return self.finite(float.to_f64());
        }
        Err(self.unfit(
            "TypeError",
            &format!(
                "a key of type {} can't be turned into JSON; keys are text, so use str()",
                key.class().name()
            ),
        ))
    }

    fn enter(&mut self, container: &PyObject) -> Result<(), Unfit> {
        let id = std::ptr::from_ref(container);
        if self.open.contains(&id) {
            return Err(self.unfit(
                "ValueError",
                "the value contains itself, which JSON can't say",
            ));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.unfit(
                "ValueError",
                &format!("more than {MAX_DEPTH} lists and dicts inside each other; return something flatter"),
            ));
        }
        self.open.push(id);
        Ok(())
    }

    fn unfit_type(&self, value: &PyObject) -> Unfit {
        let class = value.class();
        let name = class.name();
        let advice = match &*name {
            "Decimal" | "Fraction" => "use str() or float()",
            "datetime" | "date" | "time" => "use .isoformat()",
            "timedelta" => "use .total_seconds() or str()",
            "bytes" | "bytearray" | "memoryview" => {
                "use .decode(), .hex() or base64.b64encode(...).decode()"
            }
            "set" | "frozenset" => "use sorted() or list()",
            "UUID" | "complex" | "PosixPath" | "PurePosixPath" => "use str()",
            "generator" | "map" | "filter" | "zip" | "range" | "dict_keys" | "dict_values"
            | "dict_items" | "deque" | "array" => "use list()",
            "coroutine" => "await it",
            "function" | "method" | "builtin_function_or_method" => "call it",
            "Match" => "use .group()",
            _ if value
                .class()
                .get_attr(self.vm.ctx.intern_str("__dataclass_fields__"))
                .is_some() =>
            {
                "use dataclasses.asdict()"
            }
            _ if value
                .class()
                .get_attr(self.vm.ctx.intern_str("_value2member_map_"))
                .is_some() =>
            {
                "use .value"
            }
            _ => "return None, booleans, numbers, text, lists and dicts",
        };
        self.unfit(
            "TypeError",
            &format!("a value of type {name} can't be turned into JSON; {advice}"),
        )
    }

    fn unfit(&self, kind: &'static str, what: &str) -> Unfit {
        use std::fmt::Write as _;
        let mut message = String::from("result");
        // A path of a hundred places helps nobody.
        let shown = self.path.len().min(12);
        for place in &self.path[..shown] {
            let _ = match place {
                Place::Index(index) => write!(message, "[{index}]"),
                Place::Key(key) if is_name(key) => write!(message, ".{key}"),
                Place::Key(key) => write!(message, "[{key:?}]"),
            };
        }
        if shown < self.path.len() {
            message.push_str(" …");
        }
        let _ = write!(message, ": {what}");
        Unfit { kind, message }
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn push_quoted(out: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(error) => unreachable!("text is always JSON: {error}"),
    }
}
