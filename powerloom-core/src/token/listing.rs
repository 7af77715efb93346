//! Which API tokens a caller may see: never their text, which nobody can show again.

use crate::door::caller::Caller;
use crate::error::Result;
use crate::id::ResourceId;
use crate::page::{Page, Walk};
use crate::permission::Permission;
use crate::record::{Record, ResourceKey, Schema};
use crate::resource::api_token::ApiToken;
use crate::store::{MAX_PAGE, RecordQuery};
use crate::token::service::TokenService;

impl TokenService {
    /// Reads an API token: one's own, or with `token:read` where it lives.
    ///
    /// # Errors
    /// `not_found`, also for one of another organization; `denied`.
    pub async fn api_token(&self, caller: &Caller, token: ResourceId) -> Result<Record<ApiToken>> {
        let row = self.plane().row(caller.org, &ResourceKey::of::<ApiToken>(token)).await?;
        let record = Record::<ApiToken>::read(&row)?;
        if !self.owns(caller, &record).await? {
            self.cp.require(caller, Permission::TOKEN_READ, row.meta.ou).await?;
        }
        Ok(record)
    }

    /// Lists the API tokens the caller may see, by principal and name; revoked ones are archived. The query's kind does
    /// not matter. Fewer than its limit are the last. It walks over the whole list if need be: see
    /// [`api_tokens_page`](Self::api_tokens_page).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn api_tokens(&self, caller: &Caller, query: &RecordQuery) -> Result<Vec<Record<ApiToken>>> {
        let most = if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) };
        let mut query = query.clone();
        let mut seen = Vec::new();
        loop {
            query.limit = most - seen.len();
            let page = self.api_tokens_page(caller, &query).await?;
            seen.extend(page.rows);
            if seen.len() >= most || page.next.is_none() {
                return Ok(seen);
            }
            query.after = page.next;
        }
    }

    /// A page of the same, of which no more than [`MAX_LOOKED_AT`](crate::page::MAX_LOOKED_AT) are looked at: it may be empty
    /// and yet not be the last.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn api_tokens_page(
        &self,
        caller: &Caller,
        query: &RecordQuery,
    ) -> Result<Page<Record<ApiToken>>> {
        let most = if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) };
        let query = RecordQuery { kind: Some(ApiToken::KIND), ..query.clone() };
        let mut walk = Walk::new(self.plane().store.as_ref(), caller.org, query);
        let mut seen = Vec::new();
        while seen.len() < most
            && let Some(row) = walk.next().await?
        {
            let record = Record::<ApiToken>::read(&row)?;
            let visible = self.owns(caller, &record).await?
                || self.cp.decide(caller, Permission::TOKEN_READ, row.meta.ou).await?.is_allowed();
            if visible {
                seen.push(record);
            }
        }
        Ok(walk.page(seen))
    }

    /// Whether it is the caller's own, and nothing that narrows the caller leaves reading tokens out.
    async fn owns(&self, caller: &Caller, token: &Record<ApiToken>) -> Result<bool> {
        let own = token.spec.principal == caller.principal && caller.reach().contains(Permission::TOKEN_READ);
        // Whoever is disabled or gone owns nothing: nobody covers them, not even themselves.
        Ok(own && self.cp.authz(caller.org).await?.covers(&caller.principal, &caller.principal))
    }
}
