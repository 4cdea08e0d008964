//! Where and when figures were taken, and with which programs, as the system reports it.

use crate::installed::installed;
use std::{fs, process::Command};

/// One fact, by its name.
pub type Fact = (&'static str, String);

/// The facts. `command` starts the program, and `programs` are those that it runs, each with the
/// argument that makes it print its version.
pub fn facts(command: &str, programs: &[(&str, &str)]) -> Vec<Fact> {
    let facts = [
        ("Command", command_line(command)),
        ("Date", said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("Processor", format!("{}, {} cores", processor(), cores())),
        ("Memory", memory()),
        ("Kernel", read("/proc/sys/kernel/osrelease")),
        ("Programs", versions(programs)),
    ];
    facts.into_iter().filter(|(_, fact)| !fact.is_empty()).collect()
}

/// As Markdown, one list item each.
pub fn list(facts: &[Fact]) -> String {
    facts.iter().map(|(name, fact)| format!("- {name}: {fact}\n")).collect()
}

/// The command that repeats this run: `command` with the arguments of this process.
fn command_line(command: &str) -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.is_empty() {
        true => format!("`{command}`"),
        false => format!("`{command} -- {}`", arguments.join(" ")),
    }
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |name| name.trim_start_matches(['\t', ' ', ':']).to_owned(),
    )
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory() -> String {
    let info = read("/proc/meminfo");
    let total = info.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    });
    total.map_or_else(String::new, |kib| format!("{:.0} GiB", kib / 1024.0 / 1024.0))
}

fn versions(programs: &[(&str, &str)]) -> String {
    let found = programs.iter().map(|(program, argument)| match installed(program) {
        Ok(_) => said_by(program, &[argument]),
        Err(_) => format!("no {program}"),
    });
    found.collect::<Vec<_>>().join("; ")
}

/// The first line of a program's output with its name and a digit, or else the first line.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let Ok(path) = installed(program) else {
        return String::new();
    };
    let Ok(output) = Command::new(path).args(arguments).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let version =
        |line: &&str| line.contains(program) && line.chars().any(|letter| letter.is_ascii_digit());
    let insensitive = |line: &&str| version(&line.to_lowercase().as_str());
    text.lines()
        .find(insensitive)
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
