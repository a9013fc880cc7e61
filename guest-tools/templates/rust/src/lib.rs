//! The tool `{{name}}`: greets somebody.

use noetl_tool::Error;

/// What a step says of the tool itself, in fields beside `args`.
#[noetl_tool::shape]
pub struct Config {
    /// What to greet with.
    #[serde(default = "hello")]
    greeting: String,
}

/// A step's `args`.
#[noetl_tool::shape]
pub struct Args {
    /// Who is greeted.
    name: String,
}

/// What the step's `result.data` is.
#[noetl_tool::shape]
pub struct Greeting {
    text: String,
}

fn hello() -> String {
    "Hello".into()
}

#[noetl_tool::tool]
fn run(args: Args, config: Config) -> Result<Greeting, Error> {
    if args.name.trim().is_empty() {
        return Err(Error::invalid_input("`name` is empty: who shall be greeted?"));
    }
    Ok(Greeting {
        text: format!("{}, {}!", config.greeting, args.name),
    })
}
