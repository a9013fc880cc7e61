use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result};

/// What `#[shape]` writes.
pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let open = open(options)?;
    let input: DeriveInput = syn::parse2(item)?;
    let named = match &input.data {
        Data::Struct(data) => matches!(data.fields, Fields::Named(_)),
        Data::Enum(_) => false,
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union has no JSON form; write a struct or an enum",
            ));
        }
    };
    let strict = (named && !open).then(|| quote!(, deny_unknown_fields));
    Ok(quote! {
        #[derive(
            ::noetl_tool::serde::Serialize,
            ::noetl_tool::serde::Deserialize,
            ::noetl_tool::schemars::JsonSchema,
        )]
        #[serde(crate = "::noetl_tool::serde" #strict)]
        #[schemars(crate = "::noetl_tool::schemars")]
        #input
    })
}

fn open(options: TokenStream) -> Result<bool> {
    if options.is_empty() {
        return Ok(false);
    }
    let option: Ident = syn::parse2(options.clone())
        .map_err(|_| Error::new_spanned(&options, "the only option of `shape` is `open`"))?;
    match option == "open" {
        true => Ok(true),
        false => Err(Error::new_spanned(
            option,
            "the only option of `shape` is `open`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(options: TokenStream, item: TokenStream) -> String {
        expand(options, item).unwrap().to_string()
    }

    #[test]
    fn a_struct_refuses_unknown_fields_unless_it_is_open() {
        let item = quote!(
            struct A {
                b: u8,
            }
        );
        assert!(written(quote!(), item.clone()).contains("deny_unknown_fields"));
        assert!(!written(quote!(open), item).contains("deny_unknown_fields"));
        let list = quote!(
            enum B {
                C,
            }
        );
        assert!(!written(quote!(), list).contains("deny_unknown_fields"));
    }

    #[test]
    fn unknown_options_are_refused() {
        for options in [quote!(strict), quote!(open = true)] {
            let error = expand(
                options,
                quote!(
                    struct A;
                ),
            )
            .unwrap_err();
            assert_eq!(error.to_string(), "the only option of `shape` is `open`");
        }
    }
}
