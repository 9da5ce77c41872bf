//! What a run costs: CPU seconds of its processes and of the servers, seconds on the clock, memory at its peak.
//!
//! CPU time is read from `/proc`, in the kernel's hundredths of a second: of the programs run as what this process has
//! waited for, of a server as its process and all its children. The peak is the kernel's own mark (VmHWM), looked at
//! every few milliseconds while the program lives, so what it takes in its very last moment may be missed.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Failed;

/// What was used between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub clients: Duration,
    pub servers: Duration,
    pub wall: Duration,
    /// Of the largest of the programs.
    pub peak_bytes: u64,
}

impl Usage {
    pub fn cpu(&self) -> Duration {
        self.clients + self.servers
    }
}

/// How often the programs are looked at.
const LOOK: Duration = Duration::from_millis(4);
/// USER_HZ, which is the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Runs all commands at the same time, to their ends. `servers`: the processes of the servers that work for them.
pub fn run(commands: Vec<Command>, servers: &[u32]) -> Result<(Usage, Vec<ExitStatus>), Failed> {
    let server_children = servers.iter().map(|server| children(*server).len()).sum::<usize>();
    let (clients_before, servers_before) = (waited_for(), self::servers(servers));
    let start = Instant::now();
    let mut running = Vec::new();
    for mut command in commands {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.map_err(|why| format!("{}: {why}", command.get_program().display()));
        match child {
            Ok(child) => running.push((child, None)),
            Err(why) => {
                running.iter_mut().for_each(|(child, _)| end(child));
                return Err(why);
            }
        }
    }
    let mut usage = Usage::default();
    while running.iter().any(|(_, ended)| ended.is_none()) {
        std::thread::sleep(LOOK);
        for (child, ended) in running.iter_mut().filter(|(_, ended)| ended.is_none()) {
            usage.peak_bytes = usage.peak_bytes.max(peak(child.id()));
            *ended = child.try_wait().map_err(|why| why.to_string())?;
        }
    }
    usage.wall = start.elapsed();
    usage.clients = waited_for().saturating_sub(clients_before);
    // A connection that has just been left is charged to its server when its process is gone.
    let patience = Instant::now() + Duration::from_secs(5);
    while servers.iter().map(|server| children(*server).len()).sum::<usize>() > server_children
        && Instant::now() < patience
    {
        std::thread::sleep(LOOK);
    }
    usage.servers = self::servers(servers).saturating_sub(servers_before);
    Ok((usage, running.into_iter().filter_map(|(_, ended)| ended).collect()))
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// CPU time of these processes, of their children, and of the children that they had.
pub fn servers(processes: &[u32]) -> Duration {
    let of = |process: &u32| {
        let family = [*process].into_iter().chain(children(*process));
        family.filter_map(times).map(|times| times.own + times.waited_for).sum::<Duration>()
    };
    processes.iter().map(of).sum()
}

/// CPU time of all children of this process that have ended.
fn waited_for() -> Duration {
    times(std::process::id()).map_or(Duration::ZERO, |times| times.waited_for)
}

struct Times {
    own: Duration,
    waited_for: Duration,
}

/// Of `/proc/PID/stat`, whose second field may have blanks and brackets in it.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn times(process: u32) -> Option<Times> {
    let fields = stat(process)?;
    // The manual counts from 1, and two fields are gone: utime is field 14.
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
    Some(Times { own: TICK * (ticks(14)? + ticks(15)?), waited_for: TICK * (ticks(16)? + ticks(17)?) })
}

fn children(process: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // The second field behind the name is the parent.
    let is_child = |other: &u32| {
        let parent = stat(*other).and_then(|fields| fields.get(1)?.parse::<u32>().ok());
        parent == Some(process)
    };
    numbers.filter(is_child).collect()
}

/// The most memory that a process has had so far.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
