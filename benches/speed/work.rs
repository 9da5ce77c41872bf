//! Runs a line: makes what it needs, runs ours and the reference, and holds what ours said against what must be found.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value as Json;

use crate::Failed;
use crate::arguments::Arguments;
use crate::data::{Counts, Rows};
use crate::lines::{Line, Pair, ROWS_OF_MANY, Work};
use crate::link::{self, Link};
use crate::measure::{self, Usage};
use crate::places::{EMPTY_DATABASE, Fixture, Places, Side, parts, plain, write_changes};
use crate::servers::Engine;
use crate::table::{Outcome, Reference};

/// As many connections a side as the product opens by default.
const CONNECTIONS: u64 = 4;

/// The places, and what other lines are held against.
pub struct Bench {
    places: Places,
    trueup: PathBuf,
    repeat: usize,
    /// Our equal runs, by pair and the primary's table.
    equal: HashMap<(Pair, String), Usage>,
    link: Option<Link>,
}

/// A run of ours that has ended.
struct Ended {
    usage: Usage,
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Bench {
    pub fn new(arguments: &Arguments) -> Bench {
        // Runs have a folder of their own.
        let trueup = arguments.trueup.canonicalize().unwrap_or_else(|_| arguments.trueup.clone());
        Bench { places: Places::new(), trueup, repeat: arguments.repeat, equal: HashMap::new(), link: None }
    }

    /// Measures one line.
    ///
    /// # Errors
    /// Whatever keeps it from being measured, above all a run of ours that does not find what there is.
    pub fn measure(&mut self, line: &Line) -> Result<Outcome, Failed> {
        for fixture in line.fixtures() {
            self.places.have(&fixture)?;
        }
        self.places.settle();
        match line.work {
            Work::Equal => self.equal(line),
            Work::Drift => self.drift(line),
            Work::Apply { checks } => self.apply(line, checks),
            Work::Copy { checks } => self.copy(line, checks),
            Work::SameBytes => self.same_bytes(line),
            Work::Replicas => self.replicas(line),
            Work::Many { tables } => self.many(line, tables),
            Work::Far { digest } => self.far(line, digest),
        }
    }

    /// Drops the line's tables that none of `later` needs.
    pub fn forget(&mut self, line: &Line, later: &[Line]) {
        let needed: Vec<Fixture> = later.iter().flat_map(Line::fixtures).collect();
        for fixture in line.fixtures().iter().filter(|fixture| !needed.contains(fixture)) {
            // What stays is in nobody's way.
            let _ = self.places.drop(fixture);
        }
    }

    fn equal(&mut self, line: &Line) -> Result<Outcome, Failed> {
        let spec = self.spec(line, "    schema: ignore\n")?;
        let ours = self.best(|bench| bench.verify(line, &spec, &[]))?;
        self.equal.insert((line.pair, line.fixture(Side::Primary).table), ours);
        let reference = match line.pair {
            Pair::Sqlite => self.sqldiff(line),
            _ => self.best(|bench| bench.read_both(line)).map(|usage| {
                let what = format!("both tables read by {CONNECTIONS} clients a side");
                Ok(Reference { what, usage })
            })?,
        };
        Ok(Outcome::Measured { ours, reference, received_bytes: None })
    }

    fn drift(&mut self, line: &Line) -> Result<Outcome, Failed> {
        let equal = self.equal_run(line)?;
        let spec = self.spec(line, "    schema: ignore\n")?;
        let ours = self.best(|bench| bench.verify(line, &spec, &[]))?;
        let reference = Ok(Reference { what: "its equal run".into(), usage: equal });
        Ok(Outcome::Measured { ours, reference, received_bytes: None })
    }

    /// What we took for the same table when it was equal; runs it where no line has done so.
    fn equal_run(&mut self, line: &Line) -> Result<Usage, Failed> {
        let key = (line.pair, line.fixture(Side::Primary).table);
        if let Some(usage) = self.equal.get(&key) {
            return Ok(*usage);
        }
        let rows = Rows { variant: crate::data::Variant::Equal, ..line.rows };
        let equal = Line { rows, work: Work::Equal, ..line.clone() };
        self.places.have(&equal.fixture(Side::Replica))?;
        self.places.settle();
        let spec = self.spec(&equal, "    schema: ignore\n")?;
        let usage = self.best(|bench| bench.verify(&equal, &spec, &[]))?;
        self.equal.insert(key, usage);
        Ok(usage)
    }

    /// Applies a saved plan to one table; the reference brings a second one, which is the same, to the same state.
    fn apply(&mut self, line: &Line, checks: bool) -> Result<Outcome, Failed> {
        let spec = self.spec(line, "    schema: ignore\n")?;
        let plan = self.places.scratch.join("changes.plan");
        let planned = self.trueup(&["plan", path(&spec), "-q", "--format", "json", "-o", path(&plan)])?;
        counted(&planned, 0, line.rows.expected())?;
        self.places.settle();
        let mut arguments = vec!["apply", path(&plan), "--spec", path(&spec), "-y", "--progress", "never"];
        arguments.extend((!checks).then_some("--no-verify"));
        let ended = self.trueup(&arguments)?;
        applied(&ended, line.rows.expected())?;
        self.equal_now(&spec)?;

        let mut beside = line.fixture(Side::Replica);
        beside.table.push_str("_script");
        self.places.have(&beside)?;
        let usage = self.run_script(line, &beside.table)?;
        let spec = self.spec_of(&line.fixture(Side::Primary), &beside, "    schema: ignore\n")?;
        self.equal_now(&spec)?;
        self.places.drop(&beside)?;
        let what = "temporary tables, then one UPDATE, DELETE, INSERT".into();
        let reference = Ok(Reference { what, usage });
        Ok(Outcome::Measured { ours: ended.usage, reference, received_bytes: None })
    }

    fn run_script(&mut self, line: &Line, table: &str) -> Result<Usage, Failed> {
        let engine = line.pair.engine(Side::Replica);
        let folder = self.places.scratch.clone();
        let files = write_changes(&line.rows, &folder)?;
        let script = folder.join("changes.sql");
        std::fs::write(&script, hand_written(engine, line.rows, table, &files))
            .map_err(|why| why.to_string())?;
        let source = match engine {
            Engine::Mariadb => format!("source {}", script.display()),
            _ => format!("\\i {}", script.display()),
        };
        let client = self.places.client(engine, Side::Replica.database(), &source)?;
        self.places.settle();
        let (usage, ended) = self.reference(vec![client])?;
        ended.map(|()| usage)
    }

    fn copy(&mut self, line: &Line, checks: bool) -> Result<Outcome, Failed> {
        let primary = line.fixture(Side::Primary);
        let missing = Fixture { table: "made".into(), ..line.fixture(Side::Replica) };
        let spec = self.spec_of(&primary, &missing, "")?;
        let mut arguments = vec!["apply", path(&spec), "-y", "--progress", "never"];
        arguments.extend((!checks).then_some("--no-verify"));
        let ended = self.trueup(&arguments)?;
        applied(&ended, Counts { insert: line.rows.count, ..Counts::default() })?;
        self.equal_now(&spec)?;
        self.places.ask(missing.engine, missing.side.database(), "DROP TABLE made; CHECKPOINT")?;
        self.places.settle();

        let usage = self.dump_and_restore(&primary)?;
        let counted = format!("SELECT count(*) FROM {}", primary.table);
        let rows = self.places.ask(primary.engine, EMPTY_DATABASE, &counted)?;
        if rows != line.rows.count.to_string() {
            return Err(format!("pg_dump | psql brought {rows} rows"));
        }
        let drop = format!("DROP TABLE {}; CHECKPOINT", primary.table);
        self.places.ask(primary.engine, EMPTY_DATABASE, &drop)?;
        let reference = Ok(Reference { what: "`pg_dump` piped into `psql`".into(), usage });
        Ok(Outcome::Measured { ours: ended.usage, reference, received_bytes: None })
    }

    fn dump_and_restore(&mut self, table: &Fixture) -> Result<Usage, Failed> {
        let address = self.places.address(table.engine)?;
        let script = "set -o pipefail; pg_dump -t \"$0\" \"$1\" | psql -X -q -v ON_ERROR_STOP=1 \"$2\"";
        let mut shell = plain("bash");
        shell.args(["-c", script, &table.table]);
        shell.arg(address.url(table.side.database())).arg(address.url(EMPTY_DATABASE));
        let (usage, ended) = self.reference(vec![shell])?;
        ended.map(|()| usage)
    }

    fn same_bytes(&mut self, line: &Line) -> Result<Outcome, Failed> {
        let primary = line.fixture(Side::Primary);
        let replica = line.fixture(Side::Replica);
        let (from, to) = (self.places.file(&primary), self.places.scratch.join("same-bytes.db"));
        std::fs::copy(&from, &to).map_err(|why| why.to_string())?;
        let urls = [&from, &to].map(|file| format!("sqlite:{}", file.display()));
        let spec = self.write_spec(&urls, [&primary.table, &replica.table], "    schema: ignore\n")?;
        let ours = self.best(|bench| bench.verify(line, &spec, &[]))?;
        let usage = self.best(|bench| {
            let mut cmp = plain("cmp");
            cmp.arg(&from).arg(&to);
            let (usage, ended) = bench.reference(vec![cmp])?;
            ended.map(|()| usage)
        })?;
        std::fs::remove_file(&to).map_err(|why| why.to_string())?;
        let reference = Ok(Reference { what: "`cmp` of the files".into(), usage });
        Ok(Outcome::Measured { ours, reference, received_bytes: None })
    }

    fn replicas(&mut self, line: &Line) -> Result<Outcome, Failed> {
        let equal = self.equal_run(line)?;
        let primary = line.fixture(Side::Primary);
        let mut text = format!("version: 1\nprimary: \"{}\"\nreplicas:\n", self.places.url(&primary)?);
        for side in Side::REPLICAS {
            let url = self.places.url(&line.fixture(side))?;
            text.push_str(&format!("  {}: \"{url}\"\n", side.database()));
        }
        let to = line.fixture(Side::Replica).table;
        text.push_str(&format!("tables:\n  - table: {}\n    to: {to}\n    schema: ignore\n", primary.table));
        let spec = self.places.scratch.join("spec.yml");
        std::fs::write(&spec, text).map_err(|why| why.to_string())?;
        let ours = self.best(|bench| {
            let ended = bench.trueup_verify(&spec, &[])?;
            counted(&ended, 0, Counts::default())?;
            all_rows(&ended, Side::REPLICAS.len(), line.rows.count)?;
            Ok(ended.usage)
        })?;
        let reference = Ok(Reference { what: "the run with one of them".into(), usage: equal });
        Ok(Outcome::Measured { ours, reference, received_bytes: None })
    }

    fn many(&mut self, line: &Line, tables: u64) -> Result<Outcome, Failed> {
        let engine = line.pair.engine(Side::Primary);
        let databases = ["many_shop", "many_copy"];
        let files = ["many-make.sql", "many-read.sql"].map(|name| self.places.scratch.join(name));
        for (file, script) in files.iter().zip([make_many(engine, tables), read_many(tables)]) {
            std::fs::write(file, script).map_err(|why| why.to_string())?;
        }
        let open = |file: &Path| File::open(file).map_err(|why| why.to_string());
        for database in databases {
            self.places.administer(engine, &format!("CREATE DATABASE {database}"))?;
            let mut client = self.places.client(engine, database, "")?;
            let made = client.stdin(open(&files[0])?).output().map_err(|why| why.to_string())?;
            if !made.status.success() {
                return Err(String::from_utf8_lossy(&made.stderr).trim().to_owned());
            }
        }
        self.places.settle();
        let address = self.places.address(engine)?;
        let urls = databases.map(|database| address.url(database));
        let spec = self.places.scratch.join("spec.yml");
        let text = format!(
            "version: 1\nprimary: \"{}\"\nreplicas: {{ copy: \"{}\" }}\ntables: ['*']\n",
            urls[0], urls[1]
        );
        std::fs::write(&spec, text).map_err(|why| why.to_string())?;
        let ours = self.best(|bench| {
            let ended = bench.trueup_verify(&spec, &[])?;
            counted(&ended, 0, Counts::default())?;
            all_rows(&ended, 1, line.rows.count)?;
            Ok(ended.usage)
        })?;
        let usage = self.best(|bench| {
            let mut clients = Vec::new();
            for database in databases {
                let mut client = bench.places.client(engine, database, "")?;
                client.stdin(open(&files[1])?);
                clients.push(client);
            }
            let (usage, ended) = bench.reference(clients)?;
            ended.map(|()| usage)
        })?;
        // The server may not have noticed yet that nobody is there any more.
        let force = if engine == Engine::Postgres { " WITH (FORCE)" } else { "" };
        for database in databases {
            self.places.administer(engine, &format!("DROP DATABASE {database}{force}"))?;
        }
        let reference =
            Ok(Reference { what: "one client a side, a `SELECT *` for each table".into(), usage });
        Ok(Outcome::Measured { ours, reference, received_bytes: None })
    }

    fn far(&mut self, line: &Line, digest: bool) -> Result<Outcome, Failed> {
        let primary = line.fixture(Side::Primary);
        let address = self.places.address(primary.engine)?;
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::start(format!("{}:{}", address.host, address.port))?,
        };
        let far_address = crate::servers::Address { port: link.port, ..address };
        let far_url = far_address.url(primary.side.database());
        let replica = line.fixture(Side::Replica);
        let urls = [far_url, self.places.url(&replica)?];
        let spec = self.write_spec(&urls, [&primary.table, &replica.table], "    schema: ignore\n")?;
        link.take_received();
        let arguments: &[&str] = if digest { &["--digest", "database"] } else { &[] };
        let ended = self.trueup_verify(&spec, arguments)?;
        let received_bytes = Some(link.take_received());
        self.link = Some(link);
        if let Some(why) = ended.stderr.trim().strip_prefix("error: not available yet: ") {
            return Ok(Outcome::NotYet(format!("`{why}`")));
        }
        counted(&ended, verify_exit(line.rows.expected()), line.rows.expected())?;
        let usage = Usage { wall: link::time_to_send(self.bytes(&primary)?), ..Usage::default() };
        let reference = Ok(Reference { what: "sending one side at that rate".into(), usage });
        Ok(Outcome::Measured { ours: ended.usage, reference, received_bytes })
    }

