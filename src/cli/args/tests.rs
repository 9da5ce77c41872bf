//! Lines that are taken, lines that are not, and the help.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_option_of_a_run_is_taken() {
    let line = "trueup apply s.yml -y --max-deletes 10% --max-changes 50 --batch-rows 10 --partial \
                --lock-timeout 30s --no-verify --replica eu --replica us --table a.* --format json \
                --report json=a.json --report text={replica}.txt --redact --rows all --max-diffs 5 \
                --jobs 2 --chunk-rows 100 --memory 1GiB --color never --progress always -v";
    let Ok(Cli { command: Command::Apply(apply) }) = parse(&line.replace("  ", "")) else { panic!() };
    assert_eq!(apply.write.max_deletes, Some(Limit::PerTable { millionths: 100_000 }));
    assert_eq!(apply.write.max_changes, Some(Limit::PerReplica { rows: 50 }));
    assert_eq!(apply.write.lock_timeout, Duration::from_secs(30));
    assert_eq!(apply.run.replica, ["eu", "us"]);
    assert_eq!(apply.run.rows, Rows::All);
    assert_eq!(apply.run.memory, 1 << 30);
    let text = ReportTo { format: Format::Text, path: "{replica}.txt".into() };
    assert_eq!(apply.run.report[1], text);
}

#[test]
fn a_watch_that_applies_takes_what_makes_sense_unattended() {
    let line = "trueup watch s.yml --every 90s --apply --max-deletes 10% --max-changes 50 --batch-rows 10 \
                --allow CASCADES_OUTSIDE --partial --lock-timeout 30s --no-verify --report json=a.json";
    let Ok(Cli { command: Command::Watch(watch) }) = parse(&line.replace("  ", "")) else { panic!() };
    assert_eq!((watch.every, watch.once), (Some(Duration::from_secs(90)), false));
    let write = watch.write.unattended();
    assert!(write.auto_approve && write.partial && write.no_verify && write.undo.is_none());
    assert_eq!(write.max_deletes, Some(Limit::PerTable { millionths: 100_000 }));
    assert_eq!(write.max_changes, Some(Limit::PerReplica { rows: 50 }));
    assert_eq!((write.batch_rows, write.lock_timeout), (Some(10), Duration::from_secs(30)));
    assert_eq!(write.allowed(), ["CASCADES_OUTSIDE"]);
    let Ok(Cli { command: Command::Watch(once) }) = parse("trueup watch s.yml --once") else { panic!() };
    assert_eq!((once.every, once.apply, once.write.unattended().lock_timeout), (None, false, Duration::ZERO));
}

