//! Bindings of `wit/0.2/tool.wit`, world `tool`.

wasmtime::component::bindgen!({
    path: "../wit/0.2",
    world: "tool",
    imports: { default: async | trappable },
    exports: { default: async },
    // Calls of the interfaces cross to another process.
    additional_derives: [serde::Serialize, serde::Deserialize],
    with: {
        "noetl:tool/postgres.connection": crate::capabilities::postgres::Connection,
        "noetl:tool/postgres.transaction": crate::capabilities::postgres::Transaction,
        "noetl:tool/http": self::http::noetl::tool::http,
    },
});

/// `noetl:tool/postgres-copy`, which the world `tool` does not have.
pub mod copy {
    wasmtime::component::bindgen!({
        path: "../wit/0.2",
        inline: "
            package noetl:bindings;
            world only-copy { import noetl:tool/postgres-copy@0.2.0; }
        ",
        world: "noetl:bindings/only-copy",
        imports: { default: async | trappable },
        additional_derives: [serde::Serialize, serde::Deserialize],
        with: {
            "noetl:tool/types": super::noetl::tool::types,
            "noetl:tool/postgres": super::noetl::tool::postgres,
        },
    });
}

/// `noetl:tool/http` by itself: its answer has a handle in it, which can't cross.
pub mod http {
    wasmtime::component::bindgen!({
        path: "../wit/0.2",
        inline: "
            package noetl:bindings;
            world only-http { import noetl:tool/http@0.2.0; }
        ",
        world: "noetl:bindings/only-http",
        imports: { default: async | trappable },
        with: {
            "noetl:tool/http.body": crate::capabilities::http::Body,
        },
    });
}
