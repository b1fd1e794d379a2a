//! Compiles the C++ tapes that are found, if any are asked for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cpp")]
    cpp::build();
}

#[cfg(feature = "cpp")]
mod cpp {
    use std::env;
    use std::path::{Path, PathBuf};

    /// As programs are built for speed by hand: for this processor, without assertions, and not as a shared library.
    fn compiler(file: &str) -> cc::Build {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").opt_level(3).pic(false).debug(false).warnings(false);
        build.flag("-march=native").flag("-fPIE").define("NDEBUG", None);
        build.file(format!("cpp/{file}.cpp"));
        build
    }

    /// The folder of headers that a variable names.
    fn include(variable: &str, tape: &str) -> Option<PathBuf> {
        println!("cargo::rerun-if-env-changed={variable}");
        let folder = env::var_os(variable).map(PathBuf::from);
        if folder.is_none() {
            println!("cargo::warning={tape} is left out: {variable} names no folder of headers");
        }
        folder
    }

    /// A shared library beside the headers, found again when the program runs.
    fn link(include: &Path, library: &str) {
        let folder = include.with_file_name("lib");
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
        println!("cargo::rustc-link-lib=dylib={library}");
    }

    pub fn build() {
        println!("cargo::rerun-if-changed=cpp");
        compiler("plain").compile("peer_plain");
        if let Some(headers) = include("WENGERT_CPPAD_INCLUDE", "CppAD") {
            compiler("cppad").include(&headers).compile("peer_cppad");
            println!("cargo::rustc-cfg=cppad");
        }
        if let Some(headers) = include("WENGERT_STAN_INCLUDE", "Stan Math") {
            let mut stan = compiler("stan");
            stan.include(&headers).define("_REENTRANT", None).define("BOOST_DISABLE_ASSERTS", None);
            stan.compile("peer_stan");
            link(&headers, "tbb");
            println!("cargo::rustc-cfg=stan");
        }
        if compiler("adolc").try_expand().is_ok() {
            compiler("adolc").compile("peer_adolc");
            println!("cargo::rustc-link-lib=dylib=adolc");
            println!("cargo::rustc-cfg=adolc");
        } else {
            println!("cargo::warning=ADOL-C is left out: the compiler does not find adolc/adolc.h");
        }
    }
}
