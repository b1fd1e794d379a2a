//! What has parameters: naming them, counting them, saving them.

use crate::error::Error;
use crate::state::StateDict;
use core::fmt;
use std::path::Path;
use wengert_core::{Parameter, TensorFloat};
use wengert_tensor::Tensor;

/// Where something is in a tree of modules: `features.0.weight`.
///
/// A list of steps that lives on the stack: walking a model allocates nothing until a path is printed.
#[derive(Clone, Copy)]
pub struct ModulePath<'p> {
    outer: Option<&'p ModulePath<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Field(&'p str),
    Index(usize),
}

impl ModulePath<'_> {
    /// The path of the whole model, which prints as nothing.
    pub const ROOT: ModulePath<'static> = ModulePath { outer: None, step: Step::Root };

    /// The path of a field.
    #[must_use]
    pub fn field<'p>(&'p self, name: &'p str) -> ModulePath<'p> {
        ModulePath { outer: Some(self), step: Step::Field(name) }
    }

    /// The path of a numbered part, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> ModulePath<'_> {
        ModulePath { outer: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for ModulePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            fmt::Display::fmt(outer, f)?;
            if !matches!(outer.step, Step::Root) {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => f.write_str(name),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

impl fmt::Debug for ModulePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A named tensor of a module.
#[derive(Debug)]
pub enum Entry<'a, F: TensorFloat> {
    /// Trained, saved and loaded.
    Parameter(&'a Parameter<F>),
    /// Saved and loaded, not trained.
    Buffer(&'a Tensor<F>),
}

/// A named tensor of a module, to change.
#[derive(Debug)]
pub enum EntryMut<'a, F: TensorFloat> {
    /// Trained, saved and loaded.
    Parameter(&'a mut Parameter<F>),
    /// Saved and loaded, not trained.
    Buffer(&'a mut Tensor<F>),
}

impl<'a, F: TensorFloat> Entry<'a, F> {
    /// The value.
    #[must_use]
    pub fn value(self) -> &'a Tensor<F> {
        match self {
            Entry::Parameter(parameter) => parameter.value(),
            Entry::Buffer(value) => value,
        }
    }
}

impl<'a, F: TensorFloat> EntryMut<'a, F> {
    /// The value, to change.
    #[must_use]
    pub fn value_mut(self) -> &'a mut Tensor<F> {
        match self {
            EntryMut::Parameter(parameter) => parameter.value_mut(),
            EntryMut::Buffer(value) => value,
        }
    }
}

/// A tree of parameters and buffers with names.
///
/// Usually derived: `#[derive(Module)]` on a struct names everything after its fields, as PyTorch does. A field may be
/// a [`Parameter`], a module, or an `Option`, `Vec`, array or `Box` of one. Plain data is marked `#[module(skip)]`, a
/// tensor that is saved but not trained `#[module(buffer)]`. Numbers are `f32` unless the struct has a type parameter
/// bounded by `TensorFloat`, or says `#[module(float = f64)]`.
///
/// # Examples
/// ```
/// use wengert_nn::{Linear, Module, Relu, Sequential};
/// use wengert_tensor::rng;
///
/// #[derive(Module)]
/// struct Net {
///     features: Sequential,
///     head: Linear,
///     #[module(skip)]
///     classes: usize,
/// }
///
/// let mut rng = rng(0);
/// let features = Sequential::new().with(Linear::new(4, 8, &mut rng)).with(Relu);
/// let net = Net { features, head: Linear::new(8, 3, &mut rng), classes: 3 };
/// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["features.0.weight", "features.0.bias", "head.weight", "head.bias"]);
/// assert_eq!(net.parameter_count(), 8 * 4 + 8 + net.classes * 8 + 3);
/// ```
/// A field that is not a module does not compile until it is marked:
/// ```compile_fail
/// # use wengert_nn::{Linear, Module};
/// #[derive(Module)]
/// struct Net {
///     head: Linear,
///     classes: usize,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module of `{F}`",
    label = "not a module of `{F}`",
    note = "derive it with `#[derive(Module)]`; if it is plain data in a module, mark the field `#[module(skip)]`; if it is a tensor to be saved but not trained, `#[module(buffer)]`"
)]
pub trait Module<F: TensorFloat = f32> {
    /// Shows every parameter and buffer, with its path under `path`, to `visitor`, always in the same order.
    fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>));

    /// As [`visit`](Self::visit), to change them.
    fn visit_mut<'a>(&'a mut self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>));

    /// The parameters, in order.
    fn parameters(&self) -> Vec<&Parameter<F>> {
        self.named_parameters().into_iter().map(|(_, parameter)| parameter).collect()
    }

    /// The parameters, in order, to be changed: started otherwise, pruned, averaged.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::init::{Activation, kaiming_normal};
    /// use wengert_nn::{Linear, Module};
    /// use wengert_tensor::rng;
    ///
    /// let (mut rng, mut layer) = (rng(0), Linear::<f32>::new(100, 10, &mut rng(1)));
    /// for weight in layer.parameters_mut().into_iter().filter(|parameter| parameter.value().rank() > 1) {
    ///     let shape = weight.value().shape().clone();
    ///     *weight.value_mut() = kaiming_normal(shape, Activation::Relu, &mut rng)?;
    /// }
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    fn parameters_mut(&mut self) -> Vec<&mut Parameter<F>> {
        let mut found = Vec::new();
        self.visit_mut(ModulePath::ROOT, &mut |_, entry| {
            if let EntryMut::Parameter(parameter) = entry {
                found.push(parameter);
            }
        });
        found
    }

    /// The parameters with their names, in order.
    fn named_parameters(&self) -> Vec<(String, &Parameter<F>)> {
        let mut found = Vec::new();
        self.visit(ModulePath::ROOT, &mut |path, entry| {
            if let Entry::Parameter(parameter) = entry {
                found.push((path.to_string(), parameter));
            }
        });
        found
    }

    /// How many numbers are trained.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(ModulePath::ROOT, &mut |_, entry| {
            if let Entry::Parameter(parameter) = entry {
                count += parameter.value().len();
            }
        });
        count
    }

    /// The values of all parameters and buffers by name. They share memory with the model until it changes.
    fn state_dict(&self) -> StateDict<F> {
        let mut state = StateDict::new();
        self.visit(ModulePath::ROOT, &mut |path, entry| {
            state.insert(path.to_string(), entry.value().clone());
        });
        state
    }

    /// Sets all parameters and buffers.
    ///
    /// # Errors
    /// [`Error::StateMismatch`] if a name is missing or unexpected or a shape differs: the text lists them, and nothing
    /// has been changed.
    fn load_state_dict(&mut self, state: &StateDict<F>) -> Result<(), Error> {
        crate::state::assign(self, state)
    }

    /// Writes all parameters and buffers to a file in the safetensors format, under PyTorch's names.
    ///
    /// The file is replaced in one step: whatever happens meanwhile, it holds the previous state or this one.
    ///
    /// # Errors
    /// [`Error::Write`] if the file cannot be written.
    fn save<P: AsRef<Path>>(&self, path: P) -> Result<(), Error>
    where
        Self: Sized,
    {
        self.state_dict().write(path)
    }

    /// Reads all parameters and buffers from a file in the safetensors format, written by [`save`](Self::save) or
    /// PyTorch.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read, [`Error::Format`] if it is damaged or of another format,
    /// [`Error::StateMismatch`] if it belongs to another model. Nothing has been changed then.
    fn load<P: AsRef<Path>>(&mut self, path: P) -> Result<(), Error>
    where
        Self: Sized,
    {
        crate::state::load(self, path.as_ref())
    }
}

