//! Where text goes. A reader that has closed its end is not an error.

use std::io;
use std::io::ErrorKind;
use std::io::Write;

/// A writer that falls silent when nobody reads any more.
pub struct Out {
    writer: Box<dyn Write + Send>,
    closed: bool,
}

impl Out {
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Box::new(writer), closed: false }
    }

    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Writes text as it is and flushes: lines appear when they are written.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Writes text and ends the line, unless it is ended already.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        if text.ends_with('\n') { self.text(text) } else { self.text(&format!("{text}\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
        let mut out = Out::new(Failing(ErrorKind::BrokenPipe));
        assert!(out.line("text").is_ok());
        assert!(out.line("more").is_ok());
        assert!(Out::new(Failing(ErrorKind::StorageFull)).line("text").is_err());
    }
}
