import { attachButton, AttachmentTray } from "./attachment-tray.js";
import { CommandForm } from "./command-form.js";
import { checkValues, lineOf, parseLine, toOptions, unfold, usableIn } from "./commands.js";
import { h, icon } from "./dom.js";
import { die, usableIdeas } from "./ideas.js";
import { Drafts, wordsOf } from "./drafts.js";
import { useCommand } from "./interactions.js";
import { Listbox } from "./listbox.js";
import { offerFor } from "./offer.js";
import { forgetOffer, showOffer } from "./offer-view.js";
import { placeholderOf, sendMessage, tellTyping } from "./outbox.js";
import { PastLines } from "./past-lines.js";
import { fileLimit, may, mayWrite, PERMISSION } from "./places.js";
import { ReplyBar } from "./reply-bar.js";
import { state } from "./state.js";
import { suggestCommands } from "./suggest.js";
import { placeFiles, trayNote } from "./tray-note.js";

/** Where a person types: plain text, a whole command line, or a command with its options as fields. */
export class Composer {
  constructor(container, { onSent }) {
    this.onSent = onSent;
    this.form = null;
    this.past = new PastLines(localStorage);
    this.drafts = new Drafts(sessionStorage);
    this.place = null;
    this.tray = new AttachmentTray({ limit: () => fileLimit(state.channels.get(state.channel)), onProblem: (text) => this.#complain(text), onChange: () => this.#noteFiles() });
    this.reply = new ReplyBar({ onLeave: () => this.focus() });
    this.text = h("textarea", {
      testid: "composer", rows: 1, "aria-label": "Message", autocomplete: "off", enterkeyhint: "send",
      "aria-autocomplete": "list", "aria-haspopup": "listbox",
    });
    this.popup = new Listbox({ owner: this.text, onPick: () => {} });
    this.text.setAttribute("aria-controls", this.popup.id);
    this.slot = h("div", { class: "form-slot" });
    this.problem = h("div", { class: "composer-error", role: "alert", testid: "composer-error", hidden: true });
    this.sendButton = h("button", { type: "button", class: "send", testid: "send", "aria-label": "Send", title: "Send (Enter)", onclick: () => this.send() }, icon("send"));
    this.die = die((line) => this.runLine(line));
    this.attachButton = attachButton((files) => this.addFiles(files));
    this.box = h("div", { class: "composer-box" }, this.reply.element, this.tray.element, this.slot, this.attachButton, this.attachButton.chooser, this.text, h("div", { class: "composer-end" }, this.die, this.sendButton));
    this.typing = h("div", { class: "typing", "aria-live": "polite" });
    container.append(this.popup.element, this.problem, this.box, this.typing);
    this.text.addEventListener("input", (event) => this.#typed(event));
    this.text.addEventListener("blur", () => this.popup.close());
    this.text.addEventListener("focus", () => this.#suggest());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    // What is begun may end at any moment: by a reload, by another channel.
    this.box.addEventListener("input", () => {
      this.past.leave();
      this.#keep();
    });
    this.box.addEventListener("click", () => this.#keep());
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
    this.isOpen = mayWrite(channel);
    this.text.disabled = this.sendButton.disabled = !this.isOpen;
    this.attachButton.hidden = !this.isOpen || !may(channel, PERMISSION.ATTACH_FILES);
    this.die.hidden = !this.isOpen || !usableIdeas().length;
    this.box.classList.toggle("closed", !this.isOpen);
    this.text.placeholder = placeholderOf(channel, this.entries.some((entry) => entry.path === "imagine"));
    this.#noteFiles();
    if (!this.isOpen) this.leave();
    if (this.form && !this.entries.some((entry) => entry.path === this.form.entry.path)) this.leave();
  }

  /** Puts the cursor where typing goes on. */
  focus() {
    if (this.form) this.form.focus();
    else this.text.focus();
  }

  /** Files that were dropped, pasted or chosen: for the command's options, else for the message. */
  addFiles(files) {
    if (!this.isOpen || !files.length) return;
    const left = this.form ? this.form.takeFiles(files) : files;
    if (left.length && !may(state.channels.get(state.channel), PERMISSION.ATTACH_FILES)) this.#complain("You may not attach files here.");
    else if (left.length) this.tray.add(left);
    this.#keep();
    this.focus();
  }

  /** Replies to `message` with what is sent next. */
  replyTo(message) {
    this.leave();
    this.reply.show(message);
    this.focus();
  }

  /** Puts words where the cursor is. */
  insert(words) {
    this.leave();
    this.text.setRangeText(words, this.text.selectionStart, this.text.selectionEnd, "end");
    this.#grow();
    this.focus();
    this.#keep();
  }

  /** Goes on in the place in view: what was begun elsewhere waits there, and what was begun here is back. */
  reset() {
    this.#keep();
    this.place = null;
    this.#closeForm();
    this.#clear();
    this.reply.show(null);
    this.tray.clear();
    this.refresh();
    this.place = `${state.me}/${state.channel}`;
    this.past.goTo(this.place);
    const draft = this.drafts.get(this.place);
    if (draft && this.isOpen) this.#restore(draft);
  }

  #restore({ text, path, values, files, reply }) {
    const entry = this.entries.find((one) => one.path === path);
    this.text.value = text ?? "";
    if (files?.length) this.tray.add(files);
    if (reply) this.reply.show(reply);
    if (entry) this.#open(entry, values);
    // The command is not offered now: its words are not lost.
    else if (path) this.text.value = `/${path} ${Object.entries(values ?? {}).map(([name, value]) => `${name}:${value}`).join(" ")}`;
    this.#grow();
  }

  /** Remembers what is begun here. */
  #keep() {
    if (!this.place) return;
    const draft = { text: this.text.value, path: this.form?.entry.path, values: this.form?.values, files: this.tray.files, reply: this.reply.message };
    this.drafts.put(this.place, draft.text || draft.path || draft.files.length || draft.reply ? draft : null);
  }

  /** Sends a line as a person would; what is being written stays. */
  runLine(line) {
    return this.#guarded(() => this.#sendText(line));
  }

  /** Shows the fields of a command. */
  enter(entry, values = {}) {
    this.#open(entry, values);
    this.form.focus();
    this.#keep();
  }

  #open(entry, values) {
    this.popup.close();
    this.#complain(null);
    this.form = new CommandForm({
      entry, values, popup: this.popup, onLeave: () => this.leave(), onBack: () => this.#back(), onSend: () => this.send(), onChange: () => this.#keep(),
    });
    this.slot.replaceChildren(this.form.element);
    this.text.value = "";
    this.text.hidden = true;
    this.box.classList.add("in-command");
    this.reply.show(null);
    // Files that wait are for the command if it takes files, and go on waiting if not.
    this.tray.keep(this.form.takeFiles(this.tray.files));
    this.#noteFiles();
  }

  /** Back to plain text, with the words and files that were in the fields. */
  leave() {
    if (!this.form) return;
    const { entry, words, files } = this.form;
    this.#closeForm();
    this.text.value = lineOf(entry, words);
    if (files.length) this.tray.add(files);
    this.#grow();
    this.#keep();
    if (document.activeElement === document.body) this.text.focus();
    this.popup.close();
  }

  #closeForm() {
    this.popup.close();
    this.popup.owner = this.text;
    this.slot.replaceChildren();
    this.form = null;
    this.text.hidden = false;
    this.box.classList.remove("in-command");
    this.#noteFiles();
    this.#complain(null);
  }

  /** Backspace behind a command takes back the space that opened it. */
  #back() {
    const { path } = this.form.entry;
    this.leave();
    this.text.value ||= `/${path}`;
    this.#suggest();
    this.#keep();
  }