    /// What reading a table of PostgreSQL brings.
    fn bytes(&mut self, fixture: &Fixture) -> Result<u64, Failed> {
        let sql = format!("COPY {} TO STDOUT (FORMAT binary)", fixture.table);
        let mut client = self.places.client(fixture.engine, fixture.side.database(), &sql)?;
        let mut child = client.stdout(Stdio::piped()).spawn().map_err(|why| why.to_string())?;
        let mut output = child.stdout.take().ok_or("the client has no standard output")?;
        let bytes = std::io::copy(&mut output, &mut std::io::sink()).map_err(|why| why.to_string())?;
        let ended = child.wait().map_err(|why| why.to_string())?;
        if ended.success() { Ok(bytes) } else { Err(format!("{sql}: {ended}")) }
    }

    /// Both tables to nowhere, at the same time, each by as many clients as we open connections.
    fn read_both(&mut self, line: &Line) -> Result<Usage, Failed> {
        let primary = line.fixture(Side::Primary);
        let cuts = parts(&mut self.places, &primary, CONNECTIONS)?;
        let key = line.rows.kind.key().join(", ");
        let mut commands = Vec::new();
        for fixture in [primary, line.fixture(Side::Replica)] {
            for cut in &cuts {
                let select = format!("SELECT * FROM {} WHERE {cut} ORDER BY {key}", fixture.table);
                let sql = match fixture.engine {
                    Engine::Mariadb => select,
                    _ => format!("COPY ({select}) TO STDOUT (FORMAT binary)"),
                };
                commands.push(self.places.client(fixture.engine, fixture.side.database(), &sql)?);
            }
        }
        let (usage, ended) = self.reference(commands)?;
        ended.map(|()| usage)
    }

