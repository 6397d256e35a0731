// A second bot for what Atelier itself has no use for: forms, files, context menus, layouts. It speaks to the stand-in as any bot does.
const INTENTS = 1;
const IDENTIFY_MS = 5_500;
const EPHEMERAL = 64;
const LAYOUT = 32768;
const text = (content, flags) => ({ type: 4, data: { content, flags } });

const COMMANDS = [
  { name: "form", description: "opens a form" },
  { name: "order", description: "opens a form with every kind of choice", integration_types: [0, 1], contexts: [0, 1, 2] },
  { name: "measure", description: "tells what a picture is", options: [
    { type: 11, name: "picture", description: "the picture", required: true },
    { type: 3, name: "note", description: "a note about it" }] },
  { name: "city", description: "goes to a city", options: [{ type: 3, name: "name", description: "the city", required: true, autocomplete: true }, { type: 3, name: "note", description: "a note" }] },
  { name: "whisper", description: "answers you alone" },
  { name: "layout", description: "shows every kind of component" },
  { name: "mosaic", description: "posts four pictures" },
  { name: "silence", description: "never answers" },
  { name: "Count letters", type: 3 },
  { name: "Wave at", type: 2 },
];

const FORM = {
  type: 9,
  data: { custom_id: "form", title: "A few words", components: [
    { type: 1, components: [{ type: 4, custom_id: "title", label: "Title", style: 1, min_length: 3, max_length: 40, required: true, placeholder: "a short name" }] },
    { type: 1, components: [{ type: 4, custom_id: "story", label: "Story", style: 2, required: false }] }] },
};

const label = (name, component) => ({ type: 18, label: name, component });
const ORDER = {
  type: 9,
  data: { custom_id: "order", title: "An order", components: [
    label("Size", { type: 3, custom_id: "size", options: [{ label: "Small", value: "small" }, { label: "Large", value: "large", default: true }] }),
    label("For", { type: 7, custom_id: "for", max_values: 2 }),
    label("Finish", { type: 21, custom_id: "finish", options: [{ label: "Matt", value: "matt" }, { label: "Gloss", value: "gloss" }] }),
    label("References", { type: 19, custom_id: "references", max_values: 2, required: false }),
    label("In a hurry", { type: 23, custom_id: "hurry" })] },
};

const LAYOUT_ANSWER = {
  type: 4,
  data: { flags: LAYOUT, components: [{ type: 17, accent_color: 0x35b8ae, components: [
    { type: 10, content: "## A studio's evening\nTexts, sections and rules, **made of components** alone." },
    { type: 9, components: [{ type: 10, content: "A section with a button" }, { type: 10, content: "-# and a small line below" }], accessory: { type: 2, style: 2, label: "Press", custom_id: "press" } },
    { type: 14, divider: true, spacing: 2 },
    { type: 9, components: [{ type: 10, content: "A section with a small picture" }], accessory: { type: 11, media: { url: "attachment://picture-1.png" }, description: "a small picture" } },
    { type: 12, items: [2, 3, 4].map((n) => ({ media: { url: `attachment://picture-${n}.png` }, description: `gallery ${n}` })) },
    { type: 1, components: [{ type: 3, custom_id: "pick", placeholder: "Pick some", min_values: 1, max_values: 2, options: [
      { label: "Warm", value: "warm", description: "reds and yellows" }, { label: "Cold", value: "cold" }, { label: "Grey", value: "grey" }] }] },
    { type: 1, components: [{ type: 5, custom_id: "who", placeholder: "Pick a person" }] },
    { type: 1, components: [{ type: 2, style: 1, label: "Yes", custom_id: "yes" }, { type: 2, style: 4, label: "Never", custom_id: "never", disabled: true }, { type: 2, style: 5, label: "Read more", url: "https://example.org/" }] }] }] },
};

