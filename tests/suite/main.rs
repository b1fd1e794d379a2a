//! One test binary whose modules mirror the rooms of the workspace.

mod elementary;
mod reference;
mod ulp;
