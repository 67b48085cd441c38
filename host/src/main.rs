//! The `wasmigrate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmigrate::cli::main()
}
