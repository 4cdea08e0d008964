//! The derive macro for requests: which body answers a body that asks.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{parse_quote, spanned::Spanned, DeriveInput, Error, Result, Type};

const USAGE: &str = "say what answers it: #[request(reply = SomeBody)]";

/// The implementation of `ockam::Request` for a type.
pub(crate) fn expand(input: DeriveInput) -> Result<TokenStream> {
    let reply = reply(&input)?;
    let (name, mut generics) = (input.ident, input.generics);
    if !generics.params.is_empty() {
        generics.make_where_clause().predicates.push(parse_quote!(Self: ::ockam::Body));
    }
    let (parameters, arguments, conditions) = generics.split_for_impl();
    Ok(quote! {
        impl #parameters ::ockam::Request for #name #arguments #conditions {
            type Reply = #reply;
        }
    })
}

/// The type in `#[request(reply = ...)]`.
fn reply(input: &DeriveInput) -> Result<Type> {
    let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("request"));
    let attribute = attribute.ok_or_else(|| Error::new(input.ident.span(), USAGE))?;
    let mut reply = None;
    attribute.parse_nested_meta(|meta| {
        if !meta.path.is_ident("reply") {
            return Err(meta.error(USAGE));
        }
        reply = Some(meta.value()?.parse()?);
        Ok(())
    })?;
    reply.ok_or_else(|| Error::new(attribute.span(), USAGE))
}
