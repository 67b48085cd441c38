//! How fast something gets on: in words, with the rate and the time that is left; a line of them a second at most.

use std::time::{Duration, Instant};

/// How long a reader is left in peace.
const QUIET: Duration = Duration::from_secs(1);
/// Of less than so many a second nobody wants to know the rate.
const LEAST_RATE: f64 = 10.0;

/// Where it began, and when it was last told.
#[derive(Debug)]
pub struct Pace {
    since: Instant,
    from: u64,
    last: u64,
    told: Instant,
}

impl Pace {
    /// How far it is, and whether a reader of lines is to be told now: a guest may tell of every row. A total of 0 is
    /// not known. What goes backwards begins anew.
    pub fn words(pace: &mut Option<Pace>, done: u64, total: u64, now: Instant) -> (String, bool) {
        let Some(known) = pace.as_mut().filter(|known| known.last <= done) else {
            *pace = Some(Pace {
                since: now,
                from: done,
                last: done,
                told: now,
            });
            return (said(done, total, None), true);
        };
        known.last = done;
        let due = now.duration_since(known.told) >= QUIET;
        if due {
            known.told = now;
        }
        let took = now.duration_since(known.since).as_secs_f64();
        let rate = Some((done - known.from) as f64 / took);
        // after a moment only it means something
        let rate = rate.filter(|rate| took >= QUIET.as_secs_f64() && *rate >= LEAST_RATE);
        (said(done, total, rate), due)
    }
}

fn said(done: u64, total: u64, rate: Option<f64>) -> String {
    let reached = match total {
        0 => format!("  {done} done"),
        total => format!("  {done} of {total} done"),
    };
    let Some(rate) = rate else {
        return reached;
    };
    let paced = format!("{reached}, {rate:.0} a second");
    match total.checked_sub(done) {
        None | Some(0) => paced,
        Some(left) => {
            let left = Duration::from_secs((left as f64 / rate).ceil() as u64);
            format!("{paced}, about {} left", humantime::format_duration(left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_tells_the_rate_and_what_is_left() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut pace = None;
        let mut line = |done, total, ms| {
            let (words, due) = Pace::words(&mut pace, done, total, at(ms));
            due.then_some(words)
        };
        assert_eq!(line(1000, 9000, 0).as_deref(), Some("  1000 of 9000 done"));
        assert_eq!(line(2000, 9000, 999), None);
        assert_eq!(
            line(5000, 9000, 2000).as_deref(),
            Some("  5000 of 9000 done, 2000 a second, about 2s left")
        );
        // of a few steps the rate says nothing
        assert_eq!(line(1, 12, 2001).as_deref(), Some("  1 of 12 done"));
        assert_eq!(line(3, 12, 4001).as_deref(), Some("  3 of 12 done"));
        assert_eq!(line(0, 0, 4002).as_deref(), Some("  0 done"));
        assert_eq!(
            line(400, 0, 6002).as_deref(),
            Some("  400 done, 200 a second")
        );
        // a bar's words are always new
        let words = Pace::words(&mut pace, 500, 0, at(6003));
        assert_eq!(words, ("  500 done, 250 a second".to_owned(), false));
    }
}
