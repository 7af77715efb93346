//! The one door: every change of the control plane is a [`Mutation`](mutation::Mutation) and passes
//! [`ControlPlane::submit`](crate::control_plane::ControlPlane::submit).

pub(crate) mod action;
pub mod authorizer;
pub mod caller;
pub mod gate;
pub mod mutation;
pub mod outcome;
pub mod submit;
pub(crate) mod work;
