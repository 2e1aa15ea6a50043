//! A connection to a host that may need more than one try.

use std::time::Duration;

use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Target;

/// The longest pause between two tries.
const LONGEST: u32 = 30;

/// Connects and logs on. Only a host that did not take the connection is tried again, after 1, 2, 4
/// seconds and so on: nothing was sent, and no logon was spent.
pub async fn reach<C: Connect, K: Clock>(
    connect: &C,
    clock: &K,
    target: &Target,
    retries: u32,
) -> Result<C::Link, HostError> {
    let mut tried = 0;
    loop {
        match connect.connect(target).await {
            Err(HostError::NotConnected { .. }) if tried < retries => {
                let pause = 1_u32.checked_shl(tried).unwrap_or(LONGEST).min(LONGEST);
                clock.sleep(Duration::from_secs(pause.into())).await;
                tried += 1;
            }
            answer => return answer,
        }
    }
}
