//! A broker that is connected and says nothing: when that is worth a word, and what is tried.
//!
//! A subscription can be gone while the connection stands: dropped by the broker's access rules,
//! lost in its restart behind a balancer, or never made again. Nothing on the wire says so. So
//! after a time without a message the filters are subscribed to again on the same connection, and
//! after longer times the connection is made anew, each pause twice the last. Pure.

use crate::clock::Mono;

/// The longest pause between two attempts, unless a broker may be silent for longer anyway. Milliseconds.
pub const PAUSE_MAX_MS: u64 = 3_600_000;

/// What to try against a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Subscribe again; this is also the moment the silence is said.
    Subscribe,
    /// Make the connection anew.
    Reconnect,
}

/// The watch over one broker.
#[derive(Debug)]
pub struct Silence {
    after_ms: u64,
    /// When something was last heard, or the connection made if nothing was heard since.
    heard_at: Mono,
    connected: bool,
    /// Remedies tried in this silence.
    tries: u32,
    next: Mono,
}

impl Silence {
    /// Watches for silences of this length; nothing is due before a connection.
    pub fn new(after_ms: u64) -> Silence {
        Silence { after_ms, heard_at: Mono(0), connected: false, tries: 0, next: Mono(0) }
    }

    /// A connection stands. A silence goes on through it.
    pub fn connected(&mut self, now: Mono) {
        self.connected = true;
        if self.tries == 0 {
            self.heard_at = now;
            self.next = now.plus_ms(self.after_ms);
        } else {
            self.next = self.next.max(now.plus_ms(self.after_ms));
        }
    }

    /// It is gone: other words say that.
    pub fn lost(&mut self) {
        self.connected = false;
    }

    /// A message that was sent just now; how long it was silent before, if it was.
    pub fn heard(&mut self, now: Mono) -> Option<u64> {
        let silence = (self.tries > 0).then(|| self.quiet_ms(now));
        self.tries = 0;
        self.heard_at = now;
        self.next = now.plus_ms(self.after_ms);
        silence
    }

    /// How long nothing was heard. Milliseconds.
    pub fn quiet_ms(&self, now: Mono) -> u64 {
        now.since_ms(self.heard_at)
    }

    /// When [`Silence::due`] has something to say.
    pub fn deadline(&self) -> Option<Mono> {
        self.connected.then_some(self.next)
    }

    /// What to try now, if anything.
    pub fn due(&mut self, now: Mono) -> Option<Remedy> {
        self.deadline().filter(|deadline| now >= *deadline)?;
        self.tries += 1;
        let pause_max_ms = PAUSE_MAX_MS.max(self.after_ms);
        let doubled_ms = self.after_ms.checked_shl(self.tries.min(32)).unwrap_or(pause_max_ms);
        self.next = now.plus_ms(doubled_ms.min(pause_max_ms));
        Some(if self.tries == 1 { Remedy::Subscribe } else { Remedy::Reconnect })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything due up to a moment, as (second, remedy).
    fn until(silence: &mut Silence, end_ms: u64) -> Vec<(u64, Remedy)> {
        let mut tried = Vec::new();
        while let Some(at) = silence.deadline().filter(|at| at.0 <= end_ms) {
            tried.push((at.0 / 1_000, silence.due(at).unwrap()));
            silence.lost();
            silence.connected(at);
        }
        tried
    }

    #[test]
    fn subscribes_again_then_connects_anew_ever_more_rarely() {
        let mut silence = Silence::new(60_000);
        assert_eq!(silence.deadline(), None, "not connected");
        silence.connected(Mono(0));
        let tried = until(&mut silence, 10_000_000);
        let seconds: Vec<u64> = tried.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [60, 180, 420, 900, 1_860, 3_780, 7_380]);
        assert_eq!(tried[0].1, Remedy::Subscribe);
        assert!(tried[1..].iter().all(|(_, remedy)| *remedy == Remedy::Reconnect));
    }

    #[test]
    fn a_message_ends_it_and_tells_how_long_it_was() {
        let mut silence = Silence::new(60_000);
        silence.connected(Mono(1_000));
        assert_eq!(silence.heard(Mono(5_000)), None);
        assert_eq!(silence.due(Mono(64_999)), None);
        assert_eq!(silence.due(Mono(65_000)), Some(Remedy::Subscribe));
        assert_eq!(silence.due(Mono(65_001)), None, "once");
        assert_eq!(silence.heard(Mono(80_000)), Some(75_000));
        assert_eq!(silence.heard(Mono(81_000)), None);
        assert_eq!(silence.due(Mono(141_000)), Some(Remedy::Subscribe), "starts small again");
    }

    #[test]
    fn without_a_connection_nothing_is_due() {
        let mut silence = Silence::new(60_000);
        silence.connected(Mono(0));
        silence.lost();
        assert_eq!(silence.due(Mono(1_000_000)), None);
        silence.connected(Mono(1_000_000));
        assert_eq!(silence.deadline(), Some(Mono(1_060_000)));
    }

    proptest! {
        /// Whatever happens, no storm: two attempts are at least `after` apart.
        #[test]
        fn attempts_keep_their_distance(
            after_ms in 1_000_u64..700_000_000,
            steps in prop::collection::vec((0_u64..4_000_000, 0_u8..4), 1..200),
        ) {
            let mut silence = Silence::new(after_ms);
            let (mut now, mut last) = (Mono(0), None::<Mono>);
            for (wait_ms, step) in steps {
                now = now.plus_ms(wait_ms);
                match step {
                    0 => silence.connected(now),
                    1 => silence.lost(),
                    2 => drop(silence.heard(now)),
                    _ => if silence.due(now).is_some() {
                        prop_assert!(last.is_none_or(|last| now.since_ms(last) >= after_ms));
                        last = Some(now);
                    }
                }
            }
        }
    }
}
