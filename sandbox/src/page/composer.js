import { postMessage } from "./api.js";
import { CommandForm } from "./command-form.js";
import { checkValue, parseLine, search, toOptions, unfold, usableIn } from "./commands.js";
import { channelName, h, icon, nameOf } from "./dom.js";
import { useCommand } from "./interactions.js";
import { Listbox } from "./listbox.js";
import { state } from "./state.js";

const MAX_LENGTH = 2000;

/** Where a person types: plain text, a whole command line, or a command with its options as fields. */
export class Composer {
  constructor(container, { onSent }) {
    this.onSent = onSent;
    this.form = null;
    this.past = [];
    this.recalled = -1;
    this.text = h("textarea", {
      testid: "composer", rows: 1, "aria-label": "Message", autocomplete: "off", enterkeyhint: "send",
      "aria-autocomplete": "list", "aria-haspopup": "listbox",
    });
    this.popup = new Listbox({ owner: this.text, onPick: () => {} });
    this.text.setAttribute("aria-controls", this.popup.id);
    this.slot = h("div", { class: "form-slot" });
    this.problem = h("div", { class: "composer-error", role: "alert", testid: "composer-error", hidden: true });
    this.sendButton = h("button", { type: "button", class: "send", testid: "send", "aria-label": "Send", title: "Send (Enter)", onclick: () => this.send() }, icon("send"));
    this.box = h("div", { class: "composer-box" }, this.slot, this.text, this.sendButton);
    this.typing = h("div", { class: "typing", "aria-live": "polite" });
    container.append(this.popup.element, this.problem, this.box, this.typing);
    this.text.addEventListener("input", (event) => this.#typed(event));
    this.text.addEventListener("blur", () => this.popup.close());
    this.text.addEventListener("focus", () => this.#suggest());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("mousedown", (event) => {
      if (event.target !== this.box) return;
      event.preventDefault();
      this.focus();
    });
    this.refresh();
  }

  /** Takes over new commands, another channel or another person. */
  refresh() {
    const channel = state.channels.get(state.channel);
    this.entries = unfold(usableIn(state.commands, channel));
    const draw = this.entries.some((entry) => entry.path === "imagine") ? ", or / for commands" : "";
    this.text.placeholder = channel ? `Message ${channel.type === 1 ? "@" : "#"}${channelName(channel, state.bot)}${draw}` : "Message";
    if (this.form && !this.entries.some((entry) => entry.path === this.form.entry.path)) this.leave();
  }

  /** Puts the cursor where typing goes on. */
  focus() {
    if (this.form) this.form.focus();
    else this.text.focus();
  }

  /** Fills in a line and sends it, as a person would. */
  async runLine(line) {
    this.leave();
    this.text.value = line;
    await this.send();
  }

  /** Shows the fields of a command. */
  enter(entry, values = {}) {
    this.popup.close();
    this.#complain(null);
    this.form = new CommandForm({ entry, values, popup: this.popup, onLeave: () => this.leave(), onChange: () => {} });
    this.slot.replaceChildren(this.form.element);
    this.text.value = "";
    this.text.hidden = true;
    this.box.classList.add("in-command");
    this.form.focus();
  }

  /** Back to plain text. */
  leave() {
    this.popup.close();
    this.popup.owner = this.text;
    this.slot.replaceChildren();
    this.form = null;
    this.text.hidden = false;
    this.box.classList.remove("in-command");
    this.#complain(null);
    this.#grow();
    if (document.activeElement === document.body) this.text.focus();
  }

  /** Sends what is there. */
  async send() {
    if (this.isSending) return;
    this.isSending = true;
    try {
      if (this.form) await this.#sendForm();
      else if (this.text.value.trim()) await this.#sendText(this.text.value.trim());
    } catch (error) {
      this.#complain(error.message);
    } finally {
      this.isSending = false;
    }
  }

