//! The attributes of `noetl-tool`, which has their documentation's examples.

mod shape;
mod tool;

use proc_macro::TokenStream;

/// Makes a tool of a function, plain or `async`.
///
/// What the parameters may be called, and what they get, stands in the crate's
/// documentation. The attribute leaves the function as it is, exports it from the
/// component, and adds a struct `Tool` beside it that tests call.
///
/// Options:
///
/// - `#[tool(prepare = path::to::function)]`: a `fn(config: &str) -> Result<Vec<u8>,
///   Error>` which turns a config, a JSON text, into what the tool starts faster with.
///   A server calls it once for a config, keeps the bytes, and hands them to the
///   parameter `prepared: Option<Vec<u8>>`. The tool must work without them.
/// - `#[tool(schema = false)]`: the component does not describe its types, and is
///   smaller. They need no `JsonSchema` then.
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    tool::expand(options.into(), item.clone())
        .unwrap_or_else(|error| with_item(&error, &item))
        .into()
}

/// Derives serde's `Serialize` and `Deserialize` and schemars' `JsonSchema`, and lets
/// a struct refuse fields that it does not have.
///
/// With `#[shape(open)]` unknown fields are left aside; `#[serde(flatten)]` needs
/// that.
#[proc_macro_attribute]
pub fn shape(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    shape::expand(options.into(), item.clone())
        .unwrap_or_else(|error| with_item(&error, &item))
        .into()
}

/// The error, and the item as it was: so that nothing else is reported of it.
fn with_item(error: &syn::Error, item: &proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let error = error.to_compile_error();
    quote::quote!(#error #item)
}
