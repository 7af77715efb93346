//! What a session may cost.

use serde::{Deserialize, Serialize};

/// What a session may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Budget {
    /// The session stops when its list cost reaches this.
    Limit {
        /// The cost it stops at.
        max_list_cost: Money,
    },
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "an amount and its currency are all there is")]
pub struct Money {
    /// Whole cents, in digits.
    pub amount: String,
    /// `USD`
    pub currency: String,
}

impl Budget {
    /// Stops at `cents` US cents.
    #[must_use]
    pub fn usd_cents(cents: u64) -> Self {
        Self::Limit { max_list_cost: Money { amount: cents.to_string(), currency: "USD".to_owned() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cents_are_sent_as_digits() {
        assert_eq!(
            serde_json::to_value(Budget::usd_cents(2_500)).unwrap(),
            json!({"type": "limit", "max_list_cost": {"amount": "2500", "currency": "USD"}})
        );
    }
}
