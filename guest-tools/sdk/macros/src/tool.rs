use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{
    Error, FnArg, GenericArgument, ItemFn, LitBool, Pat, Path, PathArguments, Result, ReturnType,
    Type,
};

/// Where a parameter's value comes from.
const PARAMETERS: &str = "`args`, `config`, `fields`, `invocation` or `prepared`";

/// What `#[tool(…)]` says.
struct Options {
    prepare: Option<Path>,
    schema: bool,
}

impl Options {
    fn read(options: TokenStream) -> Result<Self> {
        let mut read = Self {
            prepare: None,
            schema: true,
        };
        let parser = syn::meta::parser(|option| read.option(&option));
        parser.parse2(options)?;
        Ok(read)
    }

    fn option(&mut self, option: &ParseNestedMeta<'_>) -> Result<()> {
        if option.path.is_ident("prepare") {
            self.prepare = Some(option.value()?.parse()?);
        } else if option.path.is_ident("schema") {
            self.schema = option.value()?.parse::<LitBool>()?.value;
        } else {
            return Err(option.error(
                "the options of `tool` are `prepare = path::to::function` and `schema = false`",
            ));
        }
        Ok(())
    }
}

/// A parameter: how its value is got, and how it is handed over.
struct Parameter {
    name: String,
    get: TokenStream,
    pass: TokenStream,
    /// Its type, if it is read from JSON.
    shape: Option<Type>,
}

