//! The tables in `docs/rfc*.md` name tests and files that are there: a row that says how a rule is kept cannot rot.
//!
//! The last column of a row names the tests that show its rule, as `` `file::test` ``; or it begins with one of the words of
//! [`EXCUSES`], each of which says where the reason must stand.

use std::fs;
use std::path::{Path, PathBuf};

/// What a rule without a test says in its place, and what must stand behind it.
const EXCUSES: [(&str, &[&str]); 3] = [
    // We do otherwise on purpose, as the later texts say.
    ("Differs:", &["RFC 9700 §", "OAuth 2.1 §"]),
    // The rule binds whoever runs the server.
    ("Operator:", &["README", "config/default.toml"]),
    // We do not, and know it.
    ("Not kept:", &[""]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A row of a table: where it stands, and its columns.
struct Row {
    place: String,
    columns: Vec<String>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(root().join("docs")).expect("the folder of documents") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.starts_with("rfc") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a document");
        let lines = text.lines().enumerate().filter(|(_, line)| line.starts_with("| §") || line.starts_with("| App."));
        rows.extend(lines.map(|(at, line)| Row {
            place: format!("docs/{name}:{}", at + 1),
            columns: line.trim_matches('|').split(" | ").map(|column| column.trim().to_owned()).collect(),
        }));
    }
    rows
}

/// What stands between backticks.
fn quoted(column: &str) -> impl Iterator<Item = &str> {
    column.split('`').skip(1).step_by(2)
}

fn has_function(file: &str, function: &str) -> bool {
    fs::read_to_string(root().join(file)).is_ok_and(|text| text.contains(&format!("fn {function}(")))
}

#[test]
fn every_rule_of_a_table_is_kept_somewhere_and_shown_by_a_test_or_left_out_for_a_reason() {
    let rows = rows();
    assert!(rows.len() > 100, "the tables are not found: {} rows", rows.len());
    let mut wrong = Vec::new();
    for Row { place, columns } in &rows {
        let [_section, rule, kept, shown] = &columns[..] else {
            wrong.push(format!("{place}: four columns, not {}", columns.len()));
            continue;
        };
        if rule.is_empty() {
            wrong.push(format!("{place}: no rule"));
        }
        for file in quoted(kept).filter(|file| !root().join(file).exists()) {
            wrong.push(format!("{place}: there is no file {file}"));
        }
        let mut tests = 0;
        for test in quoted(shown).filter(|text| text.contains("::")) {
            let (file, function) = test.split_once("::").expect("it was asked for");
            tests += 1;
            if !has_function(file, function) {
                wrong.push(format!("{place}: there is no test {test}"));
            }
        }
        let excuse = EXCUSES.iter().find(|(word, _)| shown.starts_with(word));
        let is_excused = excuse.is_some_and(|(_, reasons)| reasons.iter().any(|reason| shown.contains(reason)));
        if tests == 0 && !is_excused {
            wrong.push(format!("{place}: neither a test nor a reason"));
        }
        if tests > 0 && quoted(kept).next().is_none() {
            wrong.push(format!("{place}: no file keeps it"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
