//! Which layers there are, and which wins.

use super::{Folder, client, errors_of, user};

fn admin_scope(folder: &Folder, files: &[&str]) -> String {
    folder.load(files).server.admin_scope
}

fn scope(name: &str) -> String {
    format!("[server]\nadmin_scope = \"{name}\"\n")
}

#[test]
fn without_any_file_the_built_in_defaults_are_served() {
    let settings = Folder::new().load(&[]);
    assert_eq!(settings.issuer.as_str(), "http://127.0.0.1:8080");
    assert!(settings.sources.is_empty());
}

#[test]
fn of_the_named_files_the_later_wins_and_tables_merge() {
    let folder = Folder::new();
    folder.write("a.toml", "[server]\nadmin_scope = \"a\"\nworkers = 3\n").write("b.toml", &scope("b"));
    let server = folder.load(&["a.toml", "b.toml"]).server;
    assert_eq!((server.admin_scope.as_str(), server.workers), ("b", 3));
    assert_eq!(admin_scope(&folder, &["b.toml", "a.toml"]), "a");
}

#[test]
fn files_are_looked_for_in_the_order_of_the_interface() {
    let folder = Folder::new();
    folder.write("etc/b.toml", &scope("etc-b")).write("etc/a.toml", &scope("etc-a"));
    folder.write("etc/.hidden.toml", "no TOML").write("etc/c.txt", "no TOML");
    assert_eq!(admin_scope(&folder, &[]), "etc-b");

    folder.write("config/default.toml", &scope("default"));
    assert_eq!(admin_scope(&folder, &[]), "default");
    folder.write("config/local.toml", &scope("local"));
    assert_eq!(admin_scope(&folder, &[]), "local");

    folder.write("x.toml", &scope("x")).write("y.toml", &scope("y"));
    let folder = folder.set("JOTSMITH_CONFIG", "y.toml:x.toml");
    assert_eq!(admin_scope(&folder, &[]), "x");
    assert_eq!(admin_scope(&folder, &["y.toml"]), "y");
}

#[test]
fn an_empty_list_of_files_in_the_environment_is_unset() {
    let folder = Folder::new().set("JOTSMITH_CONFIG", "");
    folder.write("config/local.toml", &scope("local"));
    assert_eq!(admin_scope(&folder, &[]), "local");
}

#[test]
fn the_environment_wins_over_every_file() {
    let folder =
        Folder::new().set("JOTSMITH__SERVER__ADMIN_SCOPE", "env").set("JOTSMITH__ISSUER", "https://env.example");
    folder.write("a.toml", &scope("a"));
    let settings = folder.load(&["a.toml"]);
    assert_eq!(settings.server.admin_scope, "env");
    assert_eq!(settings.issuer.as_str(), "https://env.example");
}

