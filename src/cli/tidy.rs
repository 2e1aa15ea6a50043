//! The end of whatever was asked of hosts: shells whose calls were cut off are deleted.

use crate::cli::attend::interrupted;
use crate::cli::wired::Wired;

/// Deletes them, unless the user does not wait. What is to be said of each host on which one may
/// stand.
pub async fn tidy(wired: &Wired) -> Vec<String> {
    let standing = tokio::select! {
        standing = Box::pin(wired.delete_left()) => standing,
        () = interrupted() => return Vec::new(),
    };
    let words = |host| {
        format!(
            "a shell may stand on {host}; the host ends it after its idle time: a program's after three \
             minutes, PowerShell's after two hours (Exchange: 15 minutes)"
        )
    };
    standing.into_iter().map(words).collect()
}
