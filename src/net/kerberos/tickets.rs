//! What was got for one login, once, and is shared by all its connections.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::net::kerberos::system::Held;

/// What was got for a login so far.
#[derive(Debug, Default)]
pub struct Tickets(pub(super) Mutex<Option<Arc<Held>>>);
