//! Bindings of `wit/0.1/tool.wit`, world `tool`.

wasmtime::component::bindgen!({
    path: "../wit/0.1",
    world: "tool",
    imports: { default: async | trappable },
    exports: { default: async },
    // Calls of the interfaces cross to another process.
    additional_derives: [serde::Serialize, serde::Deserialize],
    with: {
        "noetl:tool/postgres.connection": crate::capabilities::postgres::Connection,
        "noetl:tool/postgres.transaction": crate::capabilities::postgres::Transaction,
    },
});
