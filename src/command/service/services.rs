//! The sections that run, each on a node of its own: access to one gives none to another, and a
//! section that is removed drains as a node does that stops.

use std::{cell::RefCell, collections::HashSet, rc::Rc, time::Duration};

use actix_rt::task::JoinHandle;
use ockam::{console::Nodes, Context, Error, Node, NodeBuilder, NodeLimits, Result};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinSet,
    time::sleep,
};

use crate::command::service::{
    console::{ConsoleSection, SharedConsole},
    file::Settings,
    section::Section,
};

/// The shortest and the longest pause before a section that did not start is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(60));

/// What runs.
pub(crate) struct Services {
    running: Vec<Running>,
    settings: Settings,
    console: SharedConsole,
    draining: JoinSet<()>,
    /// Whether the first sections have been given.
    has_begun: bool,
    /// Sections of the first file that have not started yet.
    awaited: usize,
    tell: UnboundedSender<Result<()>>,
    told: UnboundedReceiver<Result<()>>,
}

struct Running {
    section: Section,
    /// What tells it from the others of its kind.
    number: u16,
    node: Rc<RefCell<Option<Node>>>,
    task: JoinHandle<()>,
}

impl Services {
    pub(crate) fn new() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let settings = Settings::default();
        let (running, console, draining) = (Vec::new(), SharedConsole::default(), JoinSet::new());
        Self { running, settings, console, draining, has_begun: false, awaited: 0, tell, told }
    }

    /// Has these sections run and no others: those that run already go on.
    pub(crate) async fn replace(
        &mut self,
        mut sections: Vec<Section>,
        settings: Settings,
        console: Option<ConsoleSection>,
    ) {
        let is_same_node = settings == self.settings;
        self.settings = settings;
        let kept = unchanged(&mut sections, &self.running, |running| &running.section);
        let before = std::mem::take(&mut self.running).into_iter().zip(kept);
        for (running, is_kept) in before {
            match is_kept && is_same_node {
                true => self.running.push(running),
                false if is_kept => {
                    sections.push(running.section.clone());
                    self.drain(running);
                }
                false => self.drain(running),
            }
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first {
            self.awaited = sections.len();
        }
        match self.console.replace(console).await {
            Ok(()) => {}
            // The receiver lives as long as this.
            Err(error) if is_first => drop(self.tell.send(Err(error))),
            Err(error) => log::error!("{}", error.one_line()),
        }
        for section in sections {
            log::info!("{section} starts");
            self.start(section, is_first);
        }
        if is_first && self.awaited == 0 {
            // Nothing is to be waited for.
            let _ = self.tell.send(Ok(()));
        }
    }

    /// The sections that run.
    pub(crate) fn sections(&self) -> Vec<Section> {
        self.running.iter().map(|running| running.section.clone()).collect()
    }

    fn start(&mut self, section: Section, is_first: bool) {
        let node = Rc::new(RefCell::new(None));
        let same_kind = self.running.iter().filter(|one| one.section.kind == section.kind);
        let number = free_number(same_kind.map(|one| one.number));
        let starting = Starting {
            section: section.clone(),
            number,
            node: node.clone(),
            settings: self.settings.clone(),
            shown: self.console.nodes.clone(),
            tell: self.tell.clone(),
            is_first,
        };
        let task = actix_rt::spawn(starting.run());
        self.running.push(Running { section, number, node, task });
    }

    /// Takes no new clients, and lets the open streams finish.
    fn drain(&mut self, running: Running) {
        log::info!("{} stops", running.section);
        running.task.abort();
        if let Some(node) = running.node.take() {
            self.draining.spawn_local(async move { node.stop().await });
        }
    }

    /// Waits until all sections of the first file have started.
    ///
    /// # Errors
    /// If one of them cannot.
    pub(crate) async fn all_started(&mut self) -> Result<()> {
        loop {
            // The sender lives as long as this.
            let event = self.told.recv().await.unwrap_or(Err(Error::Stopped));
            event?;
            self.awaited = self.awaited.saturating_sub(1);
            if self.awaited == 0 {
                return Ok(());
            }
        }
    }

    /// Stops all sections, and waits for those that were removed before.
    pub(crate) async fn stop(&mut self) {
        for running in std::mem::take(&mut self.running) {
            self.drain(running);
        }
        while self.draining.join_next().await.is_some() {}
    }
}