    /// `Err` where there is no `sqldiff`, or it finds a difference: then it has nothing to be held against.
    fn sqldiff(&mut self, line: &Line) -> Result<Reference, String> {
        let files = [Side::Primary, Side::Replica].map(|side| self.places.file(&line.fixture(side)));
        let usage = self.best(|bench| {
            let mut sqldiff = plain("sqldiff");
            sqldiff.arg("--primarykey").args(&files);
            let (usage, ended) = bench.reference(vec![sqldiff])?;
            ended.map(|()| usage)
        })?;
        if std::fs::read(self.places.scratch.join("reference.out")).is_ok_and(|said| !said.is_empty()) {
            return Err("sqldiff finds the files different".into());
        }
        Ok(Reference { what: "`sqldiff --primarykey`".into(), usage })
    }

    /// The run with the fewest CPU seconds.
    fn best(&mut self, run: impl Fn(&mut Bench) -> Result<Usage, Failed>) -> Result<Usage, Failed> {
        let mut best = run(self)?;
        for _ in 1..self.repeat {
            let again = run(self)?;
            let peak_bytes = best.peak_bytes.max(again.peak_bytes);
            best = if again.cpu() < best.cpu() { again } else { best };
            best.peak_bytes = peak_bytes;
        }
        Ok(best)
    }

