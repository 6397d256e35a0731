//! Which pictures a task is made from.

use crate::{
    error::InvalidTask,
    task::{Input, Role, Task},
};

/// Whether a task has the pictures that its kind is made from, and no others.
pub(super) fn check(task: &Task) -> Result<(), InvalidTask> {
    let (roles, inputs) = (task.kind.roles(), &task.inputs);
    if let Some(Input { role, .. }) = inputs.iter().find(|input| !roles.contains(&input.role)) {
        return Err(InvalidTask::InputUnused { role: role.clone() });
    }
    let count = |role: &Role| inputs.iter().filter(|input| input.role == *role).count();
    match roles.iter().map(|role| (role, count(role))).find(|(_, found)| *found != 1) {
        Some((role, found)) => Err(InvalidTask::InputCount { role: role.clone(), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{ImageSize, ImageToImage, Inpaint, TaskKind, TextToImage, Upscale};

    #[test]
    fn each_kind_takes_its_roles_once_and_no_others() {
        let base = TextToImage::default;
        let kinds = [
            (TaskKind::TextToImage(base()), &[][..]),
            (TaskKind::ImageToImage(ImageToImage { base: base(), strength: 0.5 }), &[Role::Init]),
            (TaskKind::Inpaint(Inpaint { base: base(), strength: 0.5 }), &[Role::Init, Role::Mask]),
            (TaskKind::Upscale(Upscale { size: ImageSize::new(8, 8), passes: 1 }), &[Role::Init]),
        ];
        for (kind, roles) in kinds {
            let check = |roles: Vec<Role>| {
                let inputs = roles.into_iter().map(|role| Input { role, blob: "b".into() }).collect();
                super::check(&Task { kind: kind.clone(), inputs })
            };
            assert_eq!(check(roles.to_vec()), Ok(()), "{kind:?}");
            for role in roles {
                let without = roles.iter().filter(|other| *other != role).cloned().collect();
                assert_eq!(check(without), Err(InvalidTask::InputCount { role: role.clone(), found: 0 }));
                assert_eq!(
                    check([roles, std::slice::from_ref(role)].concat()),
                    Err(InvalidTask::InputCount { role: role.clone(), found: 2 })
                );
            }
            let all = [Role::Init, Role::Mask, Role::Control("canny".into()), Role::Reference("face".into()), Role::Edit, Role::Frame];
            for role in all.into_iter().filter(|role| !roles.contains(role)) {
                assert_eq!(check([roles, std::slice::from_ref(&role)].concat()), Err(InvalidTask::InputUnused { role }), "{kind:?}");
            }
        }
    }
}
