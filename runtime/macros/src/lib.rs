//! The attribute that turns an async `main` into a program that runs a node.

use proc_macro::TokenStream;
use quote::quote;
use syn::{parse_macro_input, spanned::Spanned, FnArg, ItemFn};

/// Runs the annotated `async fn main(ctx: Context) -> Result<()>` on a node.
///
/// The node keeps running after `main` has returned `Ok`, until `ctx.stop()` is called or the
/// process receives Ctrl-C or SIGTERM. An `Err` ends the process with one line on standard error
/// and exit code 1.
#[proc_macro_attribute]
pub fn node(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    expand(arguments.into(), function).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(
    arguments: proc_macro2::TokenStream,
    function: ItemFn,
) -> syn::Result<proc_macro2::TokenStream> {
    let signature = &function.sig;
    if !arguments.is_empty() {
        return Err(syn::Error::new_spanned(
            arguments,
            "#[ockam::node] takes no arguments; use NodeBuilder to configure a node",
        ));
    }
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
    Ok(quote! {
        #(#attributes)*
        #visibility fn #name() -> ::std::process::ExitCode {
            async fn node_main(#context) #output #body
            ::ockam::run(node_main)
        }
    })
}