    /// Runs others' programs; the inner result says whether all of them ended well.
    fn reference(&mut self, mut commands: Vec<Command>) -> Result<(Usage, Result<(), Failed>), Failed> {
        let open = |name: &str| File::create(self.places.scratch.join(name)).map_err(|why| why.to_string());
        let stderr = open("reference.err")?;
        let single = commands.len() == 1;
        for command in &mut commands {
            let stdout = if single { Stdio::from(open("reference.out")?) } else { Stdio::null() };
            command.stdout(stdout).stderr(stderr.try_clone().map_err(|why| why.to_string())?);
        }
        let (usage, ended) = measure::run(commands, &self.places.processes())?;
        let well = if ended.iter().all(ExitStatus::success) {
            Ok(())
        } else {
            let said = std::fs::read_to_string(self.places.scratch.join("reference.err")).unwrap_or_default();
            Err(format!("the reference failed: {}", said.trim()))
        };
        Ok((usage, well))
    }

    /// Compares, and holds what was found against what there is.
    fn verify(&mut self, line: &Line, spec: &Path, arguments: &[&str]) -> Result<Usage, Failed> {
        let ended = self.trueup_verify(spec, arguments)?;
        let expected = line.rows.expected();
        counted(&ended, verify_exit(expected), expected)?;
        let document: Json = serde_json::from_str(&ended.stdout).map_err(|why| why.to_string())?;
        let rows = &document["replicas"][0]["tables"][0]["rows"];
        let on_replica = line.rows.count + expected.delete - expected.insert;
        if rows["primary"] != line.rows.count || rows["replica"] != on_replica {
            return Err(format!("read {rows} rows, not {} and {on_replica}", line.rows.count));
        }
        Ok(ended.usage)
    }

