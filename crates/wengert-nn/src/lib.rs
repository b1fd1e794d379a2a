//! Layers, losses, optimizers and training on the Wengert list.
