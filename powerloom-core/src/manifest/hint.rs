//! The nearest known word to an unknown one.

/// Longest word that is compared; a longer one is no slip of the pen.
const MAX_WORD: usize = 64;

/// The known word that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if word.chars().count() > MAX_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    let (near, best) = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&candidate.to_lowercase(), &lower), candidate))
        .min()?;
    let alike = strsim::jaro_winkler(&best.to_lowercase(), &lower) > 0.85;
    (near <= word.chars().count().div_ceil(3) || alike).then(|| best.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_corrected_and_another_word_is_not() {
        let known = ["model", "system_prompt", "skills"];
        assert_eq!(nearest("modle", known).as_deref(), Some("model"));
        assert_eq!(nearest("systemPrompt", known).as_deref(), Some("system_prompt"));
        assert_eq!(nearest("temperature", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }
}