/// Takes out of `new` what runs already, and says of each that runs whether it is among them.
fn unchanged<T>(
    new: &mut Vec<Section>,
    running: &[T],
    section: impl Fn(&T) -> &Section,
) -> Vec<bool> {
    let is_kept = |one: &T| {
        let found = new.iter().position(|new| new == section(one));
        found.map(|index| new.swap_remove(index)).is_some()
    };
    running.iter().map(is_kept).collect()
}

/// The smallest number that none has.
fn free_number(taken: impl Iterator<Item = u16>) -> u16 {
    let taken: HashSet<_> = taken.collect();
    (0..u16::MAX).find(|number| !taken.contains(number)).unwrap_or(u16::MAX)
}

/// A section on its way.
struct Starting {
    section: Section,
    number: u16,
    node: Rc<RefCell<Option<Node>>>,
    settings: Settings,
    /// The nodes of the console.
    shown: Nodes,
    tell: UnboundedSender<Result<()>>,
    is_first: bool,
}

impl Starting {
    /// Starts the section; one of a file that was read again is tried until it starts.
    async fn run(self) {
        let waits = self.section.checked.waits_for_others();
        if waits {
            self.say(Ok(()));
        }
        let (mut pause, longest) = PAUSES;
        loop {
            match self.attempt().await {
                Ok(()) if waits => return,
                Ok(()) => return self.say(Ok(())),
                Err(error) if self.is_first => {
                    let text = format!("{}: {}", self.section, error.one_line());
                    let _ = self.tell.send(Err(Error::Usage(text)));
                    return;
                }
                // The socket of what it replaces may still be closing.
                Err(error) => {
                    let (section, error) = (&self.section, error.one_line());
                    log::warn!("{section}: {error}; trying again in {pause:?}");
                }
            }
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    fn say(&self, event: Result<()>) {
        if self.is_first {
            let _ = self.tell.send(event);
        }
    }

    async fn attempt(&self) -> Result<()> {
        let mut builder = NodeBuilder::new();
        if let Some(arbiters) = self.settings.arbiters {
            builder = builder.arbiters(arbiters);
        }
        if let Some(drain_timeout) = self.settings.drain_timeout {
            builder = builder.limits(NodeLimits { drain_timeout, ..NodeLimits::default() });
        }
        let node = builder.start().await?;
        self.shown.insert(self.section.name(), &node);
        let last = self.node.replace(Some(node.clone()));
        if let Some(last) = last {
            last.stop().await;
        }
        self.section.checked.start(Context::new(&node)?, self.number).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::service::section::{tests::section, Kind};

    #[test]
    fn only_what_changed_is_started_or_stopped() {
        let outlet = |line, to: &str| {
            section(Kind::Outlet, line, &[&format!("--to={to}"), "--listen=127.0.0.1:0"])
        };
        let running = [outlet(1, "a:1"), outlet(2, "b:1"), outlet(3, "a:1")];
        let mut new = vec![outlet(9, "c:1"), outlet(7, "a:1"), outlet(8, "b:1")];
        let kept = unchanged(&mut new, &running, |section| section);
        assert_eq!(kept, [true, true, false]);
        assert_eq!(new.iter().map(Section::name).collect::<Vec<_>>(), ["outlet c:1"]);
    }

    #[test]
    fn the_first_free_number_is_taken() {
        for (taken, free) in [(&[][..], 0), (&[0, 1], 2), (&[1, 2], 0), (&[2, 0], 1)] {
            assert_eq!(free_number(taken.iter().copied()), free, "{taken:?}");
        }
    }
}
