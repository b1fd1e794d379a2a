//! The derived implementation.

use crate::root;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, GenericParam, Generics, Ident, Member, Path, Result, Type, TypeParamBound,
};

/// What a field is to the module.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Module,
    Buffer,
    Skipped,
}

/// What `#[module(..)]` on the struct says.
#[derive(Default)]
struct Options {
    float: Option<Type>,
    library: Option<Path>,
}

/// `impl Module<F> for` the struct.
pub(crate) fn module(input: &DeriveInput) -> Result<TokenStream> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            let text = "a module is a struct: put the variants' modules in fields, or implement `Module` by hand";
            return Err(Error::new(data.enum_token.span, text));
        }
        Data::Union(data) => return Err(Error::new(data.union_token.span, "a union cannot be a module; use a struct")),
    };
    let options = struct_options(input)?;
    let library = options.library.as_ref().map_or_else(root::of_the_library, ToTokens::to_token_stream);
    let float = match options.float {
        Some(float) => float.into_token_stream(),
        None => float_parameter(&input.generics)?.map_or_else(|| quote!(f32), ToTokens::to_token_stream),
    };
    let name = &input.ident;
    let (impl_generics, type_generics, _) = input.generics.split_for_impl();
    let bounds = bounds(&input.generics, fields, &library, &float)?;
    let shared = visits(fields, &library, &float, false)?;
    let unique = visits(fields, &library, &float, true)?;
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #library::Module<#float> for #name #type_generics #bounds {
            #[allow(unused_variables, reason = "a module may have no parameters")]
            fn visit<'module>(
                &'module self,
                path: #library::ModulePath<'_>,
                visitor: &mut dyn ::core::ops::FnMut(#library::ModulePath<'_>, #library::Entry<'module, #float>),
            ) {
                #(#shared)*
            }

            #[allow(unused_variables, reason = "a module may have no parameters")]
            fn visit_mut<'module>(
                &'module mut self,
                path: #library::ModulePath<'_>,
                visitor: &mut dyn ::core::ops::FnMut(#library::ModulePath<'_>, #library::EntryMut<'module, #float>),
            ) {
                #(#unique)*
            }
        }
    })
}

