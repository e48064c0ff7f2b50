//! The live table: a terminal without line editing, its keys, and its restoration whatever ends the program.
//!
//! Drawn with a handful of escape sequences that every terminal since the VT100 family knows; rustix, which is here
//! anyway, does the rest. A terminal library would bring more code than this file is.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::low_level::raise;

use super::node::Node;
use super::table::{self, Row, SORTS};

/// How long a key that is not pressed is waited for before the table is drawn again.
const REDRAW: Duration = Duration::from_millis(500);
/// The size of a terminal that does not say, in columns and rows.
const SIZE_DEFAULT: (usize, usize) = (80, 24);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Quit,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Enter,
    Escape,
    Suspend,
}

/// The keys in what was read at once. Sequences that are not known mean nothing.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        keys.push(match first {
            b'q' | b'Q' | 3 => Key::Quit,
            0x1a => Key::Suspend,
            b'k' => Key::Up,
            b'j' => Key::Down,
            b'<' => Key::Left,
            b'>' | b's' => Key::Right,
            b'\r' | b'\n' => Key::Enter,
            0x1b => match rest {
                [b'[' | b'O', sequence @ ..] => {
                    // Parameters, then one final byte.
                    let last = sequence.iter().position(|byte| (0x40..0x7f).contains(byte));
                    bytes = last.map_or(&[], |last| &sequence[last + 1..]);
                    match last.map(|last| &sequence[..=last]) {
                        Some(b"A") => Key::Up,
                        Some(b"B") => Key::Down,
                        Some(b"C") => Key::Right,
                        Some(b"D") => Key::Left,
                        Some(b"5~") => Key::PageUp,
                        Some(b"6~") => Key::PageDown,
                        _ => continue,
                    }
                }
                _ => Key::Escape,
            },
            _ => continue,
        });
    }
    keys
}

/// The terminal as it was, put back when dropped.
struct Terminal {
    before: Termios,
}

impl Terminal {
    fn open() -> io::Result<Terminal> {
        let terminal = Terminal { before: tcgetattr(io::stdin())? };
        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        // Signals stay keys of the terminal: Ctrl-C and Ctrl-\ end the program as they would any other. Ctrl-Z comes as
        // a key, as the terminal has to be given back before.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        write("\x1b[?1049h\x1b[?25l")
    }

    fn leave(&self) {
        // A terminal that is gone needs no restoration.
        let _ = write("\x1b[0m\x1b[?25h\x1b[?1049l");
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }

