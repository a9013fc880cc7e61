//! The postgres tool: a step's statements as calls on the host's `postgres`
//! interface. It never sees an address, a user or a password.

mod config;
mod failure;
mod result;
mod script;

#[expect(clippy::too_many_arguments, reason = "generated from the WIT")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "tool",
        generate_all,
    });

    struct Tool;
    export!(Tool);

    impl Guest for Tool {
        fn run(invocation: Invocation) -> Result<Output, ToolError> {
            crate::script::run(&invocation)
        }
    }
}
