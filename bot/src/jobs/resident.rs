//! Which models are in memory, as far as the jobs tell: those that are drawn with now, and the last one before.

/// Models of the jobs that run.
#[derive(Debug, Default)]
pub struct Resident {
    running: Vec<String>,
    last: Option<String>,
}

impl Resident {
    /// A job begins with its model.
    pub fn begins(&mut self, model: Option<String>) {
        self.running.extend(model);
    }

    /// A job with this model ended.
    pub fn ends(&mut self, model: Option<String>) {
        if let Some(i) = model.and_then(|model| self.running.iter().position(|running| *running == model)) {
            self.last = Some(self.running.swap_remove(i));
        }
    }

    /// Their names.
    pub fn models(&self) -> Vec<String> {
        let mut models: Vec<String> = self.running.iter().chain(&self.last).cloned().collect();
        models.sort_unstable();
        models.dedup();
        models
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_and_what_ran_last_is_near() {
        let mut resident = Resident::default();
        let named = |name: &str| Some(name.to_owned());
        assert!(resident.models().is_empty());
        for model in [named("b"), named("a"), named("b"), None] {
            resident.begins(model);
        }
        assert_eq!(resident.models(), ["a", "b"]);
        resident.ends(None);
        resident.ends(named("a"));
        resident.ends(named("b"));
        assert_eq!(resident.models(), ["b"], "one of both still runs");
        resident.begins(named("c"));
        resident.ends(named("b"));
        assert_eq!(resident.models(), ["b", "c"]);
        resident.ends(named("c"));
        assert_eq!(resident.models(), ["c"]);
    }
}
