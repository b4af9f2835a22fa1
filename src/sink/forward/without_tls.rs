//! What stands in place of TLS in a program that was built without it.

use std::path::Path;
use std::time::Instant;

use super::socket::{Channel, Socket};

/// There is none.
#[derive(Clone, Debug)]
pub enum Tls {}

impl Tls {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub fn new(_authorities: Option<&Path>, _own: Option<&Path>) -> Result<Self, String> {
        Err("this procline was built without TLS; build one with: cargo install --locked --features tls --path ."
            .into())
    }

    /// Is never called.
    ///
    /// # Errors
    /// None.
    pub fn encrypt(&self, _socket: Socket, _host: &str, _deadline: Instant) -> anyhow::Result<Box<dyn Channel>> {
        match *self {}
    }
}
