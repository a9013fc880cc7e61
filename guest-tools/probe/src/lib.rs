//! A tool for tests: does what a broken or hostile component would do.
//!
//! Config: `{"op": NAME, "n": NUMBER, "text": STRING}`.

#[expect(clippy::too_many_arguments, reason = "generated from the WIT")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/0.1", world: "tool" });

    export!(Probe);

    pub struct Probe;
}

use bindings::noetl::tool::log::{self, Level};
use bindings::noetl::tool::postgres::Connection;
use bindings::{Guest, Invocation, Output, Probe, ToolError};
use serde_json::{Value, json};

impl Guest for Probe {
    fn run(invocation: Invocation) -> Result<Output, ToolError> {
        let config: Value = serde_json::from_str(&invocation.config)
            .map_err(|e| ToolError::InvalidInput(format!("config: {e}")))?;
        let n = config["n"].as_u64().unwrap_or(0) as usize;
        let text = config["text"].as_str().unwrap_or("");
        let data = match config["op"].as_str().unwrap_or("") {
            "echo" => invocation.args,
            "loop" => loop {
                std::hint::black_box(n);
            },
            "spin" => {
                let mut x = 1_u64;
                for i in 0..n as u64 {
                    x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(i));
                }
                x.to_string()
            }
            "recurse" => recurse(n).to_string(),
            "allocate" => {
                let mut kept = Vec::new();
                for _ in 0..n {
                    kept.push(vec![1_u8; 1 << 20]);
                }
                kept.len().to_string()
            }
            "trap" => std::process::abort(),
            "panic" => panic!("{text}"),
            "output" => json!("x".repeat(n)).to_string(),
            "raw" => text.to_owned(),
            "log" => {
                for _ in 0..n {
                    log::write(Level::Info, text);
                }
                n.to_string()
            }
            "open" => match Connection::open(text) {
                Ok(_) => json!("opened").to_string(),
                Err(error) => json!(format!("{error:?}")).to_string(),
            },
            "hold" => {
                let mut held = Vec::new();
                for _ in 0..n {
                    held.push(std::time::Instant::now());
                    if let Ok(connection) = Connection::open(text) {
                        std::mem::forget(connection);
                    }
                }
                held.len().to_string()
            }
            "environment" => json!(std::env::vars().collect::<Vec<_>>()).to_string(),
            "arguments" => json!(std::env::args().collect::<Vec<_>>()).to_string(),
            "read" => json!(std::fs::read_to_string(text).map_err(|e| e.to_string())).to_string(),
            "write" => json!(std::fs::write(text, "x").map_err(|e| e.to_string())).to_string(),
            "exit" => std::process::exit(n as i32),
            "print" => {
                for _ in 0..n {
                    println!("{text}");
                }
                "null".into()
            }
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_millis(n as u64));
                "null".into()
            }
            other => return Err(ToolError::InvalidInput(format!("no op `{other}`"))),
        };
        Ok(Output { data })
    }
}

fn recurse(n: usize) -> usize {
    if n == 0 {
        return 0;
    }
    std::hint::black_box(recurse(n - 1)) + 1
}
