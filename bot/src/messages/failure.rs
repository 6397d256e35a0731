//! Why there is no picture, in a sentence that its reader can act on.

use inference::error::InvalidTask;
use storage::{Failure, JobId};

use super::{UserError, internal_error};
use crate::system::printable::printable;

/// The sentence about a failure.
pub fn failure(failure: &Failure, job: JobId) -> String {
    match failure {
        Failure::SourceGone => "The picture that this starts from was deleted.".into(),
        Failure::StatesGone => UserError::StatesGone.to_string(),
        Failure::Invalid { refusal } => match serde_json::from_value::<InvalidTask>(refusal.clone()) {
            Ok(invalid) => UserError::Task(invalid).to_string(),
            Err(_) => "A value of it cannot be drawn any more. Please use /imagine again.".into(),
        },
        Failure::NotANumber { picture, step } => format!(
            "Picture {} became not-a-number after {step} steps. Try another seed (--seed) or a lower guidance (--cfg).",
            picture.saturating_add(1)
        ),
        Failure::OutOfAttempts { attempts } => {
            format!(
                "The drawing was interrupted {attempts} times. Try again; if it happens again, tell the person who runs me (job `{job}`)."
            )
        }
        Failure::ModelGone { name } => {
            format!("The model `{}` is not here any more. Choose another one with --model; /info lists them.", code(name))
        }
        Failure::ModelUnfit { name } => format!(
            "The model `{}` cannot be loaded. Choose another one with --model, and tell the person who runs me (job `{job}`).",
            code(name)
        ),
        Failure::AdapterGone { name } => {
            format!("The LoRA `{}` is not here any more. Leave it out or choose another one; /info lists them.", code(name))
        }
        Failure::AdapterUnfit { name, made_for: Some(family) } => format!(
            "The LoRA `{}` does not fit this model: it was made for {family}. Leave it out, or choose another model with --model.",
            code(name)
        ),
        Failure::AdapterUnfit { name, made_for: None } => {
            format!("The LoRA `{}` cannot be used with this model. Leave it out, or choose another model with --model.", code(name))
        }
        Failure::WordUnfit { name } => format!(
            "The learned word `{}` cannot be used with this model. Choose another model with --model, and tell the person who runs me (job `{job}`).",
            code(name)
        ),
        Failure::OutOfMemory => {
            "My device has too little memory for this. Try fewer pictures (--images), another aspect (--ar) or no second pass (--hires)."
                .into()
        }
        Failure::DiskFull => UserError::DiskFull.to_string(),
        Failure::PicturesLost => "It was drawn, but its pictures were lost before I could show them. 🔄 draws them again.".into(),
        Failure::Busy => "I have too much to do right now. Please try again in a while.".into(),
        Failure::Internal => internal_error(job),
        Failure::Untold => "Something went wrong while drawing. Please try again.".into(),
    }
}

/// A name between backticks.
fn code(name: &str) -> String {
    printable(name).replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_from_data_and_from_no_other() {
        let job = JobId::new();
        let invalid = InvalidTask::Steps { found: 200, max: 100 };
        let refusal = serde_json::to_value(&invalid).expect("data");
        assert_eq!(failure(&Failure::Invalid { refusal }, job), "That cannot be drawn: steps must be 1 to 100, not 200.");
        for other in [serde_json::json!("/srv/models/x.safetensors"), serde_json::json!({ "Path": "/srv" }), serde_json::Value::Null] {
            let said = failure(&Failure::Invalid { refusal: other }, job);
            assert_eq!(said, "A value of it cannot be drawn any more. Please use /imagine again.");
        }
    }

    #[test]
    fn names_cannot_leave_their_backticks() {
        let said = failure(&Failure::AdapterGone { name: "a` **b**".into() }, JobId::new());
        assert_eq!(said.matches('`').count(), 2, "{said}");
    }
}
