//! What `wit-bindgen` makes of the interface. What a tool exports beside `run` is a
//! world of its own: a component has what the worlds say that it was linked with.

#![allow(missing_docs, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "noetl:tool/tool@0.2.0",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_run",
    default_bindings_module: "noetl_tool::__private::bindings",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["response"],
});

/// `describe`.
pub mod describing {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package noetl:sdk-describing;

            world describing {
                use noetl:tool/types@0.2.0.{json};
                export describe: func() -> json;
            }
        ",
        world: "noetl:sdk-describing/describing",
        with: { "noetl:tool/types@0.2.0": crate::bindings::noetl::tool::types },
        pub_export_macro: true,
        export_macro_name: "export_describe",
        default_bindings_module: "noetl_tool::__private::bindings::describing",
    });
}

/// `prepare`.
pub mod preparing {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package noetl:sdk-preparing;

            world preparing {
                use noetl:tool/types@0.2.0.{json, tool-error};
                export prepare: func(config: json) -> result<list<u8>, tool-error>;
            }
        ",
        world: "noetl:sdk-preparing/preparing",
        with: { "noetl:tool/types@0.2.0": crate::bindings::noetl::tool::types },
        pub_export_macro: true,
        export_macro_name: "export_prepare",
        default_bindings_module: "noetl_tool::__private::bindings::preparing",
    });
}

/// `copy-in`.
pub mod copying {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package noetl:sdk-copying;

            world copying {
                import noetl:tool/postgres-copy@0.2.0;
            }
        ",
        world: "noetl:sdk-copying/copying",
        with: {
            "noetl:tool/types@0.2.0": crate::bindings::noetl::tool::types,
            "noetl:tool/postgres@0.2.0": crate::bindings::noetl::tool::postgres,
            "noetl:tool/postgres-copy@0.2.0": generate,
        },
        additional_derives: [PartialEq],
    });
}
