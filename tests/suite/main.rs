//! One test binary whose modules mirror the rooms of the workspace.
