//! Derives wengert-nn's Module for structs.
