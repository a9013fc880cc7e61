use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Error;
use crate::bindings::{self, Output, ToolError, describing, preparing};

/// The step on whose behalf a tool runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The execution that the step belongs to: a UUID.
    pub execution_id: String,
    /// The step's name in the playbook.
    pub step: String,
    /// The tenant.
    pub tenant: String,
}

/// A tool. [`#[tool]`](crate::tool) implements it.
pub trait Tool {
    /// Does the step's work and gives back the result as a JSON text.
    ///
    /// # Errors
    /// Why there is none.
    fn run(call: Call) -> Result<String, Error>;

    /// What `run` starts faster with.
    ///
    /// # Errors
    /// If the config is not what the tool needs.
    fn prepare(config: &str) -> Result<Vec<u8>, Error> {
        let _ = config;
        Err(Error::invalid_input("this tool prepares nothing"))
    }

    /// Its schemas, as a JSON object with `config`, `args` and `result`.
    fn describe() -> Value {
        Value::Object(serde_json::Map::new())
    }
}

/// One call of a tool.
#[derive(Debug)]
pub struct Call(pub(crate) bindings::Invocation);

impl Call {
    #[doc(hidden)]
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, Error> {
        read("args", &self.0.args)
    }

    #[doc(hidden)]
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        read("config", &self.0.config)
    }

    #[doc(hidden)]
    pub fn fields<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // As texts, so that no number is changed on its way.
        let mut fields: BTreeMap<String, Box<RawValue>> = read("config", &self.0.config)?;
        fields.extend(read::<BTreeMap<String, Box<RawValue>>>(
            "args",
            &self.0.args,
        )?);
        read("the step", &serde_json::to_string(&fields)?)
    }

    #[doc(hidden)]
    pub fn invocation(&self) -> Invocation {
        Invocation {
            execution_id: self.0.execution_id.clone(),
            step: self.0.step.clone(),
            tenant: self.0.tenant.clone(),
        }
    }

    #[doc(hidden)]
    pub fn prepared(&mut self) -> Option<Vec<u8>> {
        self.0.prepared.take()
    }
}

/// Reads a JSON text; the error names the place in it, from `root`.
fn read<T: DeserializeOwned>(root: &str, json: &str) -> Result<T, Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Error::InvalidInput(located(root, &error)))
}

/// `args.numbers[1]: invalid type …`.
pub(crate) fn located(root: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let dot = if path.starts_with('[') { "" } else { "." };
    let place = match &*path {
        "." => root.to_owned(),
        path => format!("{root}{dot}{path}"),
    };
    let inner = error.inner();
    // A place in a text that nobody has written.
    let end = format!(" at line {} column {}", inner.line(), inner.column());
    let message = inner.to_string();
    format!(
        "{place}: {}",
        message.strip_suffix(&end).unwrap_or(&message)
    )
}

#[doc(hidden)]
pub fn finish<T: Serialize, E: Into<Error>>(result: Result<T, E>) -> Result<String, Error> {
    let result = result.map_err(Into::into)?;
    serde_json::to_string(&result)
        .map_err(|error| Error::failed("json", format!("the result can't be written: {error}")))
}

/// A type whose shape is known.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the JSON Schema of `{Self}` is not known",
    label = "no `JsonSchema`",
    note = "write `#[noetl_tool::shape]` above the type, or `#[noetl_tool::tool(schema = false)]` above the function"
)]
pub trait Shape: JsonSchema {}

impl<T: JsonSchema> Shape for T {}

#[doc(hidden)]
#[must_use]
pub fn input_schema<T: Shape>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// That of fields that may stand in two places: none of them is required in one.
#[doc(hidden)]
#[must_use]
pub fn merged_schema<T: Shape>() -> Value {
    let mut schema = input_schema::<T>();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
    schema
}

#[doc(hidden)]
#[must_use]
pub fn output_schema<T: Shape>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// A tool as the component exports it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Tool> bindings::Guest for Exported<T> {
    fn run(invocation: bindings::Invocation) -> Result<Output, ToolError> {
        match T::run(Call(invocation)) {
            Ok(data) => Ok(Output { data }),
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: Tool> describing::Guest for Exported<T> {
    fn describe() -> String {
        T::describe().to_string()
    }
}

impl<T: Tool> preparing::Guest for Exported<T> {
    fn prepare(config: String) -> Result<Vec<u8>, ToolError> {
        T::prepare(&config).map_err(Into::into)
    }
}