#[test]
fn a_variable_becomes_what_its_setting_is() {
    let folder = Folder::new()
        .set("JOTSMITH__SERVER__WORKERS", "4")
        .set("JOTSMITH__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
        .set("JOTSMITH__LIFETIMES__REFRESH_RETRY_WINDOW", "0s");
    let settings = folder.load(&[]);
    assert_eq!(settings.server.workers, 4);
    let networks: Vec<_> = settings.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!(settings.lifetimes.refresh_retry_window, Some(std::time::Duration::ZERO));
}

#[test]
fn an_empty_variable_is_unset() {
    let folder = Folder::new().set("JOTSMITH__SERVER__ADMIN_SCOPE", "").set("JOTSMITH__CLIENTS", "");
    folder.write("a.toml", &scope("a"));
    assert_eq!(admin_scope(&folder, &["a.toml"]), "a");
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_ignored() {
    let folder = Folder::new().set("JOTSMITH_SERVICE_HOST", "10.0.0.1").set("JOTSMITH_PORT", "tcp://10.0.0.1:80");
    folder.load(&[]);
}

#[test]
fn lists_of_tables_come_from_files_alone() {
    for name in ["JOTSMITH__CLIENTS", "JOTSMITH__USERS__0__USERNAME", "JOTSMITH__KEYS__SIGNING"] {
        let errors = Folder::new().set(name, "x").errors(&[]);
        let expected =
            format!("environment variable {name}: lists of tables come from files alone: write this into one");
        assert_eq!(errors, expected);
    }
}

#[test]
fn a_variable_that_names_no_setting_is_refused() {
    let refused = |name, what: &str| {
        let errors = Folder::new().set(name, "x").errors(&[]);
        assert!(errors.starts_with(&format!("environment variable {name}: ")) && errors.contains(what), "{errors}");
    };
    refused("JOTSMITH__SERVER__LISTN", "server.listn: unknown key; did you mean `listen`?");
    refused("JOTSMITH__SEVER__LISTEN", "sever: unknown key; did you mean `server`?");
    refused("JOTSMITH__SERVER", "this is a section");
    refused("JOTSMITH__ISSUER__NAME", "too many names");
    refused("JOTSMITH__SERVER____LISTEN", "a setting is named");
}

#[test]
fn lists_of_tables_of_several_files_are_joined() {
    let folder = Folder::new();
    folder.write("a.toml", &(client("a1") + &client("a2") + &user("alice", "1")));
    folder.write("b.toml", &(client("b1") + &user("bob", "2") + "[[resources]]\nidentifier = \"https://b.example\"\n"));
    folder.write("c.toml", "[[resources]]\nidentifier = \"https://c.example\"\n");
    let settings = folder.load(&["a.toml", "b.toml", "c.toml"]);
    assert!(["a1", "a2", "b1"].iter().all(|id| settings.clients.find(id).is_some()));
    assert_eq!(settings.users.iter().map(|user| &**user.username()).collect::<Vec<_>>(), ["alice", "bob"]);
    // The two, and the issuer, which is the default one.
    assert_eq!(settings.resources.iter().count(), 3);
}

#[test]
fn a_repeated_name_is_refused_with_both_places() {
    let key = |list, file| format!("[[keys.{list}]]\nfile = \"{file}\"\n");
    let signing = |file, kid| key("signing", file) + &format!("kid = \"{kid}\"\nalgorithm = \"ES256\"\n");
    let resource = |name| format!("[[resources]]\nidentifier = \"{name}\"\n");
    let late = "sign_from = \"2030-01-01T00:00:00Z\"\n";
    for (a, b, what) in [
        (client("x"), client("x"), "clients[\"x\"]: the client_id x"),
        (user("alice", "1"), user("alice", "2"), "users[\"alice\"]: the username alice"),
        (user("alice", "1"), user("bob", "1"), "users[\"bob\"]: the subject 1"),
        (resource("https://h"), resource("https://h/"), "resources[\"https://h/\"]: the resource https://h/"),
        (signing("f", "1"), signing("f", "2") + late, "keys.signing[\"f\"]: the key file f"),
        (signing("f", "1"), signing("g", "1") + late, "keys.signing[\"g\"]: the kid 1"),
        (key("sealing", "f"), key("sealing", "f") + late, "keys.sealing[\"f\"]: the key file f"),
    ] {
        let folder = Folder::new();
        folder.write("a.toml", &a).write("b.toml", &format!("\n{b}"));
        let errors = folder.errors(&["a.toml", "b.toml"]);
        let at = folder.path("a.toml:1").display().to_string();
        let at = at.rsplit_once('/').expect("a folder").1;
        assert_eq!(errors, format!("b.toml:2: {what} is taken by {at}: each is there once"));
    }
}

#[test]
fn a_list_of_tables_is_written_with_two_brackets() {
    assert_eq!(
        errors_of("[clients]\nclient_id = \"x\"\n"),
        "a.toml:1: clients: this is a list of tables: begin each with [[clients]]"
    );
}

#[test]
fn included_files_are_found_beside_the_one_that_names_them_and_lose_to_it() {
    let folder = Folder::new();
    folder.write("config/a.toml", "include = [\"d/*.toml\"]\n[server]\nadmin_scope = \"a\"\n");
    folder.write("config/d/2.toml", &(scope("two") + "workers = 2\n" + &client("two")));
    folder.write("config/d/1.toml", &(scope("one") + "workers = 1\n" + &client("one")));
    let settings = folder.load(&["config/a.toml"]);
    assert_eq!((settings.server.admin_scope.as_str(), settings.server.workers), ("a", 2));
    assert!(settings.clients.find("one").is_some() && settings.clients.find("two").is_some());
    let names = ["config/d/1.toml", "config/d/2.toml", "config/a.toml"];
    assert_eq!(settings.sources, names.map(|name| folder.path(name)));
}

#[test]
fn a_pattern_may_mean_no_file_but_a_name_may_not() {
    let folder = Folder::new();
    folder.write("a.toml", "include = [\"d/*.toml\"]\n").write("b.toml", "\ninclude = [\"missing.toml\"]\n");
    folder.load(&["a.toml"]);
    assert_eq!(folder.errors(&["b.toml"]), "b.toml:2: include: there is no file missing.toml");
}

#[test]
fn a_circle_of_includes_is_refused() {
    let folder = Folder::new();
    folder.write("a.toml", "include = [\"b.toml\"]\n").write("b.toml", "include = [\"a.toml\"]\n");
    let errors = folder.errors(&["a.toml"]);
    assert_eq!(errors, "b.toml:1: include: includes a.toml, which is being read already: break the circle");
}

#[test]
fn no_file_is_read_twice() {
    let folder = Folder::new();
    folder.write("a.toml", "include = [\"c.toml\"]\n").write("b.toml", "include = [\"c.toml\"]\n").write("c.toml", "");
    let errors = folder.errors(&["a.toml", "b.toml"]);
    assert_eq!(errors, "c.toml is named twice, by a.toml:1 and by b.toml:1: name it once");
}

#[test]
fn an_include_that_is_no_list_of_names_is_refused() {
    assert!(errors_of("include = \"b.toml\"").starts_with("a.toml:1: include: write a list of files"));
    assert!(errors_of("include = [1]").starts_with("a.toml:1: include: write a file or a pattern"));
}

#[test]
fn a_named_file_that_is_missing_is_refused() {
    assert!(Folder::new().errors(&["nowhere.toml"]).starts_with("nowhere.toml: cannot be read: "));
}

#[test]
fn the_schedule_is_read_from_the_folder_of_the_keys_wherever_that_is_named() {
    let entry = |file| format!("[[keys.signing]]\nfile = \"{file}\"\nalgorithm = \"ES256\"\n");
    let files = |folder: &Folder| {
        let keys = folder.load(&["a.toml"]).keys;
        keys.signing.into_iter().map(|key| key.file).collect::<Vec<_>>()
    };
    let folder = Folder::new();
    folder.write("a.toml", "[keys]\ndirectory = \"k\"\n");
    folder.write("k/schedule.toml", &entry("from-file")).write("e/schedule.toml", &entry("from-variable"));
    assert_eq!(files(&folder), ["from-file"]);
    assert_eq!(folder.load(&["a.toml"]).sources, ["a.toml", "k/schedule.toml"].map(|name| folder.path(name)));
    assert_eq!(files(&folder.set("JOTSMITH__KEYS__DIRECTORY", "e")), ["from-variable"]);
}

#[test]
fn the_schedule_holds_keys_and_nothing_else() {
    let folder = Folder::new();
    folder.write("keys/schedule.toml", "[keys]\ndirectory = \"elsewhere\"\n[server]\nworkers = 1\n");
    let errors = folder.errors(&[]);
    let moved = "here stand [[keys.signing]], [[keys.sealing]] and [[keys.killed]] alone: move this to another file";
    assert_eq!(errors, format!("keys/schedule.toml:2: keys.directory: {moved}\nkeys/schedule.toml:3: server: {moved}"));
}

#[test]
fn a_variable_that_is_no_utf8_is_an_error_that_names_it() {
    let mut folder = Folder::new();
    folder
        .environment
        .not_utf8
        .extend(["JOTSMITH__ISSUER", "JOTSMITH_CONFIG", "PS1", "JOTSMITH_SERVICE"].map(str::to_owned));
    let errors = folder.write("a.toml", "").errors(&["a.toml"]);
    assert_eq!(
        errors,
        "environment variable JOTSMITH_CONFIG: is no UTF-8: write it anew\n\
         environment variable JOTSMITH__ISSUER: is no UTF-8: write it anew"
    );
}
