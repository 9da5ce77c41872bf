//! Reads CREATE TABLE and CREATE INDEX as SQLite keeps them: columns, constraints and options, each with its place.
//!
//! Owns the grammar (<https://sqlite.org/lang_createtable.html>). Spacing, comments, quoting and the letters of
//! keywords are gone from what is told here; expressions come in one normal spelling and are not understood beyond
//! that. Refuses whatever it does not read to the last token: a text that is read in part would hide differences.

use std::ops::Range;

use super::tokens::{Token, TokenKind, Unread, tokens};

/// A CREATE TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableText {
    /// Where its name stands.
    pub name: Range<usize>,
    /// Where the schema and the point before its name stand, if they do.
    pub schema: Option<Range<usize>>,
    /// Its columns in order.
    pub columns: Vec<ColumnText>,
    /// The constraints behind them.
    pub constraints: Vec<ConstraintText>,
    /// WITHOUT ROWID.
    pub without_rowid: bool,
    /// STRICT.
    pub strict: bool,
    /// What stands behind the closing parenthesis.
    pub tail: Range<usize>,
    /// Where expressions say that a column is this table's own: the table's name and the point.
    pub qualifiers: Vec<Range<usize>>,
    /// Where else than at their own definitions its columns are named, and which.
    pub mentions: Vec<(Range<usize>, String)>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnText {
    /// Its name.
    pub name: String,
    /// Where that stands.
    pub name_at: Range<usize>,
    /// Where its type stands.
    pub type_at: Option<Range<usize>>,
    /// Its type in one spelling, maybe none.
    pub declared: String,
    /// What is said behind the type.
    pub clauses: Vec<ClauseText>,
    /// All of it.
    pub all: Range<usize>,
}

/// What is said of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClauseText {
    /// What.
    pub clause: Clause,
    /// Where, with its name.
    pub all: Range<usize>,
}

/// What can be said of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// NULL, which says nothing.
    Null,
    /// NOT NULL, and what happens where it is.
    NotNull(String),
    /// DEFAULT.
    Default(String),
    /// COLLATE.
    Collate(String),
    /// GENERATED: the expression, and whether it is stored.
    Generated(String, bool),
    /// What could stand behind all columns as well.
    Constraint(Constraint),
}

/// A constraint behind the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConstraintText {
    /// What.
    pub constraint: Constraint,
    /// Where, with its name.
    pub all: Range<usize>,
}

/// A constraint, in whichever form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    /// Its name.
    pub name: Option<String>,
    /// What it asks for.
    pub rule: Rule,
    /// What happens to a row that breaks it, where that is not that the statement fails.
    pub conflict: String,
}

/// What a constraint asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// PRIMARY KEY.
    PrimaryKey {
        /// Over.
        parts: Vec<Part>,
        /// AUTOINCREMENT.
        counted: bool,
        /// Whether DESC stands in a column's own primary key, which makes it another one than the same behind the
        /// columns: <https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key>.
        descending_column: bool,
    },
    /// UNIQUE.
    Unique(Vec<Part>),
    /// CHECK: the condition and the names in it.
    Check(Expression),
    /// FOREIGN KEY.
    ForeignKey {
        /// The columns that point.
        columns: Vec<String>,
        /// The table pointed at.
        table: String,
        /// Where its name stands.
        table_at: Range<usize>,
        /// The columns pointed at; none: its primary key.
        referenced: Vec<String>,
        /// What is done, in one spelling.
        rest: String,
    },
}

/// A part of a key or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What it is over.
    pub over: Over,
    /// COLLATE, in capital letters.
    pub collation: Option<String>,
    /// DESC.
    pub descending: bool,
}

/// What a part is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// A column, or what may be one.
    Column(String),
    /// An expression.
    Expression(Expression),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// In one spelling.
    pub sql: String,
    /// The names that stand in it as written, some of which may be columns.
    pub names: Vec<String>,
}