    fn trueup_verify(&mut self, spec: &Path, arguments: &[&str]) -> Result<Ended, Failed> {
        self.trueup(&[&["verify", path(spec), "-q", "--format", "json"], arguments].concat())
    }

    /// Not measured: that a run has done its work.
    fn equal_now(&mut self, spec: &Path) -> Result<(), Failed> {
        let ended = self.trueup_verify(spec, &[])?;
        counted(&ended, 0, Counts::default())
    }

    /// Runs the product to its end.
    fn trueup(&mut self, arguments: &[&str]) -> Result<Ended, Failed> {
        let files = ["trueup.out", "trueup.err"].map(|name| self.places.scratch.join(name));
        let open = |file: &Path| File::create(file).map_err(|why| why.to_string());
        let mut command = plain(&self.trueup);
        command.args(arguments).current_dir(&self.places.scratch);
        command.stdout(open(&files[0])?).stderr(open(&files[1])?);
        let (usage, ended) = measure::run(vec![command], &self.places.processes())?;
        let read = |file: &Path| std::fs::read_to_string(file).map_err(|why| why.to_string());
        let exit = ended.first().and_then(ExitStatus::code);
        Ok(Ended { usage, exit, stdout: read(&files[0])?, stderr: read(&files[1])? })
    }

    fn spec(&mut self, line: &Line, options: &str) -> Result<PathBuf, Failed> {
        self.spec_of(&line.fixture(Side::Primary), &line.fixture(Side::Replica), options)
    }