  /** Sends what is there. */
  send() {
    return this.#guarded(() => {
      if (this.form) return this.#sendForm();
      return this.text.value.trim() || this.tray.files.length ? this.#sendText(this.text.value.trim()) : null;
    });
  }

  async #guarded(sending) {
    if (this.isSending) return;
    this.isSending = true;
    try {
      await sending();
    } catch (error) {
      this.#complain(error.message);
    } finally {
      this.isSending = false;
    }
  }

  async #sendForm() {
    const { form } = this;
    const { entry, values, words } = form;
    const options = form.submit();
    if (!options) return;
    await this.#sendCommand(entry, options);
    this.past.add({ path: entry.path, values: wordsOf(values), line: lineOf(entry, words) || `/${entry.path}` });
    if (this.form !== form) return;
    this.#closeForm();
    this.#clear();
    this.text.focus();
  }

  #whyNot(line) {
    const name = line.split(/\s/)[0];
    const isElsewhere = parseLine(unfold(state.commands), line);
    return isElsewhere ? `You are not allowed to use ${name} here.` : `There is no command ${name}. Type / to see all.`;
  }

  async #sendText(line) {
    const parsed = parseLine(this.entries, line);
    if (line.startsWith("/") && !parsed && state.commands.length) return this.#complain(this.#whyNot(line));
    if (parsed) return this.#sendLine(parsed, line);
    await this.#say(line);
    this.reply.show(null);
    this.tray.clear();
    this.#sent(line);
    this.onSent();
  }

  /** Sends a message. Whoever has not found out about commands gets them offered for it. */
  async #say(content) {
    const { files } = this.tray;
    const offer = state.bot.online && offerFor(this.entries, { content, isReply: Boolean(this.reply.message), nFiles: files.length });
    const message = await sendMessage({ content, files, replyTo: this.reply.message });
    if (offer) showOffer(message.channel_id, message.id, offer);
    else forgetOffer(message.channel_id);
  }

  async #sendLine({ entry, values: typed }, line) {
    const { values: files, left } = placeFiles(this.tray.files, entry.options, (option) => !typed[option.name]);
    const values = { ...typed, ...files };
    const checked = checkValues(entry, values);
    if (!checked) {
      this.tray.keep(left);
      this.enter(entry, values);
      this.form.submit();
      return;
    }
    await this.#sendCommand(entry, toOptions(entry, checked));
    this.tray.keep(left);
    this.#sent(line);
  }

  #sent(line) {
    if (line) this.past.add({ line });
    // A pressed idea leaves alone what is being written.
    if (this.text.value.trim() === line) this.#clear();
  }

  async #sendCommand(entry, options) {
    this.#complain(null);
    await useCommand({ command: entry.command, name: entry.path, options });
    forgetOffer(state.channel);
    this.onSent();
  }

  #typed(event) {
    tellTyping(this.text.value);
    this.#complain(null);
    this.#grow();
    const typed = /^\/(.+) $/.exec(this.text.value);
    const entry = typed && event.data === " " && this.entries.find((one) => one.path === typed[1]);
    if (entry?.options.length) this.enter(entry);
    else this.#suggest();
  }

  #suggest() {
    suggestCommands(this.popup, this.text, this.entries, (entry) => this.#choose(entry));
  }

  #choose(entry) {
    this.enter(entry);
    if (!entry.options.length) this.send();
  }

  #key(event) {
    if (event.isComposing) return;
    if (!this.form && event.target === this.text) {
      if (this.popup.key(event)) return;
      if (event.key === "Escape") return this.popup.isOpen ? this.popup.close() : this.reply.show(null);
    }
    const isField = event.target === this.text || event.target.matches?.(".field input, .field textarea, .command-form");
    if (!isField || event.defaultPrevented) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (this.past.isRecalled ? ["ArrowUp", "ArrowDown"].includes(event.key) : event.key === "ArrowUp" && !this.form && this.text.value === "") this.#recall(event);
  }

  /** Shows what was sent before, or again what was sent after it. */
  #recall(event) {
    const found = event.key === "ArrowUp" ? this.past.older() : this.past.newer();
    event.preventDefault();
    if (!found && event.key === "ArrowUp") return;
    const entry = found?.path && this.entries.find((one) => one.path === found.path);
    this.#closeForm();
    if (entry) return this.enter(entry, found.values);
    this.text.value = found?.line ?? "";
    this.#grow();
    this.#keep();
    this.text.focus();
    this.popup.close();
  }

  #clear() {
    this.text.value = "";
    this.popup.close();
    this.#complain(null);
    this.#grow();
    this.#keep();
  }

  /** Says of the files that wait what becomes of them. */
  #noteFiles() {
    this.tray.say(trayNote(this.tray.files, { entry: this.form?.entry, entries: this.entries ?? [] }));
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
