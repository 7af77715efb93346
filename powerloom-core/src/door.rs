//! The one door: every change of the control plane is a [`Mutation`](mutation::Mutation) and passes
//! [`ControlPlane::submit`](crate::control_plane::ControlPlane::submit).

pub(crate) mod action;
pub mod authorizer;
pub mod caller;
pub mod gate;
pub(crate) mod held;
pub(crate) mod judge;
pub(crate) mod marks;
pub(crate) mod matching;
pub mod mutation;
pub mod options;
pub mod outcome;
pub(crate) mod pass;
pub(crate) mod plan_grant;
pub(crate) mod replay;
pub(crate) mod request_row;
pub mod submit;
pub(crate) mod work;
