//! The python tool: a step's `code` is run by RustPython, in an instance whose
//! memory begins as the build's snapshot of a started interpreter.

mod arguments;
mod entropy;
mod failure;
mod interpreter;
mod json;
mod settle;
mod step;

#[allow(clippy::too_many_arguments, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/0.2", "wit"],
        world: "noetl:python/python",
        generate_all,
    });

    struct Tool;
    export!(Tool);

    impl Guest for Tool {
        fn init() {
            crate::interpreter::start();
        }

        fn prepare(config: String) -> Result<Vec<u8>, ToolError> {
            crate::step::prepare(&config)
        }

        fn run(invocation: Invocation) -> Result<Output, ToolError> {
            crate::step::run(&invocation)
        }
    }
}