/// A CREATE INDEX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexText {
    /// Where its name stands.
    pub name: Range<usize>,
    /// Where the name of its table stands.
    pub table: Range<usize>,
    /// UNIQUE.
    pub unique: bool,
    /// Over.
    pub parts: Vec<Part>,
    /// WHERE.
    pub condition: Option<Expression>,
}

/// Reads a CREATE TABLE. `columns`: the names of its columns, of which expressions may speak.
pub(super) fn table(sql: &str, columns: &[String]) -> Result<TableText, Unread> {
    let tokens = tokens(sql)?;
    let mut reader = Reader::new(&tokens, columns, sql.len());
    reader.word("CREATE")?;
    let _ = reader.take("TEMP") || reader.take("TEMPORARY");
    reader.word("TABLE")?;
    if reader.take("IF") {
        reader.word("NOT")?;
        reader.word("EXISTS")?;
    }
    let (schema, name, text) = reader.qualified()?;
    reader.own = text;
    reader.sign("(")?;
    let columns = reader.columns()?;
    let constraints = reader.constraints()?;
    let close = reader.sign(")")?;
    let (mut without_rowid, mut strict) = (false, false);
    while !reader.at_end() {
        if reader.take("WITHOUT") {
            reader.word("ROWID")?;
            without_rowid = true;
        } else {
            reader.word("STRICT")?;
            strict = true;
        }
        if !reader.take_sign(",") {
            break;
        }
    }
    reader.end()?;
    let tail = close.end()..sql.len();
    let Reader { qualifiers, mentions, .. } = reader;
    Ok(TableText { name, schema, columns, constraints, without_rowid, strict, tail, qualifiers, mentions })
}

/// Reads a CREATE INDEX. `columns`: the names of its table's columns.
pub(super) fn index(sql: &str, columns: &[String]) -> Result<IndexText, Unread> {
    let tokens = tokens(sql)?;
    let mut reader = Reader::new(&tokens, columns, sql.len());
    reader.word("CREATE")?;
    let unique = reader.take("UNIQUE");
    reader.word("INDEX")?;
    if reader.take("IF") {
        reader.word("NOT")?;
        reader.word("EXISTS")?;
    }
    let (_, name, _) = reader.qualified()?;
    reader.word("ON")?;
    let table = reader.next("a table")?;
    reader.own = table.name().ok_or_else(|| reader.unread("a table"))?;
    let parts = reader.parts(true)?;
    let condition = match reader.take("WHERE") {
        true => {
            let rest = reader.rest();
            Some(reader.expression(rest)?)
        }
        false => None,
    };
    reader.end()?;
    Ok(IndexText { name, table: table.start..table.end(), unique, parts, condition })
}

/// Words that end a column's type.
const AFTER_TYPE: [&str; 9] =
    ["CONSTRAINT", "DEFAULT", "NOT", "NULL", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE"];

/// Words that begin a constraint behind the columns; none of them is a name without quotes.
const CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Where a name's schema stands with its point, where the name does, and the name.
type Named = (Option<Range<usize>>, Range<usize>, String);

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    columns: &'a [String],
    /// The name of the table.
    own: String,
    qualifiers: Vec<Range<usize>>,
    mentions: Vec<(Range<usize>, String)>,
    length: usize,
}

