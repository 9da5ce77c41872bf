//! The whole file: what stands at its head, the entries, and what is not compared, as comments. Pure.
//!
//! Invariant: no password, whatever the URLs hold; a URL with one is written as a variable.

use crate::report::{self, counted, thousands};
use crate::sides::Sides;
use crate::spec::{SideUrl, quote_scalar};

use super::Database;
use super::entry::Entry;
use super::pair::Drafted;
use super::text::{comment, list};

/// How far to the right the notes behind names go, at most.
const NOTE_COLUMN_MAX: usize = 44;

/// Everything that the file tells.
pub(super) struct Document<'a> {
    pub sides: &'a Sides<Database<'a>>,
    /// The file as the commands in its head call it.
    pub path: &'a str,
    /// Whether the replica has no table at all, so that every entry creates one.
    pub empty_replica: bool,
    pub entries: Vec<Entry>,
    /// Pairs that cannot be compared as they are, and why.
    pub refused: Vec<Drafted>,
    /// Names of tables that could be each other's, with an entry for the first two.
    pub unclear: Vec<(Sides<Vec<String>>, Entry)>,
    /// Tables that only the primary has, with an entry to create them.
    pub only_primary: Vec<Drafted>,
    /// Tables that only the replica has, as the spec would name them.
    pub only_replica: Vec<String>,
}

impl Document<'_> {
    /// The text, line ends included.
    pub fn text(&self) -> String {
        let mut out = Lines::default();
        self.head(&mut out);
        self.databases(&mut out);
        options(&mut out);
        self.entries(&mut out);
        self.refused(&mut out);
        self.unclear(&mut out);
        self.only_primary(&mut out);
        self.only_replica(&mut out);
        out.text
    }

    fn head(&self, out: &mut Lines) {
        out.say("", "What trueup compares and makes equal. Written by `trueup init`; it is yours to edit.");
        out.line("#");
        let shown = self.sides.as_ref().map(|side| side.url.display());
        let width = shown.primary.chars().count().max(shown.replica.chars().count());
        let server = |side: &Database<'_>| match side.server.missing {
            true => "a file that apply will create".to_owned(),
            false => format!("{} {}", side.server.engine, side.server.version),
        };
        for (what, side, display) in [
            ("primary, only ever read:   ", &self.sides.primary, &shown.primary),
            ("replica, to be made equal: ", &self.sides.replica, &shown.replica),
        ] {
            out.line(&report::visible(&format!("# {what} {display:width$}  {}", server(side))));
        }
        out.line("#");
        out.say("", &self.found());
        out.line("#");
        self.commands(out);
        if let Some(why) = &self.sides.replica.server.read_only {
            out.line("#");
            out.say(
                "",
                &format!(
                    "The replica cannot be written as it is ({why}): plan and verify work, apply does not."
                ),
            );
        }
        out.line("");
    }

    fn found(&self) -> String {
        let tables = counted(self.entries.len() as u64, "table");
        let mut words = match self.empty_replica {
            true => {
                format!("The replica has no tables yet: apply creates the {tables} below and fills them.")
            }
            false => format!("{tables} found on both sides."),
        };
        let asking = self.entries.iter().filter(|entry| entry.notes.ask()).count();
        if asking > 0 {
            let are = if asking == 1 {
                "1 of them is"
            } else {
                &format!("{} of them are", thousands(asking as u64))
            };
            words += &format!(" {are} not compared in full, or otherwise worth a look: see NOTE.");
        }
        let rest = [
            (self.refused.len(), "cannot be compared as it is", "cannot be compared as they are"),
            (self.unclear.len(), "may have another name there", "may have another name there"),
            (self.only_primary.len(), "is only on the primary", "are only on the primary"),
            (self.only_replica.len(), "is only on the replica", "are only on the replica"),
        ];
        let rest: Vec<String> = rest
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, more)| {
                format!("{} {}", thousands(*count as u64), if *count == 1 { one } else { more })
            })
            .collect();
        if !rest.is_empty() {
            words += &format!(" Not compared: {} (at the end).", rest.join(", "));
        }
        words
    }

    fn commands(&self, out: &mut Lines) {
        let path = shell_word(self.path);
        for (name, display) in variables(&self.sides.as_ref().map(|side| side.url)) {
            out.line(&format!("#   export {name}=…   # {display}, with its password"));
        }
        let rows = [
            ("check", "are connections, rights, tables, keys and types as this file needs them?"),
            ("plan", "what would change on the replica; writes nothing"),
            ("apply", "shows that, asks, writes it, and compares what it wrote"),
            ("verify", "is the replica equal? ends with exit code 2 where it is not"),
        ];
        for (command, what) in rows {
            out.line(&format!("#   trueup {command:6} {path}   # {what}"));
        }
    }

    fn databases(&self, out: &mut Lines) {
        out.line("version: 1");
        out.line("");
        out.line(&format!("primary: {}", self.url("PRIMARY_URL", &self.sides.primary)));
        out.line("replicas:");
        out.say("  ", "The name is used in output and with --replica. There may be more replicas than one.");
        out.line(&format!("  replica: {}", self.url("REPLICA_URL", &self.sides.replica)));
        out.line("");
    }

    /// A URL without a password as it was given, else a variable.
    fn url(&self, variable: &str, side: &Database<'_>) -> String {
        match side.url.password {
            None => quote_scalar(side.written.trim()),
            Some(_) => format!("${{{variable}}} # {}", report::visible(&side.url.display())),
        }
    }

    fn entries(&self, out: &mut Lines) {
        out.line("tables:");
        let all: Vec<Vec<String>> = self.entries.iter().map(Entry::lines).collect();
        let widths = all.iter().filter_map(|lines| lines.first()).map(|line| line.chars().count());
        let column = widths.filter(|width| *width <= NOTE_COLUMN_MAX).max().unwrap_or(0);
        let mut apart = false;
        for (entry, lines) in self.entries.iter().zip(all) {
            let long = lines.len() > 1;
            if apart || (long && out.inside) {
                out.line("");
            }
            apart = long;
            out.inside = true;
            for (number, line) in lines.iter().enumerate() {
                match (number, entry.notes.name.is_empty()) {
                    (0, false) => {
                        let note = report::visible(&entry.notes.name);
                        out.line(&format!("  {line:column$}  # {note}"));
                    }
                    _ => out.line(&format!("  {line}")),
                }
            }
        }
    }

    fn refused(&self, out: &mut Lines) {
        if self.refused.is_empty() {
            return;
        }
        out.section("Not compared, for something is in the way:");
        for drafted in &self.refused {
            out.line("");
            let why = drafted.refused.as_deref().unwrap_or_default();
            out.say("  ", &format!("{}: {why}.", report::name(&drafted.entry.table.to_string())));
            out.commented(&drafted.entry);
        }
    }

    fn unclear(&self, out: &mut Lines) {
        if self.unclear.is_empty() {
            return;
        }
        out.section("Perhaps the same under another name. An entry without its # pairs two:");
        for (names, entry) in &self.unclear {
            out.line("");
            let Sides { primary, replica } =
                names.as_ref().map(|names| list(names.iter().map(String::as_str)));
            out.say("  ", &format!("{primary} on the primary, {replica} on the replica."));
            out.commented(entry);
        }
    }

    fn only_primary(&self, out: &mut Lines) {
        if self.only_primary.is_empty() {
            return;
        }
        let (good, refused): (Vec<&Drafted>, Vec<&Drafted>) =
            self.only_primary.iter().partition(|drafted| drafted.refused.is_none());
        out.section(match good.is_empty() {
            true => "Only on the primary:",
            false => {
                "Only on the primary. An entry without its # has the table created on the replica and filled:"
            }
        });
        for drafted in good {
            out.commented(&drafted.entry);
        }
        for drafted in refused {
            let why = drafted.refused.as_deref().unwrap_or_default();
            let name = report::name(&drafted.entry.table.to_string());
            out.say("  ", &format!("({name} cannot be created: {why}.)"));
        }
    }

    fn only_replica(&self, out: &mut Lines) {
        if self.only_replica.is_empty() {
            return;
        }
        out.section("Only on the replica, and left as they are (a glob with `drop: true` would drop those it matches):");
        for name in &self.only_replica {
            out.line(&report::visible(&format!("  #   {name}")));
        }
    }
}

