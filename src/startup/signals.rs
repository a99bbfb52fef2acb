//! Signals: SIGTERM and SIGINT stop, SIGHUP loads the configuration again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::watch::Asker;

/// What SIGHUP does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHangUp {
    /// Loads the configuration again, as for every server.
    Reload,
    /// Stops: the terminal is gone, and with it whoever tried something out.
    Stop,
}

/// The signals, taken over from the operating system.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal to stop.
    pub(super) async fn until_stop(mut self, on_hang_up: OnHangUp, reloads: Asker) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => match on_hang_up {
                    OnHangUp::Reload => reloads.ask(),
                    OnHangUp::Stop => return,
                },
            }
        }
    }
}
