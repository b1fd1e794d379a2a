//! `#[derive(Module)]`: names the parameters and buffers of a struct after its fields.
//!
//! The derived code calls each field's own implementation with the field's name added to the path, so
//! `features.0.weight` is the field `features` of the outer struct, number 0 of a sequence, field `weight` of a layer.
//! Documented where it is used: `wengert_nn::Module`.

mod expand;
mod root;

use proc_macro::TokenStream;

/// Derives `Module` for a struct of modules.
///
/// A field may be a parameter, a module, or an `Option`, `Vec`, array or `Box` of one; its name is its step of the
/// path, the position in a tuple struct. Attributes:
///
/// - `#[module(skip)]` on a field: plain data, not part of the module;
/// - `#[module(buffer)]` on a field: a tensor that is saved and loaded but not trained;
/// - `#[module(float = f64)]` on the struct: the type of its numbers, where it is neither `f32` nor the struct's own
///   type parameter bounded by `TensorFloat`;
/// - `#[module(crate = path)]` on the struct: where `wengert_nn` is, if it was renamed.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::module(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
