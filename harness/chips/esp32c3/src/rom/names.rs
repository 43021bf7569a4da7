//! Names of the ROM's functions by address: the entries of the jump tables at the start of the ROM, from the
//! vendor's linker scripts (`esp32c3.rom*.ld`). Later entries are the same in all chip revisions that have them.

/// One function a line, sorted: address in hexadecimal, space, name.
const FUNCTIONS: &str = include_str!("functions.txt");

/// The function that starts at `addr`.
pub(crate) fn name_of(addr: u32) -> Option<&'static str> {
    FUNCTIONS.lines().find_map(|line| {
        let (at, name) = line.split_once(' ')?;
        (u32::from_str_radix(at, 16) == Ok(addr)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_functions_have_names() {
        assert_eq!(name_of(0x4000_0018), Some("rtc_get_reset_reason"));
        assert_eq!(name_of(0x4000_08BC), Some("__umoddi3"));
        assert_eq!(name_of(0x4000_001A), None);
        assert_eq!(name_of(0x4005_FFFC), None);
    }

    #[test]
    fn the_table_is_sorted_and_lies_in_the_rom() {
        let addresses: Vec<u32> = FUNCTIONS
            .lines()
            .map(|line| u32::from_str_radix(&line[..8], 16).unwrap())
            .collect();
        assert!(addresses.is_sorted());
        assert!(addresses.iter().all(|addr| crate::guest::ROM.contains(addr)));
    }
}
