//! The Wengert list: rules, tape and transforms.
