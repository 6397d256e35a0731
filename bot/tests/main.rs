//! The bot's tests against its public face, in one program: every program links everything again.

#[macro_use]
mod support;
mod admin;
mod after;
mod architecture;
mod bad_input;
mod buttons;
mod changes;
mod cli_imagine;
mod clock;
mod corpus;
mod delivery;
mod dockerfile;
mod doctor;
mod examples;
#[path = "../../inference/tests/family_models/mod.rs"]
mod family_models;
mod faults;
mod first_contact;
mod imagine;
mod inputs;
mod invite;
mod leaks;
mod limits;
mod models;
mod naming;
mod notes;
mod parity;
mod permissions;
mod posted;
mod pull;
mod queue;
mod quotas;
mod received;
mod recipes;
mod redraw;
mod remix;
mod restart;
mod resume;
mod shown;
mod stopping;
mod storm;
mod sweep;
mod terminal;
mod watched;
mod z_image;