    /// Gives the terminal back, stops until the shell has the program go on, and takes it again. Where no shell could, the
    /// kernel does not stop it.
    fn suspend(&self) -> io::Result<()> {
        self.leave();
        raise(SIGTSTP)?;
        self.enter()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Where the user is.
#[derive(Debug, Default)]
struct View {
    sorted: usize,
    /// The chosen node's place on the command line.
    chosen: usize,
    detail: bool,
    /// How many lines of the detail are above those that show.
    scrolled: usize,
    /// How many lines that move showed last: so far goes a page.
    page: usize,
}

impl View {
    /// Follows a key; false when it was the last.
    fn press(&mut self, key: Key, rows: &[Row]) -> bool {
        let at = rows.iter().position(|row| row.place == self.chosen).unwrap_or(0);
        let above = |lines| rows[at.saturating_sub(lines)].place;
        let below = |lines: usize| rows[at.saturating_add(lines).min(rows.len() - 1)].place;
        match (key, self.detail) {
            (Key::Quit, _) => return false,
            (Key::Up, false) | (Key::Left, true) => self.chosen = above(1),
            (Key::Down, false) | (Key::Right, true) => self.chosen = below(1),
            (Key::PageUp, false) => self.chosen = above(self.page),
            (Key::PageDown, false) => self.chosen = below(self.page),
            (Key::Left, false) => self.sorted = (self.sorted + SORTS - 1) % SORTS,
            (Key::Right, false) => self.sorted = (self.sorted + 1) % SORTS,
            // Drawing keeps it within the lines there are.
            (Key::Up, true) => self.scrolled = self.scrolled.saturating_sub(1),
            (Key::Down, true) => self.scrolled = self.scrolled.saturating_add(1),
            (Key::PageUp, true) => self.scrolled = self.scrolled.saturating_sub(self.page),
            (Key::PageDown, true) => self.scrolled = self.scrolled.saturating_add(self.page),
            (Key::Enter, false) => (self.detail, self.scrolled) = (true, 0),
            (Key::Escape, _) => self.detail = false,
            (Key::Enter, true) | (Key::Suspend, _) => {}
        }
        true
    }

    /// The whole screen as text that overwrites the one before.
    fn draw(&mut self, rows: &[Row], (columns, height): (usize, usize)) -> String {
        let at = rows.iter().position(|row| row.place == self.chosen).unwrap_or(0);
        let room = height.saturating_sub(1);
        let mut help = "q quit  arrows choose, sort  Enter detail  Esc back".to_owned();
        let (lines, marked) = if self.detail {
            let mut lines = table::detail(&rows[at], columns);
            // Head and node always show; of what is below as much as there is room for.
            self.page = room.saturating_sub(2).max(1);
            let hidden = lines.len().saturating_sub(2 + self.page);
            self.scrolled = self.scrolled.min(hidden);
            lines.drain(2..2 + self.scrolled);
            let more = match hidden - self.scrolled {
                0 => String::new(),
                count => format!("{count} more below  "),
            };
            help = format!("{more}q quit  Up, Down, PgUp, PgDn scroll  Left, Right node  Esc back");
            (lines, usize::MAX)
        } else {
            let mut lines = table::lines(rows, columns, self.sorted);
            // Head and total always show; of the nodes those around the chosen one.
            let nodes = room.saturating_sub(2).max(1);
            self.page = nodes;
            let skipped = (at + 1).saturating_sub(nodes).min(rows.len().saturating_sub(nodes));
            lines.drain(1..1 + skipped);
            let shown = (rows.len() - skipped).min(nodes);
            lines.drain(1 + shown..lines.len() - 1);
            (lines, 1 + at - skipped)
        };
        let mut screen = "\x1b[H".to_owned();
        for (number, line) in lines.iter().take(room).enumerate() {
            let (on, off) = if number == marked { ("\x1b[7m", "\x1b[0m") } else { ("", "") };
            screen.push_str(&format!("{on}{line}{off}\x1b[K\r\n"));
        }
        screen.push_str(&format!("{}\x1b[J", help.chars().take(columns.saturating_sub(1)).collect::<String>()));
        screen
    }
}

/// Shows the nodes until the user, a signal or the end of the terminal ends it.
///
/// # Errors
/// When the terminal cannot be set up.
pub(super) fn show(nodes: &[Arc<Node>]) -> io::Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    // Has no use but to end the wait below.
    signal_hook::flag::register(SIGWINCH, Arc::new(AtomicBool::new(false)))?;
    let terminal = Terminal::open()?;
    let mut view = View::default();
    while !ended.load(Ordering::Relaxed) {
        for (place, node) in nodes.iter().enumerate() {
            node.detailed.store(view.detail && place == view.chosen, Ordering::Relaxed);
        }
        let mut rows = super::rows(nodes, Node::state);
        table::sort(&mut rows, view.sorted);
        if write(&view.draw(&rows, size())).is_err() {
            return Ok(());
        }
        let Some(pressed) = pressed()? else { return Ok(()) };
        for key in pressed {
            if key == Key::Suspend {
                terminal.suspend()?;
            } else if !view.press(key, &rows) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Waits for keys, or the time to draw again; `None` when no key can come any more.
fn pressed() -> io::Result<Option<Vec<Key>>> {
    let stdin = io::stdin();
    let mut waited = [PollFd::new(&stdin, PollFlags::IN)];
    let time = Timespec::try_from(REDRAW).map_err(io::Error::other)?;
    match poll(&mut waited, Some(&time)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Some(Vec::new())),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [0; 64];
    Ok(match rustix::io::read(&stdin, &mut buffer) {
        Ok(0) | Err(rustix::io::Errno::IO) => None,
        Ok(count) => Some(keys(&buffer[..count])),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(Vec::new()),
        Err(error) => return Err(error.into()),
    })
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => SIZE_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::State;
    use super::super::sample::Sample;
    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        (0..count).map(|place| Row { name: format!("n{place}"), state: State::Asked, place }).collect()
    }

    #[test]
    fn keys_come_of_bytes() {
        assert_eq!(keys(b"q\x1b[A\x1bOB\x1b"), [Key::Quit, Key::Up, Key::Down, Key::Escape]);
        assert_eq!(keys(b"\x1b[1;5C\x1b[C\x1b[3~\r"), [Key::Right, Key::Enter]);
        assert_eq!(keys(b"\x1b[5~\x1b[6~\x1b[6;5~"), [Key::PageUp, Key::PageDown]);
        assert_eq!(keys(b"\x1b["), []);
        assert_eq!(keys(b"\x1a\x03"), [Key::Suspend, Key::Quit]);
    }

    #[test]
    fn the_chosen_node_is_on_any_screen() {
        let rows = rows(50);
        for height in [0, 1, 2, 4, 24, 60] {
            for chosen in [0, 1, 25, 49] {
                let mut view = View { chosen, ..View::default() };
                let screen = view.draw(&rows, (80, height));
                assert!(screen.matches("\r\n").count() < height.max(1), "{height}");
                let name = format!("\x1b[7mn{chosen} ");
                assert!(height < 4 || screen.contains(&name), "{height} {chosen}: {screen:?}");
            }
        }
    }

    /// A node with this many size classes, the first of which has most memory.
    fn node(classes: usize) -> Row {
        let mut now = Sample::default();
        now.take(b"STAT version 1.6").unwrap();
        for class in 1..=classes {
            for (name, value) in [("chunk_size", 96), ("total_chunks", 1000 - class), ("used_chunks", 1)] {
                now.take(format!("STAT {class}:{name} {value}").as_bytes()).unwrap();
            }
        }
        let state = State::Up(Box::new((Sample::default(), now, Duration::from_secs(1))));
        Row { name: "n".to_owned(), state, place: 0 }
    }

    #[test]
    fn each_line_of_a_detail_can_be_scrolled_to() {
        let rows = [node(40)];
        let lines = table::detail(&rows[0], 80);
        for (height, key) in [(4, Key::Down), (10, Key::PageDown), (24, Key::Down), (24, Key::PageDown)] {
            let mut view = View { detail: true, ..View::default() };
            let mut seen = std::collections::HashSet::new();
            loop {
                let screen = view.draw(&rows, (80, height));
                let shown: Vec<&str> = screen.trim_start_matches("\x1b[H").split("\x1b[K\r\n").collect();
                let (help, shown) = shown.split_last().unwrap();
                assert_eq!((shown.len(), shown[0], shown[1]), (height - 1, &lines[0][..], &lines[1][..]), "{height}");
                seen.extend(shown.iter().map(|line| (*line).to_owned()));
                let left = lines.len() - shown.len() - view.scrolled;
                assert_eq!(help.contains(&format!("{left} more below")), left > 0, "{height}: {help}");
                if left == 0 {
                    break;
                }
                view.press(key, &rows);
            }
            assert!(lines.iter().all(|line| seen.contains(line)), "{height} {key:?}");
            // No key is lost at the end.
            let end = view.scrolled;
            view.press(key, &rows);
            view.draw(&rows, (80, height));
            view.press(Key::Up, &rows);
            assert_eq!(view.scrolled, end - 1);
            assert!(!view.draw(&rows, (80, 200)).contains("more below") && view.scrolled == 0, "a taller terminal");
        }
    }

    #[test]
    fn choosing_stops_at_the_ends_and_sorting_goes_round() {
        let rows = rows(2);
        let mut view = View::default();
        for key in [Key::Up, Key::Down, Key::Down, Key::Left, Key::Enter] {
            assert!(view.press(key, &rows));
        }
        assert_eq!((view.chosen, view.sorted, view.detail), (1, SORTS - 1, true));
        // There the arrows that sort go to other nodes.
        view.press(Key::Left, &rows);
        assert_eq!((view.chosen, view.sorted), (0, SORTS - 1));
        assert!(view.press(Key::Escape, &rows) && !view.detail && !view.press(Key::Quit, &rows));
    }
}