impl<'a> Reader<'a> {
    fn new(tokens: &'a [Token<'a>], columns: &'a [String], length: usize) -> Self {
        // A text may have been kept with the semicolon behind it.
        let tokens = match tokens {
            [tokens @ .., last] if last.is_sign(";") => tokens,
            tokens => tokens,
        };
        Reader {
            tokens,
            at: 0,
            columns,
            own: String::new(),
            qualifiers: Vec::new(),
            mentions: Vec::new(),
            length,
        }
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn peek_is(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|token| token.is(keyword))
    }

    fn next_is(&self, keyword: &str) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|token| token.is(keyword))
    }

    fn peek_sign(&self, sign: &str) -> bool {
        self.peek().is_some_and(|token| token.is_sign(sign))
    }

    fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn unread(&self, wanted: &str) -> Unread {
        match self.peek() {
            Some(token) => Unread(format!("`{}` stands where {wanted} is expected", token.text)),
            None => Unread(format!("it ends where {wanted} is expected")),
        }
    }

    fn next(&mut self, wanted: &str) -> Result<&'a Token<'a>, Unread> {
        let token = self.peek().ok_or_else(|| self.unread(wanted))?;
        self.at += 1;
        Ok(token)
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek_is(keyword);
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, keyword: &str) -> Result<(), Unread> {
        if self.take(keyword) { Ok(()) } else { Err(self.unread(keyword)) }
    }

    fn sign(&mut self, sign: &str) -> Result<&'a Token<'a>, Unread> {
        match self.peek().filter(|token| token.is_sign(sign)) {
            Some(token) => {
                self.at += 1;
                Ok(token)
            }
            None => Err(self.unread(sign)),
        }
    }

    fn end(&self) -> Result<(), Unread> {
        if self.at_end() { Ok(()) } else { Err(self.unread("its end")) }
    }

    fn name(&mut self) -> Result<String, Unread> {
        let name = self.peek().and_then(Token::name).ok_or_else(|| self.unread("a name"))?;
        self.at += 1;
        Ok(name)
    }

    /// `schema.name`: where the schema with its point stands, where the name does, and the name.
    fn qualified(&mut self) -> Result<Named, Unread> {
        let first = self.next("a name")?;
        let name = first.name().ok_or_else(|| self.unread("a name"))?;
        if !self.take_sign(".") {
            return Ok((None, first.start..first.end(), name));
        }
        let second = self.next("a name")?;
        let name = second.name().ok_or_else(|| self.unread("a name"))?;
        Ok((Some(first.start..second.start), second.start..second.end(), name))
    }

    /// Where the last token that was taken ends.
    fn ended(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, Token::end)
    }

    fn started(&self) -> usize {
        self.peek().map_or(self.length, |token| token.start)
    }

    fn begins_constraint(&self) -> bool {
        CONSTRAINTS.iter().any(|word| self.peek_is(word))
    }

    fn columns(&mut self) -> Result<Vec<ColumnText>, Unread> {
        let mut columns = vec![self.column()?];
        while self.peek_sign(",") {
            self.at += 1;
            if self.begins_constraint() {
                break;
            }
            columns.push(self.column()?);
        }
        Ok(columns)
    }

    fn column(&mut self) -> Result<ColumnText, Unread> {
        let start = self.started();
        let name = self.name()?;
        let name_at = start..self.ended();
        let (type_at, declared) = self.column_type()?;
        let mut clauses = Vec::new();
        while !self.at_end() && !self.peek_sign(",") && !self.peek_sign(")") {
            self.clause(&name, &mut clauses)?;
        }
        Ok(ColumnText { name, name_at, type_at, declared, clauses, all: start..self.ended() })
    }

    fn ends_type(&self) -> bool {
        let generated = self.peek_is("AS")
            || self.peek_is("ALWAYS") && self.next_is("AS")
            || self.peek_is("GENERATED") && self.next_is("ALWAYS");
        generated || AFTER_TYPE.iter().any(|word| self.peek_is(word))
    }

    fn column_type(&mut self) -> Result<(Option<Range<usize>>, String), Unread> {
        let start = self.started();
        let mut words = Vec::new();
        while !self.ends_type()
            && let Some(word) = self.peek().and_then(Token::name)
        {
            words.push(word.to_ascii_uppercase());
            self.at += 1;
        }
        let mut declared = words.join(" ");
        if !words.is_empty() && self.take_sign("(") {
            declared.push('(');
            while !self.take_sign(")") {
                let token = self.next("a number")?;
                match token.kind {
                    TokenKind::Number | TokenKind::Sign => declared.push_str(token.text),
                    _ => return Err(Unread(format!("`{}` stands in a type's parentheses", token.text))),
                }
            }
            declared.push(')');
        }
        Ok(((!words.is_empty()).then(|| start..self.ended()), declared))
    }

    fn clause(&mut self, column: &str, clauses: &mut Vec<ClauseText>) -> Result<(), Unread> {
        let start = self.started();
        let mut name = None;
        while self.take("CONSTRAINT") {
            name = Some(self.name()?);
        }
        // A name with nothing behind it says nothing.
        if name.is_some() && (self.peek_sign(",") || self.peek_sign(")")) {
            clauses.push(ClauseText { clause: Clause::Null, all: start..self.ended() });
            return Ok(());
        }
        let part = |descending| Part { over: Over::Column(column.to_owned()), collation: None, descending };
        let constraint =
            |rule, conflict| Clause::Constraint(Constraint { name: name.clone(), rule, conflict });
        let clause = if self.take("NULL") {
            self.conflict()?;
            Clause::Null
        } else if self.peek_is("NOT") && self.next_is("DEFERRABLE") || self.peek_is("DEFERRABLE") {
            return self.deferrable_clause(clauses);
        } else if self.take("NOT") {
            self.word("NULL")?;
            Clause::NotNull(self.conflict()?)
        } else if self.take("DEFAULT") {
            Clause::Default(self.default()?)
        } else if self.take("COLLATE") {
            Clause::Collate(self.name()?.to_ascii_uppercase())
        } else if self.take("PRIMARY") {
            self.word("KEY")?;
            let descending = self.take("DESC");
            let _ = !descending && self.take("ASC");
            let conflict = self.conflict()?;
            let counted = self.take("AUTOINCREMENT");
            let parts = vec![part(false)];
            constraint(Rule::PrimaryKey { parts, counted, descending_column: descending }, conflict)
        } else if self.take("UNIQUE") {
            let conflict = self.conflict()?;
            constraint(Rule::Unique(vec![part(false)]), conflict)
        } else if self.take("CHECK") {
            let condition = self.parenthesized()?;
            constraint(Rule::Check(condition), String::new())
        } else if self.peek_is("REFERENCES") {
            constraint(self.references(vec![column.to_owned()])?, String::new())
        } else if self.peek_is("GENERATED") || self.peek_is("ALWAYS") || self.peek_is("AS") {
            self.generated()?
        } else {
            return Err(self.unread("what is said of a column"));
        };
        clauses.push(ClauseText { clause, all: start..self.ended() });
        Ok(())
    }

    /// DEFERRABLE belongs to the foreign key before it, which need not stand right before it.
    fn deferrable_clause(&mut self, clauses: &mut [ClauseText]) -> Result<(), Unread> {
        let deferred = self.deferrable()?;
        let end = self.ended();
        let is_key = |clause: &&mut ClauseText| match &clause.clause {
            Clause::Constraint(constraint) => matches!(constraint.rule, Rule::ForeignKey { .. }),
            _ => false,
        };
        let Some(last) = clauses.last_mut().filter(is_key) else {
            return Err(Unread("DEFERRABLE stands behind no foreign key".to_owned()));
        };
        last.all.end = end;
        if let Clause::Constraint(Constraint { rule: Rule::ForeignKey { rest, .. }, .. }) = &mut last.clause {
            push_words(rest, deferred);
        }
        Ok(())
    }

    fn generated(&mut self) -> Result<Clause, Unread> {
        let _ = self.take("GENERATED");
        let _ = self.take("ALWAYS");
        self.word("AS")?;
        let expression = self.parenthesized()?;
        let stored = self.take("STORED");
        let _ = !stored && self.take("VIRTUAL");
        Ok(Clause::Generated(expression.sql, stored))
    }

    fn default(&mut self) -> Result<String, Unread> {
        if self.peek_sign("(") {
            let from = self.at + 1;
            let expression = self.parenthesized()?;
            // Parentheses around a single literal say nothing.
            let single = self.at - 1 == from + 1;
            return Ok(match single && self.tokens[from].kind != TokenKind::Quoted {
                true => expression.sql,
                false => format!("({})", expression.sql),
            });
        }
        let mut sign = "";
        if self.take_sign("-") {
            sign = "-";
        } else {
            let _ = self.take_sign("+");
        }
        let token = self.next("a default")?;
        let text = match token.kind {
            TokenKind::Word => token.text.to_ascii_uppercase(),
            // SQLite takes a name here for a text.
            TokenKind::Quoted => format!("'{}'", token.name().unwrap_or_default().replace('\'', "''")),
            TokenKind::Text => token.text.to_owned(),
            TokenKind::Number => token.text.to_ascii_lowercase(),
            TokenKind::Blob => token.text.to_ascii_uppercase(),
            TokenKind::Sign => return Err(Unread(format!("`{}` stands for a default", token.text))),
        };
        // A word that is no keyword is a text too, and then its letters count.
        let keyword = ["NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"];
        Ok(match token.kind {
            TokenKind::Word if !keyword.contains(&text.as_str()) => format!("{sign}'{}'", token.text),
            _ => format!("{sign}{text}"),
        })
    }

    fn conflict(&mut self) -> Result<String, Unread> {
        if !(self.peek_is("ON") && self.next_is("CONFLICT")) {
            return Ok(String::new());
        }
        self.at += 2;
        let word = self.name()?.to_ascii_uppercase();
        match word.as_str() {
            "ABORT" => Ok(String::new()),
            "ROLLBACK" | "FAIL" | "IGNORE" | "REPLACE" => Ok(format!("ON CONFLICT {word}")),
            _ => Err(Unread(format!("`{word}` stands behind ON CONFLICT"))),
        }
    }

    fn references(&mut self, columns: Vec<String>) -> Result<Rule, Unread> {
        self.word("REFERENCES")?;
        let token = self.next("a table")?;
        let table = token.name().ok_or_else(|| self.unread("a table"))?;
        let table_at = token.start..token.end();
        let referenced =
            if self.peek_sign("(") { self.names(table.eq_ignore_ascii_case(&self.own))? } else { Vec::new() };
        let (mut on_delete, mut on_update) = (String::new(), String::new());
        loop {
            if self.peek_is("ON") && !self.next_is("CONFLICT") {
                self.at += 1;
                let event = self.name()?.to_ascii_uppercase();
                let action = self.action()?;
                match event.as_str() {
                    "DELETE" => on_delete = action,
                    "UPDATE" => on_update = action,
                    "INSERT" => {}
                    _ => return Err(Unread(format!("`{event}` stands behind ON"))),
                }
            } else if self.take("MATCH") {
                // SQLite reads it and does nothing about it.
                self.name()?;
            } else {
                break;
            }
        }
        let mut rest = String::new();
        for (event, action) in [("ON DELETE", on_delete), ("ON UPDATE", on_update)] {
            if !action.is_empty() {
                push_words(&mut rest, &format!("{event} {action}"));
            }
        }
        Ok(Rule::ForeignKey { columns, table, table_at, referenced, rest })
    }

    fn action(&mut self) -> Result<String, Unread> {
        let action = match () {
            () if self.take("CASCADE") => "CASCADE",
            () if self.take("RESTRICT") => "RESTRICT",
            () if self.take("NO") => {
                self.word("ACTION")?;
                ""
            }
            () if self.take("SET") && self.take("NULL") => "SET NULL",
            () if self.take("DEFAULT") => "SET DEFAULT",
            () => return Err(self.unread("an action")),
        };
        Ok(action.to_owned())
    }

    fn deferrable(&mut self) -> Result<&'static str, Unread> {
        let not = self.take("NOT");
        self.word("DEFERRABLE")?;
        let mut deferred = false;
        if self.take("INITIALLY") {
            deferred = self.take("DEFERRED");
            if !deferred {
                self.word("IMMEDIATE")?;
            }
        }
        Ok(if deferred && !not { "DEFERRABLE INITIALLY DEFERRED" } else { "" })
    }

    /// `own`: they are columns of this table.
    fn names(&mut self, own: bool) -> Result<Vec<String>, Unread> {
        self.sign("(")?;
        let mut names = Vec::new();
        loop {
            let start = self.started();
            let name = self.name()?;
            if own {
                self.mentions.push((start..self.ended(), name.clone()));
            }
            names.push(name);
            // Collations and orders may stand here, and say nothing.
            if self.take("COLLATE") {
                self.name()?;
            }
            let _ = self.take("ASC") || self.take("DESC");
            if !self.take_sign(",") {
                break;
            }
        }
        self.sign(")")?;
        Ok(names)
    }

    /// The constraints behind the columns; commas between them may be missing.
    fn constraints(&mut self) -> Result<Vec<ConstraintText>, Unread> {
        let mut constraints = Vec::new();
        while self.begins_constraint() {
            let start = self.started();
            let mut name = None;
            while self.take("CONSTRAINT") {
                name = Some(self.name()?);
            }
            let constraint = self.constraint(name)?;
            constraints.push(ConstraintText { constraint, all: start..self.ended() });
            let _ = self.take_sign(",");
        }
        Ok(constraints)
    }

    fn constraint(&mut self, name: Option<String>) -> Result<Constraint, Unread> {
        if self.take("PRIMARY") {
            self.word("KEY")?;
            let (parts, counted) = self.key_parts()?;
            let conflict = self.conflict()?;
            let rule = Rule::PrimaryKey { parts, counted, descending_column: false };
            return Ok(Constraint { name, rule, conflict });
        }
        if self.take("UNIQUE") {
            let (parts, _) = self.key_parts()?;
            let conflict = self.conflict()?;
            return Ok(Constraint { name, rule: Rule::Unique(parts), conflict });
        }
        if self.take("CHECK") {
            let rule = Rule::Check(self.parenthesized()?);
            // It is read, and does nothing for a check.
            self.conflict()?;
            return Ok(Constraint { name, rule, conflict: String::new() });
        }
        self.word("FOREIGN")?;
        self.word("KEY")?;
        let columns = self.names(true)?;
        let mut rule = self.references(columns)?;
        if self.peek_is("DEFERRABLE") || self.peek_is("NOT") {
            let deferred = self.deferrable()?;
            if let Rule::ForeignKey { rest, .. } = &mut rule {
                push_words(rest, deferred);
            }
        }
        Ok(Constraint { name, rule, conflict: String::new() })
    }

    fn key_parts(&mut self) -> Result<(Vec<Part>, bool), Unread> {
        let from = self.at;
        let mut parts = self.parts(false)?;
        // `(id AUTOINCREMENT)`
        let counted =
            self.tokens[from..self.at].iter().rev().nth(1).is_some_and(|token| token.is("AUTOINCREMENT"));
        if parts.iter().any(|part| matches!(part.over, Over::Expression(_))) {
            return Err(Unread("a key is over an expression".to_owned()));
        }
        // In the same spelling as that of a column's own key.
        if let [only] = parts.as_mut_slice()
            && counted
        {
            only.descending = false;
        }
        Ok((parts, counted))
    }

    /// The parts in parentheses, of an index or of a key.
    fn parts(&mut self, of_index: bool) -> Result<Vec<Part>, Unread> {
        self.sign("(")?;
        let mut parts = Vec::new();
        loop {
            let from = self.at;
            let mut depth = 0_usize;
            while let Some(token) = self.peek() {
                if depth == 0 && (token.is_sign(",") || token.is_sign(")")) {
                    break;
                }
                match token.text {
                    "(" if token.kind == TokenKind::Sign => depth += 1,
                    ")" if token.kind == TokenKind::Sign => depth -= 1,
                    _ => {}
                }
                self.at += 1;
            }
            parts.push(self.part(from..self.at, of_index)?);
            if !self.take_sign(",") {
                break;
            }
        }
        self.sign(")")?;
        Ok(parts)
    }

    fn part(&mut self, range: Range<usize>, of_index: bool) -> Result<Part, Unread> {
        let mut part = &self.tokens[range];
        if let [before @ .., last] = part
            && !of_index
            && last.is("AUTOINCREMENT")
        {
            part = before;
        }
        let mut descending = false;
        if let [before @ .., last] = part
            && (last.is("ASC") || last.is("DESC"))
            && !before.is_empty()
        {
            (part, descending) = (before, last.is("DESC"));
        }
        let mut collation = None;
        while let [before @ .., word, name] = part
            && word.is("COLLATE")
            && !before.is_empty()
        {
            // The one that stands last.
            collation = collation.or_else(|| name.name().map(|name| name.to_ascii_uppercase()));
            part = before;
        }
        let over = match part {
            [] => return Err(self.unread("a column")),
            [token] if token.kind != TokenKind::Text || !of_index => Over::Column(
                token.name().ok_or_else(|| Unread(format!("`{}` stands for a column", token.text)))?,
            ),
            tokens => {
                let tokens = tokens.to_vec();
                Over::Expression(self.normal(&tokens)?)
            }
        };
        // A quoted name that is no column is a text.
        let over = match over {
            Over::Column(name) if of_index && !self.is_column(&name) => {
                let tokens = part.to_vec();
                Over::Expression(self.normal(&tokens)?)
            }
            Over::Column(name) => {
                self.mentions.extend(part.iter().map(|token| (token.start..token.end(), name.clone())));
                Over::Column(name)
            }
            over @ Over::Expression(_) => over,
        };
        Ok(Part { over, collation, descending })
    }

    fn is_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.eq_ignore_ascii_case(name))
    }

    /// An expression in parentheses.
    fn parenthesized(&mut self) -> Result<Expression, Unread> {
        self.sign("(")?;
        let from = self.at;
        let mut depth = 1_usize;
        while depth > 0 {
            let token = self.next(")")?;
            if token.is_sign("(") {
                depth += 1;
            } else if token.is_sign(")") {
                depth -= 1;
            }
        }
        let tokens = self.tokens[from..self.at - 1].to_vec();
        self.normal(&tokens)
    }

    fn rest(&mut self) -> Range<usize> {
        let rest = self.at..self.tokens.len();
        self.at = self.tokens.len();
        rest
    }

    fn expression(&mut self, range: Range<usize>) -> Result<Expression, Unread> {
        let tokens = self.tokens[range].to_vec();
        self.normal(&tokens)
    }

    /// One spelling of an expression: names of columns in small letters and quotes and without the table, other words in
    /// capitals, one space between all tokens.
    fn normal(&mut self, tokens: &[Token<'a>]) -> Result<Expression, Unread> {
        if tokens.is_empty() {
            return Err(Unread("an expression is empty".to_owned()));
        }
        let (mut words, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let next = tokens.get(at + 1);
            let named = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
            let name = if named { token.name() } else { None };
            if let (Some(name), Some(point), Some(column)) = (&name, next, tokens.get(at + 2))
                && point.is_sign(".")
                && name.eq_ignore_ascii_case(&self.own)
            {
                self.qualifiers.push(token.start..column.start);
                at += 2;
                continue;
            }
            let called = next.is_some_and(|next| next.is_sign("("));
            let collation = at > 0 && tokens[at - 1].is("COLLATE");
            words.push(match (token.kind, name) {
                (TokenKind::Word | TokenKind::Quoted, Some(name))
                    if !called && !collation && self.is_column(&name) =>
                {
                    let spelled = format!("\"{}\"", name.to_ascii_lowercase().replace('"', "\"\""));
                    self.mentions.push((token.start..token.end(), name.clone()));
                    names.push(name);
                    spelled
                }
                (TokenKind::Word | TokenKind::Blob, _) => token.text.to_ascii_uppercase(),
                // In double quotes it may be a text.
                (TokenKind::Quoted, Some(name)) if !token.text.starts_with('"') => {
                    format!("\"{}\"", name.replace('"', "\"\""))
                }
                (TokenKind::Number, _) => token.text.to_ascii_lowercase(),
                (TokenKind::Sign, _) if token.text == "==" => "=".to_owned(),
                (TokenKind::Sign, _) if token.text == "!=" => "<>".to_owned(),
                (TokenKind::Quoted | TokenKind::Text | TokenKind::Sign, _) => token.text.to_owned(),
            });
            at += 1;
        }
        Ok(Expression { sql: words.join(" "), names })
    }
}

fn push_words(text: &mut String, words: &str) {
    if !text.is_empty() && !words.is_empty() {
        text.push(' ');
    }
    text.push_str(words);
}
