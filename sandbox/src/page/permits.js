/** Discord's numbers for whom or what a permission of a command is about. */
export const ABOUT = { ROLE: 1, USER: 2, CHANNEL: 3 };

/** Everybody and everything that a guild can say something of: `{ type, id, name }`. `nameOf` names a person. */
export function subjectsOf(guild, people, nameOf) {
  const roles = (guild.roles ?? []).map((role) => ({ type: ABOUT.ROLE, id: role.id, name: role.id === guild.id ? "@everyone" : `@${role.name}` }));
  const members = people.filter((user) => !user.bot && (!user.guilds || user.guilds.includes(guild.id))).map((user) => ({ type: ABOUT.USER, id: user.id, name: nameOf(user) }));
  const isPlace = (channel) => ![10, 11, 12].includes(channel.type);
  const channels = (guild.channels ?? []).filter(isPlace).map((channel) => ({ type: ABOUT.CHANNEL, id: channel.id, name: `#${channel.name}` }));
  return [...roles, ...members, { type: ABOUT.CHANNEL, id: String(BigInt(guild.id) - 1n), name: "all channels" }, ...channels];
}

/** What is said of a command, with one subject allowed (`true`), denied (`false`) or unsaid (`null`). */
export function withSaid(permissions, subject, said) {
  const others = permissions.filter((one) => one.id !== subject.id || one.type !== subject.type);
  return said === null ? others : [...others, { id: subject.id, type: subject.type, permission: said }];
}

/** What the list shows of one permission. */
export function wordsOf(permission, subjects) {
  const subject = subjects.find((one) => one.id === permission.id && one.type === permission.type);
  return `${subject?.name ?? permission.id}: ${permission.permission ? "allowed" : "denied"}`;
}
