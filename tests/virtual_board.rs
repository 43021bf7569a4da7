//! `oceanrig virtual-board` as a person runs it: the real binary, its port, its sockets, its end.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn oceanrig(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oceanrig"));
    command.arg("virtual-board").args(args);
    command
}

/// Starts a board and waits until it says that it is ready.
fn start(port: &Path, more: &[&str]) -> Child {
    let mut child = oceanrig(&["--port", port.to_str().unwrap()])
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = port.display();
    assert_eq!(line, format!("virtual board at {port} (control {port}.ctl)\n"));
    child
}

fn ctl(port: &Path, command: &[&str]) -> Output {
    let socket = format!("{}.ctl", port.display());
    oceanrig(&["ctl", &socket]).args(command).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn left(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_board_answers_and_ends_on_a_signal_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let port = dir.path().join("c3");
    let mut board = start(&port, &["--download", "--mac", "02:00:00:c3:00:07"]);
    let (code, status) = said(&ctl(&port, &["status"]));
    assert_eq!(code, Some(0));
    assert!(
        status.starts_with('{') && status.contains("\"mode\":\"download\""),
        "{status}"
    );
    assert!(status.contains("\"mac\":\"02:00:00:c3:00:07\""));
    assert_eq!(
        said(&ctl(&port, &["pin", "4", "high"])),
        (Some(0), "ok\n".to_owned())
    );
    let (code, pins) = said(&ctl(&port, &["pins"]));
    assert!(
        code == Some(0) && pins.starts_with("ok 0=") && pins.contains(" 4=high "),
        "{pins}"
    );
    let (code, refused) = said(&ctl(&port, &["dance"]));
    assert!(
        code == Some(3) && refused.contains("`dance` is no command; expected one of reset"),
        "{refused}"
    );
    let killed = Command::new("kill").arg(board.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!(board.wait().unwrap().code(), Some(0));
    assert_eq!(left(dir.path()), 0);
    let (code, nobody) = said(&ctl(&port, &["reset"]));
    assert!(
        code == Some(3) && nobody.contains("no virtual board listens at"),
        "{nobody}"
    );
}

#[test]
fn what_a_killed_board_left_is_taken_over_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (port, flash) = (dir.path().join("c3"), dir.path().join("flash.bin"));
    let more = ["--flash", flash.to_str().unwrap()];
    let mut board = start(&port, &more);
    let second = oceanrig(&["--port", port.to_str().unwrap()]).output().unwrap();
    let (code, busy) = said(&second);
    assert!(
        code == Some(3) && busy.contains("belongs to a virtual board that runs"),
        "{busy}"
    );
    let other = dir.path().join("other");
    let (code, busy) = said(
        &oceanrig(&["--port", other.to_str().unwrap()])
            .args(more)
            .output()
            .unwrap(),
    );
    assert!(
        code == Some(3) && busy.contains("flash.bin belongs to a virtual board"),
        "{busy}"
    );
    assert!(!other.exists(), "a board that cannot be leaves nothing");
    // SIGKILL leaves the link and the socket behind.
    board.kill().unwrap();
    board.wait().unwrap();
    assert!(std::fs::symlink_metadata(&port).is_ok());
    let mut again = start(&port, &more);
    assert_eq!(said(&ctl(&port, &["stop"])), (Some(0), "ok\n".to_owned()));
    assert_eq!(left(dir.path()), 1, "the flash");
    assert_eq!(again.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_somebodys_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes");
    std::fs::write(&file, "mine").unwrap();
    let name = file.to_str().unwrap();
    let free = dir.path().join("c3");
    let free = free.to_str().unwrap();
    for (args, code, text) in [
        (
            vec!["--port", name],
            2,
            "notes exists and is a file: choose another path, or remove it",
        ),
        (
            vec!["--port", free, "--control", name],
            2,
            "notes exists and is a file",
        ),
        (
            vec!["--port", free, "--flash", name],
            2,
            "notes has 4 bytes; an image of the 4 MiB flash has exactly",
        ),
        (vec!["--port", free, "--elf", name], 2, "cannot take symbols from"),
        (
            vec!["--port", free, "--password", "short"],
            2,
            "password has 5 bytes, expected 8 to 63",
        ),
        (
            vec!["--port", free, "--mac", "03:00:00:00:00:01"],
            2,
            "this is a group address",
        ),
        (
            vec!["--port", free, "--forward", "tcp:80=here"],
            2,
            "`here` is no numeric address with a port",
        ),
        (vec![], 2, "--port <PATH>"),
    ] {
        let (got, said) = said(&oceanrig(&args).output().unwrap());
        assert!(
            got == Some(code) && said.contains(text),
            "{args:?}: {got:?} {said}"
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(left(dir.path()), 1);
}