    fn spec_of(&mut self, primary: &Fixture, replica: &Fixture, options: &str) -> Result<PathBuf, Failed> {
        let urls = [self.places.url(primary)?, self.places.url(replica)?];
        self.write_spec(&urls, [&primary.table, &replica.table], options)
    }

    fn write_spec(&self, urls: &[String; 2], tables: [&String; 2], options: &str) -> Result<PathBuf, Failed> {
        let file = self.places.scratch.join("spec.yml");
        let text = format!(
            "version: 1\nprimary: \"{}\"\nreplicas: {{ copy: \"{}\" }}\ntables:\n  - table: {}\n    to: {}\n{options}",
            urls[0], urls[1], tables[0], tables[1]
        );
        std::fs::write(&file, text).map_err(|why| why.to_string())?;
        Ok(file)
    }
}

/// Makes tables of a few rows, no two of which hold the same.
fn make_many(engine: Engine, tables: u64) -> String {
    let numbers = match engine {
        Engine::Mariadb => format!("(SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_{ROWS_OF_MANY}) n"),
        _ => format!("generate_series(1, {ROWS_OF_MANY}) AS n(i)"),
    };
    let one = |number: u64| {
        format!(
            "CREATE TABLE t{number:04} (id integer PRIMARY KEY, title varchar(40), price decimal(10,2), day date);\n\
             INSERT INTO t{number:04} SELECT i, concat('title ', i + {number}), i * 1.5, DATE '2024-02-03' FROM {numbers};\n"
        )
    };
    let analyze = if engine == Engine::Postgres { "ANALYZE;\n" } else { "" };
    (0..tables).map(one).collect::<String>() + analyze
}

fn read_many(tables: u64) -> String {
    (0..tables).map(|number| format!("SELECT * FROM t{number:04} ORDER BY id;\n")).collect()
}

