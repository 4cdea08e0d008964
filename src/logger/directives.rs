//! What `RUST_LOG` asks for. A mistake in it is said, and the log goes on without it.

use std::fmt::Write;

use log::LevelFilter;

/// What says more than anybody asks for: each start and end of the console's web server, and each
/// socket.
const QUIETER: [&str; 2] = ["actix_server=warn", "mio=info"];

/// What is to be logged.
pub(super) struct Directives {
    /// What the filter understands.
    pub(super) accepted: String,
    /// The most that any of them asks for.
    pub(super) most: LevelFilter,
    /// What is wrong, for whoever wrote it.
    pub(super) mistakes: Vec<String>,
}

impl Directives {
    /// Those of `given`, or where nothing is given, `level` and above. `level` also holds for all
    /// that `given` does not name, if there is a mistake in it.
    pub(super) fn of(given: &str, level: LevelFilter) -> Self {
        let (list, pattern) = match given.split_once('/') {
            Some((list, pattern)) => (list, Some(pattern)),
            None => (given, None),
        };
        let (mut accepted, mut mistakes) = (Vec::new(), Vec::new());
        let (mut has_general, mut most) = (false, LevelFilter::Off);
        for directive in list.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (name, wanted) = match directive.split_once('=') {
                Some((name, wanted)) => (Some(name.trim()), wanted.trim()),
                None => (None, directive),
            };
            match (wanted.parse::<LevelFilter>(), name) {
                (Ok(wanted), name) => {
                    has_general |= name.is_none();
                    most = most.max(wanted);
                    accepted.push(directive.to_owned());
                }
                (Err(_), Some(_)) => mistakes.push(format!(
                    "RUST_LOG: {wanted:?} in {directive:?} is none of off, error, warn, info, \
                     debug and trace"
                )),
                (Err(_), None) => {
                    mistakes.push(format!(
                        "RUST_LOG: {directive:?} is none of off, error, warn, info, debug and \
                         trace; if it is a module, write {directive}=trace"
                    ));
                    most = LevelFilter::Trace;
                    accepted.push(format!("{directive}=trace"));
                }
            }
        }
        if accepted.is_empty() || (!has_general && !mistakes.is_empty()) {
            accepted.push(level.to_string());
            accepted.extend(QUIETER.map(str::to_owned));
            most = most.max(level);
        }
        let mut accepted = accepted.join(",");
        if let Some(pattern) = pattern {
            // Writing to a string does not fail.
            let _ = write!(accepted, "/{pattern}");
        }
        Self { accepted, most, mistakes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> (String, usize) {
        let parsed = Directives::of(given, LevelFilter::Info);
        (parsed.accepted, parsed.mistakes.len())
    }

    #[test]
    fn without_mistakes_it_counts_alone() {
        for given in ["debug", "OFF", "ockam=debug,warn", "a::b=info", "info/text=x,y"] {
            assert_eq!(parsed(given), (given.into(), 0));
        }
        for given in ["", " ", ","] {
            assert_eq!(parsed(given), ("INFO,actix_server=warn,mio=info".into(), 0));
        }
    }

    #[test]
    fn a_mistake_is_said_and_the_rest_counts() {
        let rest = "INFO,actix_server=warn,mio=info";
        assert_eq!(parsed("ockam=loud"), (rest.into(), 1));
        assert_eq!(parsed("verbose"), (format!("verbose=trace,{rest}"), 1));
        assert_eq!(parsed("warn,ockam=5"), ("warn".into(), 1));
        assert_eq!(Directives::of("ockam=debug,x=y", LevelFilter::Info).most, LevelFilter::Debug);
    }
}
