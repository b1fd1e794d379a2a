//! Checks gradients against finite differences.