/// Whether so many replicas were compared in so many rows each, on both sides.
fn all_rows(ended: &Ended, replicas: usize, rows: u64) -> Result<(), Failed> {
    let document: Json = serde_json::from_str(&ended.stdout).map_err(|why| why.to_string())?;
    let found = document["replicas"].as_array().map(Vec::as_slice).unwrap_or_default();
    for replica in found {
        let tables = replica["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
        for side in ["primary", "replica"] {
            let read: u64 = tables.iter().filter_map(|table| table["rows"][side].as_u64()).sum();
            if read != rows {
                return Err(format!("read {read} rows of the {side}, not {rows}"));
            }
        }
    }
    if found.len() == replicas {
        Ok(())
    } else {
        Err(format!("compared {} replicas, not {replicas}", found.len()))
    }
}

/// Our paths are our own: plain text.
fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn verify_exit(expected: Counts) -> i32 {
    if expected == Counts::default() { 0 } else { 2 }
}

/// Whether a run ended as it must, and its document counts what there is.
fn counted(ended: &Ended, exit: i32, expected: Counts) -> Result<(), Failed> {
    let document: Json = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let summary = &document["summary"];
    let count = |name: &str| summary[name].as_u64();
    let found = (count("insert"), count("update"), count("delete"));
    let wanted = (Some(expected.insert), Some(expected.update), Some(expected.delete));
    if ended.exit != Some(exit) || found != wanted || count("error") != Some(0) {
        let said = ended.stderr.trim();
        return Err(format!("exit {:?} and {summary}, not {exit} and {expected:?}: {said}", ended.exit));
    }
    Ok(())
}

/// Whether a run ended well and says that it wrote what there is.
fn applied(ended: &Ended, expected: Counts) -> Result<(), Failed> {
    let line =
        ended.stdout.lines().find_map(|line| line.strip_prefix("Apply complete! ")).unwrap_or_default();
    let number = |part: &str| part.split_whitespace().next()?.replace(',', "").parse::<u64>().ok();
    let found: Vec<Option<u64>> = line.split(", ").take(3).map(number).collect();
    let wanted = [expected.insert, expected.update, expected.delete].map(Some);
    if ended.exit != Some(0) || found != wanted {
        let said = ended.stderr.trim();
        return Err(format!("exit {:?} and {line:?}, not 0 and {expected:?}: {said}", ended.exit));
    }
    Ok(())
}

/// What somebody would write who has the rows in files: [to update, to insert, whose keys go].
fn hand_written(engine: Engine, rows: Rows, table: &str, files: &[PathBuf; 3]) -> String {
    let columns = rows.kind.columns();
    let same_key =
        rows.kind.key().iter().map(|key| format!("t.{key} = c.{key}")).collect::<Vec<_>>().join(" AND ");
    let values = columns.iter().filter(|column| !column.key).map(|column| column.name);
    let set = |target: &str| {
        values.clone().map(|name| format!("{target}{name} = c.{name}")).collect::<Vec<_>>().join(", ")
    };
    let mut script = String::new();
    for (name, file) in ["update", "insert", "delete"].iter().zip(files) {
        let (temporary, file) = (format!("to_{name}"), file.display());
        script.push_str(&match engine {
            Engine::Mariadb => format!(
                "CREATE TEMPORARY TABLE {temporary} LIKE {table};\n\
                 LOAD DATA LOCAL INFILE '{file}' INTO TABLE {temporary} CHARACTER SET utf8mb4;\n"
            ),
            _ => format!(
                "CREATE TEMPORARY TABLE {temporary} (LIKE {table});\n\
                 \\copy {temporary} FROM '{file}'\nANALYZE {temporary};\n"
            ),
        });
    }
    script.push_str(&match engine {
        Engine::Mariadb => format!(
            "UPDATE {table} t JOIN to_update c ON {same_key} SET {};\n\
             DELETE t FROM {table} t JOIN to_delete c ON {same_key};\n",
            set("t.")
        ),
        _ => format!(
            "UPDATE {table} t SET {} FROM to_update c WHERE {same_key};\n\
             DELETE FROM {table} t USING to_delete c WHERE {same_key};\n",
            set("")
        ),
    });
    script.push_str(&format!("INSERT INTO {table} SELECT * FROM to_insert;\nCOMMIT;\n"));
    let begin = match engine {
        Engine::Mariadb => "SET time_zone = '+00:00';\nSTART TRANSACTION;\n",
        _ => "BEGIN;\n",
    };
    format!("{begin}{script}")
}
