//! A terminal's name, from its device number. Pure. It asks for the list of drivers only if a number needs it.

use std::borrow::Cow;

use crate::text::lossy;

/// The name of the terminal with the device number `tty_nr`, without `/dev/`. `?` for no terminal, and for a number
/// that no driver has. `drivers` is the text of /proc/tty/drivers.
pub fn name<'a>(tty_nr: u32, drivers: impl FnOnce() -> &'a [u8]) -> Cow<'static, str> {
    // The kernel's new_encode_dev(), include/linux/kdev_t.h.
    let major = (tty_nr >> 8) & 0xfff;
    let minor = (tty_nr & 0xff) | ((tty_nr >> 12) & 0xf_ff00);
    match (major, minor) {
        (0, 0) => Cow::Borrowed("?"),
        (136..=143, _) => Cow::Owned(format!("pts/{}", minor + (major - 136) * 256)),
        (4, 0..64) => Cow::Owned(format!("tty{minor}")),
        (4, _) => Cow::Owned(format!("ttyS{}", minor - 64)),
        _ => by_driver(drivers(), major, minor).map_or(Cow::Borrowed("?"), Cow::Owned),
    }
}

/// The name from the driver's line in /proc/tty/drivers: `pty_slave  /dev/pts  136 0-1048575 pty:slave`.
fn by_driver(drivers: &[u8], major: u32, minor: u32) -> Option<String> {
    /// The devices with this major number (tty, console, ptmx, ttyprintk) have no number in their names.
    const UNNUMBERED: u32 = 5;
    let drivers = lossy(drivers);
    drivers.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.nth(1)?.strip_prefix("/dev/")?;
        let driver_major: u32 = words.next()?.parse().ok()?;
        let range = words.next()?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if driver_major != major || !(first..=last).contains(&minor) {
            return None;
        }
        let name = name.trim_end_matches("%d");
        // tty_line_name() in the kernel's drivers/tty/tty_io.c.
        Some(if major == UNNUMBERED { name.to_owned() } else { format!("{name}{}", minor - first) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVERS: &[u8] = b"\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
ttyprintk            /dev/ttyprintk   5       3 console
serial               /dev/ttyS       4 64-95 serial
ttyAMA               /dev/ttyAMA   204 64-77 serial
usbserial            /dev/ttyUSB   188 0-511 serial
hvc                  /dev/hvc      229 0-7 system
odd                  /dev/odd      250 x-y
short /dev/short
pty_slave            /dev/pts      136 0-1048575 pty:slave
";

    fn device(major: u32, minor: u32) -> u32 {
        (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
    }

    #[test]
    fn names() {
        for (major, minor, expected) in [
            (0, 0, "?"),
            (136, 0, "pts/0"),
            (136, 255, "pts/255"),
            (136, 256, "pts/256"),
            (136, 70_000, "pts/70000"),
            (137, 4, "pts/260"),
            (143, 255, "pts/2047"),
            (4, 0, "tty0"),
            (4, 63, "tty63"),
            (4, 64, "ttyS0"),
            (4, 95, "ttyS31"),
            (204, 64, "ttyAMA0"),
            (204, 63, "?"),
            (188, 300, "ttyUSB300"),
            (229, 7, "hvc7"),
            (5, 1, "console"),
            (5, 3, "ttyprintk"),
            (250, 1, "?"),
            (251, 1, "?"),
        ] {
            assert_eq!(name(device(major, minor), || DRIVERS), expected, "{major}:{minor}");
        }
        assert_eq!(name(u32::MAX, || b"\xff /dev/ 1"), "?");
    }

    #[test]
    fn common_terminals_need_no_list_of_drivers() {
        for number in [0, device(136, 3), device(4, 1), device(4, 64)] {
            name(number, || unreachable!());
        }
    }
}