  async #sendForm() {
    const { entry, values } = this.form;
    const options = this.form.submit();
    if (!options) return;
    await this.#sendCommand(entry, options);
    this.#remember({ entry, values });
    this.leave();
    this.text.focus();
  }

  async #sendText(line) {
    const parsed = parseLine(this.entries, line);
    if (line.startsWith("/") && !parsed && this.entries.length) return this.#complain(`There is no command ${line.split(/\s/)[0]}. Type / to see all.`);
    if (parsed) return this.#sendLine(parsed, line);
    if (line.length > MAX_LENGTH) return this.#complain(`A message has at most ${MAX_LENGTH} characters; this has ${line.length}.`);
    await postMessage({ user: state.me, channel: state.channel, content: line });
    this.#remember({ line });
    this.#clear();
    this.onSent();
  }

  async #sendLine({ entry, values }, line) {
    const checked = {};
    for (const option of entry.options) {
      const { value, error } = checkValue(option, values[option.name], {});
      if (error) {
        this.enter(entry, values);
        this.form.submit();
        return;
      }
      checked[option.name] = value;
    }
    await this.#sendCommand(entry, toOptions(entry, checked));
    this.#remember({ line });
    this.#clear();
  }

  async #sendCommand(entry, options) {
    this.#complain(null);
    await useCommand({ command: entry.command, name: entry.path, options });
    this.onSent();
  }

  #typed(event) {
    this.recalled = -1;
    this.#complain(null);
    this.#grow();
    const typed = /^\/(.+) $/.exec(this.text.value);
    const entry = typed && event.data === " " && this.entries.find((one) => one.path === typed[1]);
    if (entry?.options.length) this.enter(entry);
    else this.#suggest();
  }

  #suggest() {
    const line = this.text.value;
    const known = parseLine(this.entries, line);
    if (!line.startsWith("/") || line.includes("\n") || (known && line.length > known.entry.path.length + 1)) return this.popup.close();
    const fits = search(this.entries, line.slice(1)).slice(0, 50);
    this.popup.owner = this.text;
    this.popup.onPick = (item) => this.#choose(item.value);
    const heading = fits.length ? "" : state.bot.online ? "No command has that name" : "The bot is offline; it brings the commands";
    this.popup.open(fits.map((entry) => ({ label: `/${entry.path}`, hint: entry.description, value: entry, note: nameOf(state.bot), testid: `command-${entry.path}` })), { heading });
  }

  #choose(entry) {
    this.enter(entry);
    if (!entry.options.length) this.send();
  }

  #key(event) {
    if (event.isComposing) return;
    if (!this.form && event.target === this.text) {
      if (this.popup.key(event)) return;
      if (event.key === "Escape") return this.#escape();
      if (event.key === "ArrowUp" && (this.text.value === "" || this.recalled >= 0)) return this.#recall(event, 1);
    }
    const isField = event.target === this.text || event.target.matches?.(".field input, .field textarea, .command-form");
    if (event.key === "Enter" && !event.shiftKey && isField && !event.defaultPrevented) {
      event.preventDefault();
      this.send();
    }
  }

  #escape() {
    if (this.popup.isOpen) this.popup.close();
    else this.#clear();
  }

  #recall(event, step) {
    const entry = this.past.at(-1 - (this.recalled + step));
    if (!entry) return;
    event.preventDefault();
    const depth = this.recalled + step;
    if (entry.entry) this.enter(entry.entry, entry.values);
    else {
      this.text.value = entry.line;
      this.#grow();
    }
    this.recalled = depth;
  }

  #remember(entry) {
    this.past = [...this.past, entry].slice(-50);
    this.recalled = -1;
  }

  #clear() {
    this.text.value = "";
    this.popup.close();
    this.#complain(null);
    this.#grow();
  }

  #complain(text) {
    this.problem.hidden = !text;
    this.problem.textContent = text ?? "";
  }

  #grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }
}
