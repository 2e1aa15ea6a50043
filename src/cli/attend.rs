//! Keeps a person company while work goes on: redraws clocks, and hears Ctrl-C.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::watch;

use crate::host::link::Clock;
use crate::journal::control;
use crate::journal::control::Word;
use crate::net::clock::SystemClock;
use crate::report::screen::Screen;
use crate::run::action::Stop;

/// How often clocks are redrawn.
const TICK: Duration = Duration::from_millis(200);

/// A screen that the journal's observer and the clock write to in turn.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Screen>>);

impl Shared {
    pub fn new(screen: Screen) -> Self {
        Self(Arc::new(Mutex::new(screen)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Screen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a press of Ctrl-C asks for next, and what to say about it.
fn escalate(stop: Stop) -> Option<(Stop, &'static str)> {
    match stop {
        Stop::Go | Stop::Pause => Some((
            Stop::Finish,
            "stopping: hosts in flight finish, no new one starts (Ctrl-C again: stop at the next \
             safe point)",
        )),
        Stop::Finish => Some((
            Stop::SafePoint,
            "stopping at the next safe point (Ctrl-C again: leave now, hosts in flight stay in \
             doubt)",
        )),
        Stop::SafePoint => Some((Stop::Now, "leaving now")),
        Stop::Now => None,
    }
}

/// What a word from another terminal asks for.
fn asked(word: Word) -> (Stop, &'static str) {
    match word {
        Word::Pause => (Stop::Pause, "pausing: hosts in flight finish, no new one starts"),
        Word::Abort => (Stop::Finish, "stopping: hosts in flight finish, no new one starts"),
        Word::Promote => (Stop::Go, ""),
    }
}

/// Runs work that can be stopped in steps, from here or by a word left in the run's folder.
/// `None`: the user did not even wait for the last step.
pub async fn attend<T>(
    work: impl Future<Output = T>,
    screen: &Shared,
    stop: &watch::Sender<Stop>,
    folder: &Path,
) -> Option<T> {
    tokio::pin!(work);
    let mut presses = Presses::listen();
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = SystemClock.sleep(TICK) => {
                screen.lock().tick(SystemClock.now());
                let current = *stop.borrow();
                if let Some((next, words)) = control::asked(folder).map(asked)
                    && next > current
                {
                    drop(screen.lock().note(words));
                    stop.send_replace(next);
                }
            }
            () = presses.next() => {
                let current = *stop.borrow();
                let (next, words) = escalate(current)?;
                // The panel may be gone with its terminal; stopping matters more than saying so.
                drop(screen.lock().note(words));
                stop.send_replace(next);
            }
        }
    }
}

/// Runs work that writes nothing and may be dropped at any time. `None`: the user stopped it.
pub async fn attend_reading<T>(work: impl Future<Output = T>, screen: &Shared) -> Option<T> {
    tokio::pin!(work);
    let mut presses = Presses::listen();
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = SystemClock.sleep(TICK) => screen.lock().tick(SystemClock.now()),
            () = presses.next() => return None,
        }
    }
}

/// Waits for Ctrl-C, or being told to end in another way.
pub async fn interrupted() {
    Presses::listen().next().await;
}

/// Ctrl-C, and what the system sends when a session ends.
#[cfg(unix)]
struct Presses(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Presses {
    fn listen() -> Self {
        use tokio::signal::unix::SignalKind;
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Self(kinds.into_iter().filter_map(|kind| tokio::signal::unix::signal(kind).ok()).collect())
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut any = false;
            for signal in &mut self.0 {
                any |= signal.poll_recv(context).is_ready();
            }
            if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(windows)]
struct Presses {
    c: Option<tokio::signal::windows::CtrlC>,
    close: Option<tokio::signal::windows::CtrlClose>,
    logoff: Option<tokio::signal::windows::CtrlLogoff>,
}

#[cfg(windows)]
impl Presses {
    fn listen() -> Self {
        Self {
            c: tokio::signal::windows::ctrl_c().ok(),
            close: tokio::signal::windows::ctrl_close().ok(),
            logoff: tokio::signal::windows::ctrl_logoff().ok(),
        }
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let c = self.c.as_mut().is_some_and(|s| s.poll_recv(context).is_ready());
            let close = self.close.as_mut().is_some_and(|s| s.poll_recv(context).is_ready());
            let logoff = self.logoff.as_mut().is_some_and(|s| s.poll_recv(context).is_ready());
            let any = c || close || logoff;
            if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_press_asks_for_more_until_nothing_is_left() {
        let mut stop = Stop::Go;
        let mut steps = Vec::new();
        while let Some((next, _)) = escalate(stop) {
            steps.push(next);
            stop = next;
        }
        assert_eq!(steps, [Stop::Finish, Stop::SafePoint, Stop::Now]);
    }
}
