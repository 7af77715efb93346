//! New ids in the form of the service: a prefix that tells the kind, then random letters and digits.

const ALPHABET: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTUVWXY";

/// Makes a new id such as `agent_01…`. `prefix` comes without the underscore.
pub(crate) fn new_id(prefix: &str) -> String {
    let mut random = [0u8; 22];
    if getrandom::fill(&mut random).is_err() {
        // The system has no randomness to give: version 7 ids still differ by time and counter.
        return format!("{prefix}_01{}", uuid::Uuid::now_v7().simple());
    }
    let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    format!("{prefix}_01{}", letters.map(|&letter| char::from(letter)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_bears_its_prefix_and_is_never_the_same_twice() {
        let (one, two) = (new_id("agent"), new_id("agent"));
        assert!(one.starts_with("agent_01") && one.len() == 30, "{one}");
        assert_ne!(one, two);
    }
}
