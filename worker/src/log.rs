//! The log of one attempt: all of it up to a cap, and the part that was not sent yet.

use std::fmt::Write as _;

/// Largest log kept of one attempt, bytes.
const CAP: usize = 1 << 20;
/// Unsent text kept for heartbeats, bytes; older text drops out of the live tail, never out of the
/// log.
const BACKLOG: usize = 64 << 10;

/// Lines written by one attempt.
#[derive(Debug, Default)]
pub(crate) struct AttemptLog {
    kept: String,
    dropped: usize,
    backlog: String,
    /// Bytes that ever left the front of the backlog: the position of its first byte.
    start: u64,
}

impl AttemptLog {
    /// Adds a line.
    pub(crate) fn line(&mut self, line: &str) {
        if self.kept.len() + line.len() < CAP {
            self.kept.push_str(line);
            self.kept.push('\n');
        } else {
            self.dropped += line.len() + 1;
        }
        self.backlog.push_str(line);
        self.backlog.push('\n');
        if self.backlog.len() > BACKLOG {
            let cut = boundary(&self.backlog, self.backlog.len() - BACKLOG);
            self.forget(cut);
        }
    }

    /// The log with a note where the cap cut it.
    pub(crate) fn text(&self) -> String {
        let mut text = self.kept.clone();
        if self.dropped > 0 {
            let _ = writeln!(text, "[{} bytes more were not kept]", self.dropped);
        }
        text
    }

    /// Up to `most` bytes of unsent text, oldest first, and the position behind it.
    pub(crate) fn unsent(&self, most: usize) -> (String, u64) {
        let mut end = most.min(self.backlog.len());
        while !self.backlog.is_char_boundary(end) {
            end -= 1;
        }
        (self.backlog[..end].to_owned(), self.start + end as u64)
    }

    /// Forgets what was sent, up to `position`.
    pub(crate) fn accepted(&mut self, position: u64) {
        let sent = position.saturating_sub(self.start) as usize;
        self.forget(sent.min(self.backlog.len()));
    }

    fn forget(&mut self, bytes: usize) {
        self.backlog.drain(..bytes);
        self.start += bytes as u64;
    }
}

/// The first character boundary at or after `at`.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_capped_and_says_so() {
        let mut log = AttemptLog::default();
        let line = "x".repeat(1023);
        for _ in 0..1100 {
            log.line(&line);
        }
        let text = log.text();
        assert!(text.len() <= CAP + 64, "{}", text.len());
        assert!(text.ends_with("bytes more were not kept]\n"));
    }

    #[test]
    fn an_accepted_tail_is_not_sent_again_even_when_old_text_dropped_out() {
        let mut log = AttemptLog::default();
        log.line("first");
        let (tail, position) = log.unsent(100);
        assert_eq!(tail, "first\n");
        // While the heartbeat is under way, so much is written that "first" drops out.
        log.line(&"é".repeat(BACKLOG / 2));
        log.line("last");
        log.accepted(position);
        let (rest, _) = log.unsent(usize::MAX);
        assert!(rest.ends_with("last\n") && !rest.contains("first"));
        assert!(rest.len() <= BACKLOG);
    }

    #[test]
    fn tails_end_on_a_character() {
        let mut log = AttemptLog::default();
        log.line("aé");
        assert_eq!(log.unsent(2).0, "a");
    }
}