#[test]
fn what_a_command_does_not_have_is_an_error() {
    for line in [
        "trueup",
        "trueup plan",
        "trueup plan s.yml -y",
        "trueup verify s.yml --detailed-exitcode",
        "trueup verify s.yml --max-deletes 5",
        "trueup watch s.yml",
        "trueup watch s.yml --every 0s",
        "trueup watch s.yml --every often",
        "trueup watch s.yml --every 1h --partial",
        "trueup watch s.yml --every 1h --lock-timeout 5s",
        "trueup watch s.yml --every 1h --apply -y",
        "trueup watch s.yml --every 1h --apply --undo u.bin",
        "trueup check s.yml --format json",
        "trueup plan s.yml --format yaml",
        "trueup plan s.yml --report json",
        "trueup plan s.yml --report yaml=x",
        "trueup plan s.yml --rows some",
        "trueup plan s.yml --memory lots",
        "trueup plan s.yml --memory 1KiB",
        "trueup plan s.yml --jobs 0",
        "trueup plan s.yml --table a.b.c",
        "trueup plan s.yml -q -v",
        "trueup apply s.yml --max-deletes ten",
        "trueup destroy s.yml",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn the_help_of_watch() {
    let mut cli = Cli::command().term_width(110);
    cli.build();
    let help = cli.find_subcommand_mut("watch").expect("it is a command").render_help().to_string();
    let (own, rest) = help.split_once("Writing, with --apply only:").expect("it has these options");
    let (_, notes) = rest.split_once("Runs:").expect("it has these notes");
    let (notes, _) = notes.split_once("Exit codes").expect("they come at the end");
    insta::assert_snapshot!(format!("{own}Runs:{notes}"), @r#"
    Repeat verify, or plan and apply with --apply

    Usage: trueup watch [OPTIONS] <SPEC>

    Arguments:
      <SPEC>  The spec

    Options:
          --every <D>  Begin a run every so often: 30s, 5m, 1h, 1d
          --apply      Apply what was found, without asking; limits and hazards are refused as ever
          --once       Make one run, and end with its exit code
      -h, --help       Print help (see more with '--help')

    Runs:
      Each run prints one line to standard output: when it began (UTC), and how each replica stands.
      With --format json the line is the JSON document of verify, with --apply that of apply.
      Runs begin at whole multiples of --every after the first, and never overlap: moments that go by
      while a run is at work are skipped, which standard error says once.
      The spec is read again before each run, and connections are closed after it. A run that fails
      (a database is down, the spec is no longer valid) is an error in its line, and the next one tries
      again; a spec or an option that is wrong at the start ends the watch with 1.
      Files of --report are replaced as a whole by each run.
      SIGINT and SIGTERM end the watch with 0: at once between runs, within one at its next safe point;
      what was committed stays, and standard error says what that is.
      With --once the exit code is that of verify or apply.
    "#);
}

#[test]
fn the_help_of_apply() {
    let mut cli = Cli::command().term_width(110);
    cli.build();
    let help = cli.find_subcommand_mut("apply").expect("it is a command").render_help();
    insta::assert_snapshot!(help, @r#"
    Plan, show, ask, apply and check

    Usage: trueup apply [OPTIONS] <SPEC|PLAN>

    Arguments:
      <SPEC|PLAN>  The spec, or a saved plan

    Options:
          --spec <SPEC>  Take the connections for a saved plan from this spec [default: the one it was made from]
      -h, --help         Print help (see more with '--help')

    Writing:
      -y, --auto-approve        Do not ask
          --max-deletes <N|P%>  Refuse more deletes than this: rows of a replica, or a percentage of each table's
                                rows [default: the spec's limits.deletes]
          --max-changes <N|P%>  Refuse more changes than this: rows of a replica, or a percentage of each table's
                                rows [default: the spec's limits.changes]
          --allow <HAZARD>      Allow these hazards, which are refused otherwise [possible values:
                                ACQUIRES_ACCESS_EXCLUSIVE_LOCK, CASCADES_OUTSIDE, CONSTRAINT_DROPPED,
                                DELETES_DATA, INDEX_DROPPED, NARROWS_TYPE, REPLACES_ROWS, all]
          --batch-rows <N>      Write at most N changes of a replica in one transaction [default: the spec's
                                apply.batch_rows, or 100000]
          --partial             Write a replica although some of its tables are in error, without those
          --lock-timeout <D>    Wait this long for the replica's lock, for example 30s or 5m [default: 0s]
          --undo <FILE>         Save the inverse of what is applied to FILE, before the first write
          --no-verify           Do not compare the rows written after the commit

    Comparing and reporting:
          --replica <NAME>        Look at this replica only (repeatable)
          --table <GLOB>          Look at these tables only, by the primary's names (repeatable)
          --format <FORMAT>       Print in this format to standard output (html is not available yet) [default:
                                  text] [possible values: text, json, sql, markdown, html, junit]
          --report <FORMAT=PATH>  Also write a report to a file; {replica} in PATH makes one file a replica
                                  (repeatable)
          --redact                Show keys and column names, but no values, also in messages that come from a
                                  database
          --rows <N|all>          Print at most this many row changes of a table in text, markdown and junit;
                                  `all` also puts them into verify's JSON [default: 20]
          --max-diffs <N>         Stop looking after N differing rows of a table, and say "at least N"; nothing
                                  can be applied then
          --recheck <N>           Look again N times at differing rows before calling them drift (not available
                                  yet) [default: 0]
          --recheck-delay <D>     Wait this long before looking again (not available yet)
          --digest <DIGEST>       Who makes the digests: trueup of all rows (blake3, and auto), or both databases,
                                  so that only rows of ranges that differ are read: for slow links, between
                                  databases of one engine [default: auto] [possible values: auto, blake3,
                                  database]
          --jobs <N>              Read at most N ranges at the same time [default: what connections and processors
                                  allow]
          --chunk-rows <N>        Read at most N rows as one range [default: chosen by the size of the rows]
          --memory <SIZE>         Keep below this much memory, for example 64MiB or 1GiB; at least 16MiB [default:
                                  256MiB]

    Terminal:
          --color <COLOR>        Colour the output; auto honours NO_COLOR [default: auto] [possible values: auto,
                                 always, never]
          --progress <PROGRESS>  Show progress on standard error: bars on a terminal, else a line every 5 seconds
                                 [default: auto] [possible values: auto, always, never]
      -q, --quiet                Show neither progress nor notes
      -v, --verbose              Say more about what is done

    Exit codes (with several outcomes the first of 130/143, 1, 5, 4, 3, 2, 0 wins):
        0  in sync, or applied and verified; plan without --detailed-exitcode whatever it found
        1  error: something could not be read, compared or written; wrong usage
        2  differences: verify; plan --detailed-exitcode; apply whose check afterwards finds drift
        3  refused by a safety rule or at the prompt; nothing was written
        4  the plan is stale, or made for another spec, database or structure
        5  another trueup holds the replica's lock
      130  interrupted at a safe point by SIGINT; what was committed stays
      143  interrupted at a safe point by SIGTERM
    "#);
}