/** Connects to the stand-in at `url` and answers until `stop()`. `pictures` are the four files of /mosaic. */
export async function startCompanion(url, token, pictures) {
  const call = (method, path, body) => fetch(`${url}/api/v10${path}`, {
    method,
    headers: { authorization: `Bot ${token}`, ...(body instanceof FormData ? {} : { "content-type": "application/json" }) },
    body: body instanceof FormData ? body : JSON.stringify(body),
  });
  const me = await (await call("GET", "/users/@me")).json();
  for (const command of COMMANDS) {
    const answer = await call("POST", `/applications/${me.id}/commands`, command);
    if (!answer.ok) throw new Error(`the command ${command.name} was refused: ${await answer.text()}`);
  }
  const { url: gateway } = await (await call("GET", "/gateway")).json();
  let socket = null;
  let isStopped = false;
  await new Promise((resolve) => connect(resolve));
  return { stop: () => {
    isStopped = true;
    socket.close(1000);
  } };

  /** Connects and identifies; whenever the connection ends, again after the five seconds that an identify is apart from the last. */
  function connect(onReady) {
    let seq = null;
    let beat = null;
    socket = new WebSocket(`${gateway}?v=10&encoding=json`);
    const own = socket;
    const say = (op, d) => own.send(JSON.stringify({ op, d }));
    own.onclose = () => {
      clearInterval(beat);
      setTimeout(() => isStopped || connect(onReady), isStopped ? 0 : IDENTIFY_MS);
    };
    own.onmessage = ({ data }) => {
      const payload = JSON.parse(data);
      seq = payload.s ?? seq;
      if (payload.op === 1) say(1, seq);
      else if (payload.op === 7 || payload.op === 9) own.close(1000);
      else if (payload.op === 10) {
        beat = setInterval(() => say(1, seq), payload.d.heartbeat_interval);
        say(2, { token, intents: INTENTS, properties: { os: "linux", browser: "companion", device: "companion" } });
      } else if (payload.t === "READY") onReady();
      else if (payload.t === "INTERACTION_CREATE") answer(payload.d);
    };
  }

  function answer(interaction) {
    const told = answerTo(interaction, pictures);
    if (told) call("POST", `/interactions/${interaction.id}/${interaction.token}/callback`, told);
  }
}

/** The body of the answer, or null for what is Atelier's. */
function answerTo({ type, data, member, user }, pictures) {
  const name = (member?.user ?? user).global_name;
  if (type === 5 && data.custom_id === "form") {
    const values = data.components.flatMap((row) => row.components ?? [row.component]).map((one) => one.value);
    return text(`**${values[0]}** by ${name}: ${values[1] || "no story"}`);
  }
  if (type === 5 && data.custom_id === "order") return text(`An order: ${data.components.map(({ component }) => told(component, data.resolved)).join(", ")}`);
  if (type === 4) return data.name === "city" ? { type: 8, data: { choices: citiesLike(data.options.find((one) => one.focused).value) } } : null;
  // Atelier answers every button, also with a word on those that it does not know.
  if (type !== 2) return null;
  switch (data.name) {
    case "form": return FORM;
    case "order": return ORDER;
    case "city": return text(`Off to ${data.options.find((one) => one.name === "name").value}.`);
    case "whisper": return text("This is between us.", EPHEMERAL);
    case "layout": return withPictures(pictures, LAYOUT_ANSWER);
    case "measure": return measured(data);
    case "mosaic": return withPictures(pictures, text("Four pictures, two by two"));
    case "Count letters": return text(`That message has ${[...data.resolved.messages[data.target_id].content].length} letters.`);
    case "Wave at": return text(`${name} waves at <@${data.target_id}>.`);
    default: return null;
  }
}

/** The cities that begin so; what a person reads is not what the bot gets. */
const citiesLike = (typed) => ["Berlin", "Bern", "Bergen", "Oslo"].filter((city) => city.toLowerCase().startsWith(typed.toLowerCase())).map((city) => ({ name: city, value: `city-${city.toLowerCase()}` }));

/** What a field of a form holds, with names in place of ids. */
function told({ value, values }, resolved = {}) {
  const name = (id) => resolved.attachments?.[id]?.filename ?? resolved.users?.[id]?.global_name ?? resolved.roles?.[id]?.name ?? id;
  return values ? values.map(name).join("+") || "none" : String(value);
}

function measured({ options, resolved }) {
  const file = resolved.attachments[options.find((one) => one.name === "picture").value];
  return text(`${file.filename}: ${file.width} × ${file.height}, ${file.size} bytes`);
}

/** An answer with the pictures as its files. */
function withPictures(pictures, answer) {
  const form = new FormData();
  const attachments = pictures.map((bytes, index) => {
    form.append(`files[${index}]`, new Blob([bytes], { type: "image/png" }), `picture-${index + 1}.png`);
    return { id: String(index), filename: `picture-${index + 1}.png`, description: `picture ${index + 1}` };
  });
  form.append("payload_json", JSON.stringify({ ...answer, data: { ...answer.data, attachments } }));
  return form;
}
