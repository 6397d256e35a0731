//! Files that an edit took out of their messages: they are served a while longer, as Discord's CDN serves them, for whoever is on the way
//! to one. A restart ends them all.

use crate::{store::files::StoredFile, world::Id};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// How much is kept, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) n_bytes: u64,
    pub(crate) life_ms: i64,
}

/// What a page and a bot may still be fetching, without filling a disk.
pub(crate) const BOUNDS: Bounds = Bounds { n_bytes: 64 << 20, life_ms: 3600 * 1000 };

/// The replaced files, the oldest first.
pub(crate) struct Replaced {
    bounds: Bounds,
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    file: StoredFile,
    n_bytes: u64,
    until_ms: i64,
}

impl Replaced {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, kept: Mutex::default() }
    }

    /// Keeps files with their sizes, and returns those whose time or room that takes.
    pub(crate) fn keep(&self, files: Vec<(StoredFile, u64)>, now_ms: i64) -> Vec<Id> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let until_ms = now_ms + self.bounds.life_ms;
        kept.extend(files.into_iter().map(|(file, n_bytes)| Kept { file, n_bytes, until_ms }));
        let mut n_bytes: u64 = kept.iter().map(|kept| kept.n_bytes).sum();
        let mut gone = Vec::new();
        while let Some(oldest) = kept.front().filter(|oldest| oldest.until_ms <= now_ms || n_bytes > self.bounds.n_bytes) {
            n_bytes -= oldest.n_bytes;
            gone.extend(kept.pop_front().map(|oldest| oldest.file.id));
        }
        gone
    }

    /// The message and content type of a file with exactly this address.
    pub(crate) fn find(&self, (channel_id, id, filename): (Id, Id, &str), now_ms: i64) -> Option<(Id, String)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &&Kept| kept.file.id == id && kept.file.channel_id == channel_id && kept.file.filename == filename;
        let found = kept.iter().find(is_it).filter(|found| now_ms < found.until_ms)?;
        Some((found.file.message_id?, found.file.content_type.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: Id) -> StoredFile {
        StoredFile { id, channel_id: 5, message_id: Some(6), filename: "a.jpg".into(), content_type: "image/jpeg".into() }
    }

    #[test]
    fn what_is_kept_is_bounded_in_time_and_bytes_and_the_oldest_go_first() {
        // What comes as (id, bytes) at a time, what goes for it, and what is there then.
        type Step = (i64, &'static [(Id, u64)], &'static [Id], &'static [Id]);
        const STEPS: [Step; 7] = [
            (0, &[(1, 40)], &[], &[1]),
            (100, &[(2, 40)], &[], &[1, 2]),
            (200, &[(3, 40)], &[1], &[2, 3]),
            (999, &[], &[], &[2, 3]),
            (1100, &[], &[2], &[3]),
            (1150, &[(4, 500)], &[3, 4], &[]),
            (1200, &[(5, 100), (6, 0)], &[], &[5, 6]),
        ];
        let replaced = Replaced::new(Bounds { n_bytes: 100, life_ms: 1000 });
        for (now_ms, files, gone, left) in STEPS {
            let files = files.iter().map(|(id, n_bytes)| (file(*id), *n_bytes)).collect();
            assert_eq!(replaced.keep(files, now_ms), gone, "at {now_ms}");
            let found: Vec<Id> = (1..7).filter(|id| replaced.find((5, *id, "a.jpg"), now_ms).is_some()).collect();
            assert_eq!(found, left, "at {now_ms}");
        }
        assert!(replaced.find((5, 5, "a.jpg"), 2199).is_some() && replaced.find((5, 5, "a.jpg"), 2200).is_none());
        assert!(replaced.find((5, 5, "b.jpg"), 1300).is_none() && replaced.find((4, 5, "a.jpg"), 1300).is_none());
    }
}