/// What `#[tool]` writes.
pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::read(options)?;
    let function: ItemFn = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), "`#[tool]` belongs above a function"))?;
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a tool's function has no type parameters: write the types that the JSON is read as",
        ));
    }
    let parameters: Vec<Parameter> = signature
        .inputs
        .iter()
        .map(|input| parameter(input, &options))
        .collect::<Result<_>>()?;
    if let Some(input) = signature.inputs.iter().find(|_| mixed(&parameters)) {
        return Err(Error::new_spanned(
            input,
            "`fields` is `config` and `args` in one: take either it or those",
        ));
    }

    let name = &signature.ident;
    let gets = parameters.iter().map(|parameter| &parameter.get);
    let passes = parameters.iter().map(|parameter| &parameter.pass);
    let mut called = quote!(#name(#(#passes),*));
    if signature.asyncness.is_some() {
        called = quote!(::noetl_tool::__private::block_on(#called));
    }
    let output = Output::of(&signature.output, options.schema)?;
    if !output.fallible {
        called = quote!(::core::result::Result::<_, ::noetl_tool::Error>::Ok(#called));
    }

    let prepare = options.prepare.as_ref().map(|path| {
        quote! {
            fn prepare(
                config: &str,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, ::noetl_tool::Error> {
                #path(config)
            }
        }
    });
    let describe = options.schema.then(|| describe(&parameters, &output));
    let export_prepare = options.prepare.as_ref().map(|_| {
        quote! {
            ::noetl_tool::__private::bindings::preparing::export_prepare!(
                Exported with_types_in ::noetl_tool::__private::bindings::preparing
            );
        }
    });
    let export_describe = options.schema.then(|| {
        quote! {
            ::noetl_tool::__private::bindings::describing::export_describe!(
                Exported with_types_in ::noetl_tool::__private::bindings::describing
            );
        }
    });
    let doc = format!("The tool that `{name}` is: for tests.");
    Ok(quote! {
        #function

        #[doc = #doc]
        #[allow(dead_code)]
        pub struct Tool;

        impl ::noetl_tool::Tool for Tool {
            #[allow(unused_mut, unused_variables)]
            fn run(
                mut call: ::noetl_tool::__private::Call,
            ) -> ::core::result::Result<::std::string::String, ::noetl_tool::Error> {
                #(#gets)*
                ::noetl_tool::__private::finish(#called)
            }

            #prepare
            #describe
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = ::noetl_tool::__private::Exported<Tool>;

            ::noetl_tool::__private::bindings::export_run!(
                Exported with_types_in ::noetl_tool::__private::bindings
            );
            #export_prepare
            #export_describe
        };
    })
}

fn mixed(parameters: &[Parameter]) -> bool {
    let has = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
    has("fields") && (has("args") || has("config"))
}

fn parameter(input: &FnArg, options: &Options) -> Result<Parameter> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new_spanned(
            input,
            "a tool is a function of its own, without `self`",
        ));
    };
    let Pat::Ident(pattern) = &*input.pat else {
        return Err(Error::new_spanned(
            &input.pat,
            format!("a parameter's name says what it gets: call it {PARAMETERS}"),
        ));
    };
    let name = pattern.ident.to_string();
    let (reference, shape) = match &*input.ty {
        Type::Reference(reference) => (true, &*reference.elem),
        owned => (false, owned),
    };
    let variable = format_ident!("__{}", name);
    let method = format_ident!("{}", name, span = pattern.ident.span());
    let (get, shape) = match &*name {
        "args" | "config" | "fields" if reference => {
            return Err(Error::new_spanned(
                &input.ty,
                format!("`{name}` is read from JSON for this call: take it by value"),
            ));
        }
        "args" | "config" | "fields" => (
            quote!(let #variable = call.#method::<#shape>()?;),
            Some(shape.clone()),
        ),
        "invocation" => (quote!(let #variable = call.invocation();), None),
        "prepared" if options.prepare.is_none() => {
            return Err(Error::new_spanned(
                &input.pat,
                "nothing is prepared: write `#[tool(prepare = path::to::function)]`",
            ));
        }
        "prepared" => (quote!(let #variable = call.prepared();), None),
        _ => {
            return Err(Error::new_spanned(
                &input.pat,
                format!("a tool has no `{name}`: call the parameter {PARAMETERS}"),
            ));
        }
    };
    let borrow = reference.then(|| quote!(&));
    Ok(Parameter {
        name,
        get,
        pass: quote!(#borrow #variable),
        shape,
    })
}

/// What the function returns.
struct Output {
    /// Whether it is a `Result`.
    fallible: bool,
    /// The type of what becomes the step's result.
    value: Type,
}

impl Output {
    fn of(output: &ReturnType, schema: bool) -> Result<Self> {
        let ReturnType::Type(_, output) = output else {
            return Ok(Self {
                fallible: false,
                value: syn::parse_quote!(()),
            });
        };
        let read = match result(output) {
            None => Self {
                fallible: false,
                value: (**output).clone(),
            },
            Some(Some(value)) => Self {
                fallible: true,
                value,
            },
            Some(None) => {
                return Err(Error::new_spanned(
                    output,
                    "say what the result is: `Result<T, noetl_tool::Error>`",
                ));
            }
        };
        match read.value {
            Type::ImplTrait(value) if schema => Err(Error::new_spanned(
                value,
                "name the type, so that its schema is known, or write `#[tool(schema = false)]`",
            )),
            _ => Ok(read),
        }
    }
}

/// The first type of a `Result<…>`, if it is one and has one.
fn result(output: &Type) -> Option<Option<Type>> {
    let Type::Path(path) = output else {
        return None;
    };
    let last = path.path.segments.last()?;
    if last.ident != "Result" {
        return None;
    }
    let PathArguments::AngleBracketed(types) = &last.arguments else {
        return Some(None);
    };
    Some(types.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(value) => Some(value.clone()),
        _ => None,
    }))
}

fn describe(parameters: &[Parameter], output: &Output) -> TokenStream {
    let inputs = parameters.iter().filter_map(|parameter| {
        let shape = parameter.shape.as_ref()?;
        Some(match &*parameter.name {
            "fields" => quote! {
                let both = ::noetl_tool::__private::merged_schema::<#shape>();
                schemas.insert("config".into(), both.clone());
                schemas.insert("args".into(), both);
            },
            name => quote! {
                schemas.insert(#name.into(), ::noetl_tool::__private::input_schema::<#shape>());
            },
        })
    });
    let value = &output.value;
    quote! {
        fn describe() -> ::noetl_tool::serde_json::Value {
            let mut schemas = ::noetl_tool::serde_json::Map::new();
            #(#inputs)*
            schemas.insert("result".into(), ::noetl_tool::__private::output_schema::<#value>());
            schemas.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: TokenStream, item: TokenStream) -> String {
        expand(options, item).unwrap_err().to_string()
    }

    #[test]
    fn a_parameter_that_is_no_part_of_a_call_is_refused() {
        let refused = |item| refused(quote!(), item);
        assert_eq!(
            refused(quote!(
                fn t(city: String) {}
            )),
            "a tool has no `city`: call the parameter `args`, `config`, `fields`, `invocation` or `prepared`"
        );
        assert_eq!(
            refused(quote!(
                fn t(Args { city }: Args) {}
            )),
            "a parameter's name says what it gets: call it `args`, `config`, `fields`, `invocation` or `prepared`"
        );
        assert_eq!(
            refused(quote!(
                fn t(args: &Args) {}
            )),
            "`args` is read from JSON for this call: take it by value"
        );
        assert_eq!(
            refused(quote!(
                fn t(fields: A, args: B) {}
            )),
            "`fields` is `config` and `args` in one: take either it or those"
        );
        assert_eq!(
            refused(quote!(
                fn t(prepared: Option<Vec<u8>>) {}
            )),
            "nothing is prepared: write `#[tool(prepare = path::to::function)]`"
        );
    }

    #[test]
    fn a_function_that_can_be_no_tool_is_refused() {
        let refused = |item| refused(quote!(), item);
        assert_eq!(
            refused(quote!(
                fn t<T>(args: T) {}
            )),
            "a tool's function has no type parameters: write the types that the JSON is read as"
        );
        assert_eq!(
            refused(quote!(
                struct T;
            )),
            "`#[tool]` belongs above a function"
        );
        assert_eq!(
            refused(quote!(
                fn t() -> fmt::Result {}
            )),
            "say what the result is: `Result<T, noetl_tool::Error>`"
        );
        assert_eq!(
            refused(quote!(
                fn t() -> Result<impl Serialize, Error> {}
            )),
            "name the type, so that its schema is known, or write `#[tool(schema = false)]`"
        );
    }

    #[test]
    fn options_that_are_none_are_refused() {
        assert_eq!(
            refused(
                quote!(schemas = false),
                quote!(
                    fn t() {}
                )
            ),
            "the options of `tool` are `prepare = path::to::function` and `schema = false`"
        );
    }

    #[test]
    fn only_what_is_asked_for_is_exported() {
        let written = |options| {
            let item = quote!(
                fn t() {}
            );
            expand(options, item).unwrap().to_string()
        };
        let plain = written(quote!(schema = false));
        assert!(plain.contains("export_run"));
        assert!(!plain.contains("export_describe") && !plain.contains("export_prepare"));
        let all = written(quote!(prepare = a::b));
        assert!(all.contains("export_describe") && all.contains("export_prepare"));
    }
}
