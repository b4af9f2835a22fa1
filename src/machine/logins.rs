//! Logins as utmp(5) notes them. Its records have the C library's form, which differs between architectures. Pure.

use std::mem::{offset_of, size_of};

use libc::utmpx;

/// How many logins there are, as who(1) and uptime(1) count them; none if these are no records of this architecture.
pub fn count(utmp: &[u8]) -> Option<u64> {
    let (records, rest) = utmp.as_chunks::<{ size_of::<utmpx>() }>();
    let is_login = |record: &&[u8; size_of::<utmpx>()]| {
        let kind = offset_of!(utmpx, ut_type);
        i16::from_ne_bytes([record[kind], record[kind + 1]]) == libc::USER_PROCESS
            && record[offset_of!(utmpx, ut_user)] != 0
    };
    rest.is_empty().then(|| records.iter().filter(is_login).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_that_have_a_name_count() {
        let record = |kind: i16, user: u8| {
            let mut record = vec![0; size_of::<utmpx>()];
            record[..2].copy_from_slice(&kind.to_ne_bytes());
            record[offset_of!(utmpx, ut_user)] = user;
            record
        };
        // Boot, login, login without a name, dead process, login.
        let utmp = [record(2, b'r'), record(7, b'a'), record(7, 0), record(8, b'b'), record(7, b'c')].concat();
        assert_eq!(count(&utmp), Some(2));
        assert_eq!(count(&[]), Some(0));
        assert_eq!(count(&utmp[1..]), None);
    }
}