/// One statement for each field that is not skipped, in order.
fn visits(fields: &Fields, library: &TokenStream, float: &TokenStream, unique: bool) -> Result<Vec<TokenStream>> {
    let (borrow, method, entry) = match unique {
        true => (quote!(&mut), format_ident!("visit_mut"), quote!(EntryMut)),
        false => (quote!(&), format_ident!("visit"), quote!(Entry)),
    };
    let mut statements = Vec::new();
    for (member, field) in fields.members().zip(fields) {
        let step = match &member {
            Member::Named(name) => {
                let name = name.to_string();
                let name = name.strip_prefix("r#").unwrap_or(&name);
                quote!(path.field(#name))
            }
            Member::Unnamed(position) => {
                let position = position.index as usize;
                quote!(path.index(#position))
            }
        };
        // At the field's type, so that "is not a module" points there: the path and the argument are what the error is
        // about.
        let span = field.ty.span();
        let [library, borrow] = [library, &borrow].map(|tokens| spanned(tokens, span));
        match field_role(field)? {
            Role::Module => statements.push(quote_spanned! { span =>
                #library::Module::<#float>::#method(#borrow self.#member, #step, visitor);
            }),
            Role::Buffer => statements.push(quote_spanned! { span =>
                visitor(#step, #library::#entry::Buffer(#borrow self.#member));
            }),
            Role::Skipped => {}
        }
    }
    Ok(statements)
}

fn spanned(tokens: &TokenStream, span: Span) -> TokenStream {
    let at_span = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.clone().into_iter().map(at_span).collect()
}

/// The struct's own where clause, and that fields of generic types be modules.
fn bounds(generics: &Generics, fields: &Fields, library: &TokenStream, float: &TokenStream) -> Result<TokenStream> {
    let parameters: Vec<&Ident> = generics.type_params().map(|parameter| &parameter.ident).collect();
    let mut predicates: Vec<TokenStream> =
        generics.where_clause.iter().flat_map(|clause| &clause.predicates).map(ToTokens::to_token_stream).collect();
    for field in fields {
        if field_role(field)? == Role::Module && mentions(field.ty.to_token_stream(), &parameters) {
            let ty = &field.ty;
            predicates.push(quote!(#ty: #library::Module<#float>));
        }
    }
    Ok(if predicates.is_empty() { TokenStream::new() } else { quote!(where #(#predicates),*) })
}

fn mentions(tokens: TokenStream, names: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => names.iter().any(|known| **known == name),
        TokenTree::Group(group) => mentions(group.stream(), names),
        _ => false,
    })
}

/// The type parameter bounded by `TensorFloat`, if there is one.
fn float_parameter(generics: &Generics) -> Result<Option<&Ident>> {
    let is_float = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|name| name.ident == "TensorFloat"),
        _ => false,
    };
    let mut found = None;
    for parameter in &generics.params {
        if let GenericParam::Type(parameter) = parameter
            && parameter.bounds.iter().any(is_float)
            && found.replace(&parameter.ident).is_some()
        {
            let text = "two type parameters are `TensorFloat`: say which one with #[module(float = ..)] on the struct";
            return Err(Error::new(parameter.ident.span(), text));
        }
    }
    Ok(found)
}

fn struct_options(input: &DeriveInput) -> Result<Options> {
    let mut options = Options::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("float") {
                options.float = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("crate") {
                options.library = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("skip") || meta.path.is_ident("buffer") {
                return Err(meta.error("this is said of a field: put it above one"));
            } else {
                return Err(meta.error("unknown option; a struct has `float = type` and `crate = path`"));
            }
            Ok(())
        })?;
    }
    Ok(options)
}

fn field_role(field: &Field) -> Result<Role> {
    let mut role: Option<(Role, Span)> = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            let said = if meta.path.is_ident("skip") {
                Role::Skipped
            } else if meta.path.is_ident("buffer") {
                Role::Buffer
            } else {
                return Err(
                    meta.error("unknown option; a field has `skip` (plain data) and `buffer` (saved, not trained)")
                );
            };
            if role.is_some() {
                return Err(meta.error("a field has one role: `skip` or `buffer`"));
            }
            role = Some((said, meta.path.span()));
            Ok(())
        })?;
    }
    Ok(role.map_or(Role::Module, |(role, _)| role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn refusal(input: &DeriveInput) -> String {
        module(input).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_a_struct_is_refused_with_advice() {
        assert!(
            refusal(&parse_quote!(
                enum E {
                    A(u8),
                }
            ))
            .contains("implement `Module` by hand")
        );
        assert!(refusal(&parse_quote!(union U { a: u8 })).contains("use a struct"));
    }

    #[test]
    fn unknown_options_are_refused_with_the_known_ones() {
        let text = refusal(&parse_quote! { struct S { #[module(bufer)] a: u8 } });
        assert_eq!(text, "unknown option; a field has `skip` (plain data) and `buffer` (saved, not trained)");
        let text = refusal(&parse_quote! { #[module(double)] struct S; });
        assert_eq!(text, "unknown option; a struct has `float = type` and `crate = path`");
        assert!(refusal(&parse_quote! { #[module(skip)] struct S; }).contains("put it above one"));
        assert!(refusal(&parse_quote! { struct S { #[module(skip, buffer)] a: u8 } }).contains("one role"));
    }

    #[test]
    fn two_kinds_of_numbers_must_be_told_apart() {
        let text = refusal(&parse_quote! { struct S<A: TensorFloat, B: wengert::TensorFloat>(A, B); });
        assert!(text.contains("#[module(float = ..)]"), "{text}");
    }

    #[test]
    fn generic_fields_must_be_modules_and_plain_ones_are_left_to_the_compiler() {
        let code = module(&parse_quote! {
            #[module(crate = nn)]
            struct S<L, F: TensorFloat> { inner: Vec<L>, head: Linear, #[module(skip)] note: PhantomData<F> }
        });
        let code = code.unwrap().to_string();
        assert!(code.contains("where Vec < L > : nn :: Module < F >"), "{code}");
        assert!(!code.contains("Linear : nn"), "{code}");
        assert!(!code.contains("note"), "{code}");
    }
}