/// The variables that hold what the file may not, and what they stand for.
pub fn variables(urls: &Sides<&SideUrl>) -> Vec<(&'static str, String)> {
    let sides = [("PRIMARY_URL", urls.primary), ("REPLICA_URL", urls.replica)];
    let secret = sides.into_iter().filter(|(_, url)| url.password.is_some());
    secret.map(|(name, url)| (name, report::visible(&url.display()))).collect()
}

fn options(out: &mut Lines) {
    out.say(
        "",
        "Nothing limits what apply may change, unless this does (a percentage is of each table's rows):",
    );
    out.line("# limits:");
    out.line("#   deletes: 10%");
    out.line("#   changes: 50%");
    out.line("");
    out.say(
        "",
        "Tables are compared in structure and rows. What holds for all of them can stand here, for example to report \
         differences in structure and never change it, or to report extra rows and never delete them:",
    );
    out.line("# defaults:");
    out.line("#   schema: check");
    out.line("#   delete: false");
    out.line("");
}

/// The text so far.
#[derive(Default)]
struct Lines {
    text: String,
    /// Whether an entry has been written.
    inside: bool,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn say(&mut self, indent: &str, words: &str) {
        for line in comment(words) {
            self.line(&format!("{indent}{line}"));
        }
    }

    fn section(&mut self, words: &str) {
        self.line("");
        self.say("  ", words);
    }

    /// An entry as a comment: taking away `# ` makes it one.
    fn commented(&mut self, entry: &Entry) {
        for line in entry.lines() {
            self.line(&format!("  # {}", report::visible(&line)));
        }
    }
}

/// A path as a shell takes it.
fn shell_word(path: &str) -> String {
    let plain = !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || "_./-+@:,%".contains(c));
    match plain && !path.starts_with('-') {
        true => path.to_owned(),
        false => report::visible(&format!("'{}'", path.replace('\'', r"'\''"))),
    }
}
