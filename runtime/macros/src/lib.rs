//! The attribute that turns an async `main` into a program that runs a node, and the derive macro
//! for requests.

mod request;

use proc_macro::TokenStream;
use quote::quote;
use syn::{
    parse::{Parse, ParseStream},
    parse_macro_input,
    spanned::Spanned,
    DeriveInput, FnArg, Ident, ItemFn, LitBool, Token,
};

/// Runs the annotated `async fn main(ctx: Context) -> Result<()>` on a node.
///
/// The node keeps running after `main` has returned `Ok`, until `ctx.stop()` is called or the
/// process receives Ctrl-C or SIGTERM. An `Err` ends the process with one line on standard error
/// and exit code 1.
///
/// A signal stops the node also while `main` runs: what `main` waits for from the node then ends
/// with `Error::Stopped`, and it has a few seconds from the end of the node to return
/// (`NodeLimits::drain_timeout`). After that, or upon a second signal, it is dropped where it
/// stands. So what must not be lost belongs into a worker's `stopped` hook, or after an await that
/// ends with the node, such as `ctx.node().stopped().await`.
///
/// A logger is started first, unless the program has installed one; `#[ockam::node(logger =
/// false)]` starts none.
#[proc_macro_attribute]
pub fn node(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let logger = parse_macro_input!(arguments as Logger);
    let function = parse_macro_input!(item as ItemFn);
    expand(&logger, function).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Implements [`Request`], for the body that `#[request(reply = ...)]` names as its answer.
///
/// ```ignore
/// #[derive(Serialize, Deserialize, ockam::Request)]
/// #[request(reply = u64)]
/// struct PriceOf(String);
/// ```
///
/// [`Request`]: https://docs.rs/ockam-actix/latest/ockam/trait.Request.html
#[proc_macro_derive(Request, attributes(request))]
pub fn request(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    request::expand(input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// The attribute's argument: nothing, or `logger = true` or `false`.
struct Logger(bool);

impl Parse for Logger {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self(true));
        }
        let usage = "the only argument of #[ockam::node] is `logger = false`; use NodeBuilder to \
                     configure a node";
        let wrong = |error: syn::Error| syn::Error::new(error.span(), usage);
        let name: Ident = input.parse().map_err(wrong)?;
        if name != "logger" {
            return Err(syn::Error::new(name.span(), usage));
        }
        input.parse::<Token![=]>().map_err(wrong)?;
        let value: LitBool = input.parse().map_err(wrong)?;
        Ok(Self(value.value))
    }
}

fn expand(Logger(logger): &Logger, function: ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(syn::Error::new(
            signature.fn_token.span(),
            "#[ockam::node] needs an `async fn`",
        ));
    }
    let context = match (signature.inputs.len(), signature.inputs.first()) {
        (1, Some(FnArg::Typed(context))) => context,
        _ => {
            return Err(syn::Error::new(
                signature.paren_token.span.join(),
                "#[ockam::node] needs exactly one argument: the `Context`",
            ))
        }
    };
    let (attributes, visibility, name) = (&function.attrs, &function.vis, &signature.ident);
    let (output, body) = (&signature.output, &function.block);
    let start_logger = logger.then(|| quote!(::ockam::start_logger();));
    Ok(quote! {
        #(#attributes)*
        #visibility fn #name() -> ::std::process::ExitCode {
            async fn node_main(#context) #output #body
            #start_logger
            ::ockam::run(node_main)
        }
    })
}