impl<F: TensorFloat> Module<F> for Parameter<F> {
    fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
        visitor(path, Entry::Parameter(self));
    }
    fn visit_mut<'a>(&'a mut self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>)) {
        visitor(path, EntryMut::Parameter(self));
    }
}

impl<F: TensorFloat, M: Module<F>> Module<F> for Option<M> {
    fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
        if let Some(module) = self {
            module.visit(path, visitor);
        }
    }
    fn visit_mut<'a>(&'a mut self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>)) {
        if let Some(module) = self {
            module.visit_mut(path, visitor);
        }
    }
}

macro_rules! sequences {
    ($([$($generics:tt)*] $Self:ty;)*) => { $(
        impl<F: TensorFloat, $($generics)*> Module<F> for $Self {
            fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
                for (k, module) in self.iter().enumerate() {
                    module.visit(path.index(k), visitor);
                }
            }
            fn visit_mut<'a>(
                &'a mut self,
                path: ModulePath<'_>,
                visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>),
            ) {
                for (k, module) in self.iter_mut().enumerate() {
                    module.visit_mut(path.index(k), visitor);
                }
            }
        }
    )* };
}
sequences! {
    [M: Module<F>] Vec<M>;
    [M: Module<F>, const N: usize] [M; N];
}

macro_rules! pointers {
    ($($Self:ty;)*) => { $(
        impl<F: TensorFloat, M: Module<F> + ?Sized> Module<F> for $Self {
            fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
                (**self).visit(path, visitor);
            }
            fn visit_mut<'a>(
                &'a mut self,
                path: ModulePath<'_>,
                visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>),
            ) {
                (**self).visit_mut(path, visitor);
            }
        }
    )* };
}
pointers! {
    Box<M>;
    &mut M;
}
